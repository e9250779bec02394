//! `mainstay model import mlflow`

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Shell, has};

fn store() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/mlflow/mlruns")
}

fn import(options: &str) -> String {
    format!("model import mlflow {} {options}", store().display())
}

#[test]
fn an_mlflow_store_is_planned_imported_and_read() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let planned = shell.json(&import("--dry-run"));
    assert_eq!(
        shell.json("model list")["models"].as_array().unwrap().len(),
        0
    );
    let report = shell.json(&import(
        "--model-name churn=leavers --dataset customers=penguins --dead",
    ));
    has(
        &report,
        &[
            "runs",
            "versions",
            "stages",
            "aliases",
            "conflicts",
            "left_out",
        ],
    );
    // The dead run is one more.
    let runs = |report: &serde_json::Value| report["runs"].as_array().unwrap().len();
    assert_eq!(runs(&report), runs(&planned) + 1);
    assert_eq!(report["versions"][0]["node"], "model:leavers@1.0.0");
    assert_eq!(
        shell.json("model show leavers@champion")["record"]["tags"]["mlflow.version"],
        "2"
    );
    let up = shell.run("lineage up model:leavers@1.0.0");
    assert!(
        up.out.contains("data:penguins@1")
            && up.out.contains("run:churn@")
            && up.out.contains("code:churn-training@"),
        "{up:?}"
    );

    let text = shell.run(&import(
        "--model-name churn=leavers --dataset customers=penguins --dead",
    ));
    assert_eq!(text.code, 0, "{text:?}");
    assert!(
        text.out.contains("unchanged") && text.out.contains("price model/2"),
        "{text:?}"
    );

    shell.json("model alias leavers champion 1.0.0");
    let moved = shell.answer(
        1,
        &import("--model-name churn=leavers --dataset customers=penguins --dead"),
    );
    assert_eq!(moved["conflicts"][0]["what"], "churn@champion");
}

#[test]
fn the_files_of_a_run_are_written() {
    let shell = Shell::new();
    shell.json(&import(""));
    let listed = shell.json("run list churn");
    let runs = listed["runs"].as_array().unwrap();
    let first = runs
        .iter()
        .find(|run| run["record"]["description"] == "the first try")
        .unwrap();
    let node = first["node"].as_str().unwrap();
    let pulled = shell.json(&format!("run pull {node} files"));
    assert_eq!(pulled["files"].as_array().unwrap().len(), 2);
    let summary = fs::read_to_string(shell.path("files/notes/summary.txt")).unwrap();
    assert_eq!(summary, "all went well\n");
    assert!(
        shell
            .run(&format!("run show {node}"))
            .out
            .contains("classes.json")
    );
    shell.failure(4, &format!("run pull {node} files"));
}

#[test]
fn what_is_no_store_is_named() {
    let shell = Shell::new();
    let error = shell.failure(2, "model import mlflow .");
    assert!(
        error.to_string().contains("not an MLflow file store"),
        "{error}"
    );
    shell.failure(3, "model import mlflow absent");
    let unknown = shell.failure(3, &import("--model-name nobody=x"));
    assert!(unknown.to_string().contains("nobody"), "{unknown}");
}
