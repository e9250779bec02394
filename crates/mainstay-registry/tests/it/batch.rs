//! Versions registered together.

use std::sync::Arc;

use mainstay_core::ErrorKind;
use mainstay_registry::{ModelSpec, Registry, Reproduced};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};

use crate::fixture::{Fixture, name, spec};

fn specs(models: &[&str], count: usize) -> Vec<ModelSpec> {
    let specs = (0..count).map(|at| {
        let model = models[at % models.len()];
        spec(model, &format!("weights {at}")).with_parameter("step", at / 7)
    });
    specs.collect()
}

#[tokio::test]
async fn a_batch_is_what_one_by_one_would_be_in_one_log_entry() {
    let together = Fixture::new().await;
    let apart = Fixture::new().await;
    for fixture in [&together, &apart] {
        fixture.weights("fraud", "before").await;
    }
    let before = together.repo.view().await.unwrap().seq();
    let specs = specs(&["fraud", "churn"], 40);
    let batch = together
        .registry
        .register_many(specs.clone())
        .await
        .unwrap();
    assert_eq!(together.repo.view().await.unwrap().seq(), before + 1);
    assert!(batch.iter().all(|registered| registered.seq == before + 1));
    for (spec, together) in specs.into_iter().zip(&batch) {
        let mut apart = apart.register(spec).await;
        apart.seq = together.seq;
        assert_eq!(&apart, together);
    }
}

#[tokio::test]
async fn one_that_is_refused_refuses_all() {
    let fixture = Fixture::new().await;
    let mut refused = specs(&["fraud"], 3);
    refused.push(spec("fraud", "weights 2").with_parameter("step", 0));
    let error = fixture.registry.register_many(refused).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let mut other = specs(&["fraud"], 2);
    other[1].reason = "another".into();
    let error = fixture.registry.register_many(other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(fixture.repo.view().await.unwrap().seq(), 0);
    assert_eq!(
        fixture.registry.register_many(Vec::new()).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn repeated_inputs_are_found_within_the_batch_and_before_it() {
    let fixture = Fixture::new().await;
    let made = |weights: &str, tag: &str| {
        spec("fraud", weights)
            .with_code(name("training"), name("9f31c2a"))
            .with_file(crate::fixture::file("README.md", tag))
    };
    let code = |weights: &str| spec("fraud", weights).with_code(name("training"), name("9f31c2a"));
    let first = fixture.register(code("one")).await;
    let batch = vec![code("two"), made("three", "a")];
    let batch = fixture.registry.register_many(batch).await.unwrap();
    for registered in &batch {
        let of = first.version.clone();
        assert_eq!(
            registered.reproduced,
            Reproduced::Differs { of, tensors: None }
        );
    }
}

#[tokio::test]
async fn a_batch_costs_hardly_more_requests_than_one_version() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let repo = Repo::create(
        Arc::<MeterStorage<_>>::clone(&storage) as _,
        RepoOptions::default(),
    );
    let registry = Registry::new(repo.await.unwrap());
    let mut requests = Vec::new();
    for (at, count) in [(0, 1), (1, 1), (2, 200)] {
        let batch = specs(&["fraud"], 200).into_iter().take(count);
        let batch = batch.map(|spec| spec.with_parameter("batch", at)).collect();
        let before = storage.reading().requests();
        registry.register_many(batch).await.unwrap();
        requests.push(storage.reading().requests() - before);
    }
    assert!(requests[2] <= 2 * requests[1], "{requests:?}");
}
