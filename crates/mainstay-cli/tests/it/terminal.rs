//! What reaches pipes and terminals.

use std::process::Stdio;

use crate::support::Shell;

/// A shell with something to show in every list.
fn with_content() -> Shell {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv --tag v1");
    shell.json("model register species model.bin --data penguins --metric auc=0.9");
    shell.json("prompt publish hello prompt.md --label live");
    shell.json("env capture lab");
    shell.json("deploy unit create web --model species --prompt hello --env lab");
    shell.json("deploy put prod web");
    shell
}

const READING: [&str; 24] = [
    "log",
    "history channel/prod/current",
    "stats",
    "verify",
    "data list",
    "data log penguins",
    "data show penguins",
    "data diff penguins penguins",
    "model list",
    "model list species",
    "model search",
    "model show species",
    "model stage species --history",
    "prompt list",
    "prompt log hello",
    "prompt show hello",
    "env list",
    "env show lab",
    "deploy unit list",
    "deploy unit show web",
    "deploy list",
    "deploy log prod",
    "deploy status prod",
    "lineage up unit:web",
];

#[test]
fn every_reading_command_says_something_and_colors_no_pipe() {
    let shell = with_content();
    for arguments in READING {
        let ran = shell.run(arguments);
        assert_eq!(ran.code, 0, "{arguments}: {ran:?}");
        assert!(!ran.out.is_empty(), "{arguments}");
        assert!(!ran.out.contains('\u{1b}'), "{arguments}: {ran:?}");
        let trailing = ran.out.lines().find(|line| line.ends_with(' '));
        assert_eq!(trailing, None, "{arguments}");
        shell.json(arguments);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let shell = with_content();
    for arguments in [
        "log",
        "--json data show penguins",
        "--help",
        "prompt show hello",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = shell.command(arguments);
        let output = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments}");
    }
}

#[test]
fn text_of_others_cannot_control_the_terminal() {
    let shell = Shell::new();
    let reason = "harmless\u{9b}2Jgone";
    let ran = shell.run_of(&[
        "--reason",
        reason,
        "data",
        "snapshot",
        "penguins",
        "penguins.csv",
    ]);
    if ran.code != 0 {
        // Refused at the door is as good.
        return;
    }
    for arguments in ["log", "data log penguins", "data show penguins"] {
        let ran = shell.run(arguments);
        assert!(
            !ran.out.chars().any(|c| c.is_control() && c != '\n'),
            "{arguments}: {ran:?}"
        );
    }
}

#[test]
fn remarks_go_to_standard_error_and_quiet_drops_them() {
    let shell = Shell::new();
    let ran = shell.run("data list");
    assert!(
        ran.out.is_empty() && ran.err.contains("no datasets"),
        "{ran:?}"
    );
    let quiet = shell.run("data list --quiet");
    assert!(quiet.out.is_empty() && quiet.err.is_empty(), "{quiet:?}");
    assert_eq!(shell.json("data list")["datasets"], serde_json::json!([]));
}
