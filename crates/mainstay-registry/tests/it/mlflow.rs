//! Import of a file store that MLflow 3 made, and of others that nobody should have made.

mod hostile;
mod tiny;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstay_core::{ErrorKind, Timestamp};
use mainstay_registry::mlflow::{ImportReport, ImportSpec, Outcome, Remark, Unfinished};
use mainstay_registry::run::{Run, RunStatus};
use mainstay_registry::{Metric, ModelInfo, Registry};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::fault::{Applied, FaultStorage};
use mainstay_store::{MemoryStorage, NoWait, Storage};
use serde_json::Value as Json;
use tempfile::TempDir;

use self::tiny::Tiny;
use crate::fixture::{Fixture, ada, locator, name, node};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/mlflow")
}

fn spec(store: &Path) -> ImportSpec {
    ImportSpec::new(store, ada(), "import")
}

async fn import(fixture: &Fixture, spec: &ImportSpec) -> ImportReport {
    fixture.registry.import_mlflow(spec).await.unwrap()
}

fn outcomes(report: &ImportReport) -> Vec<Outcome> {
    let lists = [
        &report.runs,
        &report.versions,
        &report.stages,
        &report.aliases,
    ];
    let all = lists.into_iter().flatten();
    all.map(|imported| imported.outcome).collect()
}

/// What MLflow reads from the store.
fn expected() -> Json {
    serde_json::from_slice(&fs::read(corpus().join("expected.json")).unwrap()).unwrap()
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap()
}

fn millis(value: &Json) -> Timestamp {
    Timestamp::from_unix_micros(value.as_i64().unwrap() * 1_000)
}

#[tokio::test]
async fn every_run_is_found_again_as_mlflow_reads_it() {
    let fixture = Fixture::new().await;
    let store = corpus().join("mlruns");
    let report = import(&fixture, &spec(&store).with_unfinished(Unfinished::Killed)).await;
    assert_eq!(report.conflicts, []);
    let expected = expected();
    let runs = expected["runs"].as_object().unwrap();
    assert_eq!(report.runs.len(), runs.len());
    for (id, expected) in runs {
        let experiment = match text(&expected["experiment"]) {
            "price forecasts (2026)" => "price-forecasts-2026",
            plain => plain,
        };
        let run = fixture
            .runs()
            .show(&locator(&format!("{experiment}@{id}")))
            .await
            .unwrap();
        check_record(&run.record, expected);
        check_series(&fixture, &run.node, expected).await;
        // Those of versions are theirs.
        let of_versions = ["model/MLmodel", "model/model.bin"];
        let artifacts = expected["artifacts"].as_array().unwrap().iter().map(text);
        let artifacts: Vec<&str> = artifacts
            .filter(|path| !of_versions.contains(path))
            .collect();
        let files = run.files.iter().map(|file| file.path.as_str());
        let files: Vec<&str> = files
            .filter(|path| !path.starts_with("models/m-"))
            .collect();
        assert_eq!(files, artifacts);
    }
}

fn check_record(record: &Run, expected: &Json) {
    let status = match text(&expected["status"]) {
        "running" => "killed",
        over => over,
    };
    assert_eq!(record.status.as_str(), status);
    assert_eq!(record.started, millis(&expected["started"]));
    if expected["ended"].is_null() {
        // When it measured last.
        assert_eq!(
            record.ended.unwrap(),
            millis(&(1_790_006_001_000_i64).into())
        );
        assert_eq!(record.tags["mlflow.status"], "RUNNING");
    } else {
        assert_eq!(record.ended.unwrap(), millis(&expected["ended"]));
    }
    assert_eq!(
        record.parameters.iter().collect::<Vec<_>>(),
        expected["params"]
            .as_object()
            .unwrap()
            .iter()
            .collect::<Vec<_>>()
    );
    for (key, value) in expected["tags"].as_object().unwrap() {
        let value = text(value).replace("ada:s3cret@", "");
        assert_eq!(record.tags[key], value, "{key}");
    }
    assert_eq!(
        record.tags["mlflow.experiment_name"],
        text(&expected["experiment"])
    );
    if record.description == "the first try" {
        let code = record.code.as_ref().unwrap().node().to_string();
        assert_eq!(
            code,
            "code:churn-training@9f31c2a4d5e6f708192a3b4c5d6e7f8091a2b3c4"
        );
        assert_eq!(record.tags["mlflow.experiment.team"], "risk");
        let dataset = &record.tags["mlflow.dataset.bf99ec2e465de730f81a1d8facaad8e9"];
        let dataset: Json = serde_json::from_str(dataset).unwrap();
        assert_eq!(dataset["name"], "customers");
        assert_eq!(dataset["tags"]["mlflow.data.context"], "training");
    }
}

