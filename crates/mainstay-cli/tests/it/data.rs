//! `mainstay data`

use std::fs;

use serde_json::json;

use crate::support::{Shell, has, penguins, penguins_in_kilograms};

#[test]
fn a_snapshot_has_the_documented_fields() {
    let shell = Shell::new();
    let report = shell.json("data snapshot penguins penguins.csv --tag v1 --meta licence=CC0");
    has(
        &report,
        &[
            "dataset",
            "version",
            "snapshot",
            "rows",
            "columns",
            "table_digest",
            "rows_digest",
            "files",
            "new_bytes",
            "reused",
        ],
    );
    has(&report["columns"][0], &["name", "type", "digest"]);
    has(&report["files"][0], &["path", "digest", "bytes"]);
    assert_eq!(report["dataset"], "penguins");
    assert_eq!(report["reused"], false);
}

#[test]
fn the_same_content_again_is_the_same_version() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let again = shell.json("data snapshot penguins penguins.csv");
    assert_eq!(
        (&again["version"], &again["reused"]),
        (&json!(1), &json!(true))
    );
    let ran = shell.run("data snapshot penguins penguins.csv");
    assert!(ran.err.contains("no new version"), "{ran:?}");
    assert_eq!(shell.run("-q data snapshot penguins penguins.csv").err, "");
}

#[test]
fn a_directory_of_several_tables_is_stored_by_saying_which_is_the_table() {
    let shell = Shell::new();
    fs::create_dir_all(shell.path("titanic")).unwrap();
    shell.write("titanic/train.csv", "id,survived\n1,0\n2,1\n");
    shell.write("titanic/labels.csv", "id\n3\n");
    let refused = shell.run("data snapshot titanic titanic");
    assert_eq!(refused.code, 2, "{refused:?}");
    for named in ["train.csv", "--table PATTERN", "--opaque PATTERN"] {
        assert!(refused.err.contains(named), "{refused:?}");
    }
    shell.failure(2, "data snapshot titanic titanic --table tran.csv");
    let report = shell.json("data snapshot titanic titanic --table train*");
    assert_eq!(
        (&report["rows"], &report["opaque"]),
        (&json!(2), &json!(["labels.csv"]))
    );
    let again = shell.run("data snapshot titanic titanic");
    assert!(again.out.contains("labels.csv"), "{again:?}");
    assert!(again.err.contains("not looked into"), "{again:?}");
    let shown = shell.json("data show titanic");
    assert_eq!(shown["table_files"], json!({"table": ["train*"]}));

    shell.json("data part a.part titanic --opaque labels.csv");
    let joined = shell.json("data join parts a.part");
    assert_eq!(
        (&joined["rows"], &joined["opaque"]),
        (&json!(2), &json!(["labels.csv"]))
    );
    let leavings = fs::read_dir(shell.path(".")).unwrap();
    let mut names = leavings.map(|entry| entry.unwrap().file_name());
    assert!(!names.any(|name| name.to_string_lossy().contains("unfinished")));
}

