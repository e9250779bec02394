//! `mainstay model`

use std::fs;

use serde_json::json;

use crate::support::{Shell, has};

/// A shell with the model fraud in versions 1.0.0 and 1.1.0.
fn with_two_versions() -> Shell {
    let shell = Shell::new();
    shell.json("model register fraud model.bin --metric auc=0.93 --tag team=risk");
    shell.write("model.bin", "other weights");
    shell.json("model register fraud model.bin --metric auc=0.95");
    shell
}

#[test]
fn a_registration_has_the_documented_fields() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let first = shell.json(
        "model register fraud model.bin --data penguins --data validation=penguins@1 \
         --code 9f31c2a --dirty --param depth=6 --param activation=relu --seed numpy=7 \
         --metric auc=0.9 --metric loss=NaN --measured-on penguins --description short",
    );
    has(
        &first,
        &[
            "model",
            "version",
            "bump",
            "reasons",
            "artifact",
            "reproducibility_digest",
        ],
    );
    let shown = shell.json("model show fraud");
    let record = &shown["record"];
    assert_eq!(
        record["parameters"],
        json!({"depth": 6, "activation": "relu"})
    );
    assert_eq!(record["metrics"]["loss"]["value"], "NaN");
    assert_eq!(record["metrics"]["auc"]["data"], "data:penguins@1");
    assert_eq!(
        record["code"],
        json!({"repository": "fraud", "commit": "9f31c2a", "dirty": true})
    );
    let roles: Vec<_> = record["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["role"])
        .collect();
    assert_eq!(roles, ["train", "validation"]);
}

#[test]
fn the_bump_is_inferred_raised_or_exact_but_never_lower() {
    let shell = with_two_versions();
    shell.write("model.bin", "third");
    let error = shell.failure(2, "model register fraud model.bin --bump patch");
    assert_eq!(error["kind"], "invalid");
    let major = shell.json("model register fraud model.bin --bump major");
    assert_eq!(major["version"], "2.0.0");
    shell.write("model.bin", "fourth");
    let exact = shell.json("model register fraud model.bin --bump 3.1.4");
    assert_eq!(exact["version"], "3.1.4");
    shell.write("model.bin", "fifth");
    let error = shell.failure(4, "model register fraud model.bin --bump 3.1.4");
    assert_eq!(error["kind"], "already_exists");
}

#[test]
fn a_gate_that_says_no_ends_with_1_and_changes_nothing() {
    let shell = with_two_versions();
    shell.json("model promote fraud@1.0.0 --to staging");
    let refused = shell.answer(
        1,
        "model promote fraud@1.0.0 --to production --at-least auc=0.99",
    );
    assert_eq!(refused["promoted"], false);
    assert_eq!(refused["gates"][0]["passed"], false);
    let stages = shell.json("model stage fraud staging");
    assert_eq!(
        stages["stages"][0]["versions"],
        json!(["model:fraud@1.0.0"])
    );
    let gates = "--at-least auc=0.9 --at-most auc=1 --not-lower auc --require-tag team=risk";
    shell.json(&format!(
        "model promote fraud@1.0.0 --to production {gates}"
    ));
}

#[test]
fn production_has_one_holder_and_goes_back_to_the_one_before() {
    let shell = with_two_versions();
    for version in ["1.0.0", "1.1.0"] {
        shell.json(&format!("model promote fraud@{version} --to staging"));
        shell.json(&format!("model promote fraud@{version} --to production"));
    }
    let stages = shell.json("model stage fraud --history");
    let stage = |name: &str| {
        let stages = stages["stages"].as_array().unwrap();
        let found = stages.iter().find(|held| held["stage"] == name).unwrap();
        found["versions"].clone()
    };
    assert_eq!(stage("production"), json!(["model:fraud@1.1.0"]));
    assert_eq!(stage("archived"), json!(["model:fraud@1.0.0"]));
    has(
        &stages["history"][0],
        &["model", "from", "to", "actor", "reason", "time"],
    );

    let wrong = shell.failure(4, "model rollback fraud --incumbent 1.0.0");
    assert_eq!(wrong["kind"], "conflict");
    let back = shell.json("model rollback fraud --incumbent 1.1.0");
    assert_eq!(
        (&back["from"], &back["to"]),
        (&json!("model:fraud@1.1.0"), &json!("model:fraud@1.0.0"))
    );
}

