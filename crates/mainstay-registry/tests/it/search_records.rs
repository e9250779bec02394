//! Searches by what records say.

use mainstay_core::{ErrorKind, Timestamp};
use mainstay_registry::Relation;
use mainstay_registry::run::RunSpec;
use mainstay_registry::search::{Page, Query};
use serde_json::json;

use crate::fixture::{Fixture, ada, locator, name, node, spec};

/// One version says everything, another nothing, a third came from the first.
async fn shelf() -> Fixture {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:payments@3", json!({"rows": 1})).await;
    let run = RunSpec::new(name("churn"), Timestamp::UNIX_EPOCH, ada(), "train");
    let run = fixture.runs().start(run).await.unwrap().run;
    let full = spec("full", "123456")
        .with_data(name("train"), data)
        .with_code(name("training"), name("9f31c2a"))
        .with_dirty_code()
        .with_seed("numpy", u64::MAX)
        .with_checkpoint(run, 1_000)
        .with_owner("risk@example.org")
        .with_purpose("triage of alerts")
        .with_expiry("2027-01-01T00:00:00Z".parse().unwrap());
    fixture.register(full).await;
    fixture.weights("bare", "1").await;
    let tuned = spec("tuned", "22").with_parent(node("model:full@1.0.0"), Relation::FineTune);
    fixture.register(tuned).await;
    fixture
}

async fn found(fixture: &Fixture, query: &str) -> Vec<String> {
    let page = fixture.registry.search(query, &Page::default()).await;
    let page = page.unwrap_or_else(|error| panic!("{query}: {error}"));
    page.results
        .iter()
        .map(|hit| hit.model.to_string())
        .collect()
}

#[tokio::test]
async fn a_search_sees_what_a_record_says() {
    let fixture = shelf().await;
    let info = fixture.registry.show(&locator("full")).await.unwrap();
    let digest = format!("digest.train = '{}'", info.record.data[0].record);
    for query in [
        "owner = 'risk@example.org'",
        "owner RLIKE '@example[.]org$'",
        "purpose CONTAINS 'alerts'",
        "expires < '2027-01-02T00:00:00Z'",
        "expires BETWEEN '2026-12-01T00:00:00Z' AND '2027-02-01T00:00:00Z'",
        "run = 'run:churn@1'",
        "run = 'run:churn@1' AND step = 1000",
        "step > 999.5",
        "code = '9f31c2a'",
        "commit LIKE '9f%' AND repository = 'training' AND dirty = 'true'",
        "data = 'data:payments@3'",
        "dataset.train = 'data:payments@3'",
        digest.as_str(),
        "seeds.numpy = '18446744073709551615'",
        "bytes = 6",
    ] {
        assert_eq!(found(&fixture, query).await, ["full"], "{query}");
    }
    for query in [
        "parent = 'model:full@1.0.0'",
        "parent.fine_tune LIKE 'model:full@%'",
        "EXISTS UPSTREAM HAS model WHERE owner = 'risk@example.org' AND step IS NOT NULL",
        "parent IS NOT NULL AND bytes = 2 AND file = 'model.bin'",
    ] {
        assert_eq!(found(&fixture, query).await, ["tuned"], "{query}");
    }
    for query in [
        "owner IS NULL AND parent IS NULL",
        "bytes < 2",
        "parent != 'model:full@1.0.0' AND dirty IS NULL",
    ] {
        assert_eq!(found(&fixture, query).await, ["bare"], "{query}");
    }
    assert_eq!(found(&fixture, "parent.distill IS NOT NULL").await, [""; 0]);
    assert_eq!(
        found(&fixture, "ORDER BY bytes").await,
        ["bare", "tuned", "full"]
    );
    assert_eq!(
        found(&fixture, "ORDER BY expires, name DESC").await,
        ["full", "tuned", "bare"]
    );
}

#[tokio::test]
async fn what_is_found_is_counted_at_any_moment() {
    let fixture = shelf().await;
    for model in ["full", "bare"] {
        fixture.produce(model).await;
    }
    let count = async |query: &str| fixture.registry.count(query).await.unwrap();
    assert_eq!(count("").await, 3);
    assert_eq!(count("stage = 'production'").await, 2);
    assert_eq!(
        count("stage = 'production' AND owner IS NULL ORDER BY name").await,
        1
    );
    assert_eq!(count("name = 'nobody'").await, 0);
    let before = fixture.repo.view().await.unwrap().seq() - 1;
    assert_eq!(
        count(&format!("stage = 'production' AS OF {before}")).await,
        1
    );
    let view = fixture.repo.view().await.unwrap();
    assert_eq!(
        Query::parse("stage = 'staging'")
            .unwrap()
            .count(&view)
            .unwrap(),
        0
    );
    let moved = Query::parse("AS OF 1").unwrap().count(&view).unwrap_err();
    assert_eq!(moved.kind(), ErrorKind::Invalid);
}

#[test]
fn a_mistake_about_a_record_names_its_column() {
    for (query, column) in [
        ("owner > 'a'", 7),
        ("expires = 'tomorrow'", 11),
        ("parent.uncle = 'x'", 1),
        ("step = 'one'", 8),
        ("status = 'finished'", 1),
        ("ORDER BY parent", 10),
        ("ORDER BY digest.train", 10),
    ] {
        let error = Query::parse(query).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{query}");
        assert!(
            error.to_string().contains(&format!("column: {column}")),
            "{query}: {error}"
        );
    }
}
