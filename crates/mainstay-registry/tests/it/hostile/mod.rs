//! Registrations that ask for too much, or for what cannot be: each is refused by the right kind of error,
//! and leaves the workspace as it was.

use std::error::Error as _;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use mainstay_core::{ErrorKind, Result};
use mainstay_registry::ModelSpec;

use crate::fixture::Fixture;

mod files;
mod limits;
mod references;
mod reports;
mod signatures;

/// When a registration is refused: before its files are stored, or after.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cost {
    Nothing,
    Files,
}

/// Registers what is refused, and checks the error and that nothing came of it.
async fn refused(
    fixture: &Fixture,
    specs: Vec<ModelSpec>,
    kind: ErrorKind,
    says: &str,
    cost: Cost,
) {
    let attempt = async {
        match <[ModelSpec; 1]>::try_from(specs) {
            Ok([one]) => fixture.registry.register(one).await.map(drop),
            Err(several) => fixture.registry.register_many(several).await.map(drop),
        }
    };
    comes_to_nothing(fixture, attempt.boxed(), kind, says, cost).await;
}

/// Attempts what is refused.
async fn comes_to_nothing(
    fixture: &Fixture,
    attempt: BoxFuture<'_, Result<()>>,
    kind: ErrorKind,
    says: &str,
    cost: Cost,
) {
    let before = fixture.objects().await;
    let seq = fixture.repo.view().await.unwrap().seq();
    let error = attempt.await.unwrap_err();
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        told = format!("{told}: {source}");
        cause = source.source();
    }
    assert_eq!(error.kind(), kind, "{told}");
    assert!(told.contains(says), "{says}: {told}");
    assert!(told.len() < 2_000, "{told:.2000}");
    assert!(error.operation_name().is_some(), "{told}");

    assert_eq!(fixture.repo.view().await.unwrap().seq(), seq, "{told}");
    let after = fixture.objects().await;
    for (key, bytes) in &before {
        assert_eq!(after.get(key), Some(bytes), "{key}: {told}");
    }
    let new: Vec<&String> = after
        .keys()
        .filter(|key| !before.contains_key(*key))
        .collect();
    match cost {
        Cost::Nothing => assert_eq!(new, [""; 0], "{told}"),
        Cost::Files => {
            let is_blob = |key: &&String| key.starts_with("pack/") || key.starts_with("index/");
            assert!(new.iter().all(is_blob), "{new:?}: {told}");
        }
    }
}
