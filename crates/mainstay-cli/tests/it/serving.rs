//! `mainstay model serving`, `mainstay model heartbeat`

use crate::support::Shell;

fn with_models() -> Shell {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.json("model register fraud model.bin --data penguins");
    shell.write("model.bin", "other weights");
    shell.json("model register fraud model.bin --data penguins");
    shell
}

#[test]
fn who_serves_a_version_is_one_question() {
    let shell = with_models();
    let began = shell.json("model heartbeat checkout pod-1 fraud@1.0.0");
    assert_eq!(began["began"][0], "model:fraud@1.0.0");
    shell.json("model heartbeat checkout pod-2 fraud@1.1.0");
    assert!(shell.json("model heartbeat checkout pod-2 fraud@1.1.0")["seq"].is_null());
    for (of, count) in [
        ("", 2),
        ("fraud", 2),
        ("fraud@1.0.0", 1),
        ("fraud@latest", 1),
        ("churn", 0),
        ("--service checkout", 2),
        ("--service web", 0),
    ] {
        let found = shell.json(&format!("model serving {of}"));
        assert_eq!(found["serving"].as_array().unwrap().len(), count, "{of}");
    }
    let stale = |after: &str| {
        let found = shell.json(&format!("model serving fraud@1.0.0 --stale-after {after}"));
        assert_eq!(found["serving"][0]["instance"], "pod-1");
        found["serving"][0]["stale"].clone()
    };
    assert_eq!((stale("1d"), stale("0s")), (false.into(), true.into()));
    shell.json("model heartbeat checkout pod-1");
    let gone = shell.json("model serving fraud@1.0.0");
    assert_eq!(gone["serving"], serde_json::json!([]));
    shell.failure(3, "model serving fraud@3.0.0");
}

#[test]
fn a_service_says_an_exact_version() {
    let shell = with_models();
    for moving in ["fraud", "fraud@latest"] {
        let error = shell.failure(2, &format!("model heartbeat checkout pod-1 {moving}"));
        assert_eq!(error["context"]["version now"], "model:fraud@1.1.0");
    }
    shell.failure(3, "model heartbeat checkout pod-1 fraud@9.0.0");
    shell.failure(2, "model heartbeat checkout pod-1 data:penguins@1");
}

#[test]
fn what_is_poisoned_is_followed_to_the_services() {
    let shell = with_models();
    shell.json("model heartbeat checkout pod-1 fraud@1.0.0");
    let down = shell.run("lineage down data:penguins");
    assert!(down.out.contains("deployment:checkout@1"), "{}", down.out);
    let impact = shell.run("lineage impact data:penguins");
    assert!(
        impact.out.contains("deployment:checkout@1"),
        "{}",
        impact.out
    );
    // No channel and no alias names what it serves.
    assert!(
        impact.out.contains("served by  instance  version"),
        "{}",
        impact.out
    );
    let document = shell.json("lineage impact data:penguins");
    assert_eq!(document["names"], serde_json::json!([]));
    let live = &document["live"][0];
    assert_eq!(
        (&live["service"], &live["instance"], &live["model"]),
        (
            &"checkout".into(),
            &"pod-1".into(),
            &"model:fraud@1.0.0".into()
        )
    );
    assert_eq!(live["path"].as_array().unwrap().len(), 3);
    assert!(live["seen"].is_string());
    // Who served it once is told from who does.
    shell.json("model heartbeat checkout pod-1 fraud@1.1.0");
    let document = shell.json("lineage impact data:penguins");
    assert_eq!(document["live"][0]["model"], "model:fraud@1.1.0");
    assert_eq!(document["live"].as_array().unwrap().len(), 1);
    let down = shell.run("lineage down model:fraud@1.0.0");
    let line = down
        .out
        .lines()
        .find(|line| line.contains("deployment:checkout@1"));
    assert!(line.is_none_or(|line| line.contains("deleted")), "{down:?}");
}