#[test]
fn an_alias_moves_with_an_expectation_and_can_be_removed() {
    let shell = with_two_versions();
    shell.json("model alias fraud champion 1.0.0 --expect none");
    let error = shell.failure(4, "model alias fraud champion latest --expect none");
    assert_eq!(error["kind"], "conflict");
    let moved = shell.json("model alias fraud champion latest --expect 1.0.0");
    assert_eq!(moved["to"], "model:fraud@1.1.0");
    let removed = shell.json("model alias fraud champion --remove");
    assert_eq!(removed["to"], json!(null));
    shell.failure(3, "model show fraud@champion");
}

#[test]
fn search_has_the_documented_fields_and_goes_on_after_a_page() {
    let shell = with_two_versions();
    let ran = shell.run_of(&[
        "--json",
        "model",
        "search",
        "metrics.auc > 0.9 ORDER BY metrics.auc",
    ]);
    let found = ran.document();
    has(&found, &["results", "next"]);
    has(
        &found["results"][0],
        &["model", "version", "stage", "aliases", "metrics", "tags"],
    );
    assert_eq!(found["results"][0]["version"], "1.0.0");

    let first = shell.json("model search --limit 1");
    let next = first["next"].as_str().unwrap();
    let second = shell.json(&format!("model search --limit 1 --after {next}"));
    assert_eq!(second["results"][0]["version"], "1.0.0");
    assert_eq!(second["next"], json!(null));

    assert_eq!(shell.json("model search --count"), json!({"count": 2}));
    assert_eq!(shell.run("model search version='1.0.0' --count").out, "1\n");
    shell.failure(2, "model search --count --limit 1");

    let wrong = shell.failure(2, "model search metrics.auc");
    assert!(wrong["message"].as_str().is_some());
}

#[test]
fn models_and_versions_are_listed_and_pulled() {
    let shell = with_two_versions();
    let models = shell.json("model list");
    assert_eq!(models["models"][0]["versions"], 2);
    let versions = shell.json("model list fraud");
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2);
    shell.failure(3, "model list nothing");

    let pulled = shell.json("model pull fraud@1.0.0 out");
    assert_eq!(pulled["files"][0]["path"], "model.bin");
    assert_eq!(
        fs::read_to_string(shell.path("out/model.bin")).unwrap(),
        "weights"
    );
    shell.failure(4, "model pull fraud@1.0.0 out");
}

#[test]
fn a_version_is_exported_as_an_oci_layout() {
    let shell = with_two_versions();
    let report = shell.json("model export oci fraud@1.0.0 layout");
    assert_eq!(report["reference"], "1.0.0");
    assert_eq!(report["added"], true);
    assert_eq!(report["files"][0]["path"], "model.bin");
    let index = shell.path("layout/index.json");
    let first: serde_json::Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    assert_eq!(first["manifests"][0]["digest"], report["manifest"]);
    let again = shell.json("model export oci fraud@1.0.0 layout");
    assert_eq!(again["added"], false);
    let text = shell.run("model export oci fraud layout");
    assert_eq!(text.code, 0, "{text:?}");
    let both: serde_json::Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    assert_eq!(both["manifests"].as_array().unwrap().len(), 2);

    shell.json("model pull fraud@1.0.0 out");
    shell.failure(4, "model export oci fraud@1.0.0 out");
}

/// A safetensors file with one tensor `w` of four bytes.
pub(crate) fn safetensors(values: &str) -> String {
    let header = r#"{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
    let length = char::from(u8::try_from(header.len()).unwrap());
    format!("{length}{}{header}{values}", "\0".repeat(7))
}

#[test]
fn versions_are_compared_down_to_their_tensors() {
    let shell = Shell::new();
    for values in ["aaaa", "aada"] {
        shell.write("model.safetensors", &safetensors(values));
        shell.json("model register fraud model.safetensors");
    }
    let listed = shell.json("model tensors fraud@1.1.0 --digests");
    let tensor = &listed["tensors"][0];
    assert_eq!(tensor["dtype"], "U8");
    assert_eq!(tensor["shape"], json!([4]));
    assert_eq!(tensor["file"], "model.safetensors");
    has(tensor, &["name", "bytes", "offset", "digest"]);
    let plain = shell.json("model tensors fraud@1.1.0");
    assert_eq!(plain["tensors"][0].get("digest"), None);

    let diff = shell.json("model diff fraud@1.0.0 fraud@1.1.0");
    assert_eq!(
        (&diff["a"], &diff["b"]),
        (&json!("model:fraud@1.0.0"), &json!("model:fraud@1.1.0"))
    );
    assert_eq!(diff["bump"], "minor");
    assert_eq!(diff["reasons"][0]["rule"], "artifact.weights");
    let changed = &diff["tensors"]["changed"][0];
    assert_eq!(changed["tensor"]["name"], "w");
    let difference = &changed["difference"];
    assert_eq!(
        (&difference["changed"], &difference["norm"]),
        (&json!(1), &json!(3.0))
    );
    let text = shell.run("model diff fraud@1.0.0 fraud@1.1.0").out;
    assert!(text.contains("~  w"), "{text}");
    assert!(text.contains("25.00 %"), "{text}");

    let same = shell.json("model diff fraud fraud");
    assert_eq!(
        (&same["bump"], &same["tensors"]["unchanged"]),
        (&json!(null), &json!(1))
    );
}