async fn check_series(fixture: &Fixture, run: &mainstay_core::NodeRef, expected: &Json) {
    let view = fixture.repo.view().await.unwrap();
    let info = fixture.runs().show(&run.clone().into()).await.unwrap();
    let series = expected["metrics"].as_object().unwrap();
    assert_eq!(info.metrics.len(), series.len());
    for (key, points) in series {
        let mut expected: Vec<(i64, Timestamp, Metric)> = points
            .as_array()
            .unwrap()
            .iter()
            .map(|point| {
                let value: Metric = serde_json::from_value(point[2].clone())
                    .unwrap_or_else(|_| Metric::new(point[2].as_f64().unwrap()));
                (point[0].as_i64().unwrap(), millis(&point[1]), value)
            })
            .collect();
        expected.sort_by_key(|(step, time, _)| (*step, *time));
        let found = fixture.runs().series(&view, run, key, ..).await.unwrap();
        let found: Vec<_> = found.iter().map(|p| (p.step, p.time, p.value)).collect();
        assert_eq!(found, expected, "{run} {key}");
    }
}

#[tokio::test]
async fn every_version_is_found_again_as_mlflow_reads_it() {
    let fixture = Fixture::new().await;
    let report = import(&fixture, &spec(&corpus().join("mlruns"))).await;
    assert_eq!(report.conflicts, []);
    let expected = expected();
    let nodes: BTreeMap<&str, _> = report
        .versions
        .iter()
        .map(|version| {
            (
                version.mlflow.as_str(),
                (version.node.clone().unwrap(), version.outcome),
            )
        })
        .collect();
    let versions = expected["versions"].as_object().unwrap();
    assert!(nodes.keys().eq(versions.keys()), "{nodes:?}");
    for (version, expected) in versions {
        let (node, outcome) = &nodes[version.as_str()];
        let info = fixture.registry.show(&node.clone().into()).await.unwrap();
        if *outcome == Outcome::Same {
            assert_eq!(
                (version.as_str(), node),
                ("price model/2", &nodes["price model/1"].0)
            );
            continue;
        }
        check_version(&info, expected);
    }
    let one = &nodes["churn/1"].0;
    let churn = fixture.registry.show(&one.clone().into()).await.unwrap();
    let paths = churn
        .record
        .artifact
        .files
        .iter()
        .map(|file| file.path.as_str());
    let known = [
        "MLmodel",
        "artifacts/notes.txt",
        "conda.yaml",
        "model.py",
        "python_env.yaml",
        "requirements.txt",
    ];
    assert!(paths.eq(known));
    let signature = churn.record.signature.as_ref().unwrap().to_mlflow();
    assert!(
        signature["inputs"].to_string().contains("plan"),
        "{signature}"
    );
    // The second version takes one column less.
    let majors = ["churn/1", "churn/2", "churn/3"].map(|version| nodes[version].0.to_string());
    assert_eq!(
        majors,
        [
            "model:churn@1.0.0",
            "model:churn@1.1.0",
            "model:churn@2.0.0"
        ]
    );
    let found = ["churn@champion", "churn@production", "churn@challenger"];
    for (pointer, version) in found.into_iter().zip(["1.1.0", "1.1.0", "2.0.0"]) {
        assert_eq!(fixture.find(pointer).await.as_deref(), Some(version));
    }
    assert_eq!(fixture.stage("churn@1.0.0").await, "archived");
    assert_eq!(fixture.stage("churn@2.0.0").await, "staging");
    let hits = fixture
        .registry
        .search(
            "metrics.auc > 0.8 AND tags.`mlflow.version` = '2'",
            &mainstay_registry::search::Page::default(),
        )
        .await
        .unwrap();
    assert_eq!(hits.results.len(), 1);
    let left_out: Vec<&str> = report
        .left_out
        .iter()
        .map(|remark| remark.what.as_str())
        .collect();
    for what in [
        ".trash",
        "prompt greeting",
        "churn/4",
        &format!("run {}", text(&expected["deleted"])),
        &format!("run {}", text(&expected["running"])),
    ] {
        assert!(left_out.contains(&what), "{what}: {left_out:?}");
    }
}

