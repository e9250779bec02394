//! Each verb once, on memory.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_repo::{Expectation, Repo, Step};
use mainstay_store::{MemoryStorage, Storage};

use crate::support::{committed, conflict, held, note, options, path, repo, set, transaction};

#[tokio::test]
async fn a_commit_is_seen_by_every_handle() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let (a, b) = (repo(&storage, 1).await, repo(&storage, 2).await);
    let first = committed(
        a.commit(set("note/x", "one", Expectation::Absent))
            .await
            .unwrap(),
    );
    assert_eq!(first.seq, 1);
    let lost = conflict(
        b.commit(set("note/x", "two", Expectation::Absent))
            .await
            .unwrap(),
    );
    assert_eq!(lost.current.unwrap().generation, 1);
    let (done, ()) = b
        .transact(|view| {
            assert_eq!(view.seq(), 1);
            Ok(Step::Commit(
                set("note/x", "two", Expectation::Generation(1)),
                (),
            ))
        })
        .await
        .unwrap();
    assert_eq!(done.unwrap().seq, 2);
    let view = a.view().await.unwrap();
    assert_eq!(
        held(&view, "note/x").await.unwrap().value,
        Some(note("two"))
    );
    let history: Vec<_> = a.history(&path("note/x")).try_collect().await.unwrap();
    assert_eq!(history.iter().map(|c| c.seq).collect::<Vec<_>>(), [2, 1]);
    let feed: Vec<_> = a.entries(0).try_collect().await.unwrap();
    let mut back: Vec<_> = b.entries_back().try_collect().await.unwrap();
    back.reverse();
    assert_eq!(feed, back);
    assert_eq!(a.entry(2).await.unwrap(), feed[1..2]);
    for beyond in [0, 3] {
        let error = a.entry(beyond).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{beyond}");
    }
    assert_eq!(
        held(&a.view_at(1).await.unwrap(), "note/x")
            .await
            .unwrap()
            .value,
        Some(note("one"))
    );
}

#[tokio::test]
async fn opening_nothing_says_how_to_create() {
    let error = Repo::open(Arc::new(MemoryStorage::new()), options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("init"), "{error}");
}

#[tokio::test]
async fn a_transaction_that_changes_nothing_is_invalid() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = repo(&storage, 1).await;
    let error = repo.commit(transaction()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// Every operation may be spawned.
#[tokio::test]
async fn futures_and_streams_are_send() {
    fn send<T: Send>(_: T) {}
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = repo(&storage, 1).await;
    send(Repo::create(Arc::clone(&storage), options(1)));
    send(Repo::open(Arc::clone(&storage), options(1)));
    send(repo.view());
    send(repo.view_at(1));
    send(repo.view_as_of(crate::support::start()));
    send(repo.commit(transaction()));
    send(repo.transact(|_| Ok(Step::Done(()))));
    send(repo.history(&path("a/b")));
    send(repo.entries(0));
    send(repo.entry(1));
    send(repo.entries_back());
    send(repo.verify(mainstay_repo::VerifyLevel::Quick));
    send(repo.stats());
}
