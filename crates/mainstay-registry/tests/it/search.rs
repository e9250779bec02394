use mainstay_core::{Actor, ErrorKind, Timestamp};
use mainstay_registry::search::{Page, Query, SearchPage};
use mainstay_registry::{AnnotateSpec, PromoteSpec, Restated};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{Fixture, ada, locator, name, spec};

async fn shelf() -> Fixture {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:payments@1", json!({"rows": 1})).await;
    fixture
        .register(
            spec("fraud", "one")
                .with_metric("auc", 0.90)
                .with_metric("val loss", 0.3)
                .with_parameter("depth", 4)
                .with_parameter("booster", "gbtree")
                .with_tag("team", "Risk")
                .with_description("first")
                .with_data(name("train"), data)
                .with_code(name("training"), name("abc123")),
        )
        .await;
    fixture
        .register(
            spec("fraud", "two")
                .with_metric("auc", f64::NAN)
                .with_parameter("depth", 6)
                .with_tag("team", "risk_eu")
                .with_tag("it's", "a \"quote\""),
        )
        .await;
    fixture
        .register(
            spec("churn", "three")
                .with_metric("auc", 0.95)
                .with_tag("team", "crm")
                .with_tag("mlflow.run_id", "f00"),
        )
        .await;
    fixture.alias("fraud@1.0.0", "champion").await;
    fixture.produce("fraud@1.0.0").await;
    fixture
}

async fn search(fixture: &Fixture, query: &str) -> Vec<String> {
    let page = fixture.registry.search(query, &Page::default()).await;
    ids(&page.unwrap_or_else(|error| panic!("{query}: {error}")))
}

fn ids(page: &SearchPage) -> Vec<String> {
    let id = |hit: &mainstay_registry::search::SearchHit| format!("{}@{}", hit.model, hit.version);
    page.results.iter().map(id).collect()
}

