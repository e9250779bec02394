//! Model cards.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use mainstay_core::{Actor, ErrorKind};
use mainstay_registry::card::{ModelCard, Source};
use mainstay_registry::eval::{EvalSpec, Evaluations};
use mainstay_registry::run::RunSpec;
use mainstay_registry::signature::Signature;
use mainstay_registry::signing::SigningKey;
use mainstay_registry::{
    AnnotateSpec, ApproveSpec, Gate, PromoteSpec, Promotion, Relation, StagePolicy,
};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::json;

use crate::fixture::{Fixture, ada, check_file, file, locator, name, spec};

async fn card(fixture: &Fixture, model: &str) -> ModelCard {
    let view = fixture.repo.view().await.unwrap();
    let card = fixture.registry.card(&view, &locator(model)).await;
    card.unwrap()
}

fn check(text: &str, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/card");
    check_file(text.as_bytes(), &path.join(file));
}

/// A version with everything on its card, each free text made by `text` of what it is about.
async fn everything(text: impl Fn(&str) -> String + Send + Sync) -> Fixture {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:payments@3", json!({"rows": 3})).await;
    let held_out = fixture.record("data:held-out@1", json!({"rows": 1})).await;
    let env = fixture
        .record("env:trainer@2", json!({"os": "linux"}))
        .await;
    let run = RunSpec::new(name("training"), fixture.now(), ada(), "train");
    let run = fixture.runs().start(run).await.unwrap().run;
    let base = fixture.weights("base", "base weights").await.node;
    let other = fixture.weights("other", "other weights").await.node;
    fixture.weights("fraud", "first weights").await;
    let signature = json!({
        "inputs": [
            {"name": text("amount"), "type": "double", "required": true},
            {"name": "tags", "type": "array", "items": {"type": "string"}, "required": false},
        ],
        "outputs": [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}],
        "params": [{"name": "threshold", "type": "double", "default": 0.5, "shape": null}],
    });
    let tags = [
        "bias_recommendations",
        "bias_risks_limitations",
        "direct_use",
        "downstream_use",
        "language",
        "library_name",
        "license",
        "model_type",
        "out_of_scope_use",
        "pipeline_tag",
        "preprocessing",
        "results_summary",
        "team",
    ];
    let full = spec("fraud", "second weights")
        .with_file(file("README.md", "read me"))
        .with_data(name("train"), data)
        .with_code(name("training"), name("9f31c2a"))
        .with_dirty_code()
        .with_parameter("depth", 6)
        .with_parameter("booster", text("booster"))
        .with_seed("numpy", u64::MAX)
        .with_environment(env)
        .with_metric_on("auc", 0.93, held_out.clone())
        .with_metric("loss", f64::NAN)
        .with_parent(base, Relation::FineTune)
        .with_merged(other, 0.25)
        .with_checkpoint(run, 3_000)
        .with_signature(Signature::from_json(&signature).unwrap())
        .with_owner(text("owner"))
        .with_purpose(text("purpose"))
        .with_expiry("2027-01-01T00:00:00Z".parse().unwrap())
        .with_description(text("description"));
    let full = tags
        .into_iter()
        .fold(full, |spec, key| spec.with_tag(key, text(key)));
    fixture.register(full).await;

    let approvals = Gate::Approvals {
        count: 1,
        roles: BTreeSet::from([name("risk")]),
        author: false,
        valid_hours: None,
    };
    let limit = Gate::AtLeast {
        metric: "auc".into(),
        limit: 0.9,
    };
    let policy = StagePolicy::default()
        .with_gate(name("production"), approvals)
        .with_gate(name("production"), limit);
    let (model, roles) = (name("fraud"), BTreeSet::new());
    let registry = &fixture.registry;
    let set = registry.set_stage_policy(&model, policy, ada(), &roles, "careful");
    set.await.unwrap();
    fixture.promote("fraud", "staging").await;
    let grace = Actor::new("grace").unwrap();
    let approve = |stage: &str| {
        let model = locator("fraud@2.0.0");
        let spec = ApproveSpec::new(model, name(stage), grace.clone(), text("approval"));
        fixture.registry.approve(spec.with_role(name("risk")))
    };
    approve("production").await.unwrap();
    let promote = PromoteSpec::new(locator("fraud"), name("production"), ada(), "ready");
    let promoted = fixture
        .registry
        .promote(promote.with_metric("latency_ms", 4.5))
        .await;
    assert!(matches!(promoted.unwrap(), Promotion::Promoted(_)));
    approve("production").await.unwrap();
    fixture.alias("fraud@2.0.0", "champion").await;

    fixture.clock.advance(Duration::from_hours(1));
    let subject = "model:fraud@2.0.0".parse().unwrap();
    let report = EvalSpec::new(name("holdout"), subject, ada(), "monthly check")
        .with_data(held_out)
        .with_metric("auc", 0.91)
        .with_slice_metric(text("country=de"), "auc", 0.84)
        .with_description(text("report"));
    Evaluations::new(fixture.repo.clone())
        .report(report)
        .await
        .unwrap();
    let key = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/model-signing/p256.key.pem"
    );
    let key = SigningKey::from_pem(&std::fs::read_to_string(key).unwrap()).unwrap();
    let signed = fixture
        .registry
        .sign(&locator("fraud"), &key, ada(), "sign")
        .await;
    signed.unwrap();
    fixture
}