#[test]
fn csv_is_read_as_it_is_spelled() {
    let shell = Shell::new();
    shell.write("sales.csv", "id;sum\n1;NA\n2;5\n");
    let ran = shell.run("data snapshot sales sales.csv");
    assert!(ran.err.contains("--csv-delimiter"), "{ran:?}");
    let ran = shell.run("data snapshot sales sales.csv --csv-delimiter ;");
    assert!(ran.err.contains(r#"--csv-null "NA""#), "{ran:?}");
    let report = shell.json("data snapshot sales sales.csv --csv-delimiter ; --csv-null NA");
    assert_eq!(report["columns"][1]["type"], "int64");
    shell.write("sales.csv", "id;sum\n1;NA\n2;5\n3;7\n");
    let next = shell.json("data snapshot sales sales.csv");
    assert_eq!(
        (&next["rows"], &next["columns"][1]["name"]),
        (&json!(3), &json!("sum"))
    );
    let shown = shell.run("data show sales");
    assert!(shown.out.contains("delimiter ;"), "{shown:?}");
    assert!(shown.out.contains("null NA"), "{shown:?}");
    shell.failure(2, "data snapshot sales sales.csv --csv-delimiter ab");
    shell.failure(
        2,
        "data snapshot sales sales.csv --csv-delimiter ; --csv-quote ;",
    );
}

#[test]
fn patches_are_of_canonical_files() {
    let shell = Shell::new();
    shell.failure(2, "data snapshot penguins penguins.csv --patch");
    shell.failure(
        2,
        "data snapshot penguins penguins.csv --patch --layout verbatim",
    );
    shell.json("data snapshot penguins penguins.csv --patch --layout canonical");
}

#[test]
fn the_files_of_a_version_are_listed_and_those_that_differ() {
    let shell = Shell::new();
    fs::create_dir_all(shell.path("many/a")).unwrap();
    for n in 0..1_100 {
        shell.write(&format!("many/a/{n:04}.txt"), &n.to_string());
    }
    shell.write("many/b.txt", "b");
    shell.json("data snapshot many many");
    shell.write("many/a/0007.txt", "other");
    fs::remove_file(shell.path("many/b.txt")).unwrap();
    shell.write("many/c.txt", "c");
    shell.json("data snapshot many many");
    let listed = shell.json("data files many@2 --below a/000");
    assert_eq!(listed["files"].as_array().unwrap().len(), 10);
    let changes = shell.json("data files many --since many@1");
    let changes = changes["changes"].as_array().unwrap();
    let kinds = changes
        .iter()
        .map(|change| change.as_object().unwrap().keys().next().unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), ["changed", "removed", "added"]);
    let below = shell.json("data files many --since many@1 --below c");
    assert_eq!(below["changes"][0]["added"]["path"], "c.txt");
    let shown = shell.run("data show many");
    assert!(shown.out.contains("and 1001 more"), "{shown:?}");
}

#[test]
fn parts_that_others_stored_are_joined() {
    let shell = Shell::new();
    for (name, text) in [
        ("a/0.csv", "x\n1\n"),
        ("b/0.csv", "x\n2.5\n"),
        ("b/1.bin", "1"),
    ] {
        fs::create_dir_all(shell.path(name).parent().unwrap()).unwrap();
        shell.write(name, text);
    }
    let part = shell.json("data part a.part a --below a");
    assert_eq!(
        (&part["files"], &part["part"]),
        (&json!(1), &json!("a.part"))
    );
    shell.json("data part b.part b --below b");
    assert_eq!(shell.json("data list")["datasets"], json!([]));
    let joined = shell.json("data join d b.part a.part --tag v1");
    assert_eq!(
        (&joined["version"], &joined["rows"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(joined["files"][0]["path"], "a/0.csv");
    shell.failure(2, "data join d a.part a.part");
    shell.failure(2, "data join d a/0.csv");
    shell.failure(3, "data join d none.part");
}

#[test]
fn a_version_is_shown_listed_and_exported() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv --tag v1 --meta licence=CC0");
    let shown = shell.json("data show data:penguins@v1");
    assert_eq!(shown["tags"], json!(["v1"]));
    assert_eq!(shown["metadata"], json!({"licence": "CC0"}));
    has(
        &shown["columns"][0],
        &["name", "type", "nullable", "digest", "stats"],
    );

    let listed = shell.json("data list");
    assert_eq!(listed["datasets"][0]["dataset"], "penguins");
    let log = shell.json("data log penguins");
    assert_eq!(log["versions"][0]["actor"], "ada");

    let exported = shell.json("data export penguins@v1 out");
    assert_eq!(exported["files"][0]["path"], "penguins.csv");
    let bytes = fs::read_to_string(shell.path("out/penguins.csv")).unwrap();
    assert_eq!(bytes, penguins());
}

#[test]
fn a_tag_names_a_version_and_is_not_moved() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.write("penguins.csv", &penguins_in_kilograms());
    shell.json("data snapshot penguins penguins.csv");
    shell.json("data tag penguins@1 clean");
    let error = shell.failure(4, "data tag penguins@2 clean");
    assert_eq!(error["kind"], "already_exists");
    assert_eq!(shell.json("data show penguins@clean")["version"], 1);
}

#[test]
fn a_key_that_several_rows_have_is_told_or_refused() {
    let shell = Shell::new();
    shell.write("t.csv", "id,n\n7,1\n7,2\n8,1\n");
    let ran = shell.run("data snapshot t t.csv --key id");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("does not tell 2 rows apart") && ran.err.contains("id=7"),
        "{ran:?}"
    );
    let refused = shell.failure(2, "data snapshot t t.csv --key id --unique-key");
    assert_eq!(refused["kind"], "invalid");
    let told = shell.json("data snapshot t t.csv --key id,n --unique-key");
    assert_eq!(told["repeated_keys"], json!(null));
}

#[test]
fn a_branch_moves_with_snapshots_and_is_read_as_of_an_entry() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv --branch main");
    let begun = shell.json("data branch create penguins@main units");
    assert_eq!(begun["node"], "data:penguins@1");
    shell.write("penguins.csv", &penguins_in_kilograms());
    shell.json("data snapshot penguins penguins.csv --branch units --key species,island");
    let stale = "data snapshot penguins penguins.csv --branch units --expect penguins@1 --meta a=b";
    assert_eq!(shell.failure(4, stale)["kind"], "conflict");

    let listed = shell.json("data branch list penguins");
    assert_eq!(listed["branches"][1]["head"], "data:penguins@2");
    let log = shell.json("data log penguins@units");
    assert_eq!(log["versions"][0]["parents"], json!(["data:penguins@1"]));
    let shown = shell.json("data show penguins@units");
    assert_eq!(shown["key"], json!(["species", "island"]));
    let before = shell.json("data show penguins@units --at 2");
    assert_eq!(before["version"], 1);
    assert_eq!(shell.json("data list --at 0")["datasets"], json!([]));

    let moved = shell.json("data branch forward main penguins@units");
    assert_eq!(
        (&moved["node"], &moved["changed"]),
        (&json!("data:penguins@2"), &json!(true))
    );
    shell.json("data branch delete penguins units");
    let moves = shell.json("data branch moves penguins units");
    assert_eq!(moves["moves"][0]["to"], json!(null));
    shell.failure(3, "data show penguins@units");
}