fn check_version(info: &ModelInfo, expected: &Json) {
    let record = &info.record;
    assert_eq!(record.description, text(&expected["description"]));
    for (key, value) in expected["tags"].as_object().unwrap() {
        assert_eq!(record.tags[key], text(value));
    }
    assert_eq!(record.tags["mlflow.source_path"], text(&expected["source"]));
    assert_eq!(
        record.tags["mlflow.created"],
        millis(&expected["created"]).to_string()
    );
    let run = record.run.as_ref().unwrap().run.version().as_str();
    assert_eq!(run, text(&expected["run"]));
    if let Some(metrics) = expected["metrics"].as_object() {
        assert_eq!(
            record.parameters.len(),
            expected["params"].as_object().unwrap().len()
        );
        for (key, value) in expected["params"].as_object().unwrap() {
            assert_eq!(record.parameters[key], *value);
        }
        assert_eq!(record.metrics.len(), metrics.len());
        assert_eq!(record.metrics["auc"].value, Metric::new(0.875));
    } else {
        assert_eq!(record.tags["mlflow.model.cost center"], "4711");
        assert_eq!(record.tags["mlflow.model_description"], "What things cost");
        assert_eq!(record.metrics["rmse"].value, Metric::new(11.25));
        assert_eq!(record.parameters["trees"], "100");
    }
}

