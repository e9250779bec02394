"""Makes a small MLflow file store and writes down what MLflow itself reads from it.

    mlflow_store.py DIRECTORY

DIRECTORY gets `mlruns/` and `expected.json`. Needs mlflow-skinny, numpy and pandas, and
MLFLOW_ALLOW_FILE_STORE=true. The store in `tests/corpus/mlflow` was made in /srv/ml by MLflow 3.17.
"""

import json
import os
import pathlib
import sys

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema

top = pathlib.Path(sys.argv[1]).resolve()
sys.argv[0] = "train.py"
os.chdir(top)
mlflow.set_tracking_uri((top / "mlruns").as_uri())
client = mlflow.MlflowClient()

(top / "model.py").write_text(
    "import mlflow\n\n\n"
    "class Threshold(mlflow.pyfunc.PythonModel):\n"
    "    def predict(self, context, model_input, params=None):\n"
    "        return model_input['age'] > 40\n\n\n"
    "mlflow.models.set_model(Threshold())\n"
)
one = ModelSignature(
    Schema([ColSpec("double", "age"), ColSpec("string", "plan", required=False)]),
    Schema([ColSpec("boolean")]),
    ParamSchema([ParamSpec("threshold", "double", 40.0)]),
)
two = ModelSignature(Schema([ColSpec("double", "age")]), Schema([ColSpec("boolean")]))
BEGAN = 1_790_000_000_000


def run(experiment, number, params, metrics, tags, status):
    began = BEGAN + number * 1_000_000
    made = client.create_run(experiment, began, tags, run_name=f"run {number}")
    series = [
        Metric(key, value, began + step * 1_000, step)
        for key, values in metrics.items()
        for step, value in values
    ]
    params = [Param(key, value) for key, value in params.items()]
    client.log_batch(made.info.run_id, series, params)
    if status:
        client.set_terminated(made.info.run_id, status, began + 60_000)
    return made.info.run_id


def log_model(run_id, name, registered, signature, note):
    (top / "notes.txt").write_text(note)
    with mlflow.start_run(run_id=run_id):
        info = mlflow.pyfunc.log_model(
            name=name,
            python_model="model.py",
            signature=signature,
            pip_requirements=["mlflow-skinny"],
            artifacts={"notes": str(top / "notes.txt")},
            params={"depth": 6, "note": note},
        )
        mlflow.log_metric("auc", 0.75, step=7, model_id=info.model_id)
        mlflow.log_metric("auc", 0.875, step=8, model_id=info.model_id)
    if registered:
        mlflow.register_model(info.model_uri, registered)
    return info


