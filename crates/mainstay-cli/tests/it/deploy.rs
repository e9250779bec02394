//! `mainstay deploy`

use serde_json::json;

use crate::support::{Shell, has};

/// A shell with two units that differ in their prompt.
fn with_two_units() -> Shell {
    let shell = Shell::new();
    shell.json("prompt publish hello prompt.md --label production");
    shell.json("deploy unit create web --prompt hello --code web@1f0c");
    shell.write("prompt.md", "Hi {{name}}\n");
    shell.json("prompt publish hello prompt.md");
    shell.json("deploy unit create web --prompt hello --code web@1f0c");
    shell
}

#[test]
fn a_unit_holds_fixed_versions_and_is_made_once() {
    let shell = with_two_units();
    let again = shell.json("deploy unit create web --prompt hello@latest --code code:web@1f0c");
    assert_eq!(
        (&again["node"], &again["created"]),
        (&json!("unit:web@2"), &json!(false))
    );
    let shown = shell.json("deploy unit show web@1");
    assert_eq!(shown["components"]["prompt"], "prompt:hello@1");
    let listed = shell.json("deploy unit list");
    assert_eq!(listed["units"][0]["versions"], 2);
}

#[test]
fn any_other_component_and_a_configuration_can_be_given() {
    let shell = with_two_units();
    shell.json("model register cross model.bin");
    shell.write("config.json", r#"{"top_k": 5}"#);
    shell.json("deploy unit create search --component reranker=model:cross --config config.json");
    let shown = shell.json("deploy unit show search");
    assert_eq!(
        shown["components"],
        json!({"reranker": "model:cross@1.0.0"})
    );
    assert_eq!(shown["config"], json!({"top_k": 5}));
    shell.failure(
        2,
        "deploy unit create x --prompt hello --component prompt=prompt:hello",
    );
    shell.failure(2, "deploy unit create x --component reranker=cross");
    shell.write("config.json", "[5]");
    shell.failure(
        2,
        "deploy unit create x --prompt hello --config config.json",
    );
}

#[test]
fn a_plan_says_what_a_switch_does_and_does_nothing() {
    let shell = with_two_units();
    shell.json("deploy put prod web@1");
    let plan = shell.json("deploy plan put prod web@2");
    has(
        &plan,
        &["channel", "action", "from", "to", "moves", "after"],
    );
    assert_eq!(shell.json("deploy status prod")["unit"], "unit:web@1");
    let done = shell.json("deploy put prod web@2");
    assert_eq!(done["moves"], plan["moves"]);
    let back = shell.json("deploy plan rollback prod");
    assert_eq!(back["to"], "unit:web@1");
    shell.failure(4, "deploy plan promote prod");
}

#[test]
fn a_rollback_moves_everything_that_follows_in_one_entry_and_says_so() {
    let shell = with_two_units();
    shell.json("deploy put prod web@1");
    let follow = "deploy follow prod prompt=prompt/hello/label/production";
    let follows = shell.json(follow);
    assert_eq!(
        follows["follows"],
        json!({"prompt/hello/label/production": "prompt"})
    );
    shell.json("deploy put prod web@2");
    assert_eq!(shell.json("prompt show hello@production")["version"], 2);

    let before = shell.json("stats")["head"].as_u64().unwrap();
    let back = shell.json("deploy rollback prod --reason burning");
    let moved = back["moves"].as_array().unwrap();
    assert!(moved.contains(&json!({
        "pointer": "prompt/hello/label/production",
        "from": "prompt:hello@2",
        "to": "prompt:hello@1",
    })));
    assert_eq!(shell.json("stats")["head"], before + 1);
    assert_eq!(shell.json("log -n 1")["entries"][0]["reason"], "burning");
    assert_eq!(shell.json("prompt show hello@production")["version"], 1);

    shell.json("deploy follow prod --remove prompt/hello/label/production");
    shell.failure(
        3,
        "deploy follow prod --remove prompt/hello/label/production",
    );
}

#[test]
fn a_status_has_the_documented_fields() {
    let shell = with_two_units();
    shell.json("deploy start prod web@1");
    shell.json("deploy start prod web@2 --steps 5%,2500 --alpha 0.01");
    let status = shell.json("deploy status prod");
    has(
        &status,
        &[
            "channel",
            "unit",
            "state",
            "step",
            "weights",
            "guardrails",
            "last_event",
        ],
    );
    has(
        &status["guardrails"][0],
        &["name", "verdict", "n", "e_value"],
    );
    assert_eq!(status["shares"], json!([500, 2500]));
    assert_eq!(status["guardrails"][0]["alpha"], 0.01);
    assert_eq!(shell.json("deploy list")["channels"][0], status);
}

#[test]
fn a_healthy_canary_goes_on_step_by_step_to_everything() {
    let shell = with_two_units();
    shell.json("deploy start prod web@1");
    shell.json("deploy start prod web@2 --steps 10%,50% --min-requests 50");
    let seen = "deploy observe prod --control 500,5 --canary 50,0 --window";
    assert_eq!(shell.json(&format!("{seen} web-1:1"))["action"], "advanced");
    assert_eq!(shell.json(&format!("{seen} web-1:1"))["action"], "repeated");
    let last = shell.json(&format!("{seen} web-1:2 --at 2030-01-01T00:00:00Z"));
    assert_eq!(last["action"], "completed");
    assert_eq!(last["status"]["unit"], "unit:web@2");
    let log = shell.json("deploy log prod -n 2");
    assert_eq!(log["events"][0]["event"]["kind"], "completed");
    assert_eq!(log["events"].as_array().unwrap().len(), 2);
}

#[test]
fn a_failing_guardrail_may_hold_and_a_pause_keeps_its_step() {
    let shell = with_two_units();
    shell.json("deploy start prod web@1");
    shell.json("deploy start prod web@2 --min-requests 50 --on-fail hold");
    assert_eq!(shell.json("deploy pause prod")["state"], "paused");
    shell.failure(4, "deploy pause prod");
    assert_eq!(shell.json("deploy resume prod")["state"], "running");
    let held = shell.answer(1, "deploy observe prod --control 500,5 --canary 100,60");
    assert_eq!(
        (&held["action"], &held["status"]["state"]),
        (&json!("held"), &json!("running"))
    );
    let promoted = shell.json("deploy promote prod");
    assert_eq!(promoted["after"]["unit"], "unit:web@2");
}

#[test]
fn wrong_numbers_are_refused() {
    let shell = with_two_units();
    shell.json("deploy start prod web@1");
    for bad in [
        "deploy start prod web@2 --steps 50%,5%",
        "deploy start prod web@2 --steps 0.001%",
        "deploy start prod web@2 --alpha 2",
        "deploy observe prod --control 1,2 --canary 1,0",
        "deploy observe prod --control 10 --canary 1,0",
        "deploy observe prod --control 10,0 --canary 1,0 --window web-1:0",
        "deploy observe prod --control 10,0 --canary 1,0 --reason mine",
    ] {
        assert_eq!(shell.failure(2, bad)["kind"], "invalid", "{bad}");
    }
    shell.failure(3, "deploy observe staging --control 1,0 --canary 1,0");
    shell.failure(4, "deploy start prod web@1");
}
