//! Reading versions again and again, while others change what stands beside them.

use std::sync::Arc;

use mainstay_core::ErrorKind;
use mainstay_registry::eval::{EvalSpec, Evaluations};
use mainstay_registry::search::Page;
use mainstay_registry::{AnnotateSpec, ModelInfo, PromoteSpec, show};
use mainstay_repo::{Repo, RepoOptions, View};
use mainstay_store::fault::FaultStorage;
use mainstay_store::{MemoryStorage, NoWait};
use proptest::prelude::*;

use crate::fixture::{Fixture, ada, locator, name, spec};

async fn read(view: &View, model: &str) -> mainstay_core::Result<Arc<ModelInfo>> {
    view.read(|view| show(view, &locator(model))).await
}

#[tokio::test]
async fn a_version_that_was_read_is_not_read_again() {
    let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let options = || RepoOptions::default().with_timer(Arc::new(NoWait::default()));
    let repo = Repo::create(Arc::clone(&storage) as _, options())
        .await
        .unwrap();
    let registry = mainstay_registry::Registry::new(repo);
    for weights in ["one", "two"] {
        registry.register(spec("m", weights)).await.unwrap();
    }

    let repo = Repo::open(Arc::clone(&storage) as _, options())
        .await
        .unwrap();
    let view = repo.view().await.unwrap();
    let first = read(&view, "m@1.0.0").await.unwrap();
    let before = storage.operations();
    // However it is named, it is the same: nothing is loaded, hashed or decoded.
    for model in ["m@1.0.0", "model:m@1.0.0", "m@1.0"] {
        assert!(
            Arc::ptr_eq(&first, &read(&view, model).await.unwrap()),
            "{model}"
        );
    }
    assert_eq!(storage.operations(), before);

    // Neither after what does not concern it.
    registry.register(spec("m", "three")).await.unwrap();
    registry.register(spec("other", "four")).await.unwrap();
    let later = repo.view().await.unwrap();
    assert!(Arc::ptr_eq(&first, &read(&later, "m@1.0.0").await.unwrap()));
}

#[tokio::test]
async fn a_version_that_was_read_is_gone_when_it_is_deleted_and_stays_in_the_past() {
    let fixture = Fixture::new().await;
    fixture.weights("m", "one").await;
    fixture.weights("m", "two").await;
    let before = fixture.repo.view().await.unwrap();
    let read_before = read(&before, "m@1.0.0").await.unwrap();
    let gone = locator("m@1.0.0");
    let deleted = fixture.registry.delete(&gone, ada(), "test");
    deleted.await.unwrap();
    let after = fixture.repo.view().await.unwrap();
    let error = read(&after, "m@1.0.0").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(read(&before, "m@1.0.0").await.unwrap(), read_before);
    assert!(read(&after, "m@1.1.0").await.is_ok());
}

#[tokio::test]
async fn a_page_reads_nothing_of_the_store_that_the_page_before_has_read() {
    let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let options = RepoOptions::default().with_timer(Arc::new(NoWait::default()));
    let repo = Repo::create(Arc::clone(&storage) as _, options)
        .await
        .unwrap();
    let registry = mainstay_registry::Registry::new(repo);
    for weights in ["one", "two", "three"] {
        registry.register(spec("m", weights)).await.unwrap();
    }
    let query = "stage = 'development' ORDER BY version";
    let mut page = Page::default().with_limit(1);
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        let before = storage.operations();
        let found = registry.search(query, &page).await.unwrap();
        assert_eq!(found.results[0].version.to_string(), version);
        if page.after.is_some() {
            assert_eq!(storage.operations(), before);
        }
        if let Some(next) = found.next {
            page = page.with_after(next);
        }
        let spec = PromoteSpec::new(
            locator(&format!("m@{version}")),
            name("staging"),
            ada(),
            "test",
        );
        registry.promote(spec).await.unwrap();
    }
}

/// Something that is done to a version, or to what its model is called.
#[derive(Debug, Clone)]
enum Deed {
    Promote(usize, &'static str),
    Alias(usize),
    Tag(usize, u8),
    Report(usize, u8),
    Delete(usize),
    Rename(&'static str),
    Register,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let version = || 0_usize..3;
    let deed = prop_oneof![
        3 => (version(), prop::sample::select(vec!["staging", "production", "archived"]))
            .prop_map(|(version, to)| Deed::Promote(version, to)),
        2 => version().prop_map(Deed::Alias),
        2 => (version(), any::<u8>()).prop_map(|(version, tag)| Deed::Tag(version, tag)),
        1 => (version(), any::<u8>()).prop_map(|(version, value)| Deed::Report(version, value)),
        1 => version().prop_map(Deed::Delete),
        1 => prop::sample::select(vec!["m", "n"]).prop_map(Deed::Rename),
        1 => Just(Deed::Register),
    ];
    prop::collection::vec(deed, 1..16)
}

const VERSIONS: [&str; 3] = ["m@1.0.0", "m@1.1.0", "m@1.2.0"];

/// Does it; what cannot be done is left.
async fn did(fixture: &Fixture, deed: Deed, at: usize) {
    let registry = &fixture.registry;
    match deed {
        Deed::Promote(version, to) => {
            let spec = PromoteSpec::new(locator(VERSIONS[version]), name(to), ada(), "test");
            drop(registry.promote(spec.with_metric("x", 1.0)).await);
        }
        Deed::Alias(version) => {
            let model = locator(VERSIONS[version]);
            let spec = mainstay_registry::AliasSpec::new(model, name("best"), ada(), "test");
            drop(registry.set_alias(spec).await);
        }
        Deed::Tag(version, tag) => {
            let spec = AnnotateSpec::new(locator(VERSIONS[version]), ada(), "test");
            drop(registry.annotate(spec.with_tag("t", tag.to_string())).await);
        }
        Deed::Report(version, value) => {
            if let Ok(subject) = registry.resolve(&locator(VERSIONS[version])).await {
                let spec = EvalSpec::new(name("holdout"), subject, ada(), "test");
                let reports = Evaluations::new(fixture.repo.clone());
                drop(
                    reports
                        .report(spec.with_metric("x", f64::from(value)))
                        .await,
                );
            }
        }
        Deed::Delete(version) => {
            drop(
                registry
                    .delete(&locator(VERSIONS[version]), ada(), "test")
                    .await,
            );
        }
        Deed::Rename(to) => drop(registry.rename(&name("m"), &name(to), ada(), "test").await),
        Deed::Register => drop(registry.register(spec("m", &format!("more {at}"))).await),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MAINSTAY_LONG").is_some() { 500 } else { 16 }))]

    #[test]
    fn what_is_read_again_is_what_is_read_for_the_first_time(deeds in deeds()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            for version in VERSIONS {
                fixture.weights("m", version).await;
            }
            let mut past = Vec::new();
            for (at, deed) in deeds.into_iter().enumerate() {
                did(&fixture, deed.clone(), at).await;
                let view = fixture.repo.view().await.unwrap();
                let afresh = fixture.reopened().await.view().await.unwrap();
                for version in VERSIONS {
                    let (again, first) = (read(&view, version).await, read(&afresh, version).await);
                    assert_eq!(again.ok(), first.ok(), "{deed:?} {version}");
                }
                past.push((view, afresh));
                let (view, afresh) = &past[at / 2];
                let (again, first) = (read(view, VERSIONS[0]).await, read(afresh, VERSIONS[0]).await);
                assert_eq!(again.ok(), first.ok(), "as of before");
            }
        });
    }
}