churn = client.create_experiment("churn", tags={"team": "risk", "mlflow.note.content": "who leaves"})
odd = client.create_experiment("price forecasts (2026)")
gone = client.create_experiment("gone")
git = {
    "mlflow.source.git.commit": "9f31c2a4d5e6f708192a3b4c5d6e7f8091a2b3c4",
    "mlflow.source.git.repoURL": "https://ada:s3cret@git.example.org/risk/churn-training.git",
}
first = run(
    churn,
    1,
    {"rate": "0.01", "optimizer/beta": "0.9", "note": "two\nlines, żółć", "empty": ""},
    {
        "loss": [(0, 0.9), (1, 0.5), (1, 0.45), (2, float("nan")), (3, 1e-300)],
        "train/grad": [(-3, float("inf")), (0, float("-inf")), (9, 1e17)],
    },
    {"team": "risk", "mlflow.note.content": "the first try", **git},
    None,
)
client.log_text(first, "all went well\n", "notes/summary.txt")
client.log_dict(first, {"classes": ["stays", "leaves"]}, "classes.json")
dataset = Dataset(
    "customers", "f1e2d3c4", "http", '{"url": "https://example.org/customers.csv"}', None, '{"rows": 344}'
)
client.log_inputs(first, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
log_model(first, "classifier", "churn", one, "first")
second = run(churn, 2, {"rate": "0.02"}, {"loss": [(0, 0.8)]}, {}, None)
log_model(second, "classifier", "churn", one, "second")
third = run(churn, 3, {}, {}, {}, None)
log_model(third, "classifier", "churn", two, "third")
log_model(third, "spare", None, two, "not registered")
failed = run(churn, 4, {"rate": "10"}, {"loss": [(0, float("nan"))]}, {}, "FAILED")
killed = run(churn, 5, {}, {}, {"mlflow.parentRunId": failed}, "KILLED")
running = run(churn, 6, {"rate": "0.3"}, {"loss": [(0, 0.1), (1, 0.2)]}, {}, None)
deleted = run(churn, 7, {}, {}, {}, "FINISHED")
client.delete_run(deleted)
run(gone, 8, {}, {}, {}, "FINISHED")
client.delete_experiment(gone)

# A model as MLflow 2 kept it: below the artifacts of its run.
prices = run(odd, 9, {"trees": "100"}, {"rmse": [(0, 12.5), (1, 11.25)]}, {}, "FINISHED")
folder = top / "prices"
folder.mkdir()
(folder / "MLmodel").write_text("artifact_path: model\nflavors: {}\nrun_id: " + prices + "\n")
(folder / "model.bin").write_bytes(bytes(range(256)))
client.log_artifacts(prices, str(folder), "model")
client.log_text(prices, "mean,12\n", "report.csv")
client.create_registered_model("price model", {"cost center": "4711"}, "What things cost")
client.create_model_version("price model", f"runs:/{prices}/model", prices, {"size": "small"})
# The same files again.
client.create_model_version("price model", f"runs:/{prices}/model", prices)

client.update_model_version("churn", "1", "the one of spring")
client.set_model_version_tag("churn", "1", "reviewed", "yes")
client.set_model_version_tag("churn", "2", "reviewed", "no")
client.set_registered_model_alias("churn", "champion", "2")
client.set_registered_model_alias("churn", "challenger", "3")
client.transition_model_version_stage("churn", "1", "Archived")
client.transition_model_version_stage("churn", "2", "Production")
client.transition_model_version_stage("churn", "3", "Staging")
log_model(third, "classifier", "churn", two, "a mistake")
client.delete_model_version("churn", "4")
# The client refuses what mlflow.genai, which needs more packages, does by the store.
store = client._get_registry_client().store
store.create_registered_model("greeting", [RegisteredModelTag("mlflow.prompt.is_prompt", "true")])
text = [ModelVersionTag("mlflow.prompt.text", "Hello {{name}}")]
store.create_model_version("greeting", "dummy-source", tags=text)


def number(value):
    return value if abs(value) < float("inf") else {"nan": "NaN", "inf": "Infinity"}.get(
        str(value), "-Infinity"
    )


def describe(found):
    info, data = found.info, found.data
    return {
        "experiment": client.get_experiment(info.experiment_id).name,
        "status": info.status.lower(),
        "started": info.start_time,
        "ended": info.end_time,
        "params": data.params,
        "tags": data.tags,
        "metrics": {
            key: [
                [point.step, point.timestamp, number(point.value)]
                for point in client.get_metric_history(info.run_id, key)
            ]
            for key in data.metrics
        },
        "artifacts": sorted(walk(info.run_id, None)),
    }


def walk(run_id, path):
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            yield from walk(run_id, entry.path)
        else:
            yield entry.path


def describe_version(version):
    model = client.get_logged_model(version.model_id) if version.model_id else None
    return {
        "run": version.run_id,
        "stage": version.current_stage,
        "source": version.source,
        "description": version.description or "",
        "created": version.creation_timestamp,
        "tags": version.tags,
        "params": model and model.params,
        "metrics": model and {metric.key: number(metric.value) for metric in model.metrics},
        "aliases": client.get_registered_model(version.name).aliases,
    }


experiments = client.search_experiments()
runs = client.search_runs([experiment.experiment_id for experiment in experiments])
versions = [
    version
    for model in ("churn", "price model")
    for version in client.search_model_versions(f"name = '{model}'")
]
expected = {
    "runs": {run.info.run_id: describe(run) for run in runs},
    "versions": {
        f"{version.name}/{version.version}": describe_version(
            client.get_model_version(version.name, version.version)
        )
        for version in versions
    },
    "deleted": deleted,
    "running": running,
}
for made in ("model.py", "notes.txt", "prices/MLmodel", "prices/model.bin"):
    (top / made).unlink()
folder.rmdir()
(top / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
