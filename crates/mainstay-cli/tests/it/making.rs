//! What a model was made from: parents, signatures, and results that differ.

use serde_json::json;

use crate::model::safetensors;
use crate::support::Shell;

#[test]
fn each_parent_has_its_own_relation_and_a_merged_one_its_weight() {
    let shell = Shell::new();
    for model in ["a", "b", "c"] {
        shell.json(&format!("model register {model} model.bin"));
    }
    let merge = |weight: &str| {
        format!(
            "model register m model.bin --parent a=merge:{weight} --parent b=merge:0.3 --parent c"
        )
    };
    shell.json(&merge("0.7"));
    let shown = shell.json("model show m");
    assert_eq!(
        shown["record"]["parents"],
        json!([
            {"model": "model:a@1.0.0", "relation": "merge"},
            {"model": "model:b@1.0.0", "relation": "merge"},
            {"model": "model:c@1.0.0", "relation": "fine_tune"},
        ])
    );
    assert_eq!(
        shown["record"]["weights"],
        json!({"model:a@1.0.0": 0.7, "model:b@1.0.0": 0.3})
    );
    let text = shell.run("model show m").out;
    assert!(text.contains("model:a@1.0.0 (merge 0.7), model:b@1.0.0 (merge 0.3)"));

    let heavier = shell.json(&merge("0.8"));
    assert_eq!(heavier["version"], "1.1.0");
    assert_eq!(heavier["reasons"][0]["rule"], "parent_weight.changed");
    let changed = shell.json("changed model:m@1.0.0 model:m@1.1.0");
    assert_eq!(
        changed["components"][0]["summary"],
        "weight of model:a@1.0.0 0.7 → 0.8"
    );
    shell.json("model register m model.bin --parent a=merge:0.8");
    let diff = shell.json("model diff m@1.1.0 m@1.2.0");
    assert_eq!(
        diff["parents"],
        json!({"a": ["model:b@1.0.0 (merge 0.3)", "model:c@1.0.0 (fine_tune)"], "b": []})
    );
    let text = shell.run("model diff m@1.0.0 m@1.1.0").out;
    for said in [
        "minor parent_weight.changed: weights.model:a@1.0.0 (0.7 -> 0.8)",
        "- parent model:a@1.0.0 (merge 0.7)",
        "+ parent model:a@1.0.0 (merge 0.8)",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn a_parent_that_makes_no_sense_is_refused_by_name() {
    let shell = Shell::new();
    shell.json("model register a model.bin");
    for parent in ["a=cousin", "a=distill:0.5", "a=merge:much", "data:a"] {
        let error = shell.failure(2, &format!("model register m model.bin --parent {parent}"));
        assert_eq!(error["context"]["value"], parent, "{error}");
    }
    let twice = "model register m model.bin --parent a=merge:0.5 --parent a@1.0.0=merge:0.7";
    assert_eq!(
        shell.failure(2, twice)["context"]["parent"],
        "model:a@1.0.0"
    );
    shell.failure(3, "model register m model.bin --parent nobody=distill");
    shell.failure(2, "model register m model.bin --parent a=merge:inf");
}

#[test]
fn a_signature_comes_from_the_columns_of_a_dataset() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let registered = shell.json(
        "model register species model.bin --signature-from penguins \
         --inputs island,body_mass_g --outputs species",
    );
    assert_eq!(
        registered["signature_from"],
        json!({"data": "data:penguins@1"})
    );
    let signature = shell.json("model show species")["record"]["signature"].take();
    assert_eq!(signature["outputs"][0]["name"], "species");
    assert_eq!(signature["outputs"][0]["type"], "string");
    let inputs = signature["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), 2);
    assert_eq!(
        (&inputs[0]["name"], &inputs[0]["required"]),
        (&json!("island"), &json!(true))
    );
    // Two penguins were not weighed.
    assert_eq!(
        (&inputs[1]["name"], &inputs[1]["required"]),
        (&json!("body_mass_g"), &json!(false))
    );

    shell.json("model register all model.bin --signature-from penguins");
    let all = shell.json("model show all")["record"]["signature"].take();
    assert_eq!(all["inputs"].as_array().unwrap().len(), 8);
    assert_eq!(all.get("outputs"), None);

    let from = "model register m model.bin --signature-from";
    let error = shell.failure(2, &format!("{from} penguins --outputs weight"));
    assert_eq!(error["context"]["column"], "weight");
    shell.failure(2, &format!("{from} penguins --inputs year --outputs year"));
    shell.failure(3, &format!("{from} pinguins"));
    shell.failure(2, "model register m model.bin --outputs species");
    shell.failure(2, &format!("{from} penguins --signature signature.json"));
}

#[test]
fn a_directory_of_mlflows_has_the_signature_of_its_mlmodel_unless_another_is_said() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("out")).unwrap();
    shell.write("out/model.pkl", "weights");
    let mlmodel =
        "flavors: {}\nsignature:\n  inputs: '[{\"name\": \"a\", \"type\": \"double\"}]'\n";
    shell.write("out/MLmodel", mlmodel);
    let registered = shell.json("model register m out");
    assert_eq!(registered["signature_from"], "mlmodel");
    let inputs = |model: &str| {
        let shown = shell.json(&format!("model show {model}"));
        shown["record"]["signature"]["inputs"][0]["name"].clone()
    };
    assert_eq!(inputs("m"), "a");
    let text = shell.run("model register n out").out;
    assert!(text.contains("of MLmodel"), "{text}");

    shell.write("s.json", r#"{"inputs": [{"name": "b", "type": "long"}]}"#);
    let said = shell.json("model register said out --signature s.json");
    assert_eq!(said["signature_from"], json!({"file": "s.json"}));
    assert_eq!(inputs("said"), "b");

    shell.write("out/MLmodel", "signature: {inputs: 7}\n");
    let error = shell.failure(2, "model register m out");
    assert_eq!(error["context"]["file"], "MLmodel");
    // Another one is said, so that the file is not asked.
    shell.json("model register said out --signature s.json");
    let none = shell.json("model register plain model.bin");
    assert_eq!(none["signature_from"], json!(null));
}

#[test]
fn to_drop_an_input_is_major_for_code_that_refuses_unknown_ones() {
    let shell = Shell::new();
    shell.write(
        "two.json",
        r#"{"inputs": [{"name": "a", "type": "long"}, {"name": "b", "type": "long"}]}"#,
    );
    shell.write("one.json", r#"{"inputs": [{"name": "a", "type": "long"}]}"#);
    for (model, strict, version) in [
        ("lax", "", "1.1.0"),
        ("strict", " --strict-inputs", "2.0.0"),
    ] {
        shell.json(&format!(
            "model register {model} model.bin --signature two.json"
        ));
        let register = format!("model register {model} model.bin --signature one.json{strict}");
        assert_eq!(shell.json(&register)["version"], version);
    }
    assert_eq!(
        shell.json("model diff lax@1.0.0 lax@1.1.0")["bump"],
        "minor"
    );
    let strict = shell.json("model diff lax@1.0.0 lax@1.1.0 --strict-inputs");
    assert_eq!(strict["bump"], "major");

    for version in ["1.0.0", "1.1.0"] {
        shell.json(&format!("model promote lax@{version} --to staging"));
    }
    shell.json("model promote lax@1.0.0 --to production");
    let promote = "model promote lax@1.1.0 --to production --compatible";
    shell.answer(1, &format!("{promote} --strict-inputs"));
    shell.json(promote);
    shell.failure(2, "model promote lax@1.1.0 --to production --strict-inputs");
}

#[test]
fn a_training_that_is_not_deterministic_is_told_with_its_tensors() {
    let shell = Shell::new();
    let register = "model register fraud model.safetensors --code 9f31c2a --seed torch=7";
    for (values, reproduced) in [("aaaa", json!("new")), ("aada", json!("1.0.0"))] {
        shell.write("model.safetensors", &safetensors(values));
        let registered = shell.json(register);
        let found = &registered["reproduced"];
        if reproduced == "new" {
            assert_eq!(found, &reproduced);
        } else {
            assert_eq!(found["differs"]["of"], reproduced);
            assert_eq!(
                found["differs"]["tensors"]["changed"]["names"],
                json!(["w"])
            );
        }
    }
    shell.write("model.safetensors", &safetensors("abcd"));
    let text = shell.run(register).out;
    assert!(
        text.contains("not deterministic: other files than 1.0.0"),
        "{text}"
    );
    assert!(text.contains("tensors changed: w"), "{text}");
    shell.write("model.safetensors", &safetensors("aaaa"));
    let again = shell.json(register);
    assert_eq!(again["reproduced"], json!({"reused": {"of": "1.0.0"}}));
}