#[test]
fn what_made_a_version_and_that_it_is_synthetic_is_shown() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.json(
        "data snapshot clean penguins.csv --source raw=penguins --transform drop --param min=3 \
         --code prepare@9f31c2a --synthetic",
    );
    let shown = shell.json("data show clean");
    assert_eq!(
        shown["transform"],
        json!({"name": "drop", "parameters": {"min": 3}})
    );
    assert_eq!(shown["sources"][1]["role"], "raw");
    assert_eq!(shell.json("data list")["datasets"][0]["synthetic"], true);
}

#[test]
fn a_split_keeps_groups_apart_and_a_sample_has_its_rows() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let split = shell.json("data split penguins --by island,year --parts train=2,test=1 --seed 3");
    assert_eq!(split["split"], "split:penguins@1");
    let rows = |part: usize| split["parts"][part]["rows"].as_u64().unwrap();
    assert_eq!(rows(0) + rows(1), 344);
    assert_eq!(split["parts"][1]["role"], "test");
    let leaks = shell.json("data leaks penguins-train penguins-test --key island,year");
    assert_eq!(
        (&leaks["leaks"], &leaks["keys"]),
        (&json!(false), &json!([]))
    );
    let leaks = shell.answer(1, "data leaks penguins penguins-test");
    assert_eq!(leaks["rows"][0]["rows_b"], rows(1));
    shell.json("data split penguins --time year --cut 2009 --parts train=1,test=1 --name by-year");
    shell.failure(2, "data split penguins --by nothing=1 --parts train=x");
    let named =
        shell.json("data split penguins --by island,year --ratios a=0.5,b=0.5 --name other");
    assert_eq!(named["parts"][0]["node"], "data:other-a@1");
    shell.failure(
        2,
        "data split penguins --by island --ratios train=0.8,test=0.1",
    );

    let sample = shell.json("data sample penguins --fraction 0.25 --stratify species");
    assert_eq!(
        (&sample["dataset"], &sample["rows"]),
        (&json!("penguins-sample"), &json!(86))
    );
}

