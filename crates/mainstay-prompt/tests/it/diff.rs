//! Differences and what they mean for callers.

use mainstay_prompt::{
    Change, ChangeClass, Compiled, Inference, PromptContent, PromptDiff, Role, Variable,
};
use proptest::prelude::*;

fn diff(a: &PromptContent, b: &PromptContent) -> PromptDiff {
    let compile = |content: &PromptContent| Compiled::new(content.clone()).unwrap();
    PromptDiff::between(&compile(a), &compile(b))
}

/// Checks the class of a change and of the change back.
#[track_caller]
fn check(a: &PromptContent, b: &PromptContent, there: ChangeClass, back: ChangeClass) {
    assert_eq!(diff(a, b).class, Some(there));
    assert_eq!(diff(b, a).class, Some(back));
}

fn with_default(text: &str, name: &str) -> PromptContent {
    PromptContent::text(text).with_variable(name, Variable::default().with_default("d"))
}

#[test]
fn changes_are_classed_by_what_callers_must_do() {
    use ChangeClass::{Additive, Breaking, Config, Wording};
    let plain = PromptContent::text("Hello {{a}}");
    let optional = with_default("Hello {{a}}", "a");
    check(&plain, &PromptContent::text("Hi {{a}}"), Wording, Wording);
    check(
        &plain,
        &PromptContent::text("Hello {{a}} {{b}}"),
        Breaking,
        Breaking,
    );
    check(&plain, &optional, Additive, Breaking);
    check(&PromptContent::text("Hello"), &optional, Additive, Breaking);
    check(
        &plain,
        &plain.clone().with_param("t", 0.1).unwrap(),
        Config,
        Config,
    );
    let described = Variable::default().with_description("who");
    check(
        &plain,
        &plain.clone().with_variable("a", described),
        Config,
        Config,
    );
    let other = Variable::default().with_default("e");
    check(
        &optional,
        &optional.clone().with_variable("a", other),
        Wording,
        Wording,
    );
    let chat = PromptContent::chat([(Role::User, "Hello {{a}}".to_owned())]);
    check(&plain, &chat, Breaking, Breaking);
    let assistant = PromptContent::chat([(Role::Assistant, "Hello {{a}}".to_owned())]);
    check(&chat, &assistant, Wording, Wording);
}

#[test]
fn variables_and_configuration_are_listed_by_name_and_path() {
    let a = with_default("{{x}}{{old}}", "x").with_variable("old", Variable::default());
    let b = PromptContent::text("{{x}}{{new}}")
        .with_inference(
            Inference::default()
                .with_model("p", "m")
                .with_stop(["s".to_owned()]),
        )
        .with_param("temperature", 1.0)
        .unwrap();
    let found = diff(&a, &b);
    assert_eq!(found.variables.added, ["new"]);
    assert_eq!(found.variables.removed, ["old"]);
    assert_eq!(found.variables.now_required, ["x"]);
    let json = serde_json::to_value(&found.config).unwrap();
    assert_eq!(
        json,
        serde_json::json!([
            {"path": "inference.model", "a": null, "b": "m"},
            {"path": "inference.params.temperature", "a": null, "b": 1},
            {"path": "inference.provider", "a": null, "b": "p"},
            {"path": "inference.stop", "a": null, "b": ["s"]},
            {"path": "variables.x.default", "a": "d", "b": null},
        ])
    );
}

#[test]
fn lines_that_differ_are_shown_with_context() {
    let lines: Vec<String> = (1..=9).map(|number| format!("line {number}\n")).collect();
    let changed: String = lines.concat().replace("line 6\n", "line six\n");
    let found = diff(
        &PromptContent::text(lines.concat()),
        &PromptContent::text(changed),
    );
    let [hunk] = &found.body[..] else {
        panic!("one hunk: {:?}", found.body);
    };
    assert_eq!((hunk.a_line, hunk.b_line), (3, 3));
    let shown: Vec<_> = hunk
        .lines
        .iter()
        .map(|line| (line.change, &*line.text))
        .collect();
    assert_eq!(
        shown[3..5],
        [(Change::Removed, "line 6\n"), (Change::Added, "line six\n")]
    );
    assert_eq!(shown.len(), 8);
}

#[test]
fn long_bodies_are_shown_as_replaced() {
    let long = "a\n".repeat(4_097);
    let found = diff(
        &PromptContent::text(long.clone()),
        &PromptContent::text(format!("{long}b")),
    );
    assert_eq!(found.body[0].lines.len(), 4_097 * 2 + 1);
}

fn content() -> impl Strategy<Value = PromptContent> {
    let text = "(a|\\{\\{[xyz]\\}\\}|\n){1,6}";
    (text, proptest::option::of(0_u32..3), any::<bool>()).prop_map(|(text, number, chat)| {
        let content = if chat {
            PromptContent::chat([(Role::User, text)])
        } else {
            PromptContent::text(text)
        };
        match number {
            Some(number) => content.with_param("n", number).unwrap(),
            None => content,
        }
    })
}

proptest! {
    #[test]
    fn a_diff_is_empty_exactly_for_equal_prompts(a in content(), b in content()) {
        prop_assert!(diff(&a, &a).is_empty());
        let (there, back) = (diff(&a, &b), diff(&b, &a));
        prop_assert_eq!(there.is_empty(), a == b);
        prop_assert_eq!(back.variables.added, there.variables.removed);
        prop_assert_eq!(there.body.is_empty(), a.body == b.body);
    }

    #[test]
    fn removed_and_kept_lines_are_the_first_text_and_added_and_kept_the_second(
        a in proptest::collection::vec("[ab]\n", 1..4), b in proptest::collection::vec("[ab]\n", 1..4)
    ) {
        let (a, b) = (a.concat(), b.concat());
        let found = diff(&PromptContent::text(&a), &PromptContent::text(&b));
        prop_assume!(a != b);
        let side = |dropped: Change| -> String {
            let lines = found.body.iter().flat_map(|hunk| &hunk.lines);
            lines.filter(|line| line.change != dropped).map(|line| &*line.text).collect()
        };
        prop_assert_eq!(side(Change::Added), a);
        prop_assert_eq!(side(Change::Removed), b);
    }
}
