use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::{Error, ErrorKind, NodeKind, NodeRef, Result};
use mainstay_lineage::change::{
    Change, Component, Describe, Describers, Description, Section, Severity, changed,
};
use serde_json::json;

use crate::fixture::{Fixture, node};

async fn compare(fixture: &Fixture, a: &str, b: &str, describers: &Describers) -> Result<Change> {
    let view = fixture.view().await;
    changed(&fixture.repo, &view, &node(a), &node(b), describers).await
}

fn told(change: &Change) -> Vec<String> {
    let side = |node: &Option<NodeRef>| node.as_ref().map_or("-".to_owned(), ToString::to_string);
    let tell = |part: &Component| {
        format!(
            "{} {} -> {}: {}",
            part.slot,
            side(&part.a),
            side(&part.b),
            part.summary
        )
    };
    change.components.iter().map(tell).collect()
}

#[tokio::test]
async fn units_are_compared_slot_by_slot_and_the_model_one_level_deeper() {
    let fixture = Fixture::penguins().await;
    let none = Describers::new();
    let change = compare(&fixture, "unit:penguins@1", "unit:penguins@2", &none)
        .await
        .unwrap();
    assert_eq!(
        told(&change),
        [
            "data data:penguins@1 -> data:penguins@2: mean_mass 4201 → 1402.5; rows 226 → 344",
            "prompt prompt:explain@1 -> prompt:explain@2: text Explain. → Explain briefly.",
            "model model:species@1.0.0 -> model:species@1.1.0: accuracy 0.97 → 0.61",
            "model/code code:training@aaa111 -> code:training@bbb222: aaa111 → bbb222",
            "env env:lab@1 -> env:lab@1: unchanged",
        ]
    );
    let changed: Vec<bool> = change.components.iter().map(|part| part.changed).collect();
    assert_eq!(changed, [true, true, true, true, false]);
    assert_eq!(
        change.components[0].detail["differences"][1],
        json!({"path": "/rows", "before": 226, "after": 344})
    );
}

#[tokio::test]
async fn events_are_what_happened_to_these_things_between_the_two() {
    let fixture = Fixture::penguins().await;
    let none = Describers::new();
    let change = compare(&fixture, "unit:penguins@2", "unit:penguins@1", &none)
        .await
        .unwrap();
    let told: Vec<_> = change
        .events
        .iter()
        .map(|event| event.reason.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "point channel/prod/current",
            "add data:penguins@2",
            "add prompt:explain@2",
            "add model:species@1.1.0",
            "add unit:penguins@2",
            "point model/species/stage/production",
        ]
    );
    assert_eq!(change.events[0].refs[0].as_str(), "channel/prod/current");
    assert_eq!(change.events[0].actor.as_str(), "ada");
    assert!(
        change
            .events
            .is_sorted_by_key(|event| (event.seq, event.time))
    );
    assert_eq!(change.events_omitted, 0);
}

#[tokio::test]
async fn two_things_without_parts_are_one_component_and_their_inputs() {
    let fixture = Fixture::penguins().await;
    let none = Describers::new();
    let change = compare(
        &fixture,
        "model:species@1.0.0",
        "model:species@1.1.0",
        &none,
    )
    .await
    .unwrap();
    let slots: Vec<_> = change
        .components
        .iter()
        .map(|part| part.slot.as_str())
        .collect();
    assert_eq!(slots, ["model/train", "model", "model/code"]);
    let same = compare(&fixture, "data:penguins@1", "data:penguins@1", &none)
        .await
        .unwrap();
    assert_eq!(
        told(&same),
        ["data data:penguins@1 -> data:penguins@1: unchanged"]
    );
    assert!(same.events.is_empty());
}

#[tokio::test]
async fn parts_that_came_or_went_are_told_first() {
    let fixture = Fixture::penguins().await;
    fixture
        .add(
            "unit:penguins@3",
            json!({}),
            &[
                "contains model model:species@1.1.0",
                "contains data data:penguins@2",
                "contains data data:unrelated@1",
                "contains env env:lab@1",
            ],
        )
        .await;
    let none = Describers::new();
    let change = compare(&fixture, "unit:penguins@2", "unit:penguins@3", &none)
        .await
        .unwrap();
    assert_eq!(
        told(&change),
        [
            "data - -> data:unrelated@1: added",
            "prompt prompt:explain@2 -> -: removed",
            "data data:penguins@2 -> data:penguins@2: unchanged",
            "env env:lab@1 -> env:lab@1: unchanged",
            "model model:species@1.1.0 -> model:species@1.1.0: unchanged",
        ]
    );
}