#[test]
fn rows_are_shown_that_meet_a_condition() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let rows = |arguments: &[&str]| {
        let ran = shell.run_of(&[&["--json", "data", "rows", "penguins"], arguments].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.document()
    };
    let first = rows(&["--limit", "2"]);
    has(&first, &["version", "columns", "rows", "more"]);
    assert_eq!(first["rows"][1]["body_mass_g"], 3800);
    assert_eq!(
        (first["rows"].as_array().unwrap().len(), &first["more"]),
        (2, &json!(true))
    );
    let heavy = "body_mass_g > 4500 and species = 'Adelie' and not sex is null";
    let heavy = rows(&["--where", heavy, "--columns", "year,body_mass_g"]);
    assert_eq!(heavy["columns"], json!(["year", "body_mass_g"]));
    let found = heavy["rows"].as_array().unwrap();
    assert!(!found.is_empty() && heavy["more"] == false);
    for row in found {
        assert!(row["body_mass_g"].as_f64().unwrap() > 4500.0, "{row}");
    }
    assert!(found[0]["year"].is_u64(), "{heavy}");
    let none = rows(&["--where", "false"]);
    assert_eq!(
        (&none["rows"], none["columns"].as_array().unwrap().len()),
        (&json!([]), 8)
    );

    let text = shell
        .run_of(&["data", "rows", "penguins", "--limit", "4"])
        .out;
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("species") && lines.len() == 6,
        "{text}"
    );
    assert!(
        lines[4].contains("null") && lines[5].contains("--limit"),
        "{text}"
    );
}

#[test]
fn a_condition_that_is_wrong_is_told_with_its_place() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let error = |condition: &str| {
        let arguments = ["--json", "data", "rows", "penguins", "--where", condition];
        let ran = shell.run_of(&arguments);
        let document: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        (ran.code, document["error"].clone())
    };
    let (code, wrong) = error("species = Adelie");
    assert_eq!((code, &wrong["context"]["position"]), (2, &json!("11")));
    let (code, unknown) = error("specie = 'Adelie'");
    assert_eq!((code, &unknown["context"]["column"]), (3, &json!("specie")));
    let (code, other) = error("species >= 3");
    assert_eq!((code, &other["context"]["column"]), (2, &json!("species")));
}

#[test]
fn a_sample_of_rows_that_meet_a_condition_says_so() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let condition = "species = 'Gentoo' and year = 2009";
    let arguments = ["data", "sample", "penguins", "--fraction", "0.5", "--where"];
    let sampled = shell.run_of(&[&["--json"], &arguments[..], &[condition]].concat());
    let sampled = sampled.document();
    // Of 44.
    assert_eq!(sampled["rows"], 22);
    let shown = shell.json("data show penguins-sample");
    assert_eq!(shown["transform"]["parameters"]["where"], condition);
    let others = "data rows penguins-sample --where year<2009";
    assert_eq!(shell.json(others)["rows"], json!([]));
    let none = shell.run_of(&[&arguments[..], &["false"]].concat());
    assert_eq!(none.code, 2, "{none:?}");
}

#[test]
fn a_version_of_patches_is_compacted() {
    let shell = Shell::new();
    // Digits that do not repeat, so that pages are large enough to be worth a patch.
    let write = |changed: u64| {
        let digits = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12;
        let row = |n: u64| {
            let more = u64::from(n % 1_000 < changed);
            format!("{n},{}\n", digits(n) + more)
        };
        let rows: String = (0..30_000).map(row).collect();
        shell.write("t.csv", &format!("id,x\n{rows}"));
        shell.json("data snapshot t t.csv --layout canonical --patch --branch main --key id")
    };
    let patches = |reference: &str| {
        let shown = shell.json(&format!("data show {reference}"));
        let patches = shown["files"][0]["canonical"]["patches"].as_array();
        patches.map_or(0, Vec::len)
    };
    let first = write(0);
    let whole = shell.json("data compact t@main");
    assert_eq!(
        (&whole["version"], &whole["compacted"]),
        (&json!("data:t@1"), &json!(null))
    );
    let second = write(2);
    assert_eq!(patches("t@main"), 1);
    assert!(second["new_bytes"].as_u64() < first["new_bytes"].as_u64());

    // The branch moves when it is named, and must be where the version is.
    assert_eq!(shell.run("data compact t@1 --branch main").code, 0);
    let compacted = shell.json("data compact t@2 --branch main");
    let made = &compacted["compacted"];
    assert_eq!(made["version"], 3);
    assert_eq!(made["table_digest"], second["table_digest"]);
    assert_eq!((patches("t@2"), patches("t@main")), (1, 0));
    let shown = shell.json("data show t@main");
    assert_eq!(
        (&shown["version"], &shown["parents"], &shown["key"]),
        (&json!(3), &json!(["data:t@2"]), &json!(["id"]))
    );
    assert_eq!(shell.failure(4, "data compact t@2")["kind"], "conflict");
    assert_eq!(
        shell.failure(4, "data compact t@2 --branch main")["kind"],
        "conflict"
    );
    let text = shell.run("data compact t@main").out;
    assert!(text.contains("has no patches"), "{text}");
    shell.failure(3, "data compact t@9");
}