#[tokio::test]
async fn a_model_that_is_not_registered_is_among_the_files_of_its_run() {
    let fixture = Fixture::new().await;
    import(&fixture, &spec(&corpus().join("mlruns"))).await;
    let runs = fixture.runs().list(Some(&name("churn"))).await.unwrap();
    let third = runs
        .iter()
        .find(|run| run.record.tags["mlflow.runName"] == "run 3")
        .unwrap();
    // The spare one, and the one whose version was deleted.
    let models = third
        .files
        .iter()
        .filter(|file| file.path.as_str().ends_with("/MLmodel"));
    assert_eq!(models.count(), 2);
    let directory = TempDir::new().unwrap();
    let target = directory.path().join("files");
    let view = fixture.repo.view().await.unwrap();
    let runs = fixture.runs();
    let pulled = runs
        .pull(&view, &third.node.clone().into(), &target)
        .await
        .unwrap();
    assert_eq!(pulled, third.files);
    for file in &pulled {
        assert!(target.join(file.path.as_str()).is_file());
    }
    let again = runs
        .pull(&view, &third.node.clone().into(), &target)
        .await
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_second_import_changes_nothing_and_a_dry_run_neither() {
    let fixture = Fixture::new().await;
    let spec = spec(&corpus().join("mlruns"));
    let planned = import(&fixture, &spec.clone().dry_run()).await;
    assert_eq!(fixture.repo.view().await.unwrap().seq(), 0);
    let first = import(&fixture, &spec).await;
    let seq = fixture.repo.view().await.unwrap().seq();
    let names = |report: &ImportReport| -> Vec<String> {
        let lists = [
            &report.runs,
            &report.versions,
            &report.stages,
            &report.aliases,
        ];
        let all = lists.into_iter().flatten();
        all.map(|imported| imported.mlflow.clone()).collect()
    };
    assert_eq!(names(&planned), names(&first));
    assert_eq!(planned.left_out, first.left_out);
    assert!(
        outcomes(&planned)
            .iter()
            .all(|outcome| *outcome == Outcome::New)
    );
    for spec in [spec.clone(), spec.clone().dry_run()] {
        let again = import(&fixture, &spec).await;
        assert_eq!(fixture.repo.view().await.unwrap().seq(), seq);
        assert_eq!(names(&again), names(&first));
        assert_eq!(
            (again.conflicts, &again.left_out),
            (Vec::new(), &first.left_out)
        );
    }
    // One entry a run and a version, two for production, one for each other stage and alias.
    let versions = first
        .versions
        .iter()
        .filter(|version| version.outcome == Outcome::New);
    let entries =
        first.runs.len() + versions.count() + first.stages.len() + 1 + first.aliases.len();
    assert_eq!(seq, entries as u64);
}

#[tokio::test]
async fn what_was_changed_since_is_a_conflict_and_stays() {
    let fixture = Fixture::new().await;
    let tiny = Tiny::new();
    import(&fixture, &spec(tiny.path())).await;
    fixture.weights("m", "ours").await;
    fixture.promote("m@2.0.0", "staging").await;
    fixture.promote("m@2.0.0", "production").await;
    fixture.alias("m@2.0.0", "best").await;
    tiny.write("0/r1/tags/team", "another");
    tiny.write("0/r1/meta.yaml", tiny::run("r1", 4));
    let report = import(&fixture, &spec(tiny.path())).await;
    let conflicts: Vec<(&str, &str)> = report
        .conflicts
        .iter()
        .map(|Remark { what, why, .. }| (what.as_str(), why.as_str()))
        .collect();
    assert_eq!(
        conflicts,
        [
            ("run r1", "run:e@r1 differs in status, tags"),
            ("m/1 Production", "model:m@1.0.0 was put in archived here"),
            (
                "m@best",
                "the alias points to another version here (holds: model:m@2.0.0)"
            ),
        ]
    );
    assert_eq!(fixture.find("m@production").await.as_deref(), Some("2.0.0"));
    let run = fixture.runs().show(&locator("e@r1")).await.unwrap();
    assert_eq!(run.record.status, RunStatus::Finished);
}

#[tokio::test]
async fn datasets_are_inputs_where_the_user_says_which_they_are() {
    let fixture = Fixture::new().await;
    let (first, second) = (node("data:customers@1"), node("data:customers@2"));
    for data in [&first, &second] {
        let rows = serde_json::json!({"rows": 344});
        fixture.record(&data.to_string(), rows).await;
    }
    // The exact one counts.
    let spec = spec(&corpus().join("mlruns"))
        .with_dataset("customers", first)
        .with_dataset("customers@f1e2d3c4", second.clone());
    import(&fixture, &spec).await;
    let runs = fixture.runs().list(Some(&name("churn"))).await.unwrap();
    let inputs: Vec<_> = runs.iter().flat_map(|run| &run.record.inputs).collect();
    assert_eq!(inputs.len(), 1);
    assert_eq!(
        (inputs[0].role.as_str(), &inputs[0].input),
        ("training", &second)
    );
    for (dataset, data) in [("nobody", second), ("customers", node("data:nobody@1"))] {
        let mut spec = spec.clone().with_dataset(dataset, data);
        spec.datasets.remove("customers@f1e2d3c4");
        let error = fixture.registry.import_mlflow(&spec).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("nobody"), "{error}");
    }
}