/// Knows that what a model was trained with is what matters.
#[derive(Debug)]
struct Oracle(Severity);

#[async_trait]
impl Describe for Oracle {
    async fn describe(&self, a: &NodeRef, b: &NodeRef) -> Result<Option<Description>> {
        if b.name().as_str() == "explain" {
            return Ok(None);
        }
        let summary = format!("{} drifted", a.name());
        let detail = json!({"psi": 8.1, "to": b});
        Ok(Some(Description::new(summary, self.0).with_detail(detail)))
    }
}

#[tokio::test]
async fn a_describer_says_what_a_change_means_and_how_much_it_matters() {
    let fixture = Fixture::penguins().await;
    let describers = Describers::new()
        .with(NodeKind::Code, Arc::new(Oracle(Severity::High)))
        .with(NodeKind::Data, Arc::new(Oracle(Severity::Low)))
        .with(NodeKind::Prompt, Arc::new(Oracle(Severity::High)));
    let change = compare(&fixture, "unit:penguins@1", "unit:penguins@2", &describers)
        .await
        .unwrap();
    let slots: Vec<_> = change
        .components
        .iter()
        .map(|part| part.slot.as_str())
        .collect();
    // The prompt's describer passes, so its records are compared.
    assert_eq!(slots, ["model/code", "prompt", "model", "data", "env"]);
    assert_eq!(change.components[0].summary, "training drifted");
    assert_eq!(change.components[0].detail["psi"], 8.1);
    assert_eq!(
        change.components[1].summary,
        "text Explain. → Explain briefly."
    );
    assert_eq!(change.components[4].severity, Severity::None);
}

#[derive(Debug)]
struct Broken;

#[async_trait]
impl Describe for Broken {
    async fn describe(&self, _: &NodeRef, _: &NodeRef) -> Result<Option<Description>> {
        Err(Error::corrupt("pack", "a byte is wrong"))
    }
}

#[tokio::test]
async fn what_cannot_be_compared_says_why() {
    let fixture = Fixture::penguins().await;
    let none = Describers::new();
    let broken = Describers::new().with(NodeKind::Data, Arc::new(Broken));
    for (a, b, describers, kind) in [
        (
            "unit:penguins@1",
            "data:penguins@1",
            &none,
            ErrorKind::Invalid,
        ),
        (
            "unit:penguins@1",
            "unit:penguins@9",
            &none,
            ErrorKind::NotFound,
        ),
        (
            "data:heldout@1",
            "data:penguins@1",
            &none,
            ErrorKind::NotFound,
        ),
        (
            "unit:penguins@1",
            "unit:penguins@2",
            &broken,
            ErrorKind::Corrupt,
        ),
    ] {
        let error = compare(&fixture, a, b, describers).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{a} {b}");
    }
}

#[tokio::test]
async fn a_change_as_json_has_the_members_that_programs_read() {
    let fixture = Fixture::penguins().await;
    let none = Describers::new();
    let change = compare(&fixture, "data:penguins@1", "data:penguins@2", &none)
        .await
        .unwrap();
    let json = serde_json::to_value(&change).unwrap();
    assert_eq!(json["a"], "data:penguins@1");
    let component = json["components"][0].as_object().unwrap();
    for member in ["slot", "kind", "changed", "a", "b", "summary", "detail"] {
        assert!(component.contains_key(member), "{member}");
    }
    assert_eq!(component["kind"], "data");
    assert_eq!(component["severity"], "medium");
    assert_eq!(json["events"][0]["actor"], "ada");
}