#[tokio::test]
async fn every_comparison_finds_what_it_says() {
    let fixture = shelf().await;
    let (one, two, three) = ("fraud@1.0.0", "fraud@1.1.0", "churn@1.0.0");
    let cases: &[(&str, &[&str])] = &[
        ("", &[three, two, one]),
        ("  ", &[three, two, one]),
        ("name = 'fraud'", &[two, one]),
        ("name != 'fraud'", &[three]),
        ("NAME <> 'fraud'", &[three]),
        ("name = 'no such/name'", &[]),
        ("name LIKE 'fr%'", &[two, one]),
        ("name LIKE 'FR%'", &[]),
        ("name ILIKE 'FR%'", &[two, one]),
        ("name IN ('churn', 'other')", &[three]),
        ("name NOT IN ('churn')", &[two, one]),
        ("attributes.name = \"churn\"", &[three]),
        ("version = '1.1.0'", &[two]),
        ("version >= '1.0.1-rc.1'", &[two]),
        ("version IN ('1.0.0')", &[three, one]),
        ("version_number = 2", &[two]),
        ("ordinal < 2", &[three, one]),
        ("stage = 'production'", &[one]),
        ("stage = 'development'", &[three, two]),
        ("alias = 'champion'", &[one]),
        ("alias != 'champion'", &[three, two]),
        ("alias IS NULL", &[three, two]),
        ("alias IS NOT NULL", &[one]),
        ("alias NOT IN ('champion', 'x')", &[three, two]),
        ("alias LIKE 'champ%'", &[one]),
        ("data = 'data:payments@1'", &[one]),
        ("data LIKE 'data:payments@%'", &[one]),
        ("code = 'abc123'", &[one]),
        ("description = 'first'", &[one]),
        ("metrics.auc >= 0.9", &[three, one]),
        ("metric.auc < 1e3", &[three, one]),
        ("metrics.auc = 0.95", &[three]),
        ("metrics.auc != 0.95", &[two, one]),
        ("metrics.auc = 'NaN'", &[two]),
        ("metrics.auc != 'NaN'", &[three, one]),
        ("metrics.auc IN (0.9, 'NaN')", &[two, one]),
        ("metrics.auc NOT IN (0.9)", &[three, two]),
        ("metrics.auc BETWEEN 0.9 AND 0.94", &[one]),
        ("metrics.auc NOT BETWEEN 0.9 AND 0.94", &[three]),
        ("version BETWEEN '1.0.1' AND '2.0.0'", &[two]),
        ("version SATISFIES '~1.1'", &[two]),
        ("tags.team NOT LIKE 'risk%'", &[three, one]),
        ("tags.team NOT ILIKE 'risk%'", &[three]),
        ("tags.team CONTAINS 'isk'", &[two, one]),
        ("alias NOT LIKE 'champ%'", &[three, two]),
        ("name = 'churn' OR stage = 'production'", &[three, one]),
        (
            "name = 'churn' OR name = 'fraud' AND ordinal = 1",
            &[three, one],
        ),
        (
            "(name = 'churn' OR name = 'fraud') AND ordinal = 1",
            &[three, one],
        ),
        ("NOT name = 'churn'", &[two, one]),
        ("NOT (name = 'churn' OR ordinal = 2)", &[one]),
        ("NOT NOT (name = 'churn')", &[three]),
        ("NOT tags.`it's` = 'a \"quote\"'", &[three, one]),
        ("run_id = 'f00'", &[three]),
        ("run_id IN ('f00', 'f11') AND name = 'churn'", &[three]),
        ("source_path IS NULL AND name = 'fraud'", &[two, one]),
        ("metrics.auc IN (0.9, 0.95)", &[three, one]),
        ("metrics.`val loss` <= .3", &[one]),
        ("metrics.\"val loss\" > -1", &[one]),
        ("metrics.auc IS NOT NULL", &[three, two, one]),
        ("params.depth > 4", &[two]),
        ("params.depth = '4'", &[one]),
        ("parameters.depth IS NULL", &[three]),
        ("param.booster = 'gbtree'", &[one]),
        ("params.booster ILIKE 'GB____'", &[one]),
        ("params.booster > 4", &[]),
        ("tags.team = 'Risk'", &[one]),
        ("tag.team != 'Risk'", &[three, two]),
        ("tags.team ILIKE 'risk%'", &[two, one]),
        ("tags.team LIKE 'risk\\_%'", &[]),
        ("tags.`it's` = 'a \"quote\"'", &[two]),
        ("tags.`it's` = 'it''s'", &[]),
        // A version without the tag is not found by any comparison of it.
        ("tags.`it's` != 'x'", &[two]),
        ("created >= '2026-01-01T00:03:00Z'", &[three]),
        ("creation_timestamp < 1767225780000", &[two, one]),
        ("artifact IS NOT NULL AND name = 'churn'", &[three]),
        (
            "name = 'fraud' AND metrics.auc > 0.5 and stage = 'production'",
            &[one],
        ),
        ("ORDER BY name", &[three, two, one]),
        ("ORDER BY name, version", &[three, one, two]),
        ("ORDER BY version DESC, name DESC", &[two, one, three]),
        ("ORDER BY metrics.auc", &[one, three, two]),
        ("ORDER BY metrics.auc DESC", &[three, one, two]),
        (
            "ORDER BY last_updated_timestamp DESC, name ASC",
            &[three, one, two],
        ),
        ("ORDER BY params.depth DESC", &[two, one, three]),
        ("ORDER BY params.depth ASC", &[one, two, three]),
        ("ORDER BY created ASC", &[one, two, three]),
        ("name = 'fraud' order by ordinal desc", &[two, one]),
    ];
    for (query, expected) in cases {
        assert_eq!(search(&fixture, query).await, *expected, "{query}");
    }
}