#[tokio::test]
async fn a_model_of_the_same_name_is_left_alone() {
    let fixture = Fixture::new().await;
    fixture.weights("m", "ours").await;
    let tiny = Tiny::new();
    let report = import(&fixture, &spec(tiny.path())).await;
    assert_eq!(report.conflicts.len(), 1, "{report:?}");
    assert_eq!(report.conflicts[0].what, "model m");
    let report = import(&fixture, &spec(tiny.path()).with_model("m", name("theirs"))).await;
    assert_eq!(report.conflicts, []);
    assert_eq!(fixture.find("theirs@best").await.as_deref(), Some("1.0.0"));
}

#[tokio::test]
async fn what_goes_on_is_imported_when_it_is_over_with_the_versions_it_made() {
    let fixture = Fixture::new().await;
    let tiny = Tiny::new();
    tiny.write(
        "0/r1/meta.yaml",
        tiny::run("r1", 1).replace("end_time: 2000", "end_time: null"),
    );
    let report = import(&fixture, &spec(tiny.path())).await;
    assert_eq!(outcomes(&report), []);
    assert_eq!(
        report.left_out.len(),
        3,
        "the run, its version, the alias: {report:?}"
    );
    tiny.write("0/r1/meta.yaml", tiny::run("r1", 3));
    let report = import(&fixture, &spec(tiny.path())).await;
    assert_eq!(report.left_out, []);
    assert_eq!(outcomes(&report), [Outcome::New; 4]);
}

#[tokio::test]
async fn files_elsewhere_are_read_where_the_user_says_they_are() {
    let tiny = Tiny::new();
    let run = tiny::run("r1", 3);
    tiny.write(
        "0/r1/meta.yaml",
        format!("{run}artifact_uri: s3://ada:key@bucket/ml/0/r1/artifacts\n"),
    );
    let fixture = Fixture::new().await;
    let report = import(&fixture, &spec(tiny.path()).dry_run()).await;
    let left_out: Vec<&str> = report
        .left_out
        .iter()
        .map(|remark| remark.what.as_str())
        .collect();
    assert_eq!(left_out, ["files of run r1", "m/1", "m@best"]);
    let told = serde_json::to_string(&report).unwrap();
    assert!(
        told.contains("s3://bucket/ml") && !told.contains("ada:key"),
        "{told}"
    );

    let copy = TempDir::new().unwrap();
    fs::create_dir_all(copy.path().join("r1/artifacts/model")).unwrap();
    fs::write(copy.path().join("r1/artifacts/model/model.bin"), "from S3").unwrap();
    let spec = spec(tiny.path()).with_location("s3://ada:key@bucket/ml/0/", copy.path());
    let report = import(&fixture, &spec).await;
    assert_eq!(report.left_out, []);
    let model = fixture.registry.show(&locator("m@best")).await.unwrap();
    assert_eq!(model.record.artifact.files.len(), 1);
}

