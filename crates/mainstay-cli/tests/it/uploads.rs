//! `mainstay model upload`, `mainstay model eval`

use serde_json::json;

use crate::support::Shell;

#[test]
fn a_version_is_made_of_files_that_came_in_several_calls() {
    let shell = Shell::new();
    shell.write("second.bin", "more weights");
    shell.json("model upload start fraud nightly");
    shell.failure(4, "model upload start fraud nightly");
    shell.json("model upload add fraud nightly model.bin");
    let both = shell.json("model upload add fraud nightly second.bin");
    assert_eq!(both["files"].as_array().unwrap().len(), 2);
    let pending = shell.json("model upload list");
    assert_eq!(pending["uploads"][0]["id"], "nightly");
    shell.failure(3, "model show fraud");
    shell.json("model register fraud --upload nightly");
    let shown = shell.json("model show fraud");
    let files = shown["record"]["artifact"]["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(shell.json("model upload list")["uploads"], json!([]));
    shell.failure(3, "model register fraud --upload nightly");
    shell.failure(3, "model upload add fraud other model.bin");
}

#[test]
fn an_upload_is_aborted_or_expires() {
    let shell = Shell::new();
    shell.json("model upload start fraud one --expires-after 1d");
    shell.json("model upload start fraud two --expires-after 0s");
    let swept = shell.json("model upload sweep");
    assert_eq!(swept["uploads"].as_array().unwrap().len(), 1);
    assert_eq!(swept["uploads"][0]["id"], "two");
    assert!(shell.json("model upload abort fraud one")["seq"].is_u64());
    assert!(shell.json("model upload abort fraud one")["seq"].is_null());
    shell.failure(2, "model upload start fraud three --expires-after soon");
}

#[test]
fn an_evaluation_is_reported_listed_and_seen_by_the_version() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.json("model register fraud model.bin --metric auc=0.93");
    let reported = shell.json(
        "model eval report holdout fraud --metric auc=0.91 --metric loss=NaN --data penguins \
         --slice country=de:auc=0.84 --code 77aa --tag by=risk --description monthly",
    );
    assert_eq!(reported["eval"], "eval:holdout@1");
    let shown = shell.json("model eval show holdout@1");
    let record = &shown["record"];
    assert_eq!(record["slices"], json!({"country=de": {"auc": 0.84}}));
    assert_eq!(record["metrics"], json!({"auc": 0.91, "loss": "NaN"}));
    assert_eq!(record["data"], "data:penguins@1");
    assert_eq!(record["code"]["repository"], "holdout");
    let listed = shell.json("model eval list fraud@1.0.0");
    assert_eq!(listed["model"], "model:fraud@1.0.0");
    assert_eq!(listed["reports"].as_array().unwrap().len(), 1);
    assert_eq!(shell.json("model show fraud")["metrics"]["auc"], 0.91);

    let text = shell.run("model eval show holdout");
    assert!(text.out.contains("country=de"), "{}", text.out);
    shell.failure(2, "model eval report holdout fraud");
    shell.failure(
        2,
        "model eval report holdout fraud --metric auc=1 --metric auc=2",
    );
    shell.failure(
        2,
        "model eval report holdout fraud --slice a:auc=1 --slice a:auc=2",
    );
    shell.failure(3, "model eval show holdout@2");
}
