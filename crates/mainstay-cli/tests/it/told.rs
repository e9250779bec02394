//! What changed between two units that differ in everything, in every form that it is told in.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Shell, penguins, penguins_in_kilograms};

const PROMPT: [&str; 2] = [
    r#"{"body": {"text": "Explain {{species}}.\n"},
        "inference": {"params": {"temperature": 0.2}}}"#,
    r#"{"body": {"text": "Explain {{species}} to {{reader}}.\nBriefly.\n"},
        "inference": {"params": {"temperature": 0.9}}}"#,
];
const COMMIT: [&str; 2] = ["3c1f0e7", "9f31c2a"];
/// Somebody who would like to be markup.
const REASON: &str = "<script>retrain</script> & *ship*";

/// Each part of a unit and what has to be told of it, in text that no form has to escape.
const TOLD: &[(&str, &[&str])] = &[
    // Rows, schema, drift.
    (
        "data",
        &["body_mass_g drifted", "344 → 343 rows", "ring added"],
    ),
    (
        "prompt",
        &["variable reader added", "0.2 → 0.9", "Briefly."],
    ),
    (
        "env",
        &[
            "container.image: lab@sha256:1f1f",
            "→ lab@sha256:2e2e",
            "warning: container.image",
        ],
    ),
    ("code", &["3c1f0e7 → 9f31c2a"]),
    (
        "model",
        &[
            // The bump and why, by the signature among others.
            "minor: input.optional_added",
            "minor: parameter.changed at parameters.depth",
            "depth 6 → 8",
            "split 42 → 43",
            "accuracy 0.98 → 0.61",
            "3c1f0e7 → 9f31c2a",
            "1 changed (head)",
            "head changed",
        ],
    ),
];

/// A file of safetensors: a body that stays, and a head.
fn weights(shell: &Shell, head: u8) {
    const BODY: usize = 300_000;
    let header = json!({
        "body": {"dtype": "U8", "shape": [BODY], "data_offsets": [0, BODY]},
        "head": {"dtype": "U8", "shape": [100], "data_offsets": [BODY, BODY + 100]},
    });
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(vec![1; BODY]);
    file.extend(vec![head; 100]);
    fs::write(shell.path("model.safetensors"), file).unwrap();
}

fn signature(inputs: &str) -> String {
    let outputs = r#"[{"name": "species", "type": "string"}]"#;
    json!({"inputs": inputs, "outputs": outputs, "params": null}).to_string()
}

/// The penguins in kilograms without the last of them, each with a ring.
fn ringed() -> String {
    let table = penguins_in_kilograms();
    let lines = table.lines().enumerate().map(|(row, line)| match row {
        0 => format!("{line},ring\n"),
        row => format!("{line},{row}\n"),
    });
    let mut lines: Vec<String> = lines.collect();
    lines.pop();
    lines.concat()
}

fn make_unit(shell: &Shell, version: usize) {
    shell.json("data snapshot penguins penguins.csv");
    shell.json("prompt publish explain prompt.json");
    let image = ["1f", "2e"][version].repeat(32);
    shell.json(&format!("env capture lab --image lab@sha256:{image}"));
    let (commit, depth, seed) = (COMMIT[version], 6 + 2 * version, 42 + version);
    let accuracy = ["0.98", "0.61"][version];
    let registered = shell.run_of(&[
        "--reason",
        REASON,
        "model",
        "register",
        "species",
        "model.safetensors",
        "--data",
        "penguins",
        "--code",
        &format!("training@{commit}"),
        "--env",
        "lab",
        "--param",
        &format!("depth={depth}"),
        "--seed",
        &format!("split={seed}"),
        "--metric",
        &format!("accuracy={accuracy}"),
        "--signature",
        "signature.json",
    ]);
    assert_eq!(registered.code, 0, "{registered:?}");
    shell.json(&format!(
        "deploy unit create birds --model species --prompt explain --data penguins --env lab \
         --code web@{commit}"
    ));
    shell.json(&format!("deploy start prod birds@{}", version + 1));
}

