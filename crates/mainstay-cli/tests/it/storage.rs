//! `storage check`: what a storage promises, tried.

use std::fs;

use crate::support::{Shell, has};

#[test]
fn a_sound_storage_keeps_every_promise_and_is_left_as_it_was() {
    let shell = Shell::empty();
    fs::create_dir(shell.path("storage")).unwrap();
    shell.write("storage/mine", "precious");
    let document = shell.json("storage check ./storage --writers 4 --rounds 5");
    assert_eq!(document["ok"], true);
    has(&document, &["storage", "backend", "ok", "promises"]);
    let promises = document["promises"].as_array().unwrap();
    assert!(promises.len() > 20, "{document}");
    for promise in promises {
        assert_eq!(promise["verdict"], "kept", "{promise}");
    }
    assert_eq!(
        promises[1]["promise"],
        "of 4 racing creators one wins, 5 times"
    );
    assert_eq!(
        fs::read_to_string(shell.path("storage/mine")).unwrap(),
        "precious"
    );
    let left = shell.run("--json storage check ./storage --rounds 1");
    assert_eq!(left.code, 0, "{left:?}");
}

#[test]
fn people_get_a_table_of_promises_and_verdicts() {
    let shell = Shell::empty();
    let ran = shell.run("storage check mem: --rounds 2");
    assert_eq!(ran.code, 0, "{ran:?}");
    let row = ran
        .out
        .lines()
        .find(|line| line.starts_with("create does not replace"));
    assert!(row.is_some_and(|row| row.ends_with("kept")), "{}", ran.out);
    assert!(
        ran.out.ends_with("ok, no promise was broken\n"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("working below check/"), "{}", ran.err);
}

#[test]
fn a_storage_that_cannot_be_reached_is_a_failure_and_no_verdict() {
    let shell = Shell::empty();
    shell.write("file", "not a directory");
    for missing in ["./file", "./absent"] {
        let error = shell.failure(3, &format!("storage check {missing}"));
        assert_eq!(error["kind"], "not_found");
    }
    assert!(!shell.path("absent").exists());
    let error = shell.failure(2, "storage check ftp://host/x");
    assert_eq!(error["kind"], "invalid");
    assert_eq!(
        shell.failure(2, "storage check mem: --writers 1")["kind"],
        "invalid"
    );
}
