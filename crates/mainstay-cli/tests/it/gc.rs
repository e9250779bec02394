//! Collection and repair from the command line.

use std::fs;

use crate::support::{Shell, has};

#[test]
fn what_a_session_left_is_collected_step_by_step_and_nothing_else() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let plan = shell.json("gc plan");
    has(
        &plan,
        &[
            "keep",
            "wait",
            "repack",
            "condemn",
            "delete",
            "defragment",
            "checkpoints",
            "freed_bytes",
            "because",
        ],
    );
    assert_eq!(plan["wait"].as_array().unwrap().len(), 0);
    // A pack that no index names is what a session leaves that was given up.
    let packs = shell.path(".mainstay/pack");
    let stray = packs.join("00".repeat(32));
    fs::write(&stray, "given up").unwrap();
    let options = "--grace-hours 0";
    let waits = shell.json(&format!("gc apply {options}"));
    has(
        &waits,
        &[
            "seq",
            "waiting",
            "condemned",
            "deleted",
            "checkpoints",
            "freed_bytes",
        ],
    );
    assert_eq!(
        (&waits["waiting"], &waits["condemned"]),
        (&1.into(), &0.into())
    );
    fs::write(
        shell.path("plan.json"),
        shell.run(&format!("--json gc plan {options}")).out,
    )
    .unwrap();
    let condemns = shell.json("gc apply --plan plan.json");
    assert_eq!(condemns["condemned"], 1);
    assert!(stray.exists());
    let deletes = shell.json(&format!("gc apply {options}"));
    assert_eq!(deletes["deleted"].as_array().unwrap().len(), 1);
    assert!(!stray.exists());
    let done = shell.json(&format!("gc apply {options}"));
    assert!(done["seq"].is_null());
    shell.json("verify --full");
    shell.json("data export penguins out");
    shell.failure(2, "gc apply --plan penguins.csv");
}

/// Bytes that do not compress.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn what_lies_scattered_is_told_and_brought_together() {
    const BLOCK: usize = 64 << 10;
    let shell = Shell::new();
    let mut content = noise(16 * BLOCK, 1);
    for version in 0..6 {
        let at = version * 5 % 15 * BLOCK;
        content[at..at + BLOCK].copy_from_slice(&noise(BLOCK, version as u64 + 2));
        fs::write(shell.path("weights.bin"), &content).unwrap();
        shell.json("model register scattered weights.bin --bump major");
    }
    let before = shell.json("stats")["reading"].clone();
    has(
        &before,
        &[
            "blobs",
            "bytes",
            "requests",
            "least_requests",
            "requests_per_gib",
            "worst",
        ],
    );
    let worst = &before["worst"][0];
    has(
        worst,
        &["blob", "ref", "bytes", "requests", "least_requests"],
    );
    let path = worst["ref"].as_str().unwrap();
    assert!(path.starts_with("model/scattered/version/"));
    let told = shell.run("stats").out;
    assert!(told.contains("a GiB") && told.contains(path), "{told}");

    let idle = shell.json("gc plan --grace-hours 0");
    assert_eq!(idle["defragment"]["packs"], 0);
    let options = "--grace-hours 0 --defragment=100000";
    let plan = shell.json(&format!("gc plan {options}"));
    has(
        &plan["defragment"],
        &["packs", "bytes", "requests", "requests_after"],
    );
    let told = shell.run(&format!("gc plan {options}")).out;
    assert!(told.contains("reading takes"), "{told}");
    for _ in 0..4 {
        shell.json(&format!("gc apply {options}"));
    }
    assert!(shell.json(&format!("gc apply {options}"))["seq"].is_null());
    let after = shell.json(&format!("gc plan {options}"));
    assert_eq!(
        after["defragment"]["requests"],
        plan["defragment"]["requests_after"]
    );
    assert!(
        plan["defragment"]["requests_after"].as_u64() < plan["defragment"]["requests"].as_u64()
    );
    shell.json("verify --full");
    assert_eq!(shell.run("gc plan --defragment").code, 0);
    shell.failure(2, "gc apply --plan plan.json --defragment");
}

#[test]
fn refs_and_blobs_are_explained() {
    let shell = Shell::new();
    shell.json("model register m model.bin");
    let refs = shell.json("gc explain model/m");
    has(&refs, &["refs", "blobs", "stored_bytes", "exclusive_bytes"]);
    assert_eq!(refs["stored_bytes"], refs["exclusive_bytes"]);
    shell.failure(3, "gc explain model/other");
    let blob = format!("sha256:{}", "0".repeat(64));
    let blob = shell.json(&format!("gc explain {blob}"));
    assert_eq!(blob["stored"], false);
    shell.failure(3, "gc explain checkpoint:256");
    shell.failure(2, "gc explain checkpoint:first");
    assert_eq!(shell.run("gc explain model/m").code, 0);
    assert_eq!(shell.run("gc plan").code, 0);
}

#[test]
fn what_is_held_outlives_its_refs_and_what_was_collected_has_a_receipt() {
    let shell = Shell::new();
    assert_eq!(shell.json("gc holds")["holds"], serde_json::json!([]));
    assert_eq!(shell.json("gc receipts")["receipts"], serde_json::json!([]));
    shell.json("model register m model.bin");
    shell.write("other.bin", "other weights");
    shell.json("model register m other.bin --bump major");
    let held = shell.json("gc hold case-7 model:m@latest --reason audit");
    has(
        &held,
        &[
            "name", "of", "blobs", "trees", "seq", "time", "actor", "reason",
        ],
    );
    assert_eq!(held["name"], "case-7");
    shell.failure(4, "gc hold case-7 model:m@latest");
    shell.failure(3, "gc hold case-8 model/other");
    shell.failure(2, "gc hold case-8 nothing@@");
    let holds = shell.json("gc holds");
    assert_eq!(holds["holds"], serde_json::json!([held]));
    assert!(shell.run("gc holds").out.contains("audit"));
    shell.json("gc release case-7");
    shell.failure(3, "gc release case-7");

    let stray = shell.path(".mainstay/pack").join("00".repeat(32));
    fs::write(&stray, "given up").unwrap();
    for _ in 0..3 {
        shell.json("gc apply --grace-hours 0");
    }
    let receipts = shell.json("gc receipts");
    let receipts = receipts["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 3);
    let newest = shell.json("gc receipts 3");
    assert_eq!(newest, receipts[0]);
    let key = format!("pack/{}", "00".repeat(32));
    assert_eq!(newest["deleted"], serde_json::json!([key]));
    assert!(shell.run("gc receipts 3").out.contains(&key));
    assert_eq!(shell.run("gc receipts").code, 0);
    shell.failure(3, "gc receipts 4");
}

#[test]
fn a_lost_index_is_repaired() {
    let shell = Shell::new();
    shell.json("data snapshot penguins penguins.csv");
    let sound = shell.json("repair");
    assert_eq!(sound["actions"].as_array().unwrap().len(), 0);
    fs::remove_dir_all(shell.path(".mainstay/index")).unwrap();
    let planned = shell.answer(1, "repair");
    has(&planned, &["applied", "actions", "lost"]);
    assert_eq!(shell.run("repair").code, 1);
    let done = shell.json("repair --apply");
    assert_eq!(done["lost"].as_array().unwrap().len(), 0);
    shell.json("verify --sample 100");
    shell.json("data export penguins out");
}
