//! `mainstay log`, `history`, `changed` and `lineage`

use mainstay::repo::{CommitOutcome, Expectation, Transaction, Value};
use mainstay::{Actor, Workspace};
use serde_json::json;

use crate::support::{Shell, has};

#[test]
fn the_log_says_who_did_what_and_why() {
    let shell = Shell::new();
    shell.json("--actor grace --reason because data snapshot penguins penguins.csv --tag v1");
    let log = shell.json("log");
    let entry = &log["entries"][0];
    assert_eq!(
        (&entry["actor"], &entry["reason"]),
        (&json!("grace"), &json!("because"))
    );
    let created = json!({"path": "data/penguins/tag/v1", "generation": 1, "action": "create"});
    assert!(entry["refs"].as_array().unwrap().contains(&created));
}

#[test]
fn who_follows_the_log_reads_on_from_the_last_position() {
    let shell = Shell::new();
    for version in ["one", "two", "three"] {
        shell.write("prompt.md", version);
        shell.json("prompt publish p prompt.md");
    }
    let whole = shell.json("log --after 0");
    let whole = whole["entries"].as_array().unwrap();
    let (mut read, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let next = shell.json(&format!("log -n 1 --after {after}"));
        let Some(entry) = next["entries"].get(0) else {
            break;
        };
        after = entry["position"].as_str().unwrap().to_owned();
        read.push(entry.clone());
    }
    assert_eq!(&read, whole);
    let newest: Vec<_> = whole.iter().rev().cloned().collect();
    assert_eq!(shell.json("log -n 99")["entries"], json!(newest));
}

#[test]
fn the_actor_is_the_login_name_unless_said() {
    let shell = Shell::new();
    let mut command = shell.command("data snapshot penguins penguins.csv");
    command.env_remove("MAINSTAY_ACTOR").env("USER", "lin");
    assert!(command.output().unwrap().status.success());
    assert_eq!(shell.json("log")["entries"][0]["actor"], "lin");
}

#[test]
fn a_history_is_of_a_pointer_or_of_a_version() {
    let shell = Shell::new();
    shell.json("prompt publish p prompt.md --label live");
    shell.write("prompt.md", "other");
    shell.json("prompt publish p prompt.md --label live");
    let label = shell.json("history prompt/p/label/live");
    let values: Vec<_> = label["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["value"])
        .collect();
    assert_eq!(values, ["prompt:p@2", "prompt:p@1"]);
    let newest = shell.json("history prompt/p/label/live -n 1");
    assert_eq!(newest["changes"], serde_json::json!([label["changes"][0]]));
    let version = shell.json("history prompt:p@live");
    assert_eq!(version["path"], "prompt/p/version/2");
    shell.failure(3, "history prompt/p/label/nothing");
}

#[test]
fn changed_has_the_documented_fields_and_compares_one_kind() {
    let shell = Shell::new();
    shell.json("prompt publish p prompt.md");
    shell.write("prompt.md", "Answer {{name}}: {{question}}, please\n");
    shell.json("prompt publish p prompt.md");
    shell.json("data snapshot penguins penguins.csv");
    let changed = shell.json("changed prompt:p@1 prompt:p");
    has(&changed, &["a", "b", "components", "events"]);
    has(
        &changed["components"][0],
        &["kind", "changed", "a", "b", "summary", "detail"],
    );
    let short = shell.run("changed prompt:p@1 prompt:p").out;
    let full = shell.run("changed prompt:p@1 prompt:p --full").out;
    let line = "+Answer {{name}}: {{question}}, please";
    assert!(!short.contains(line) && full.contains(line), "{full}");
    let markdown = shell
        .run("changed prompt:p@1 prompt:p --format markdown")
        .out;
    assert!(markdown.contains(&format!("\n{line}\n")), "{markdown}");
    shell.failure(2, "changed prompt:p@1 prompt:p --full");
    let refused = shell.run("changed prompt:p@1 prompt:p --full --format html");
    assert_eq!(refused.code, 2);
    shell.failure(2, "changed prompt:p@1 data:penguins");
    shell.failure(3, "changed p@1 p@2");
}

#[test]
fn lineage_is_drawn_in_every_format() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.json("model register species model.bin --data penguins");
    shell.json("model alias species live latest");
    let graph = shell.json("lineage graph model:species");
    assert_eq!(
        graph["nodes"][1]["names"],
        json!(["model/species/alias/live"])
    );
    assert_eq!(
        graph["edges"][0],
        json!({
            "from": "model:species@1.0.0",
            "kind": "used",
            "role": "train",
            "to": "data:penguins@1",
        })
    );
    for (format, begins) in [
        ("text", "came from"),
        ("dot", "digraph"),
        ("mermaid", "flowchart"),
        ("svg", "<svg"),
        ("openlineage", "{\"eventTime\""),
        ("prov", "{"),
    ] {
        let ran = shell.run(&format!("lineage graph model:species --format {format}"));
        assert!(
            ran.code == 0 && ran.out.starts_with(begins),
            "{format}: {ran:?}"
        );
    }
    shell.failure(2, "lineage graph model:species --format dot");
    let event = |options: &str| -> serde_json::Value {
        let ran = shell.run(&format!(
            "lineage graph model:species --format openlineage {options}"
        ));
        serde_json::from_str(ran.out.lines().last().unwrap()).unwrap()
    };
    let namespace = event("")["job"]["namespace"].clone();
    assert!(namespace.as_str().unwrap().starts_with("mainstay://"));
    assert_eq!(event("")["job"]["namespace"], namespace);
    assert_eq!(event("--namespace lab")["job"]["namespace"], "lab");
    assert!(event("")["outputs"][0]["facets"]["ownership"]["owners"][0]["name"].is_string());
    let misplaced = shell.run("lineage graph model:species --namespace lab");
    assert_eq!(misplaced.code, 2);
    let near = shell.json("lineage up model:species --depth 0");
    assert_eq!(near["reached"], json!([]));
    let impact = shell.json("lineage impact data:penguins@1");
    assert_eq!(impact["names"][0]["name"], "model/species/alias/live");
    let path = shell.json("lineage path model:species data:penguins");
    assert_eq!(path["paths"][0]["edges"][0]["to"], "data:penguins@1");
    let stopped = shell.json("lineage up model:species --edge derived_from --stop data");
    assert_eq!(stopped["reached"], json!([]));
    shell.json("model register other model.bin --data penguins");
    let common = shell.json("lineage common model:species model:other");
    assert_eq!(common["common"], json!(["data:penguins@1"]));
    let none = shell.run("lineage path data:penguins model:species");
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    shell.failure(2, "lineage up model:species --edge likes");
    shell.failure(2, "lineage up species");
}

#[test]
fn a_command_that_makes_a_checkpoint_due_writes_it_before_it_ends() {
    let shell = Shell::new();
    let place = shell.path(".mainstay");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let filling = async {
        let workspace = Workspace::open(place.to_str().unwrap()).await.unwrap();
        for n in 1..256 {
            let mut note = Transaction::new(Actor::new("ada").unwrap(), "fill");
            let value = Value::new("note", &n).unwrap();
            note.set("run/fill/note".parse().unwrap(), value, Expectation::Any);
            let outcome = workspace.repo().commit(note).await.unwrap();
            assert!(matches!(outcome, CommitOutcome::Committed(committed) if committed.seq == n));
        }
    };
    runtime.unwrap().block_on(filling);
    assert!(!place.join("checkpoint").exists());
    shell.json("prompt publish p prompt.md");
    assert!(place.join("checkpoint/00000000000000000256").exists());
}
