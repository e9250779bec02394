//! Which version is meant, now and at another time, and what is said of one later.

use serde_json::json;

use crate::support::{Shell, has};

/// A shell with the model fraud in versions 1.0.0 and 1.1.0.
fn with_two_versions() -> Shell {
    let shell = Shell::new();
    shell
        .json("model register fraud model.bin --metric auc=0.93 --metric loss=NaN --tag team=risk");
    shell.write("model.bin", "other weights");
    shell.json("model register fraud model.bin --metric auc=0.95 --metric loss=NaN");
    shell
}

/// The newest log entry.
fn head(shell: &Shell) -> u64 {
    shell.json("stats")["head"].as_u64().unwrap()
}

#[test]
fn a_name_or_a_requirement_is_pinned_to_one_version() {
    let shell = with_two_versions();
    shell.write("model.bin", "third");
    shell.json("model register fraud model.bin --bump major");
    shell.json("model alias fraud champion 1.0.0");
    shell.json("model promote fraud@1.1.0 --to staging");
    for (wanted, version) in [
        ("fraud", "2.0.0"),
        ("fraud@latest", "2.0.0"),
        ("fraud@1.1.0", "1.1.0"),
        ("fraud@1", "1.1.0"),
        ("fraud@champion", "1.0.0"),
        ("fraud@staging", "1.1.0"),
        ("fraud@^1.0", "1.1.0"),
        ("model:fraud@~1.0.0", "1.0.0"),
        ("fraud@*", "2.0.0"),
        ("fraud@<2", "1.1.0"),
    ] {
        let found = shell.json(&format!("model resolve {wanted}"));
        assert_eq!(
            found,
            json!({"node": format!("model:fraud@{version}"), "model": "fraud", "version": version}),
            "{wanted}"
        );
    }
    let both = shell.run_of(&["model", "resolve", "fraud@>=1.0, <1.1"]);
    assert_eq!(both.out, "model:fraud@1.0.0\n");

    for none in [
        "fraud@^3",
        "fraud@production",
        "fraud@challenger",
        "nobody",
        "nobody@^1",
    ] {
        let error = shell.failure(3, &format!("model resolve {none}"));
        assert_eq!(error["kind"], "not_found", "{none}");
    }
    let wrong = shell.failure(2, "model resolve fraud@^one");
    assert_eq!(wrong["context"]["requirement"], "^one");
    shell.failure(2, "model resolve data:fraud@^1");
}

#[test]
fn aliases_are_shown_with_where_they_pointed() {
    let shell = with_two_versions();
    let none = shell.json("model alias fraud");
    assert_eq!(none, json!({"model": "fraud", "aliases": {}}));
    shell.failure(3, "model alias fraud champion");
    shell.json("model alias fraud champion 1.0.0");
    let first = head(&shell);
    shell.json("model alias fraud champion 1.1.0 --reason better");
    shell.json("model alias fraud shadow 1.0.0");
    let all = shell.json("model alias fraud");
    assert_eq!(
        all["aliases"],
        json!({"champion": "model:fraud@1.1.0", "shadow": "model:fraud@1.0.0"})
    );
    let one = shell.json("model alias fraud champion");
    assert_eq!(one["to"], "model:fraud@1.1.0");
    assert_eq!(one.get("history"), None);
    let told = shell.json("model alias fraud champion --history");
    let told = told["history"].as_array().unwrap();
    assert_eq!(told.len(), 2);
    has(&told[0], &["seq", "time", "actor", "reason", "to"]);
    assert_eq!(
        (&told[0]["to"], &told[0]["reason"]),
        (&json!("model:fraud@1.1.0"), &json!("better"))
    );
    let then = shell.json(&format!(
        "model alias fraud champion --history --at {first}"
    ));
    assert_eq!(then["to"], "model:fraud@1.0.0");
    assert_eq!(then["history"].as_array().unwrap().len(), 1);

    shell.json("model alias fraud champion --remove");
    shell.failure(3, "model alias fraud champion");
    let gone = shell.json("model alias fraud champion --history");
    assert_eq!(
        (&gone["to"], &gone["history"][0]["to"]),
        (&json!(null), &json!(null))
    );
    let text = shell.run("model alias fraud champion --history").out;
    assert!(
        text.starts_with("champion -> -\n") && text.contains("better"),
        "{text}"
    );

    for mixed in [
        "model alias fraud champion 1.0.0 --remove",
        "model alias fraud champion 1.0.0 --history",
        "model alias fraud champion 1.0.0 --at 1",
        "model alias fraud champion --expect 1.0.0",
        "model alias fraud champion --role risk",
        "model alias fraud --remove",
        "model alias fraud --history",
    ] {
        shell.failure(2, mixed);
    }
}