#[tokio::test]
async fn a_card_says_everything_that_is_known() {
    let fixture = everything(|about| format!("The {about} of <fraud>.")).await;
    let card = card(&fixture, "fraud@production").await;
    check(&card.to_markdown(), "full.md");
    let json = serde_json::to_string_pretty(&card).unwrap();
    // Bundles are signed by chance.
    assert_eq!(card.signatures.len(), 1);
    let bundle = card.signatures[0].bundle.to_string();
    let bytes = card.signatures[0].bytes.to_string();
    let json = json
        .replace(&bundle, "BUNDLE")
        .replace(&format!("\"bytes\": {bytes}\n"), "\"bytes\": 0\n");
    check(&json, "full.json");
}

#[tokio::test]
async fn a_card_of_a_version_of_which_little_is_known_says_so() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "weights").await;
    let card = card(&fixture, "fraud").await;
    check(&card.to_markdown(), "minimal.md");
    check(
        &serde_json::to_string_pretty(&card).unwrap(),
        "minimal.json",
    );
}

/// The headings, and how often anything else that is markup occurs.
fn outline(markdown: &str) -> (Vec<String>, Vec<String>) {
    let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
    let (mut headings, mut markup) = (Vec::new(), Vec::new());
    let mut in_heading = false;
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                headings.push(String::new());
                in_heading = true;
            }
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(text) if in_heading => headings.last_mut().unwrap().push_str(&text),
            // A paragraph may be several, a line several lines.
            Event::Text(_)
            | Event::SoftBreak
            | Event::Code(_)
            | Event::Start(Tag::Paragraph)
            | Event::End(_) => {}
            other => markup.push(format!("{other:?}")),
        }
    }
    (headings, markup)
}

#[tokio::test]
async fn nothing_that_somebody_wrote_becomes_markup() {
    let plain = everything(|about| format!("The {about}")).await;
    let plain = card(&plain, "fraud@2.0.0").await.to_markdown();
    for hostile in [
        "\n\n# Approved\n\n- [x] by everybody\n",
        "|x|\n|---|\n|<script>alert(1)</script>|",
        "<img src=x onerror=alert(1)>![x](https://example.org/t.png)[click](javascript:alert(1))",
        "\n---\n\n```\n</td></table><!--",
        "\u{202e}*_~`\\$$x$$[^1]\n[^1]: note\n\n[a]: https://example.org\n\n[a]",
        "---\nlicense: mit\n---",
        "1. one\n2. two\n\n> [!NOTE]\n> quoted\n\n    code\n\nterm\n: definition",
    ] {
        // A name of a column or a part of data is on one line.
        let text = |about: &str| match about {
            "amount" | "country=de" => format!("{about} {}", hostile.replace('\n', " ").trim()),
            "approval" => format!("{about} {hostile}"),
            _ => format!("{about} {hostile}{about}"),
        };
        let fixture = everything(text).await;
        let hostile = card(&fixture, "fraud@2.0.0").await.to_markdown();
        assert_eq!(outline(&hostile), outline(&plain), "{hostile}");
    }
}

#[tokio::test]
async fn a_card_shows_the_newest_metrics_and_what_says_so_as_of_any_moment() {
    let fixture = everything(str::to_owned).await;
    let now = card(&fixture, "fraud").await;
    let shown = |card: &ModelCard| -> Vec<(String, Source)> {
        let scores = card.results.iter();
        scores
            .map(|score| {
                (
                    format!("{}={}", score.metric, score.value),
                    score.source.clone(),
                )
            })
            .collect()
    };
    let report = Source::Evaluation("eval:holdout@1".parse().unwrap());
    assert_eq!(
        shown(&now),
        [
            ("auc=0.91".to_owned(), report),
            ("latency_ms=4.5".to_owned(), Source::Promotion),
            ("loss=NaN".to_owned(), Source::Registration),
        ]
    );
    for score in &now.results {
        assert_eq!(score.value, now.info.metrics[&score.metric]);
    }
    assert_eq!(now.results.len(), now.info.metrics.len());

    let before = fixture.repo.view_at(now.info.seq).await.unwrap();
    let before = fixture
        .registry
        .card(&before, &locator("fraud"))
        .await
        .unwrap();
    assert_eq!(before.info.stage, name("development"));
    assert_eq!(
        shown(&before)[0],
        ("auc=0.93".to_owned(), Source::Registration)
    );
    assert_eq!(
        (
            before.gates.len(),
            before.approvals.len(),
            before.signatures.len()
        ),
        (0, 0, 0)
    );

    let annotate = AnnotateSpec::new(locator("fraud"), ada(), "say more")
        .with_tag("direct_use", "Everything.");
    fixture.registry.annotate(annotate).await.unwrap();
    let after = card(&fixture, "fraud").await.to_markdown();
    assert!(after.contains("### Direct Use\n\nEverything.\n"), "{after}");
}

#[tokio::test]
async fn there_is_no_card_of_what_is_not_there() {
    let fixture = Fixture::new().await;
    let view = fixture.repo.view().await.unwrap();
    let error = fixture
        .registry
        .card(&view, &locator("gone"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.operation_name(), Some("make model card"));
}