fn two_units() -> Shell {
    let shell = Shell::new();
    for version in 0..2 {
        shell.write("prompt.json", PROMPT[version]);
        shell.write("penguins.csv", &[penguins(), ringed()][version]);
        let column =
            |name: &str, required| json!({"name": name, "type": "double", "required": required});
        let mass = column("body_mass_g", true);
        let inputs = [json!([mass]), json!([mass, column("year", false)])];
        shell.write("signature.json", &signature(&inputs[version].to_string()));
        weights(&shell, u8::try_from(version).unwrap() + 2);
        make_unit(&shell, version);
    }
    shell
}

fn told(shell: &Shell, options: &str) -> String {
    let ran = shell.run(&format!("changed birds@1 birds@2 {options}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

#[test]
fn every_difference_of_two_units_is_told_in_every_form() {
    let shell = two_units();
    // Without what escapes, of which no clause holds any.
    let text = told(&shell, "--full");
    let markdown = told(&shell, "--format markdown").replace('\\', "");
    let page = told(&shell, "--format html");
    let document: Value = serde_json::from_str(&told(&shell, "--json")).unwrap();
    for (slot, clauses) in TOLD {
        for clause in *clauses {
            for (form, told) in [("text", &text), ("markdown", &markdown), ("html", &page)] {
                assert!(told.contains(clause), "{slot}: {clause} in {form}: {told}");
            }
        }
    }
    by_program(&document);
    for told in [&text, &markdown, &page] {
        assert!(told.contains(" ada") || told.contains(">ada"), "{told}");
        assert!(told.contains("retrain"), "{told}");
    }
    assert!(!markdown.contains("<script"), "{markdown}");
    assert!(
        page.contains("&lt;script>") || page.contains("&lt;script&gt;"),
        "{page}"
    );
    is_self_contained(&page);
}

fn by_program(document: &Value) {
    let parts = document["components"].as_array().unwrap();
    let part = |slot: &str| -> &Value {
        let mut parts = parts.iter();
        parts.find(|part| part["slot"] == slot).unwrap()
    };
    let ranks = ["none", "low", "medium", "high"];
    let rank = |part: &Value| {
        ranks
            .iter()
            .position(|rank| part["severity"] == *rank)
            .unwrap()
    };
    assert!(parts.iter().map(rank).rev().is_sorted(), "{document}");
    // Among the most telling, causes come before effects.
    assert_eq!(parts[0]["slot"], "data");

    let model = &part("model")["detail"];
    assert_eq!(model["reasons"][0]["level"], "minor");
    let rules = model["reasons"].as_array().unwrap().iter();
    let rules: Vec<&str> = rules
        .map(|reason| reason["rule"].as_str().unwrap())
        .collect();
    for rule in [
        "input.optional_added",
        "parameter.changed",
        "seed.changed",
        "data.changed",
    ] {
        assert!(rules.contains(&rule), "{rule} in {rules:?}");
    }
    let depth = json!([{"path": "/depth", "before": 6, "after": 8}]);
    assert_eq!(model["parameters"]["differences"], depth);
    let split = json!([{"path": "/split", "before": "42", "after": "43"}]);
    assert_eq!(model["seeds"]["differences"], split);
    let accuracy = json!([{"name": "accuracy", "a": 0.98, "b": 0.61}]);
    assert_eq!(model["metrics"], accuracy);
    assert_eq!(model["code"]["after"]["commit"], COMMIT[1]);
    let head = json!({"count": 1, "names": ["head"]});
    assert_eq!(model["tensors"]["compared"]["changed"], head);

    let data = &part("data")["detail"];
    assert_eq!(data["rows"]["before"], 344);
    assert_eq!(data["rows"]["after"], 343);
    assert_eq!(data["schema"]["added"][0]["name"], "ring");
    assert_eq!(data["verdict"], "fail");
    let prompt = &part("prompt")["detail"];
    assert_eq!(prompt["variables"]["added"], json!(["reader"]));
    assert_eq!(prompt["config"][0]["b"], 0.9);
    assert!(!prompt["body"].as_array().unwrap().is_empty());
    let findings = part("env")["detail"]["findings"].as_array().unwrap();
    assert!(
        findings
            .iter()
            .any(|finding| finding["path"] == "container.image")
    );
    assert_eq!(part("code")["b"], "code:web@9f31c2a");

    // Who, when, why; what brought the most telling part ranks as it does.
    let events = document["events"].as_array().unwrap();
    let trained = events
        .iter()
        .find(|event| event["reason"] == REASON)
        .unwrap();
    assert_eq!(trained["actor"], "ada");
    assert!(trained["time"].is_string() && trained["seq"].is_u64());
    assert_eq!(trained["explains"], part("model")["severity"]);
    let ended = events.last().unwrap();
    assert_eq!(ended["reason"], "start unit:birds@2");
    assert_eq!(ended["explains"], "high");
}

/// The page loads nothing, runs nothing, and shows both units in its drawing.
fn is_self_contained(page: &str) {
    // The name of the language, and the tip of an arrow in the page itself.
    let rest = page.replace("http://www.w3.org/2000/svg", "");
    let rest = rest.replace("url(#tip)", "");
    for loads in [
        "<script", "<link", "<img", "<iframe", "<object", "src=", "href=", "url(", "@import",
    ] {
        assert!(!rest.contains(loads), "{loads} in {page}");
    }
    assert!(page.contains("default-src 'none'"));
    let (_, svg) = page.split_once("<svg").unwrap();
    for node in ["unit:birds@1", "unit:birds@2", "data:penguins@2"] {
        assert!(svg.contains(node), "{node} in {svg}");
    }
}

#[test]
fn a_renamed_model_is_shown_by_its_id_and_what_it_is_called_now() {
    let shell = two_units();
    shell.json("model rename species birds");
    let called = "(called birds now)";
    let up = shell.run("lineage up unit:birds@1").out;
    assert!(
        up.contains(&format!("model:species@1.0.0 {called}")),
        "{up}"
    );
    for format in ["text", "dot", "mermaid", "svg"] {
        let drawn = shell
            .run(&format!("lineage graph model:birds --format {format}"))
            .out;
        assert!(drawn.contains("called birds now"), "{format}: {drawn}");
    }
    let graph = shell.json("lineage graph model:birds");
    let nodes = graph["nodes"].as_array().unwrap();
    let one = nodes
        .iter()
        .find(|node| node["node"] == "model:species@1.1.0");
    assert_eq!(one.unwrap()["called"], "birds");
    let walk = shell.json("lineage down data:penguins@1");
    let reached = walk["reached"].as_array().unwrap();
    let model = reached
        .iter()
        .find(|reached| reached["node"] == "model:species@1.0.0");
    assert_eq!(model.unwrap()["called"], "birds");
    assert!(reached.iter().any(|other| other.get("called").is_none()));

    assert!(shell.run("deploy unit show birds@1").out.contains(called));
    let unit = shell.json("deploy unit show birds@1");
    assert_eq!(unit["components"]["model"], "model:species@1.0.0");
    assert_eq!(unit["called"], json!({"model:species@1.0.0": "birds"}));

    assert!(told(&shell, "").contains("called birds now"));
    let page = told(&shell, "--format html");
    assert!(page.contains(called), "{page}");
}

#[test]
fn what_somebody_answers_for_is_found_from_them() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    shell.json("model register species model.bin --data penguins --owner bob");
    shell.json("deploy unit create birds --model species");
    let down = shell.json("lineage down agent:bob");
    assert_eq!(down["start"], "agent:bob@1");
    assert_eq!(down["reached"][0]["node"], "model:species@1.0.0");
    assert_eq!(down["reached"][0]["edge"], "attributed_to");
    assert_eq!(down["reached"][1]["node"], "unit:birds@1");
    let graph = shell.run("lineage graph agent:bob").out;
    assert!(
        graph.contains("└── attributed to  model:species@1.0.0"),
        "{graph}"
    );
    let path = shell.json("lineage path unit:birds agent:bob");
    assert_eq!(path["paths"][0]["edges"][1]["to"], "agent:bob@1");
    assert_eq!(shell.json("lineage down agent:carol")["reached"], json!([]));
    shell.failure(2, "lineage down agent:bob@2");
    // Any text may be an owner; a name alone can be walked from.
    shell.write("model.bin", "others");
    shell.json("model register species model.bin --owner bob@example.org");
    let up = shell.json("lineage up model:species");
    assert_eq!(up["reached"], json!([]));
}
