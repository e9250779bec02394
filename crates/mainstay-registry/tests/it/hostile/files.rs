//! Files that are not there, clash, or are not what they were.

use std::time::Duration;

use bytes::Bytes;
use mainstay_core::{Digest, ErrorKind};
use mainstay_registry::{FileSpec, Registry};
use mainstay_repo::CollectOptions;

use super::{Cost, refused};
use crate::fixture::{Fixture, ada, file, locator, spec};

#[tokio::test]
async fn files_that_are_missing_clash_or_are_none_are_refused() {
    let fixture = Fixture::new().await;
    let directory = tempfile::tempdir().unwrap();
    let disk =
        |path: &str| FileSpec::from_disk("b.bin".parse().unwrap(), directory.path().join(path));
    let base = || spec("x", "weights");
    let mut empty = base();
    empty.files.clear();
    let invalid = ErrorKind::Invalid;
    for (spec, says) in [
        (empty, "at least one file"),
        (
            base().with_file(file("model.bin", "twice")),
            "two files have one path",
        ),
        (
            base().with_file(file("MODEL.bin", "on some disks")),
            "differ in case only",
        ),
        (
            base().with_file(file("model.bin/below", "a file")),
            "lies below another",
        ),
        (
            base().with_file(file("b", "b").with_media_type("none")),
            "media type",
        ),
        (
            base().with_file(file("b", "b").with_media_type("a/b/c")),
            "media type",
        ),
        (
            base().with_file(file("b", "b").with_media_type("text/\u{1b}")),
            "media type",
        ),
        (
            base().with_file(file("b", "b").with_media_type("a/".repeat(200))),
            "media type",
        ),
    ] {
        refused(&fixture, vec![spec], invalid, says, Cost::Nothing).await;
    }
    let gone = base().with_file(disk("gone"));
    refused(
        &fixture,
        vec![gone],
        ErrorKind::NotFound,
        "gone",
        Cost::Files,
    )
    .await;
    // One bad version takes the good ones of its batch with it.
    let batch = vec![spec("y", "good"), base().with_file(disk("gone"))];
    refused(&fixture, batch, ErrorKind::NotFound, "gone", Cost::Files).await;
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let before = fixture.repo.view().await.unwrap().seq();
    let error = fixture
        .registry
        .register(base().with_file(disk("sub")))
        .await
        .unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(fixture.repo.view().await.unwrap().seq(), before);
}

#[tokio::test]
async fn what_a_refused_registration_stored_is_collected() {
    let fixture = Fixture::new().await;
    fixture.weights("kept", "kept weights").await;
    // More than is kept inside of a manifest.
    let bytes = "refused ".repeat(10_000);
    let mut wordy = spec("x", &bytes);
    wordy.reason = "why ".repeat(2_000);
    refused(
        &fixture,
        vec![wordy],
        ErrorKind::Invalid,
        "reason",
        Cost::Files,
    )
    .await;
    let digest = Digest::of(bytes.as_bytes());
    assert!(fixture.repo.blob(&digest).await.unwrap().is_some());
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(Duration::from_hours(1));
    for _ in 0..4 {
        let plan = fixture.repo.plan_collection(&options).await.unwrap();
        fixture
            .repo
            .apply_collection(&plan, ada(), "collect")
            .await
            .unwrap();
        fixture.clock.advance(Duration::from_hours(2));
    }
    let reopened = fixture.reopened().await;
    assert!(reopened.blob(&digest).await.unwrap().is_none());
    let target = tempfile::tempdir().unwrap();
    let view = reopened.view().await.unwrap();
    let pulled = Registry::new(reopened)
        .pull(&view, &locator("kept"), target.path())
        .await;
    assert_eq!(pulled.unwrap().bytes, 12);
}

#[tokio::test]
async fn bytes_that_were_altered_or_lost_since_are_never_handed_out() {
    let bytes = "weights ".repeat(10_000);
    for lost in [false, true] {
        let fixture = Fixture::new().await;
        fixture.weights("fraud", &bytes).await;
        for (key, object) in fixture.objects().await {
            if key.starts_with("pack/") {
                let mut altered = object.to_vec();
                let middle = altered.len() / 2;
                altered[middle] ^= 1;
                fixture
                    .damage(&key, (!lost).then(|| Bytes::from(altered)))
                    .await;
            }
        }
        let repo = fixture.reopened().await;
        let (view, registry) = (repo.view().await.unwrap(), Registry::new(repo));
        // What is known of the version is in the log, and still there.
        let info = registry.show(&locator("fraud")).await.unwrap();
        assert_eq!(info.record.artifact.bytes(), bytes.len() as u64);
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("pulled");
        let error = registry
            .pull(&view, &locator("fraud"), &target)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
