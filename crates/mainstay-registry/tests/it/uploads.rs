//! Versions whose files come in several calls.

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::ErrorKind;
use mainstay_registry::{FileSpec, ModelSpec, Registry, UploadSpec, uploads};
use mainstay_repo::{CollectOptions, Repo, RepoOptions};
use mainstay_store::fault::{Applied, FaultStorage};
use mainstay_store::{MemoryStorage, NoWait, Storage};

use crate::fixture::{Fixture, ada, check_golden_ref, file, locator, name};

fn begin(now: mainstay_core::Timestamp) -> UploadSpec {
    let expires = now.saturating_add(Duration::from_hours(1));
    UploadSpec::new(name("large"), name("job-7"), expires, ada(), "begin")
}

fn spec() -> ModelSpec {
    ModelSpec::new(name("large"), ada(), "finalize").with_upload(name("job-7"))
}

async fn upload(registry: &Registry, files: &[FileSpec]) -> mainstay_core::Result<usize> {
    let (model, id) = (name("large"), name("job-7"));
    let upload = registry.upload(&model, &id, files, ada(), "upload").await?;
    Ok(upload.files.len())
}

#[tokio::test]
async fn nobody_sees_a_version_before_it_is_whole() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    registry.begin_upload(begin(fixture.now())).await.unwrap();
    let again = registry
        .begin_upload(begin(fixture.now()))
        .await
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert_eq!(
        upload(registry, &[file("a.bin", "1"), file("b.bin", "2")])
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        upload(registry, &[file("b.bin", "3"), file("c.bin", "4")])
            .await
            .unwrap(),
        3
    );
    let file_of_upload = "model-version/v2/upload.json";
    check_golden_ref(&fixture, "model/large/upload/job-7", file_of_upload).await;
    let clash = upload(registry, &[file("a.bin/x", "5")]).await.unwrap_err();
    assert_eq!(clash.kind(), ErrorKind::Invalid);
    assert_eq!(registry.list().await.unwrap(), []);
    assert!(registry.resolve(&locator("large")).await.is_err());

    let own = spec().with_file(file("README.md", "read me"));
    let registered = registry.register(own).await.unwrap();
    assert_eq!(registered.version.to_string(), "1.0.0");
    let info = registry.show(&locator("large")).await.unwrap();
    let files: Vec<_> = info
        .record
        .artifact
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(files, ["README.md", "a.bin", "b.bin", "c.bin"]);
    let view = fixture.repo.view().await.unwrap();
    assert_eq!(uploads(&view).unwrap(), []);
    let again = registry.register(spec()).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_upload_is_aborted_or_swept_and_leaves_what_can_be_collected() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    for sweep in [false, true] {
        registry.begin_upload(begin(fixture.now())).await.unwrap();
        upload(registry, &[file("a.bin", "bytes")]).await.unwrap();
        let digest = mainstay_core::Digest::of(b"bytes");
        let options = CollectOptions::default();
        let explain = || fixture.repo.explain_blob(&digest, &options);
        assert!(!explain().await.unwrap().refs.is_empty());
        if sweep {
            let swept = registry
                .sweep_uploads(fixture.now(), ada(), "sweep")
                .await
                .unwrap();
            assert_eq!(swept, []);
            fixture.clock.advance(Duration::from_hours(1));
            let swept = registry
                .sweep_uploads(fixture.now(), ada(), "sweep")
                .await
                .unwrap();
            assert_eq!(swept.len(), 1);
        } else {
            let (model, id) = (name("large"), name("job-7"));
            assert!(
                registry
                    .abort_upload(&model, &id, ada(), "abort")
                    .await
                    .unwrap()
                    .is_some()
            );
            assert_eq!(
                registry
                    .abort_upload(&model, &id, ada(), "abort")
                    .await
                    .unwrap(),
                None
            );
        }
        assert!(explain().await.unwrap().refs.is_empty());
        let error = upload(registry, &[file("a.bin", "bytes")])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

/// Does what is left to do, from whatever a crash left.
async fn work(storage: Arc<dyn Storage>) -> mainstay_core::Result<()> {
    let options = RepoOptions::default().with_timer(Arc::new(NoWait::default()));
    let repo = Repo::create(storage, options).await?;
    let registry = Registry::new(repo.clone());
    if registry.resolve(&locator("large@1.0.0")).await.is_ok() {
        return Ok(());
    }
    let now = mainstay_core::Timestamp::UNIX_EPOCH;
    match registry.begin_upload(begin(now)).await {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    upload(&registry, &[file("a.bin", "1"), file("b.bin", "2")]).await?;
    upload(&registry, &[file("c.bin", "3")]).await?;
    registry.register(spec()).await.map(drop)
}

#[tokio::test]
async fn a_crash_at_any_operation_leaves_no_half_version_and_the_upload_goes_on() {
    let whole = Arc::new(FaultStorage::new(MemoryStorage::new()));
    work(Arc::<FaultStorage<_>>::clone(&whole) as _)
        .await
        .unwrap();
    for operation in 0..whole.operations() {
        for applied in [Applied::Yes, Applied::No] {
            let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
            storage.crash_at(operation, applied);
            drop(work(Arc::<FaultStorage<_>>::clone(&storage) as _).await);
            storage.revive();
            let shared: Arc<dyn Storage> = Arc::<FaultStorage<_>>::clone(&storage) as _;
            for _ in 0..2 {
                if let Ok(repo) = Repo::open(Arc::clone(&shared), RepoOptions::default()).await {
                    let registry = Registry::new(repo.clone());
                    if let Ok(info) = registry.show(&locator("large")).await {
                        assert_eq!(info.record.artifact.files.len(), 3, "at {operation}");
                        for file in &info.record.artifact.files {
                            assert!(repo.blob(&file.digest).await.unwrap().is_some());
                        }
                    }
                }
                work(Arc::clone(&shared)).await.unwrap();
            }
        }
    }
}