#[tokio::test]
async fn the_entry_that_brought_the_most_telling_part_is_ranked_first() {
    let fixture = Fixture::penguins().await;
    let oracle = Arc::new(Oracle(Severity::High));
    let knowing = Describers::new().with(NodeKind::Data, oracle);
    let change = compare(&fixture, "unit:penguins@1", "unit:penguins@2", &knowing)
        .await
        .unwrap();
    let ranked: Vec<_> = change
        .ranked_events()
        .into_iter()
        .map(|event| (event.explains, event.reason.as_str()))
        .collect();
    assert_eq!(
        ranked,
        [
            (Severity::High, "add unit:penguins@2"),
            (Severity::High, "add data:penguins@2"),
            (Severity::Medium, "point model/species/stage/production"),
            (Severity::Medium, "add model:species@1.1.0"),
            (Severity::Medium, "add prompt:explain@2"),
            (Severity::None, "point channel/prod/current"),
        ]
    );
}

#[tokio::test]
async fn pages_hold_everything_escaped_and_load_nothing() {
    let fixture = Fixture::penguins().await;
    let hostile = "<script>alert(1)</script> | `x`";
    fixture
        .add("prompt:explain@3", json!({ "text": hostile }), &[])
        .await;
    let none = Describers::new();
    let change = compare(&fixture, "prompt:explain@1", "prompt:explain@3", &none)
        .await
        .unwrap();
    let graph = mainstay_lineage::Graph::from_view(&fixture.view().await).unwrap();
    let page = change.to_html(&graph);
    assert!(page.contains("&lt;script&gt;") && page.contains("<svg"));
    assert!(!page.contains("<script") && !page.contains("src="));
    assert!(page.contains("add prompt:explain@3"));
    let text = change.to_markdown();
    assert!(
        text.starts_with("# prompt:explain@1 → prompt:explain@3\n"),
        "{text}"
    );
    assert!(
        !text.contains("<script") && text.contains("\\`x\\`"),
        "{text}"
    );
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<usize> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(cells)
        .collect();
    assert!(rows.iter().all(|count| *count == 6), "{text}");
}

/// Says what would end a code block, a cell or a list, were it let.
#[derive(Debug)]
struct Hostile;

#[async_trait]
impl Describe for Hostile {
    async fn describe(&self, _: &NodeRef, _: &NodeRef) -> Result<Option<Description>> {
        let hunks = ["@@ -1 +1 @@", " ````", "+<b>x</b>\r\n# no", "-|"];
        let items = ["- nested", "1. one", "<i>x</i>", "2) two", "a\nb"];
        let many = (0..600).map(|n| format!("line {n}"));
        Ok(Some(
            Description::new("x", Severity::High)
                .with_section(Section::hunks("text", hunks))
                .with_section(Section::list("items", items))
                .with_section(Section::list("many", many))
                .with_section(Section::list("none", Vec::<String>::new())),
        ))
    }
}

#[tokio::test]
async fn details_stand_below_and_add_no_markup() {
    let fixture = Fixture::penguins().await;
    let hostile = Describers::new().with(NodeKind::Prompt, Arc::new(Hostile));
    let change = compare(&fixture, "prompt:explain@1", "prompt:explain@2", &hostile)
        .await
        .unwrap();
    let text = change.to_markdown();
    let (_, details) = text.split_once("\n## prompt\n").unwrap();
    assert!(
        details.starts_with(
            "\ntext:\n\n`````diff\n@@ -1 +1 @@\n ````\n+<b>x</b>  # no\n-|\n`````\n\
             \nitems:\n\n- \\- nested\n- 1\\. one\n- &lt;i>x&lt;/i>\n- 2\\) two\n- a b\n\
             \nmany:\n\n- line 0\n"
        ),
        "{details}"
    );
    assert!(details.ends_with("- line 499\n- … and 100 more\n"));
    let graph = mainstay_lineage::Graph::from_view(&fixture.view().await).unwrap();
    let page = change.to_html(&graph);
    assert!(page.contains("<summary>text</summary><pre>@@ -1 +1 @@"));
    assert!(page.contains("<li>&lt;i&gt;x&lt;/i&gt;<li>2) two"));
    assert!(!page.contains("<b>") && !page.contains("<i>"));
    let json = serde_json::to_value(&change.components[0]).unwrap();
    assert!(!json.as_object().unwrap().contains_key("sections"));
}