#[test]
fn a_file_that_is_no_safetensors_is_invalid_input() {
    let shell = Shell::new();
    shell.write("model.safetensors", "not really");
    shell.json("model register fraud model.safetensors");
    let error = shell.failure(2, "model diff fraud fraud");
    assert_eq!(error["kind"], "invalid");
    assert_eq!(error["context"]["file"], "model.safetensors");
}

#[test]
fn a_version_in_use_is_a_conflict_and_any_other_is_deleted() {
    let shell = with_two_versions();
    shell.json("model alias fraud champion 1.1.0");
    let error = shell.failure(4, "model delete fraud@1.1.0");
    assert_eq!(error["context"]["alias"], "champion");
    let deleted = shell.json("model delete fraud@1.0.0 --reason mistake");
    assert_eq!(deleted["deleted"], "model:fraud@1.0.0");
    has(&deleted, &["seq"]);
    shell.failure(3, "model show fraud@1.0.0");
}

#[test]
fn a_policy_asks_for_approval_and_a_broken_glass_is_told() {
    let shell = with_two_versions();
    let shown = shell.json("model policy show fraud");
    has(&shown, &["model", "digest", "policy"]);
    let mut policy = shown["policy"].clone();
    policy["gates"]["production"] = json!([
        {"approvals": {"count": 1, "roles": ["risk"]}},
        {"check": {"name": "environment"}},
    ]);
    shell.write("policy.json", &policy.to_string());
    shell.json("model policy set fraud policy.json");
    shell.json("model promote fraud@1.0.0 --to staging");
    let refused = shell.answer(1, "model promote fraud@1.0.0 --to production");
    assert_eq!(refused["gates"][0]["why"], "0 of 1 approved");
    assert_eq!(
        refused["gates"][1]["why"],
        "the version says no environment"
    );

    let denied = shell.failure(6, "model approve fraud@1.0.0 --role risk");
    assert_eq!(denied["kind"], "permission_denied");
    let approved = shell.json("--actor bob model approve fraud@1.0.0 --role risk");
    assert_eq!(approved["approvals"][0]["actor"], "bob");
    let withdrawn = shell.json("--actor bob model withdraw fraud@1.0.0");
    assert_eq!(withdrawn["approvals"], json!([]));

    let glass = "model promote fraud@1.0.0 --to production --break-glass outage --key job-1";
    let promoted = shell.json(glass);
    assert_eq!(promoted["overruled"], "outage");
    assert_eq!(shell.json(glass)["seq"], promoted["seq"]);
    let stages = shell.json("model stage fraud --history");
    assert_eq!(stages["history"][0]["overruled"], "outage");
    assert!(
        shell
            .run("log -n 1")
            .out
            .contains("GATES OVERRULED (outage)")
    );
}

#[test]
fn data_that_drifted_does_not_pass_a_check_for_drift() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.write("kilograms.csv", &crate::support::penguins_in_kilograms());
    shell.json("data snapshot penguins kilograms.csv");
    for version in [1, 2] {
        shell.write("model.bin", &format!("weights {version}"));
        shell.json(&format!(
            "model register fraud model.bin --data penguins@{version}"
        ));
    }
    let promote =
        |version: &str| format!("model promote fraud@{version} --to production --check drift");
    for version in ["1.0.0", "1.1.0"] {
        shell.json(&format!("model promote fraud@{version} --to staging"));
    }
    let first = shell.json(&promote("1.0.0"));
    assert_eq!(first["gates"][0]["why"], "nobody holds the stage");
    let second = shell.answer(1, &promote("1.1.0"));
    let why = second["gates"][0]["why"].as_str().unwrap();
    assert!(why.contains("body_mass_g"), "{why}");
    shell.failure(
        2,
        "model promote fraud@1.1.0 --to production --check drift:roll=train",
    );
}