#[test]
fn json_lines_are_a_table() {
    let shell = Shell::new();
    let first =
        "{\"id\":1,\"turns\":[{\"role\":\"user\",\"text\":\"hi\"}]}\n{\"id\":2,\"turns\":[]}\n";
    shell.write("chats.jsonl", first);
    let report = shell.json("data snapshot chats chats.jsonl");
    assert_eq!(report["rows"], 2);
    assert_eq!(
        report["columns"][1]["type"],
        "list(struct(\"role\":utf8,\"text\":utf8))"
    );
    shell.write("chats.jsonl", &first.replace("hi", "hello"));
    shell.json("data snapshot chats chats.jsonl");
    let diff = shell.answer(
        1,
        "data diff chats@1 chats --key id --rows 5 --fail-on rows",
    );
    assert_eq!(diff["rows"]["cells"], json!({"turns": 1}));
    let ran = shell.run("data diff chats@1 chats --key id --rows 5");
    assert!(ran.out.contains("hello"), "{ran:?}");
    let rows = shell.json("data rows chats@1 --where id=1 --columns turns");
    assert_eq!(rows["rows"][0]["turns"], "[{role: user, text: hi}]");
    shell.json("data export chats@1 out");
    assert_eq!(
        fs::read_to_string(shell.path("out/chats.jsonl")).unwrap(),
        first
    );

    shell.write("chats.jsonl", "{\"id\":1}\n{\"id\":1,\"id\":2}\n");
    let refused = shell.run("data snapshot chats chats.jsonl");
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("line: 2"), "{}", refused.err);
    let plain = shell.json("data snapshot logs chats.jsonl --layout plain");
    assert_eq!(
        (&plain["rows"], &plain["files"][0]["path"]),
        (&json!(null), &json!("chats.jsonl"))
    );
}

#[test]
fn branches_merge_and_a_conflict_is_shown_before_it_ends_the_merge() {
    let shell = Shell::new();
    fs::create_dir(shell.path("d")).unwrap();
    let take = |files: [(&str, &str); 2], branch: &str| {
        for (name, content) in files {
            shell.write(name, content);
        }
        shell.json(&format!("data snapshot d d --branch {branch}"))
    };
    take([("d/a.txt", "1"), ("d/b.txt", "1")], "main");
    shell.json("data branch create d@main work");
    take([("d/a.txt", "2"), ("d/b.txt", "1")], "main");
    take([("d/a.txt", "1"), ("d/b.txt", "3")], "work");

    let plan = shell.json("data merge d@main d@work --branch main --plan");
    assert_eq!(plan["plan"]["outcome"], "merge");
    let merged = shell.json("data merge d@main d@work --branch main");
    assert_eq!(merged["head"], "data:d@4");
    shell.json("data export d@main out");
    let read = |name| fs::read_to_string(shell.path(name)).unwrap();
    assert_eq!(
        (read("out/a.txt"), read("out/b.txt")),
        ("2".into(), "3".into())
    );
    let forward = shell.json("data merge d@work d@main --branch work");
    assert_eq!(forward["head"], "data:d@4");

    take([("d/a.txt", "ours"), ("d/b.txt", "3")], "main");
    take([("d/a.txt", "theirs"), ("d/b.txt", "3")], "work");
    let plan = shell.run("data merge d@main d@work --plan");
    assert_eq!(plan.code, 1);
    assert!(
        plan.out.contains("conflict: a.txt: changed on both sides"),
        "{}",
        plan.out
    );
    assert_eq!(shell.run("data merge d@main d@work --branch main").code, 4);
    shell.json("data merge d@main d@work --branch main --prefer theirs");
    shell.json("data export d@main out");
    assert_eq!(read("out/a.txt"), "theirs");
}