#[tokio::test]
async fn a_result_carries_stage_aliases_metrics_and_tags_as_they_are_now() {
    let fixture = shelf().await;
    let annotate = AnnotateSpec::new(locator("fraud@1.0.0"), ada(), "renamed")
        .with_tag("team", "fraud")
        .with_tag("new", "yes")
        .with_description("second");
    fixture.registry.annotate(annotate).await.unwrap();
    let promote = PromoteSpec::new(locator("fraud@1.1.0"), name("staging"), ada(), "measured");
    let promote = promote.with_metric("auc", 0.97);
    fixture.registry.promote(promote).await.unwrap();

    assert_eq!(search(&fixture, "tags.team = 'Risk'").await, [""; 0]);
    assert_eq!(
        search(&fixture, "tags.team = 'fraud'").await,
        ["fraud@1.0.0"]
    );
    assert_eq!(
        search(&fixture, "description = 'second'").await,
        ["fraud@1.0.0"]
    );
    assert_eq!(
        search(&fixture, "metrics.auc = 0.97").await,
        ["fraud@1.1.0"]
    );
    let page = fixture
        .registry
        .search("alias = 'champion'", &Page::default())
        .await
        .unwrap();
    assert_eq!(
        serde_json::to_value(&page).unwrap(),
        json!({
            "results": [{
                "model": "fraud", "version": "1.0.0", "stage": "production",
                "aliases": ["champion"],
                "metrics": {"auc": 0.9, "val loss": 0.3},
                "tags": {"team": "fraud", "new": "yes"},
            }],
            "next": null,
        })
    );
    let remove = AnnotateSpec::new(locator("fraud@1.0.0"), ada(), "gone").without_tag("team");
    fixture.registry.annotate(remove).await.unwrap();
    assert_eq!(search(&fixture, "tags.team IS NULL").await, ["fraud@1.0.0"]);
}

#[tokio::test]
async fn versions_are_found_by_author_and_by_what_was_restated_of_them() {
    let fixture = shelf().await;
    let bob = Actor::new("bob").unwrap();
    let mut theirs = spec("alerts", "theirs").with_owner("growth");
    theirs.actor = bob.clone();
    fixture.register(theirs.with_description("of bob")).await;
    let found = |query: &'static str| search(&fixture, query);
    assert_eq!(found("author = 'bob'").await, ["alerts@1.0.0"]);
    assert_eq!(found("actor != 'ada'").await, ["alerts@1.0.0"]);
    assert_eq!(
        found("author = 'bob' AND description CONTAINS 'bob'").await,
        ["alerts@1.0.0"]
    );

    let time: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    let annotate = AnnotateSpec::new(locator("alerts"), bob.clone(), "handed over")
        .with_owner("risk")
        .with_purpose("p".repeat(300))
        .with_expiry(time)
        .with_description("handed over");
    let (_, seq) = fixture.registry.annotate(annotate.clone()).await.unwrap();
    assert_eq!(fixture.registry.annotate(annotate).await.unwrap().1, None);
    for query in [
        "owner = 'risk'",
        "expires < '2027-01-02T00:00:00Z'",
        "purpose LIKE 'ppp%'",
        "description = 'handed over'",
    ] {
        assert_eq!(found(query).await, ["alerts@1.0.0"], "{query}");
    }
    assert_eq!(found("owner = 'growth'").await, [""; 0]);
    let before = format!("owner = 'growth' AS OF {}", seq.unwrap() - 1);
    assert_eq!(search(&fixture, &before).await, ["alerts@1.0.0"]);
    let shown = fixture.registry.show(&locator("alerts")).await.unwrap();
    assert_eq!(
        (shown.owner.as_deref(), shown.expires),
        (Some("risk"), Some(time))
    );
    assert_eq!(shown.record.owner.as_deref(), Some("growth"));

    let mut nobody = AnnotateSpec::new(locator("alerts"), bob, "left");
    (nobody.owner, nobody.expires) = (Restated::Absent, Restated::Absent);
    fixture.registry.annotate(nobody).await.unwrap();
    let query = "owner IS NULL AND expires IS NULL AND name = 'alerts'";
    assert_eq!(found(query).await, ["alerts@1.0.0"]);
}