#[test]
fn models_are_read_as_they_were() {
    let shell = with_two_versions();
    let before = head(&shell);
    shell.json("model promote fraud@1.0.0 --to staging");
    shell.json("model alias fraud champion 1.0.0");
    shell.json("model annotate fraud@1.0.0 --tag team=fraud");
    shell.write("model.bin", "third");
    shell.json("model register fraud model.bin");
    let at = |command: &str| shell.json(&format!("{command} --at {before}"));
    let shown = at("model show fraud@1.0.0");
    assert_eq!(
        (&shown["stage"], &shown["tags"]["team"]),
        (&json!("development"), &json!("risk"))
    );
    assert_eq!(at("model list")["models"][0]["versions"], 2);
    assert_eq!(
        at("model list fraud")["versions"].as_array().unwrap().len(),
        2
    );
    assert_eq!(at("model alias fraud")["aliases"], json!({}));
    assert_eq!(at("model resolve fraud")["version"], "1.1.0");
    let staged = at("model stage fraud staging --history");
    assert_eq!(staged["stages"][0]["versions"], json!([]));
    assert_eq!(staged["history"], json!([]));
    assert_eq!(at("model card fraud@1.0.0")["stage"], "development");
    shell.failure(3, &format!("model show fraud@champion --at {before}"));
    shell.failure(3, "model show fraud --at 2020-01-01T00:00:00Z");
    shell.failure(2, "model show fraud --at noon");
    shell.json("model delete fraud@1.1.0");
    let pulled = at("model pull fraud@1.1.0 out");
    assert_eq!(pulled["files"][0]["path"], "model.bin");
}

#[test]
fn a_version_is_annotated_and_its_record_stays() {
    let shell = with_two_versions();
    let before = shell.json("model show fraud@1.0.0");
    let annotate =
        "model annotate fraud@1.0.0 --tag reviewed=yes --untag team --description better";
    let annotated = shell.json(annotate);
    assert_eq!(annotated["tags"], json!({"reviewed": "yes"}));
    assert_eq!(annotated["description"], "better");
    assert_eq!(annotated["annotated"], head(&shell));
    let after = shell.json("model show fraud@1.0.0");
    assert_eq!(after["record"], before["record"]);
    assert_eq!(after["digest"], before["digest"]);
    let found = shell.json("model search tags.reviewed='yes'");
    assert_eq!(found["results"][0]["version"], "1.0.0");

    let again = shell.run(annotate);
    assert!(
        again.code == 0 && again.err.contains("nothing had to change"),
        "{again:?}"
    );
    assert_eq!(shell.json(annotate)["annotated"], json!(null));
    shell.failure(2, "model annotate fraud@1.0.0");
    shell.failure(2, "model annotate fraud@1.0.0 --tag a=1 --untag a");
    shell.failure(3, "model annotate fraud@9.0.0 --tag a=1");
}

#[test]
fn owner_purpose_and_expiry_are_restated_and_the_history_tells_old_and_new() {
    let shell = with_two_versions();
    shell.json("model annotate fraud@1.0.0 --owner risk --expires 2027-01-01T00:00:00Z");
    let restated =
        "model annotate fraud@1.0.0 --owner ml-platform --purpose triage --unset expires";
    let shown = shell.json(restated);
    assert_eq!(
        (&shown["owner"], &shown["purpose"]),
        (&json!("ml-platform"), &json!("triage"))
    );
    assert_eq!(shown["expires"], json!(null));
    assert_eq!(shown["record"]["author"], "ada");
    let found = shell.json("model search owner='ml-platform'");
    assert_eq!(found["results"][0]["version"], "1.0.0");
    let all = shell.json("model search author='ada'");
    assert_eq!(all["results"].as_array().unwrap().len(), 2);

    let history = shell.json("history model/fraud/annotation/1.0.0");
    let last = &history["changes"][0]["changed"];
    assert_eq!(
        last["owner"],
        json!({"before": "risk", "after": "ml-platform"})
    );
    assert_eq!(last["expires"]["before"], "2027-01-01T00:00:00.000000Z");
    assert_eq!(last["purpose"], json!({"before": null, "after": "triage"}));
    let text = shell.run("history model/fraud/annotation/1.0.0").out;
    assert!(text.contains(r#"owner "risk" -> "ml-platform""#), "{text}");
    shell.failure(2, "model annotate fraud@1.0.0 --owner a --unset owner");
}

#[test]
fn what_was_measured_is_compared() {
    let shell = with_two_versions();
    shell.json("model eval report holdout fraud@1.1.0 --metric f1=0.5");
    let diff = shell.json("model diff fraud@1.0.0 fraud@1.1.0");
    assert_eq!(
        diff["metrics"],
        json!([
            {"name": "auc", "a": 0.93, "b": 0.95},
            {"name": "f1", "a": null, "b": 0.5},
        ])
    );
    let text = shell.run("model diff fraud@1.0.0 fraud@1.1.0").out;
    assert!(text.contains("auc     0.93  0.95  +2.0000e-2"), "{text}");
}

/// As the guide "Coming from MLflow" says of two promotions at once.
#[test]
fn of_two_that_replace_the_same_version_one_wins_and_the_other_is_told_the_holder() {
    let shell = with_two_versions();
    shell.write("model.bin", "third");
    shell.json("model register fraud model.bin");
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        shell.json(&format!("model promote fraud@{version} --to staging"));
    }
    shell.json("model promote fraud@1.0.0 --to production");
    let replace =
        |version: &str| format!("model promote fraud@{version} --to production --incumbent 1.0.0");
    shell.json(&replace("1.1.0"));
    let lost = shell.failure(4, &replace("1.2.0"));
    assert_eq!(lost["kind"], "conflict");
    assert_eq!(lost["context"]["holds"], "model:fraud@1.1.0");
}
