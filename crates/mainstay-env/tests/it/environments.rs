//! Environments in a repository.

use std::sync::Arc;

use mainstay_core::{Actor, ErrorKind, Locator, ManualClock, SeededIds, Timestamp};
use mainstay_env::{Capture, EnvManifest, Environments, Fact};
use mainstay_repo::{Expectation, Repo, RepoOptions, Transaction, Value};
use mainstay_store::MemoryStorage;

async fn repo() -> Repo {
    let options = RepoOptions::default()
        .with_clock(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)))
        .with_ids(Arc::new(SeededIds::new(1)));
    Repo::create(Arc::new(MemoryStorage::new()), options)
        .await
        .unwrap()
}

fn ada() -> Actor {
    Actor::new("ada").unwrap()
}

fn locator(text: &str) -> Locator {
    text.parse().unwrap()
}

fn manifests() -> (EnvManifest, EnvManifest) {
    let first = Capture::new().run();
    let mut second = first.clone();
    second.identity.kernel = Fact::Known("other".into());
    (first, second)
}

#[tokio::test]
async fn the_same_identity_is_recorded_once() {
    let environments = Environments::new(repo().await);
    let name = "training".parse().unwrap();
    let (first, second) = manifests();
    let mut elsewhere = first.clone();
    elsewhere.volatile.memory_bytes = Some(1);

    let one = environments
        .record(&name, &first, ada(), "a")
        .await
        .unwrap();
    let same = environments
        .record(&name, &elsewhere, ada(), "b")
        .await
        .unwrap();
    let two = environments
        .record(&name, &second, ada(), "c")
        .await
        .unwrap();
    let three = environments
        .record(&name, &first, ada(), "d")
        .await
        .unwrap();

    assert_eq!(
        (one.created, same.created, two.created, three.created),
        (true, false, true, true)
    );
    assert_eq!((&one.node, one.digest), (&same.node, same.digest));
    assert_eq!(three.node.to_string(), "env:training@3");
}

#[tokio::test]
async fn versions_are_found_by_number_identity_and_latest() {
    let repo = repo().await;
    let environments = Environments::new(repo.clone());
    let name = "training".parse().unwrap();
    let (first, second) = manifests();
    environments
        .record(&name, &first, ada(), "a")
        .await
        .unwrap();
    environments
        .record(&name, &second, ada(), "b")
        .await
        .unwrap();

    let digest = first.digest().unwrap();
    for text in ["training@1".to_owned(), format!("env:training@{digest}")] {
        let found = environments.get(&locator(&text)).await.unwrap();
        assert_eq!(
            (found.node.version().as_str(), &found.manifest),
            ("1", &first)
        );
    }
    let view = repo.view().await.unwrap();
    let latest = Environments::find(&view, &locator("training")).unwrap();
    assert_eq!(
        (latest.digest, latest.manifest),
        (second.digest().unwrap(), second)
    );
    let listed = Environments::list(&view).unwrap();
    assert_eq!((listed.len(), listed[0].versions), (1, 2));

    for (text, kind) in [
        ("training@9", ErrorKind::NotFound),
        ("nothing", ErrorKind::NotFound),
        ("model:training", ErrorKind::Invalid),
        (
            &format!("training@sha256:{}", "0".repeat(64)),
            ErrorKind::NotFound,
        ),
    ] {
        assert_eq!(
            Environments::resolve(&view, &locator(text))
                .unwrap_err()
                .kind(),
            kind,
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_record_that_is_newer_or_tampered_with_is_refused() {
    let repo = repo().await;
    let manifest = Capture::new().run();
    let digest = manifest.digest().unwrap();
    let other = Fact::<String>::Absent;
    let record =
        |format: u64| serde_json::json!({"format": format, "digest": digest, "manifest": manifest});
    let mut tampered = record(1);
    tampered["manifest"]["identity"]["kernel"] = serde_json::json!(other);
    let mut extended = record(1);
    extended["more"] = true.into();
    for (version, record, kind) in [
        ("1", record(2), ErrorKind::Incompatible),
        ("2", record(0), ErrorKind::Corrupt),
        ("3", tampered, ErrorKind::Corrupt),
        ("4", extended, ErrorKind::Corrupt),
    ] {
        let mut transaction = Transaction::new(ada(), "damage");
        let path = format!("env/x/version/{version}").parse().unwrap();
        transaction.set(
            path,
            Value::new("env.manifest", &record).unwrap(),
            Expectation::Any,
        );
        assert!(matches!(
            repo.commit(transaction).await.unwrap(),
            mainstay_repo::CommitOutcome::Committed(_)
        ));
        let view = repo.view().await.unwrap();
        let error = Environments::find(&view, &locator(&format!("x@{version}"))).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}
