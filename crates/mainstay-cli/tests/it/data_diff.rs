//! `mainstay data diff` and `mainstay data drift`

use std::fs;

use serde_json::{Value, json};

use crate::support::{Shell, has, penguins_in_kilograms};

/// A shell with two versions of images: one changed, one was added, one removed, one renamed.
fn with_images() -> Shell {
    let shell = Shell::new();
    fs::create_dir(shell.path("images")).unwrap();
    for (name, content) in [("cat", "cat"), ("dog", "dog"), ("fox", "fox")] {
        shell.write(&format!("images/{name}.png"), content);
    }
    shell.json("data snapshot images images");
    shell.write("images/cat.png", "another cat");
    fs::remove_file(shell.path("images/dog.png")).unwrap();
    fs::rename(shell.path("images/fox.png"), shell.path("images/fix.png")).unwrap();
    shell.write("images/elk.png", "elk");
    shell.json("data snapshot images images");
    shell
}

/// A shell with two versions of a table whose key is recorded.
fn with_key() -> Shell {
    let shell = Shell::new();
    shell.write("t.csv", "id,n\n1,a\n2,b\n3,c\n");
    shell.json("data snapshot t t.csv --key id");
    shell.write("t.csv", "id,n\n1,a\n3,d\n4,e\n");
    shell.json("data snapshot t t.csv --key id");
    shell
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn a_comparison_has_the_documented_fields_and_its_exit_codes() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.write("penguins.csv", &penguins_in_kilograms());
    shell.json("data snapshot penguins penguins.csv");

    let diff = shell.json("data diff penguins@1 penguins@2");
    has(
        &diff,
        &[
            "files",
            "schema",
            "compatible",
            "rows",
            "columns",
            "bytes_read",
        ],
    );
    has(&diff["schema"], &["added", "removed", "changed", "renamed"]);
    let rows = ["before", "after", "added", "removed", "changed"];
    has(&diff["rows"], &rows);
    assert_eq!(diff["rows"]["added"], Value::Null);
    has(
        &diff["columns"][0],
        &["name", "changed", "stats", "drift", "verdict"],
    );
    has(&diff["columns"][0]["drift"], &["psi", "ks", "js"]);

    let same = shell.json("data diff penguins@1 penguins@1");
    has(&same["rows"], &rows);
    assert_eq!(same["rows"]["added"], 0);

    shell.json("data diff penguins@1 penguins@2 --fail-on incompatible");
    shell.answer(
        1,
        "data diff penguins@1 penguins@2 --fail-on incompatible,drift",
    );
    shell.answer(1, "data drift penguins@1 penguins@2");
    shell.json("data drift penguins@1 penguins@1");
    shell.json("data drift penguins@1 penguins@2 --psi 9,9 --ks 1,1.5");
}

#[test]
fn files_that_are_no_table_are_told_and_shut_gates() {
    let shell = with_images();
    let diff = shell.json("data diff images@1 images");
    let files = &diff["files"];
    let counts = ["added", "removed", "changed", "renamed"].map(|name| files[name].clone());
    assert_eq!(counts, [json!(1), json!(1), json!(1), json!(1)]);
    assert_eq!(diff["verdict"], "unjudged");
    let text = shell.run("data diff images@1 images").out;
    contains(
        &text,
        &[
            "files 3 -> 3: 1 added, 1 removed, 1 changed, 1 renamed",
            "changed  cat.png",
            "removed  dog.png",
            "added    elk.png",
            "renamed  fox.png -> fix.png",
            "verdict unjudged: not both versions have a table",
        ],
    );
    assert!(!text.contains("rows"), "{text}");
    shell.answer(1, "data diff images@1 images --fail-on files");
    shell.json("data diff images@1 images@1 --fail-on files");
    let changed = shell.json("changed data:images@1 data:images");
    let component = &changed["components"][0];
    assert_eq!(component["severity"], "medium");
    contains(
        component["summary"].as_str().unwrap(),
        &["files: 1 added, 1 removed, 1 changed, 1 renamed"],
    );
    let daff = shell.run("data diff images@1 images --format daff");
    contains(&daff.out, &["@@,path,bytes,sha256", "->,cat.png,3->11,"]);

    for arguments in [
        "data drift images@1 images",
        "data diff images@1 images --fail-on drift",
        "data diff images@1 images --fail-on incompatible",
        "data diff images@1 images --key id",
        "data diff images@1 images --fail-on rows",
        "data diff images@1 images@1 --fail-on rows,drift,incompatible --rows 3",
    ] {
        let error = shell.failure(2, arguments);
        contains(error["message"].as_str().unwrap(), &["no table"]);
        assert_eq!(error["context"]["data"], "data:images@1", "{arguments}");
    }
}

