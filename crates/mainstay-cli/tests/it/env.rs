//! `mainstay env`

use serde_json::json;

use crate::support::{Shell, has};

#[test]
fn an_environment_is_captured_once_shown_and_listed() {
    let shell = Shell::new();
    let first = shell.json("env capture lab");
    has(&first, &["node", "version", "digest", "created", "probes"]);
    let again = shell.json("env capture lab");
    assert_eq!(
        (&again["version"], &again["created"]),
        (&json!(1), &json!(false))
    );
    let shown = shell.json(&format!(
        "env show lab@{}",
        first["digest"].as_str().unwrap()
    ));
    assert_eq!(
        shown["manifest"]["identity"]["platform"]["os"],
        std::env::consts::OS
    );
    let listed = shell.json("env list");
    assert_eq!(listed["environments"][0]["env"], "lab");
}

#[test]
fn a_comparison_has_the_documented_fields_and_fails_with_1() {
    let shell = Shell::new();
    shell.write("requirements.txt", "");
    shell.write("Cargo.lock", "one");
    shell.json("env capture lab --project .");
    let same = shell.json("env compare lab lab@1 --policy serve");
    has(&same, &["verdict", "findings"]);
    assert_ne!(same["verdict"], "fail");

    shell.write("Cargo.lock", "two");
    shell.json("env capture lab --project .");
    let other = shell.answer(1, "env compare lab@1 lab@2 --policy bitwise");
    assert_eq!(other["verdict"], "fail");
    let finding = &other["findings"][0];
    has(
        finding,
        &["rule", "severity", "path", "a", "b", "why", "fix"],
    );
    assert_eq!(
        (&finding["rule"], &finding["severity"]),
        (&json!("lock"), &json!("error"))
    );
    shell.json("env compare lab@1 lab@2 --policy serve");
}

#[test]
fn only_allowed_variables_are_recorded_and_secrets_never() {
    let shell = Shell::new();
    let capture = |arguments: &str| {
        let mut command = shell.command(arguments);
        command
            .env("BATCH", "64")
            .env("API_TOKEN", "hunter2hunter2");
        assert!(command.output().unwrap().status.success());
    };
    capture("env capture plain");
    let plain = shell.run("--json env show plain").out;
    assert!(!plain.contains("BATCH") && !plain.contains("API_TOKEN"));
    capture("env capture more --allow-env BATCH --allow-env API_TOKEN");
    let more = shell.json("env show more");
    let variables = &more["manifest"]["identity"]["variables"]["known"];
    assert_eq!(variables["BATCH"], "64");
    assert!(!more.to_string().contains("hunter2"));
}

#[test]
fn a_path_that_is_not_there_and_an_unknown_policy_are_refused() {
    let shell = Shell::new();
    let error = shell.failure(3, "env capture lab --python nowhere/python");
    assert_eq!(error["context"]["path"], "nowhere/python");
    shell.json("env capture lab");
    shell.failure(2, "env compare lab lab --policy roughly");
}
