//! Failures: a typed error that names the thing, the right exit code, and nothing half written.

use crate::support::Shell;

#[test]
fn bad_input_ends_with_2() {
    let shell = Shell::new();
    shell.write("not.parquet", "PAR1 but not really PAR1");
    shell.write("ragged.csv", "a,b\n1,2\n3\n");
    shell.write("empty.csv", "");
    shell.write("bad.json", "{\"inputs\": 1}");
    shell.json("data snapshot penguins penguins.csv");
    for (arguments, key, value) in [
        ("data snapshot a/b penguins.csv", "argument", "<NAME>"),
        ("data snapshot ../x penguins.csv", "value", "../x"),
        ("data snapshot x not.parquet", "file", "not.parquet"),
        ("data snapshot x ragged.csv", "file", "ragged.csv"),
        ("data snapshot x empty.csv", "file", "empty.csv"),
        (
            "data show model:penguins",
            "reference",
            "model:penguins@latest",
        ),
        (
            "data snapshot x penguins.csv --meta k=1 --meta k=2",
            "meta",
            "k",
        ),
        (
            "model register m model.bin --signature bad.json",
            "path",
            "bad.json",
        ),
        (
            "model register m model.bin --seed numpy=-1",
            "seed",
            "numpy",
        ),
        (
            "model register m model.bin --metric auc=high",
            "metric",
            "auc",
        ),
        ("model alias m latest 1.0.0", "alias", "latest"),
        ("lineage up penguins", "reference", "penguins@latest"),
        ("--repo ftp://host/x log", "scheme", "ftp"),
    ] {
        let error = shell.failure(2, arguments);
        assert_eq!(error["kind"], "invalid", "{arguments}: {error}");
        assert_eq!(error["context"][key], value, "{arguments}: {error}");
    }
}

#[test]
fn what_is_not_there_ends_with_3() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    for (arguments, key, value) in [
        ("data snapshot x missing.csv", "path", "missing.csv"),
        ("data show nothing", "data", "data:nothing@latest"),
        ("data show penguins@2", "data", "data:penguins@2"),
        ("data log nothing", "data", "nothing"),
        (
            "data snapshot x penguins.csv --parent penguins@9",
            "data",
            "data:penguins@9",
        ),
        ("model register m missing.bin", "path", "missing.bin"),
        (
            "model register m model.bin --data nothing",
            "data",
            "data:nothing@latest",
        ),
        ("model show nothing", "model", "model:nothing@latest"),
        ("model stage nothing", "model", "nothing"),
        ("prompt publish p missing.md", "path", "missing.md"),
        ("prompt render nothing", "prompt", "prompt:nothing@latest"),
        ("prompt log nothing", "prompt", "nothing"),
        ("env show nothing", "env", "env:nothing@latest"),
        (
            "deploy unit create u --data penguins@9",
            "data",
            "data:penguins@9",
        ),
        ("deploy start prod nothing", "unit", "unit:nothing@latest"),
        ("deploy status nothing", "channel", "nothing"),
        ("lineage down data:nothing", "data", "data:nothing@latest"),
        ("history model/m/alias/x", "ref", "model/m/alias/x"),
    ] {
        let error = shell.failure(3, arguments);
        assert_eq!(error["kind"], "not_found", "{arguments}: {error}");
        assert_eq!(error["context"][key], value, "{arguments}: {error}");
    }
}

#[test]
fn a_directory_without_a_workspace_ends_with_3_and_stays_empty() {
    let shell = Shell::empty();
    for arguments in ["log", "data list", "verify", "--repo elsewhere stats"] {
        let error = shell.failure(3, arguments);
        assert_eq!(error["kind"], "not_found", "{arguments}");
    }
    assert_eq!(std::fs::read_dir(shell.path(".")).unwrap().count(), 0);
}

#[test]
fn what_exists_already_ends_with_4() {
    let shell = Shell::new();
    shell.json("model register m model.bin");
    let error = shell.failure(4, "model register m model.bin");
    assert_eq!(error["kind"], "already_exists");
    assert_eq!(error["context"]["version"], "1.0.0");
}

// What keeps no files is not taken for a disk.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_is_not_known_ends_with_2() {
    let shell = Shell::empty();
    let error = shell.failure(2, "--repo /sys/mainstay init");
    assert_eq!(error["kind"], "unsupported");
}

#[cfg(unix)]
#[test]
fn a_storage_that_is_full_ends_with_6() {
    let shell = Shell::empty();
    // No file may grow, as on a full disk, and for that no signal ends the process.
    let init = "trap '' XFSZ; ulimit -f 0; exec \"$0\" --json init";
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", init, env!("CARGO_BIN_EXE_mainstay")])
        .current_dir(shell.path("."))
        .env_remove("MAINSTAY_REPO")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("\"kind\":\"unavailable\""), "{said}");
}

#[test]
fn a_cloud_that_this_build_lacks_ends_with_2_and_says_so() {
    let shell = Shell::empty();
    let error = shell.failure(2, "--repo s3://bucket/prefix log");
    assert_eq!(error["kind"], "unsupported");
}

#[test]
fn arguments_that_do_not_parse_are_told_in_json_as_well() {
    let shell = Shell::new();
    for (arguments, key, value) in [
        ("data snapshot x", "argument", "<PATH>..."),
        ("data nothing", "command", "nothing"),
        ("log --nothing", "argument", "--nothing"),
        ("lineage graph model:m --format png", "value", "png"),
        (
            "model annotate m",
            "argument",
            "<--tag <KEY=VALUE>|--untag <KEY>|--description <TEXT>|--owner <WHO>|--purpose <TEXT>|\
             --expires <TIME>|--unset <WHAT>>",
        ),
        ("model alias m live 1.0.0 --remove", "argument", "[VERSION]"),
    ] {
        let error = shell.failure(2, arguments);
        assert_eq!(error["kind"], "invalid", "{arguments}");
        assert_eq!(error["context"][key], value, "{arguments}: {error}");
    }
    let ran = shell.run("data nothing");
    assert!(ran.code == 2 && ran.err.contains("Usage:"), "{ran:?}");
}

#[test]
fn people_are_told_the_thing_and_the_cause() {
    let shell = Shell::new();
    let ran = shell.run("data snapshot x missing.csv");
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.starts_with("error: ") && ran.err.contains("missing.csv"),
        "{ran:?}"
    );
    assert!(ran.err.contains("caused by: "), "{ran:?}");
}