#[test]
fn the_error_names_the_column() {
    for (query, column) in [
        ("name", 5),
        ("name =", 7),
        ("name = fraud", 8),
        ("name = 'fraud", 8),
        ("name > 'fraud'", 6),
        ("nme = 'fraud'", 1),
        ("labels.x = 'a'", 1),
        ("metrics. = 1", 9),
        ("metrics.auc = 'high'", 15),
        ("metrics.auc LIKE 1", 13),
        ("metrics.auc = 1.2.0", 15),
        ("version = '1.2'", 11),
        ("created > 'yesterday'", 11),
        ("name = 'a' OR", 14),
        ("name = 'a' OR OR name = 'b'", 15),
        ("NOT", 4),
        ("NOT (name = 'a'", 16),
        ("name NOT = 'a'", 10),
        ("metrics.auc BETWEEN 1", 22),
        ("metrics.auc BETWEEN 1 AND 'NaN'", 13),
        ("name BETWEEN 'a' AND 'b'", 6),
        ("metrics.auc > 'NaN'", 13),
        ("name SATISFIES '^1'", 6),
        ("version SATISFIES 'one'", 19),
        ("metrics.auc CONTAINS 1", 13),
        ("name = 'a' AS OF", 17),
        ("AS OF 1.5", 7),
        ("AS OF 'yesterday'", 7),
        ("name = 'a' name = 'b'", 12),
        ("name IN 'a'", 9),
        ("name IN ('a'", 13),
        ("name IN ()", 10),
        ("name IS 'a'", 9),
        ("ORDER name", 7),
        ("ORDER BY", 9),
        ("ORDER BY alias", 10),
        ("name = 'ü' AND ä = 'a'", 16),
        ("(name = 'a'))", 13),
        ("name = 'a';", 11),
    ] {
        let error = Query::parse(query).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let context: Vec<_> = error.contexts().collect();
        assert_eq!(
            context,
            [("column", column.to_string().as_str())],
            "{query}: {error}"
        );
    }
}

#[test]
fn a_query_has_bounds() {
    for word in [" AND ", " OR "] {
        let many = vec!["name = 'a'"; 257].join(word);
        assert!(Query::parse(&many).is_err());
    }
    for open in ["(", "NOT ", "NOT ("] {
        let deep = open.repeat(4_000 / open.len());
        let error = Query::parse(&deep).unwrap_err();
        assert!(error.to_string().contains("deep"), "{error}");
    }
    let values = vec!["'a'"; 257].join(",");
    assert!(Query::parse(&format!("name IN ({values})")).is_err());
    assert!(Query::parse(&format!("name = '{}'", "a".repeat(20_000))).is_err());
    let keys = ["name"; 9].join(",");
    assert!(Query::parse(&format!("ORDER BY {keys}")).is_err());
}

#[tokio::test]
async fn pages_fit_together_and_what_is_registered_meanwhile_disturbs_nothing() {
    let fixture = Fixture::new().await;
    for number in 0..7 {
        let model = spec("fraud", &format!("weights {number}"));
        let model = if number % 2 == 0 {
            model.with_metric("auc", f64::from(number % 4))
        } else {
            model
        };
        fixture.register(model).await;
    }
    for query in [
        "",
        "ORDER BY metrics.auc",
        "ORDER BY metrics.auc DESC",
        "ORDER BY stage, version DESC",
    ] {
        let all = search(&fixture, query).await;
        let mut paged = Vec::new();
        let mut page = Page::default().with_limit(2);
        loop {
            let found = fixture.registry.search(query, &page).await.unwrap();
            paged.extend(ids(&found));
            if paged.len() == 2 {
                // Comes first in the default order and has no metric: on a page that is past.
                fixture.weights("zebra", &format!("for {query}")).await;
            }
            match found.next {
                Some(next) => page = page.with_after(next),
                None => break,
            }
        }
        paged.retain(|id| !id.starts_with("zebra"));
        let all: Vec<_> = all
            .into_iter()
            .filter(|id| !id.starts_with("zebra"))
            .collect();
        assert_eq!(paged, all, "{query}");
    }
}

