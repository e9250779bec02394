//! Damage: reported by `verify` with exit code 1, and by the command that meets it with 5.

use std::fs;
use std::path::PathBuf;

use crate::support::{Shell, has};

/// A shell with a dataset and a model.
fn with_content() -> Shell {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.json("model register m model.bin");
    shell.json("verify --full");
    shell
}

fn flip_a_byte(file: &PathBuf, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(file).unwrap();
    let position = at(bytes.len());
    bytes[position] ^= 0x20;
    fs::write(file, bytes).unwrap();
}

fn files_in(shell: &Shell, directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(shell.path(".mainstay").join(directory)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_flipped_byte_in_the_log_is_found_by_verify_and_by_reading() {
    let shell = with_content();
    flip_a_byte(&files_in(&shell, "log")[0], |length| length / 2);
    let report = shell.answer(1, "verify");
    assert_eq!(report["ok"], false);
    has(&report, &["ok", "checked", "faults"]);
    has(&report["faults"][0], &["object", "kind", "detail"]);
    for arguments in ["data list", "model show m", "log", "stats"] {
        let error = shell.failure(5, arguments);
        assert_eq!(error["kind"], "corrupt", "{arguments}");
    }
}

#[test]
fn a_flipped_byte_in_a_pack_is_found_by_verify_and_never_returned() {
    let shell = with_content();
    for pack in files_in(&shell, "pack") {
        flip_a_byte(&pack, |length| length / 3);
    }
    let report = shell.answer(1, "verify --full");
    assert_eq!(report["ok"], false);
    let error = shell.failure(5, "data export penguins out");
    assert_eq!(error["kind"], "corrupt");
    assert!(!shell.path("out/penguins.csv").exists());
}

#[test]
fn a_missing_log_entry_is_found() {
    let shell = with_content();
    fs::remove_file(&files_in(&shell, "log")[0]).unwrap();
    shell.answer(1, "verify");
}

#[test]
fn a_workspace_of_a_newer_format_is_refused() {
    let shell = with_content();
    let descriptor = shell.path(".mainstay/mainstay.json");
    let text = fs::read_to_string(&descriptor).unwrap();
    fs::write(&descriptor, text.replace("\"format\":1", "\"format\":999")).unwrap();
    let error = shell.failure(5, "data list");
    assert_eq!(error["kind"], "incompatible");
}