#[tokio::test]
async fn two_names_that_would_be_one_are_told_before_anything_is_written() {
    let tiny = Tiny::new();
    for (id, name) in [("1", "price model"), ("2", "price (model)")] {
        let meta = format!("experiment_id: '{id}'\nname: {name}\nlifecycle_stage: active\n");
        tiny.write(&format!("{id}/meta.yaml"), &meta);
    }
    let fixture = Fixture::new().await;
    let error = fixture
        .registry
        .import_mlflow(&spec(tiny.path()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let told = error.to_string();
    assert!(
        told.contains("price (model)") && told.contains("price model"),
        "{told}"
    );
    assert_eq!(fixture.repo.view().await.unwrap().seq(), 0);
    let spec = spec(tiny.path()).with_experiment("price (model)", name("prices"));
    import(&fixture, &spec).await;
    let unknown = spec.with_experiment("nobody", name("nobody"));
    let error = fixture.registry.import_mlflow(&unknown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn of_two_in_production_the_higher_number_is_and_gates_are_heeded() {
    let tiny = Tiny::new();
    tiny.write("0/r1/artifacts/other/model.bin", "others");
    let second = tiny::version(2, "runs:/r1/other");
    tiny.write("models/m/version-2/meta.yaml", &second);
    let fixture = Fixture::new().await;
    let report = import(&fixture, &spec(tiny.path())).await;
    assert_eq!(report.left_out.len(), 1, "{report:?}");
    assert_eq!(fixture.find("m@production").await.as_deref(), Some("2.0.0"));
    assert_eq!(fixture.stage("m@1.0.0").await, "archived");

    let guarded = Fixture::new().await;
    let policy = mainstay_registry::StagePolicy::default().with_gate(
        name("production"),
        mainstay_registry::Gate::AtLeast {
            metric: "auc".into(),
            limit: 0.9,
        },
    );
    guarded
        .registry
        .set_stage_policy(
            &name("m"),
            policy,
            ada(),
            &std::collections::BTreeSet::new(),
            "strict",
        )
        .await
        .unwrap();
    let report = import(&guarded, &spec(tiny.path())).await;
    assert!(
        report.conflicts[0].why.starts_with("refused by gates"),
        "{report:?}"
    );
    assert_eq!(guarded.find("m@production").await, None);
}

/// Imports, from whatever a crash left.
async fn work(storage: Arc<dyn Storage>, store: &Path) -> mainstay_core::Result<ImportReport> {
    let options = RepoOptions::default().with_timer(Arc::new(NoWait::default()));
    let repo = Repo::create(storage, options).await?;
    Registry::new(repo).import_mlflow(&spec(store)).await
}

#[tokio::test]
async fn a_crash_at_any_operation_leaves_nothing_by_half_and_the_next_import_goes_on() {
    let tiny = Tiny::new();
    let whole = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let report = work(Arc::<FaultStorage<_>>::clone(&whole) as _, tiny.path())
        .await
        .unwrap();
    assert_eq!(outcomes(&report), [Outcome::New; 4]);
    for operation in 0..whole.operations() {
        for applied in [Applied::Yes, Applied::No] {
            let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
            storage.crash_at(operation, applied);
            drop(work(Arc::<FaultStorage<_>>::clone(&storage) as _, tiny.path()).await);
            storage.revive();
            let shared: Arc<dyn Storage> = Arc::<FaultStorage<_>>::clone(&storage) as _;
            if let Ok(repo) = Repo::open(Arc::clone(&shared), RepoOptions::default()).await {
                check_whole(&repo).await;
            }
            let report = work(Arc::clone(&shared), tiny.path()).await.unwrap();
            assert_eq!(report.conflicts, [], "at {operation}");
            let repo = Repo::open(shared, RepoOptions::default()).await.unwrap();
            let registry = Registry::new(repo.clone());
            for pointer in ["m@best", "m@production"] {
                registry.resolve(&locator(pointer)).await.unwrap();
            }
            check_whole(&repo).await;
        }
    }
}

/// A run has its points and files, and a version its files and its run, or they are not there.
async fn check_whole(repo: &Repo) {
    let runs = mainstay_registry::run::Runs::new(repo.clone());
    let view = repo.view().await.unwrap();
    for run in runs.list(None).await.unwrap() {
        assert_eq!((run.metrics["loss"].points, run.files.len()), (2, 1));
        let node = &run.node;
        assert_eq!(runs.series(&view, node, "loss", ..).await.unwrap().len(), 2);
        assert_eq!(run.record.status, RunStatus::Finished);
    }
    let registry = Registry::new(repo.clone());
    if let Ok(info) = registry.show(&locator("m")).await {
        assert!(info.record.run.is_some() && info.record.signature.is_some());
        for file in &info.record.artifact.files {
            assert!(repo.blob(&file.digest).await.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn an_interrupted_promotion_is_told_from_a_demotion() {
    let fixture = Fixture::new().await;
    let tiny = Tiny::new();
    import(&fixture, &spec(tiny.path())).await;
    fixture.promote("m@1.0.0", "staging").await;
    let report = import(&fixture, &spec(tiny.path())).await;
    assert_eq!(report.conflicts.len(), 1, "{report:?}");
    assert_eq!(fixture.stage("m@1.0.0").await, "staging");
}