#[tokio::test]
async fn a_query_is_asked_about_the_past() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    let (then, seq) = (fixture.now(), fixture.repo.view().await.unwrap().seq());
    fixture.weights("fraud", "two").await;
    fixture.produce("fraud@1.0.0").await;
    for query in [
        format!("AS OF {seq}"),
        format!("stage = 'development' AS OF '{then}'"),
    ] {
        assert_eq!(search(&fixture, &query).await, ["fraud@1.0.0"], "{query}");
    }
    assert_eq!(search(&fixture, "AS OF 0").await, [""; 0]);
    let unborn = fixture
        .registry
        .search("AS OF 1000", &Page::default())
        .await;
    assert_eq!(unborn.unwrap_err().kind(), ErrorKind::NotFound);
    let view = fixture.repo.view().await.unwrap();
    let error = mainstay_registry::search::search(&view, "AS OF 1", &Page::default());
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
}

/// What happens between two pages.
#[derive(Debug, Clone)]
enum Write {
    Register(u8),
    Tag(usize, u8),
    Promote(usize),
    Alias(usize),
    Rename(bool),
    Delete,
}

fn any_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        any::<u8>().prop_map(Write::Register),
        (0_usize..8, any::<u8>()).prop_map(|(which, tag)| Write::Tag(which, tag)),
        (0_usize..8).prop_map(Write::Promote),
        (0_usize..8).prop_map(Write::Alias),
        any::<bool>().prop_map(Write::Rename),
        Just(Write::Delete),
    ]
}

