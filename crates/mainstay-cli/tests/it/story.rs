//! One evening: from an empty directory to a canary that is rolled back, and why it failed.

use serde_json::{Value, json};

use crate::support::{Shell, has, penguins_in_kilograms};

const SIGNATURE: &str = r#"{
  "inputs": "[{\"name\": \"body_mass_g\", \"type\": \"double\"}]",
  "outputs": "[{\"name\": \"species\", \"type\": \"string\"}]",
  "params": null
}"#;

#[test]
fn a_bad_unit_is_rolled_back_and_the_drifted_column_is_named_first() {
    let shell = Shell::new();
    shell.write("signature.json", SIGNATURE);
    make_two_units(&shell);
    canary_fails(&shell);
    the_cause_is_found(&shell);
    everything_is_accounted_for(&shell);
}

fn make_two_units(shell: &Shell) {
    let snapshot = shell.json("data snapshot penguins penguins.csv --tag good");
    assert_eq!(snapshot["version"], 1);
    assert_eq!(snapshot["rows"], 344);
    let published = shell.json("prompt publish explain prompt.md --label production");
    assert_eq!(published["version"], 1);
    let captured = shell.json("env capture lab");
    assert_eq!(captured["node"], "env:lab@1");

    let registered = shell.json(
        "model register species model.bin --data penguins@good --code training@9f31c2a \
         --env lab --param depth=6 --seed split=42 --metric accuracy=0.98 \
         --signature signature.json --tag team=birds",
    );
    assert_eq!(registered["version"], "1.0.0");
    shell.json("model promote species@1.0.0 --to staging");
    let promoted = shell.json("model promote species@1.0.0 --to production");
    assert_eq!(promoted["promoted"], true);
    let alias = shell.json("model alias species champion production");
    assert_eq!(alias["to"], "model:species@1.0.0");
    shell.json(
        "deploy unit create birds --model species@champion --prompt explain@production \
         --data penguins@good --env lab --code web@1f0c",
    );

    shell.write("penguins.csv", &penguins_in_kilograms());
    shell.write("model.bin", "other weights");
    let snapshot = shell.json("data snapshot penguins penguins.csv --parent penguins@good");
    assert_eq!(snapshot["version"], 2);
    let registered = shell.json(
        "model register species model.bin --data penguins@2 --code training@9f31c2a \
         --env lab --param depth=6 --seed split=42 --metric accuracy=0.95 \
         --signature signature.json --parent species@1.0.0=continue",
    );
    assert_eq!(registered["version"], "1.1.0");
    assert_eq!(registered["bump"], "minor");
    let unit = shell.json(
        "deploy unit create birds --model species@1.1.0 --prompt explain@production \
         --data penguins --env lab --code web@1f0c",
    );
    assert_eq!(unit["node"], "unit:birds@2");
}

fn canary_fails(shell: &Shell) {
    let first = shell.json("deploy start prod birds@1");
    assert_eq!(first["action"], "put");
    let second = shell.json("deploy start prod birds@2 --steps 10%,50% --min-requests 100");
    assert_eq!(second["action"], "start");
    assert_eq!(
        second["after"]["weights"],
        json!({"control": 9000, "canary": 1000})
    );

    let held = shell.json("deploy observe prod --control 450,9 --canary 50,1");
    assert_eq!(held["action"], "held");
    let failed = shell.answer(1, "deploy observe prod --control 450,9 --canary 50,30");
    assert_eq!(failed["action"], "rolled_back");

    let status = shell.json("deploy status prod");
    assert_eq!(status["unit"], "unit:birds@1");
    assert_eq!(status["state"], "rolled_back");
    assert_eq!(status["weights"], json!({"control": 10000, "canary": 0}));
    assert_eq!(status["guardrails"][0]["verdict"], "fail");
    assert!(status["guardrails"][0]["e_value"].as_f64().unwrap() >= 20.0);
}

fn the_cause_is_found(shell: &Shell) {
    let changed = shell.json("changed birds@1 birds@2");
    let telling = &changed["components"][0];
    assert_eq!(telling["kind"], "data");
    assert_eq!(telling["changed"], true);
    let summary = telling["summary"].as_str().unwrap();
    assert!(summary.starts_with("body_mass_g"), "{summary}");

    let nothing = shell.json("changed channel:prod channel:prod");
    assert_eq!(nothing["a"], nothing["b"]);
    shell.failure(3, "changed channel:prod@2020-01-01T00:00:00Z channel:prod");
    shell.failure(2, "changed channel:prod@noon channel:prod");
    for (format, begins) in [("markdown", "# unit:birds@1"), ("html", "<!doctype html>")] {
        let page = shell.run(&format!("changed birds@1 birds@2 --format {format}"));
        assert!(page.code == 0 && page.out.starts_with(begins), "{page:?}");
        assert!(page.out.contains("body"), "{page:?}");
    }

    let drift = shell.answer(1, "data drift penguins@1 penguins@2");
    assert_eq!(drift["columns"][0]["name"], "body_mass_g");
    assert_eq!(drift["columns"][0]["verdict"], "fail");

    let up = shell.json("lineage up unit:birds@2");
    assert!(reaches(&up, "data:penguins@1") && reaches(&up, "code:training@9f31c2a"));
    let down = shell.json("lineage down data:penguins@good");
    assert!(reaches(&down, "unit:birds@1") && reaches(&down, "rollout:prod@1"));
}

fn everything_is_accounted_for(shell: &Shell) {
    let verified = shell.json("verify --full");
    assert_eq!(verified["ok"], true);
    let history = shell.json("history model/species/stage/production");
    assert_eq!(history["changes"][0]["value"], "model:species@1.0.0");
    assert_eq!(history["changes"][0]["actor"], "ada");

    let stats = shell.json("stats");
    let log = shell.json("log -n 1000");
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(stats["head"], entries.len());
    assert_eq!(stats["log_entries"], entries.len());
    has(
        &entries[0],
        &["seq", "digest", "time", "actor", "reason", "refs"],
    );
}

fn reaches(walk: &Value, node: &str) -> bool {
    let reached = walk["reached"].as_array().unwrap();
    reached.iter().any(|reached| reached["node"] == node)
}
