//! What searches keep in memory of each version.
//!
//! A binary of its own, since its allocator counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use mainstay_core::{Actor, ManualClock, SeededIds, Timestamp};
use mainstay_registry::{FileSpec, ModelSpec, Registry};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::MemoryStorage;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const VERSIONS: usize = 2_000;

/// A version as people register them: six metrics, four parameters, three tags, a description of its own.
fn version(number: usize) -> ModelSpec {
    let path = "model.bin".parse().unwrap();
    let file = FileSpec::from_bytes(path, format!("weights {number}"));
    let actor = Actor::new("ada").unwrap();
    let mut spec = ModelSpec::new("fraud".parse().unwrap(), actor, "train")
        .with_file(file)
        .with_owner("risk")
        .with_tag("team", "risk")
        .with_tag("region", ["eu", "us", "asia"][number % 3])
        .with_tag("ticket", format!("RISK-{number}"))
        .with_parameter("depth", number % 9)
        .with_parameter("rate", 0.1)
        .with_parameter("solver", "lbfgs")
        .with_parameter("trees", number % 500)
        .with_seed("numpy", number as u64)
        .with_description(format!(
            "the nightly training number {number}, on all payments"
        ));
    for metric in ["auc", "accuracy", "f1", "loss", "recall", "latency_ms"] {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let value = number as f64 / 7.0;
        spec = spec.with_metric(metric, value);
    }
    spec
}

/// All in one test: others would take memory meanwhile.
#[tokio::test]
async fn what_a_search_keeps_of_a_version_is_no_more_than_it_says() {
    let options = RepoOptions::default()
        .with_ids(Arc::new(SeededIds::new(7)))
        .with_clock(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
    let repo = Repo::create(Arc::new(MemoryStorage::new()), options);
    let registry = Registry::new(repo.await.unwrap());
    for batch in 0..VERSIONS / 100 {
        let specs = (0..100).map(|number| version(100 * batch + number));
        registry.register_many(specs.collect()).await.unwrap();
    }
    let kept = async |query: &str| {
        let before = MEMORY.allocated();
        let found = registry.count(query).await.unwrap();
        assert_eq!(found, VERSIONS as u64, "{query}");
        (MEMORY.allocated() - before) / VERSIONS
    };
    // Loads the state, which is no index.
    registry.count("file IS NOT NULL").await.unwrap();
    let metrics = kept("metrics.auc >= 0").await;
    let records = kept("description CONTAINS 'nightly'").await;
    // As the documentation says: of stage, aliases and metrics, and of all that the records say.
    assert!((64..=512).contains(&metrics), "{metrics} bytes");
    assert!((512..=1_536).contains(&records), "{records} bytes");
}
