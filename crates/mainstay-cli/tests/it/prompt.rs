//! `mainstay prompt`

use serde_json::json;

use crate::support::{Shell, has};

const CHAT: &str = r#"{
  "body": {"chat": [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "{{question}}"}
  ]},
  "inference": {"model": "small", "params": {"temperature": 0.2}}
}"#;

#[test]
fn a_text_is_rendered_byte_for_byte() {
    let shell = Shell::new();
    shell.write("raw.txt", "\u{1b}[1m{{x}}\u{1b}[0m");
    shell.json("prompt publish raw raw.txt");
    let ran = shell.run_of(&["prompt", "render", "raw", "--var", "x={{y}} \u{7}"]);
    assert_eq!(ran.out, "\u{1b}[1m{{y}} \u{7}\u{1b}[0m");
}

#[test]
fn a_rendering_has_the_documented_fields() {
    let shell = Shell::new();
    shell.json("prompt publish support prompt.md --label production");
    shell.write("question.txt", "how?");
    let text = shell
        .json("prompt render support@production --var name=Ada --var-file question=question.txt");
    has(&text, &["text", "version", "receipt"]);
    assert_eq!(text["text"], "Answer Ada: how?\n");
    assert_eq!(text["version"], 1);

    shell.write("chat.json", CHAT);
    shell.json("prompt publish chat chat.json");
    let chat = shell.json("prompt render chat --var question=why?");
    has(&chat, &["messages", "version", "receipt"]);
    assert_eq!(
        chat["messages"][1],
        json!({"role": "user", "content": "why?"})
    );
}

#[test]
fn variables_must_fit_the_prompt() {
    let shell = Shell::new();
    shell.json("prompt publish support prompt.md");
    let missing = shell.failure(2, "prompt render support --var name=Ada");
    assert!(missing["message"].as_str().unwrap().contains("question"));
    shell.failure(
        2,
        "prompt render support --var name=a --var question=b --var extra=c",
    );
    shell.failure(
        2,
        "prompt render support --var name=a --var name=b --var question=c",
    );
    shell.failure(2, "prompt render support --var name");
    shell.failure(
        3,
        "prompt render support --var name=a --var-file question=missing.txt",
    );
}

#[test]
fn publishing_is_idempotent_by_content() {
    let shell = Shell::new();
    let first = shell.json("prompt publish support prompt.md");
    has(
        &first,
        &["node", "version", "digest", "created", "moved_labels"],
    );
    let again = shell.json("prompt publish support prompt.md --label production");
    assert_eq!(
        (&again["version"], &again["created"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(again["moved_labels"], json!(["production"]));
}

#[test]
fn versions_are_shown_listed_compared_and_labeled() {
    let shell = Shell::new();
    shell.json("prompt publish support prompt.md --label production");
    shell.write(
        "prompt.md",
        "Answer {{name}} in {{language}}: {{question}}\n",
    );
    shell.json("prompt publish support prompt.md");

    let shown = shell.json("prompt show support@production");
    assert_eq!(shown["labels"], json!(["production"]));
    assert_eq!(
        shown["variables"][0],
        json!({"name": "name", "required": true})
    );
    let listed = shell.json("prompt list");
    assert_eq!(
        listed["prompts"][0]["labels"][0],
        json!({"label": "production", "version": 1})
    );
    let log = shell.json("prompt log support");
    assert_eq!(log["versions"][0]["version"], 2);

    let diff = shell.json("prompt diff support@production support");
    assert_eq!(diff["class"], "breaking");
    assert_eq!(diff["variables"]["added"], json!(["language"]));

    shell.failure(4, "prompt label support production 2 --expect 2");
    let moved = shell.json("prompt label support production latest --expect 1");
    assert_eq!(moved["to"], "prompt:support@2");
    shell.json("prompt label support production --remove");
    shell.failure(3, "prompt show support@production");
}

#[test]
fn a_bad_template_is_refused_with_its_place() {
    let shell = Shell::new();
    shell.write("bad.md", "Hello\n{{name");
    let error = shell.failure(2, "prompt publish bad bad.md");
    assert_eq!(error["kind"], "invalid");
    shell.write("bad.yaml", "x");
    let error = shell.failure(2, "prompt publish bad bad.yaml");
    assert_eq!(error["context"]["file"], "bad.yaml");
}