#[test]
fn a_version_that_lost_its_table_passes_no_gate() {
    let shell = with_images();
    shell.json("data snapshot penguins penguins.csv");
    shell.answer(1, "data diff penguins images --fail-on incompatible");
    let text = shell.run("data diff penguins images").out;
    contains(&text, &["rows 344 -> 0", "verdict fail", "penguins.csv"]);
    for arguments in [
        "data drift penguins images",
        "data diff penguins images --fail-on drift",
        "data diff penguins images --key year --fail-on rows",
    ] {
        let error = shell.failure(2, arguments);
        assert_eq!(error["context"]["data"], "data:images@2", "{arguments}");
    }
}

#[test]
fn files_beside_a_table_are_told() {
    let shell = Shell::new();
    fs::create_dir(shell.path("d")).unwrap();
    shell.write("d/t.csv", "a\n1\n");
    shell.write("d/notes.txt", "old");
    shell.json("data snapshot d d");
    shell.write("d/notes.txt", "newer");
    shell.json("data snapshot d d");
    let text = shell.run("data diff d@1 d").out;
    contains(&text, &["the same table", "changed  notes.txt"]);
    let changed = shell.json("changed data:d@1 data:d");
    let component = &changed["components"][0];
    assert_eq!(component["summary"], "1 files beside the table differ");
    assert_eq!(component["severity"], "medium");
    shell.json("data diff d@1 d --fail-on drift,incompatible");
    let diff = shell.answer(1, "data diff d@1 d --fail-on files");
    assert_eq!(diff["files"]["beside"], 1);
}

#[test]
fn more_files_than_are_shown_are_counted() {
    let shell = Shell::new();
    fs::create_dir(shell.path("many")).unwrap();
    for n in 0..30 {
        shell.write(&format!("many/{n:02}.txt"), &n.to_string());
    }
    shell.json("data snapshot many many");
    for n in 0..25 {
        shell.write(&format!("many/{n:02}.txt"), "other");
    }
    shell.json("data snapshot many many");
    let diff = shell.json("data diff many@1 many");
    assert_eq!(diff["files"]["changed"], 25);
    assert_eq!(diff["files"]["sample"].as_array().unwrap().len(), 10);
    let text = shell.run("data diff many@1 many").out;
    contains(&text, &["files 30 -> 30: 25 changed", "and 15 more"]);
    let daff = shell.run("data diff many@1 many --format daff").out;
    assert!(daff.ends_with("...,...,...,...\n"), "{daff}");
}

#[test]
fn rows_that_differ_are_shown_by_key() {
    let shell = with_key();
    let diff = shell.answer(1, "data diff t@1 t --key id --rows 5 --fail-on rows");
    has(
        &diff["rows"],
        &[
            "before",
            "after",
            "added",
            "removed",
            "changed",
            "duplicates",
            "sample",
        ],
    );
    assert_eq!(diff["rows"]["changed"], 1);
    assert_eq!(diff["rows"]["cells"], json!({"n": 1}));
    shell.json("data diff t@1 t@1 --rows 1 --fail-on rows");
    for arguments in [
        "data diff t@1 t --format daff",
        "data diff t@1 t --fail-on rows",
    ] {
        let refused = shell.run(arguments);
        assert_eq!(refused.code, 2);
        assert!(refused.err.contains("--key or --rows"), "{}", refused.err);
    }
}

#[test]
fn the_recorded_key_tells_rows_apart_when_none_is_said() {
    let shell = with_key();
    let diff = shell.json("data diff t@1 t --rows 5");
    assert_eq!(diff["rows"]["key"], json!(["id"]));
    assert_eq!(diff["rows"]["changed"], 1);
    let text = shell.run("data diff t@1 t --rows 5").out;
    contains(
        &text,
        &["rows by id: added 1, removed 1, changed 1, alike 1"],
    );
    let daff = shell.run("data diff t@1 t --rows 5 --format daff").out;
    assert_eq!(daff, "@@,id,n\n->,3,c->d\n---,2,b\n+++,4,e\n");
    let whole = "data diff t@1 t --key n --rows 0";
    assert_eq!(shell.json(whole)["rows"]["key"], json!(["n"]));
}

#[test]
fn markdown_is_for_a_review() {
    let shell = with_key();
    let text = shell.run("data diff t@1 t --key id --format markdown").out;
    contains(
        &text,
        &[
            "rows 3 → 3",
            "1 added, 1 removed, 1 changed, 1 unchanged",
            "| changed | id: 3 | n: c | n: d |",
            "| changed | t.csv |",
        ],
    );
}

