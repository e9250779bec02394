//! The guides: every command in them runs, in order, in a workspace as they tell of it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::Shell;

/// Runs the commands of a guide's blocks of shell; `meant` says which text in it stands for what. Returns what
/// each printed.
#[cfg(unix)]
fn follow(shell: &Shell, guide: &str, meant: &[(&str, &str)]) -> Vec<(String, String)> {
    let path = format!("../../docs/guides/{guide}.md");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let guide = std::fs::read_to_string(path).unwrap();
    let blocks = guide.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let binaries = Path::new(env!("CARGO_BIN_EXE_mainstay")).parent().unwrap();
    let mut ran = Vec::new();
    for line in blocks.flat_map(str::lines) {
        let mut command = line.to_owned();
        for (text, stands_for) in meant {
            command = command.replace(text, stands_for);
        }
        let output = Command::new("/bin/sh")
            .args(["-ec", &command])
            .current_dir(shell.path("."))
            .env_remove("MAINSTAY_REPO")
            .env("MAINSTAY_ACTOR", "ada")
            .env("PATH", format!("{}:/usr/bin:/bin", binaries.display()))
            .env("CI_JOB_ID", "job-7")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        let out = String::from_utf8(output.stdout).unwrap();
        ran.push((line.to_owned(), out));
    }
    ran
}

/// What the last command that begins so printed.
fn printed<'r>(ran: &'r [(String, String)], begins: &str) -> &'r str {
    let mut ran = ran.iter().rev();
    &ran.find(|(line, _)| line.starts_with(begins)).unwrap().1
}

fn train(shell: &Shell, tickets: &str, model: &str, weights: &str) {
    shell.write("tickets.csv", tickets);
    shell.json("data snapshot tickets tickets.csv");
    shell.write("model.bin", weights);
    shell.json(&format!("model register {model} model.bin --data tickets"));
}

#[test]
#[cfg(unix)]
fn an_incident_is_answered_as_the_guide_says() {
    let shell = Shell::new();
    let tickets = |scale: u32| -> String {
        let rows = (0..200).map(|row| format!("{row},{}\n", (row % 17) * scale));
        std::iter::once("id,words\n".to_owned())
            .chain(rows)
            .collect()
    };
    train(&shell, &tickets(1), "support", "sound");
    shell.json("deploy unit create support --model support --data tickets");
    shell.json("deploy put prod support@1");
    let log = shell.json("log -n 1");
    let healthy = log["entries"][0]["time"].as_str().unwrap().to_owned();
    train(&shell, &tickets(1_000), "support", "poisoned");
    shell.json("model register search model.bin --data tickets");
    shell.json("deploy unit create support --model support --data tickets");
    shell.json("deploy put prod support@2");
    shell.json("model heartbeat chat pod-7 support@1.1.0");

    let ran = follow(
        &shell,
        "answering-an-incident",
        &[("2026-11-27T12:00:00Z", &healthy)],
    );
    let changed = &ran[0].1;
    assert!(changed.contains("words drifted"), "{changed}");
    let impact = printed(&ran, "mainstay lineage impact");
    for affected in ["channel/prod/current", "pod-7", "model:search@1.0.0"] {
        assert!(impact.contains(affected), "{affected} in {impact}");
    }
    assert_eq!(printed(&ran, "mainstay lineage common"), "data:tickets@2\n");
    assert!(printed(&ran, "mainstay lineage path").contains("data:tickets@2"));
    assert_eq!(shell.json("deploy status prod")["unit"], "unit:support@1");
    let kept = |file: &str| std::fs::read_to_string(shell.path(file)).unwrap();
    assert!(kept("incident.html").contains("<svg") && kept("lineage.svg").starts_with("<svg"));
    let provenance: Value = serde_json::from_str(&kept("provenance.json")).unwrap();
    assert!(provenance["agent"]["mainstay:actor/ada"].is_object());
    let events = kept("events.ndjson");
    let mut events = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(events.all(|event| event["run"]["runId"].is_string()));
}

#[test]
#[cfg(unix)]
fn a_model_is_signed_and_verified_as_the_guide_says() {
    let shell = Shell::new();
    for (key, of_tests) in [("key.pem", "p256.key.pem"), ("key.pub.pem", "p256.pub.pem")] {
        let from = format!("../mainstay-registry/tests/fixtures/model-signing/{of_tests}");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(from);
        std::fs::copy(from, shell.path(key)).unwrap();
    }
    for weights in ["a", "b", "c"] {
        shell.write("model.bin", weights);
        shell.json("model register fraud model.bin");
    }
    let ran = follow(&shell, "signing", &[]);
    assert_eq!(ran.len(), 5);
    let shown = shell.json("model show fraud@1.2.0");
    let signed = &shown["signatures"][0];
    let of_version = &ran[1].1;
    let of_files = printed(&ran, "mainstay model verify fraud-1.2.0");
    for verified in [of_version, of_files] {
        assert!(verified.contains("verified, 1 files signed"), "{verified}");
        for identity in [&signed["key"], &signed["bundle"], &shown["digest"]] {
            let identity = identity.as_str().unwrap();
            assert!(verified.contains(identity), "{identity} in {verified}");
        }
        assert!(verified.contains("signs model:fraud@1.2.0"), "{verified}");
    }
}

#[test]
#[cfg(unix)]
fn a_model_is_promoted_as_the_guide_says() {
    let shell = Shell::new();
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/promoting-models.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, policy) = guide.split_once("```json\n").unwrap();
    shell.write("policy.json", policy.split("```").next().unwrap());
    shell.json("data snapshot payments penguins.csv");
    std::fs::create_dir(shell.path("fraud")).unwrap();
    shell.write("fraud/CARD.md", "# Fraud\n");
    for (version, weights) in ["1.0.0", "1.1.0", "1.2.0"].into_iter().zip(["a", "b", "c"]) {
        shell.write("fraud/model.bin", weights);
        let registered = shell.json("model register fraud fraud --data payments");
        assert_eq!(registered["version"], version);
    }
    let ran = follow(&shell, "promoting-models", &[]);
    assert!(ran.len() >= 4);
    let stage = shell.json("history model/fraud/stage/production");
    assert_eq!(stage["changes"][0]["value"], "model:fraud@1.2.0");
}