impl Write {
    async fn run(&self, fixture: &Fixture) {
        let of = |which: usize| locator(&format!("fraud@1.{which}.0"));
        match self {
            Self::Register(number) => {
                // The clock stands one minute later at every registration.
                let model = spec("other", &format!("weights at {}", fixture.now()));
                let model = model.with_metric("auc", f64::from(number % 4));
                fixture.register(model).await;
            }
            Self::Tag(which, tag) => {
                let tag =
                    AnnotateSpec::new(of(*which), ada(), "tag").with_tag("t", tag.to_string());
                fixture.registry.annotate(tag).await.unwrap();
            }
            Self::Promote(which) => {
                let spec = PromoteSpec::new(of(*which), name("staging"), ada(), "move");
                fixture.registry.promote(spec).await.unwrap();
            }
            Self::Alias(which) => {
                fixture
                    .alias(&format!("fraud@1.{which}.0"), "champion")
                    .await;
            }
            Self::Rename(back) => {
                let (from, to) = if *back {
                    ("swindle", "fraud")
                } else {
                    ("fraud", "swindle")
                };
                drop(
                    fixture
                        .registry
                        .rename(&name(from), &name(to), ada(), "name")
                        .await,
                );
            }
            Self::Delete => {
                let gone = fixture
                    .registry
                    .delete(&locator("other"), ada(), "gone")
                    .await;
                assert!(gone.is_ok() || gone.unwrap_err().kind() == ErrorKind::NotFound);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is written between them, also to what they are ordered or chosen by.
    #[test]
    fn pages_are_together_what_there_was_when_the_first_was_asked_for(
        writes in proptest::collection::vec(proptest::collection::vec(any_write(), 0..3), 8),
        query in proptest::sample::select(vec![
            "", "ORDER BY metrics.auc DESC", "ORDER BY created", "ORDER BY stage, tags.t DESC",
            "ORDER BY updated DESC", "ORDER BY name DESC, version", "stage = 'development'",
            "tags.t IS NULL ORDER BY tags.t", "alias IS NULL ORDER BY stage DESC",
        ]),
        limit in 1_usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            for number in 0..8 {
                let model = spec("fraud", &format!("weights {number}"));
                let model = match number % 4 {
                    3 => model,
                    2 => model.with_metric("auc", f64::NAN),
                    number => model.with_metric("auc", f64::from(number)),
                };
                fixture.register(model).await;
            }
            let all = fixture.registry.search(query, &Page::default()).await.unwrap();
            let mut found = Vec::new();
            let mut page = Page::default().with_limit(limit);
            for writes in writes.iter().chain(std::iter::repeat(&Vec::new())) {
                // Another process may ask for the next page, and this one does not mind.
                let registry = mainstay_registry::Registry::new(fixture.reopened().await);
                let next = registry.search(query, &page).await.unwrap();
                assert_eq!(fixture.registry.search(query, &page).await.unwrap(), next);
                found.extend(next.results);
                for write in writes {
                    write.run(&fixture).await;
                }
                match next.next {
                    Some(next) => page = page.with_after(next),
                    None => break,
                }
            }
            assert_eq!(found, all.results);
        });
    }
}

#[tokio::test]
async fn a_page_goes_on_in_the_view_that_the_first_was_of() {
    let fixture = shelf().await;
    let view = fixture.repo.view().await.unwrap();
    let page = Page::default().with_limit(1);
    let search = mainstay_registry::search::search;
    let next = search(&view, "", &page).unwrap().next.unwrap();
    let page = page.with_after(next);
    assert!(search(&view, "", &page).is_ok());
    fixture.alias("fraud", "newest").await;
    let later = fixture.repo.view().await.unwrap();
    let error = search(&later, "", &page).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(fixture.registry.search("", &page).await.is_ok());
}

#[tokio::test]
async fn a_page_mark_of_another_query_is_refused() {
    let fixture = shelf().await;
    let one = Page::default().with_limit(1);
    let next = fixture
        .registry
        .search("", &one)
        .await
        .unwrap()
        .next
        .unwrap();
    let mut cut = next.clone();
    cut.pop();
    for (query, after) in [
        ("ORDER BY name", next.as_str()),
        ("", "zz"),
        ("", "5b5d"),
        ("", cut.as_str()),
        ("", "ü"),
    ] {
        let page = one.clone().with_after(after);
        let error = fixture.registry.search(query, &page).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{after}");
    }
    for limit in [0, 10_001] {
        let page = Page::default().with_limit(limit);
        assert!(fixture.registry.search("", &page).await.is_err());
    }
}

/// Pieces of queries, right and wrong.
fn any_piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("name".to_owned()),
        Just("metrics.auc".to_owned()),
        Just("tags.`a b`".to_owned()),
        Just("params.\"x\"".to_owned()),
        Just("version".to_owned()),
        Just("alias".to_owned()),
        "(=|!=|<>|<|<=|>|>=| LIKE | ILIKE | IN | NOT IN | IS NULL| IS NOT NULL)",
        "('[a%_']{0,3}'|\"[a]{0,2}\"|[-+]?[0-9]{1,3}(\\.[0-9])?(e[0-9]{1,3})?|'1\\.0\\.0')",
        "( AND | OR | NOT | BETWEEN | ORDER BY | AS OF | DESC| ASC|,|\\(|\\))",
        ".{0,3}",
    ]
}