#[test]
fn thresholds_come_from_a_file_and_options_go_first() {
    let shell = Shell::new();
    let rows = |missing: usize| {
        let rows = (0..400).map(|n| if n < missing { ",x" } else { "1,x" });
        let rows: Vec<&str> = rows.collect();
        format!("a,b\n{}\n", rows.join("\n"))
    };
    shell.write("t.csv", &rows(4));
    shell.json("data snapshot t t.csv");
    shell.write("t.csv", &rows(44));
    shell.json("data snapshot t t.csv");
    let verdict = |code, options: &str| {
        let diff = shell.answer(code, &format!("data drift t@1 t {options}"));
        diff["verdict"].as_str().unwrap().to_owned()
    };
    // One tenth more is missing.
    assert_eq!(verdict(0, ""), "warn");
    assert_eq!(verdict(1, "--missing 0.05,0.1"), "fail");
    assert_eq!(verdict(0, "--missing 0.5,0.5"), "pass");
    shell.write(
        "strict.json",
        r#"{"missing": {"warn": 0.01, "fail": 0.02}}"#,
    );
    assert_eq!(verdict(1, "--thresholds strict.json"), "fail");
    assert_eq!(
        verdict(0, "--thresholds strict.json --missing 0.5,0.5"),
        "pass"
    );
    shell.write(
        "column.json",
        r#"{"columns": {"a": {"missing": {"warn": 0.5, "fail": 0.5}}}}"#,
    );
    assert_eq!(verdict(0, "--thresholds column.json"), "pass");
    shell.answer(
        1,
        "data diff t@1 t --thresholds strict.json --fail-on drift",
    );

    shell.write("bad.json", r#"{"missing": {"warn": 2, "fail": 1}}"#);
    let error = shell.failure(2, "data drift t@1 t --thresholds bad.json");
    assert_eq!(error["context"]["path"], "bad.json");
    shell.write("misspelled.json", r#"{"columns": {"aa": {}}}"#);
    let error = shell.failure(3, "data drift t@1 t --thresholds misspelled.json");
    contains(&error.to_string(), &["aa"]);
    shell.failure(3, "data drift t@1 t --thresholds absent.json");
    for wrong in ["0.1", "0.2,0.1", "-1,1", "x,y"] {
        shell.failure(2, &format!("data drift t@1 t --missing={wrong}"));
    }
}

#[test]
fn a_removed_column_is_incompatible() {
    let shell = Shell::new();
    shell.write("t.csv", "a,b\n1,2\n");
    shell.json("data snapshot t t.csv");
    shell.write("t.csv", "a\n1\n");
    shell.json("data snapshot t t.csv");
    for gate in ["incompatible", "forward", "backward,forward", "drift"] {
        let diff = shell.answer(1, &format!("data diff t@1 t --fail-on {gate}"));
        assert_eq!(diff["compatible"], false);
        assert_eq!(diff["schema"]["removed"][0]["name"], "b");
    }
    shell.json("data diff t@1 t --fail-on backward");
    let text = shell.run("data diff t@1 t").out;
    contains(
        &text,
        &[
            "not forward compatible: readers of the earlier columns fail on the later data\n  b: it is missing\n",
        ],
    );
    assert!(!text.contains("not backward"), "{text}");
    // The other way round.
    shell.json("data diff t t@1 --fail-on incompatible,drift");
    shell.answer(1, "data diff t t@1 --fail-on backward");
}

#[test]
fn a_rare_new_category_is_told_and_fails_where_it_is_judged() {
    let shell = Shell::new();
    let rows = |new: usize| {
        let rows = (0..400).map(|n| if n < new { "c" } else { ["a", "b"][n % 2] });
        let rows: Vec<&str> = rows.collect();
        format!("letter\n{}\n", rows.join("\n"))
    };
    shell.write("t.csv", &rows(0));
    shell.json("data snapshot t t.csv");
    shell.write("t.csv", &rows(14));
    shell.json("data snapshot t t.csv");
    let text = shell.run("data drift t@1 t").out;
    contains(
        &text,
        &["chi-square", "(df 2)", "<0.001", "3.5 %: c", "verdict warn"],
    );
    shell.write(
        "strict.json",
        r#"{"new_categories": {"warn": 0, "fail": 0.03}}"#,
    );
    shell.answer(1, "data drift t@1 t --thresholds strict.json");
}