#[test]
fn data_whose_drift_cannot_be_judged_does_not_pass_a_check_for_drift() {
    let shell = Shell::new();
    for version in [1, 2] {
        shell.write("image.png", &format!("image {version}"));
        shell.json("data snapshot images image.png");
        shell.write("model.bin", &format!("weights {version}"));
        shell.json(&format!(
            "model register fraud model.bin --data images@{version}"
        ));
    }
    for version in ["1.0.0", "1.1.0"] {
        shell.json(&format!("model promote fraud@{version} --to staging"));
    }
    shell.json("model promote fraud@1.0.0 --to production --check drift");
    let refused = shell.answer(1, "model promote fraud@1.1.0 --to production --check drift");
    let why = refused["gates"][0]["why"].as_str().unwrap();
    assert!(why.contains("no drift can be judged"), "{why}");
}

#[test]
fn a_card_is_markdown_or_the_same_as_data() {
    let shell = with_two_versions();
    let tags = [
        "--tag",
        "direct_use=Triage <b>of alerts</b>",
        "--owner",
        "risk@example.org",
    ];
    shell.write("model.bin", "third weights");
    let register = [
        "model",
        "register",
        "fraud",
        "model.bin",
        "--metric",
        "auc=0.97",
    ];
    let ran = shell.run_of(&[&register[..], &tags[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let card = shell.run("model card fraud");
    assert_eq!((card.code, card.err.as_str()), (0, ""), "{card:?}");
    assert!(
        card.out
            .starts_with("---\nmodel_name: \"fraud\"\n---\n\n# Model Card for fraud 1.2.0\n")
    );
    for said in [
        "### Direct Use\n\nTriage &lt;b&gt;of alerts&lt;/b&gt;\n",
        "- **Developed by:** risk@example.org\n",
        "| auc | 0.97 |  | registration |\n",
    ] {
        assert!(card.out.contains(said), "{said}: {}", card.out);
    }
    let data = shell.json("model card fraud@1.0.0");
    has(
        &data,
        &[
            "node",
            "record",
            "stage",
            "registered_by",
            "results",
            "evaluations",
            "gates",
            "approvals",
        ],
    );
    assert_eq!(data["results"][0]["source"], "registration");
    shell.failure(3, "model card nothing");
}

#[test]
fn a_renamed_model_keeps_everything_and_its_old_name_leads_on() {
    let shell = with_two_versions();
    shell.json("model alias fraud champion 1.0.0");
    let renamed = shell.json("model rename fraud risk");
    assert_eq!(renamed["id"], "fraud");
    assert_eq!(
        (&renamed["from"], &renamed["to"]),
        (&json!("fraud"), &json!("risk"))
    );
    assert!(renamed["seq"].is_u64());
    let shown = shell.json("model show risk@champion");
    assert_eq!(shown["model"], "risk");
    assert_eq!(shown["node"], "model:fraud@1.0.0");
    let found = shell.json("model search name='risk'");
    assert_eq!(found["results"].as_array().unwrap().len(), 2);
    let listed = shell.json("model list");
    assert_eq!(listed["models"][0]["model"], "risk");
    let history = shell.json("history model/risk/alias/champion");
    assert_eq!(history["path"], "model/fraud/alias/champion");

    shell.json("model register child model.bin --parent risk@1.0.0=fine_tune");
    for between in [
        "path model:child model:risk@1.0.0",
        "common model:child model:risk@1.0.0",
    ] {
        let text = shell.run(&format!("lineage {between}")).out;
        assert!(
            text.contains("model:fraud@1.0.0 (called risk now)"),
            "{text}"
        );
    }

    let old = shell.run("model show fraud");
    assert!(old.err.contains("fraud is called risk"), "{old:?}");
    shell.write("model.bin", "third");
    let registered = shell.run("model register fraud model.bin");
    assert!(
        registered.err.contains("fraud is called risk"),
        "{registered:?}"
    );
    assert!(
        registered.out.contains("model:fraud@1.2.0"),
        "{registered:?}"
    );

    assert_eq!(
        shell.failure(3, "model rename nobody x")["kind"],
        "not_found"
    );
    assert_eq!(
        shell.failure(4, "model rename fraud other")["kind"],
        "conflict"
    );
    shell.failure(4, "model register risk model.bin --new");
    let new = shell.json("model register fraud model.bin --new");
    assert_eq!(
        (&new["model"], &new["version"]),
        (&json!("fraud"), &json!("2.0.0"))
    );
    assert_eq!(shell.json("model rename risk danger")["to"], "danger");
    assert_eq!(shell.json("model show fraud@1.0.0")["model"], "danger");
    assert_eq!(shell.json("model show fraud")["model"], "fraud");
}