proptest! {
    #[test]
    fn any_text_is_a_query_or_refused_at_a_column_inside(
        pieces in proptest::collection::vec(any_piece(), 0..12)
    ) {
        let text = pieces.concat();
        if let Err(error) = Query::parse(&text) {
            prop_assert_eq!(error.kind(), ErrorKind::Invalid);
            let column = error.contexts().find(|(key, _)| *key == "column").unwrap().1;
            let column: usize = column.parse().unwrap();
            prop_assert!((1..=text.chars().count() + 1).contains(&column));
        }
    }

    #[test]
    fn a_query_that_parses_runs(pieces in proptest::collection::vec(any_piece(), 0..6)) {
        let text = pieces.concat();
        if let Ok(query) = Query::parse(&text) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let fixture = Fixture::new().await;
                fixture.register(spec("a", "x").with_metric("auc", 1.0)).await;
                let view = fixture.repo.view().await.unwrap();
                let page = query.run(&view, &Page::default());
                assert_eq!(page.is_err(), query.moment().is_some());
                assert!(page.is_err() || page.unwrap().results.len() <= 1);
            });
        }
    }
}

#[tokio::test]
async fn gates_data_aliases_stages_and_signatures_are_found_by_their_keys() {
    let fixture = Fixture::new().await;
    let data = fixture
        .record("data:payments@3", serde_json::json!({"rows": 1}))
        .await;
    let signature = serde_json::json!({
        "inputs": [{"name": "mass of x", "type": "double", "required": true}],
        "outputs": [{"name": "p", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1]}}],
        "params": null,
    });
    let signature = mainstay_registry::signature::Signature::from_json(&signature).unwrap();
    let full = spec("fraud", "one")
        .with_data(name("train"), data)
        .with_signature(signature)
        .with_tag("team", "risk-eu")
        .with_metric("auc", 0.9);
    fixture.register(full).await;
    fixture.weights("other", "two").await;
    fixture.alias("fraud@1.0.0", "champion").await;
    let gate = mainstay_registry::Gate::AtLeast {
        metric: "auc".into(),
        limit: 0.5,
    };
    let promote = PromoteSpec::new(locator("fraud"), name("staging"), ada(), "promote");
    let promoted = fixture.registry.promote(promote.with_gate(gate)).await;
    promoted.unwrap();
    for (query, finds) in [
        ("gate.auc = 'pass'", 1),
        ("gate.auc = 'fail'", 0),
        ("gates.auc IS NULL", 1),
        ("dataset.train = 'data:payments@3'", 1),
        ("dataset.validation IS NOT NULL", 0),
        (
            "datasets.name = \"payments\" AND datasets.context = 'train'",
            1,
        ),
        ("dataset.name != 'payments'", 1),
        ("alias.champion IS NOT NULL", 1),
        ("alias.champion > '2026-01-01T00:00:00Z'", 1),
        ("alias.champion < '2026-01-01T00:00:00Z'", 0),
        ("stage.staging IS NOT NULL", 1),
        ("stage.development IS NOT NULL", 1),
        ("signature.inputs.`mass of x` = 'double'", 1),
        ("signature.outputs.p LIKE 'float%'", 1),
        ("signature.outputs.q IS NULL", 2),
        ("tags.team RLIKE '^risk-(eu|us)$'", 1),
        ("tags.team RLIKE 'sk'", 1),
        ("tags.team NOT RLIKE '^risk'", 0),
        ("name RLIKE '^(fraud|other)$' ORDER BY stage.staging", 2),
    ] {
        let found = fixture
            .registry
            .search(query, &Page::default())
            .await
            .unwrap();
        assert_eq!(found.results.len(), finds, "{query}");
    }
}

#[test]
fn expressions_that_are_wrong_or_too_large_name_their_column() {
    let long = format!("tags.a RLIKE '{}'", "a".repeat(1_025));
    for (query, column) in [
        ("tags.a RLIKE '('", 14),
        ("tags.a RLIKE '(((a{99}){99}){99}){99}'", 14),
        (long.as_str(), 14),
        ("metrics.a RLIKE 'x'", 17),
        ("signature.params.a = 'x'", 1),
        ("signature.inputs = 'x'", 1),
        ("ordinal = 1 ORDER BY dataset.train", 22),
    ] {
        let error = Query::parse(query).unwrap_err();
        let column = format!("column: {column}");
        assert!(error.to_string().contains(&column), "{query:.40}: {error}");
    }
}
