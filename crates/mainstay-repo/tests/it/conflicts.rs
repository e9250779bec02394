//! Commits that race: who rebases, who conflicts, who is asked to build again.

use std::sync::Arc;

use mainstay_core::{Digest, ErrorKind, canon};
use mainstay_repo::{CommitOutcome, Expectation, Repo, Step, Value};
use mainstay_store::{MemoryStorage, Storage};

use crate::support::{
    committed, conflict, count, held, note, options, path, repo, set, states, transaction,
};

async fn two() -> (Repo, Repo) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    (repo(&storage, 1).await, repo(&storage, 2).await)
}

/// Commits, as another process does, within a closure that cannot wait.
fn at_once(commit: impl Future<Output = mainstay_core::Result<CommitOutcome>> + Send) {
    let process = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.build().unwrap().block_on(commit).unwrap()
    };
    committed(std::thread::scope(|scope| {
        scope.spawn(process).join().unwrap()
    }));
}

#[tokio::test]
async fn disjoint_commits_rebase() {
    let (a, b) = two().await;
    committed(
        a.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    // `b` has not seen it and still commits at its first call.
    let second = committed(
        b.commit(set("note/b", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    assert_eq!(second.seq, 2);
    assert_eq!(count(&b.cached_view(), "note").await, 2);
}

#[tokio::test]
async fn a_commit_that_expects_nothing_wins_in_any_case() {
    let (a, b) = two().await;
    committed(a.commit(set("note/a", 1, Expectation::Any)).await.unwrap());
    committed(b.commit(set("note/a", 2, Expectation::Any)).await.unwrap());
    let state = held(&a.view().await.unwrap(), "note/a").await.unwrap();
    assert_eq!((state.generation, state.value), (2, Some(note(2))));
}

#[tokio::test]
async fn a_stale_expectation_conflicts_with_what_is_there_now() {
    let (a, b) = two().await;
    committed(
        a.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    committed(
        b.commit(set("note/a", 2, Expectation::Generation(1)))
            .await
            .unwrap(),
    );
    let lost = conflict(
        a.commit(set("note/a", 3, Expectation::Generation(1)))
            .await
            .unwrap(),
    );
    assert_eq!(
        (lost.path, lost.expected),
        (path("note/a"), Expectation::Generation(1))
    );
    assert_eq!(lost.current.unwrap().value, Some(note(2)));
}

#[tokio::test]
async fn an_expectation_only_a_newer_view_meets_is_no_conflict() {
    let (a, b) = two().await;
    committed(
        a.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    let wanted = Expectation::Record(canon::digest("1").unwrap());
    committed(b.commit(set("note/a", 2, wanted)).await.unwrap());
    let lost = conflict(a.commit(set("note/a", 3, wanted)).await.unwrap());
    assert_eq!(lost.expected, wanted);
}

#[tokio::test]
async fn a_conflict_on_a_stale_view_takes_no_attempt() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let b = repo(&storage, 2).await;
    let once = options(1).with_max_commit_attempts(1);
    let a = Repo::open(Arc::clone(&storage), once).await.unwrap();
    let [first, second] = [Expectation::Absent, Expectation::Generation(1)];
    committed(b.commit(set("note/a", 1, first)).await.unwrap());
    committed(a.commit(set("note/a", 2, second)).await.unwrap());
}

#[tokio::test]
async fn a_check_makes_a_commit_depend_on_a_ref_it_does_not_change() {
    let (a, b) = two().await;
    committed(
        a.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    let mut dependent = set("note/b", 1, Expectation::Any);
    dependent.check(path("note/a"), Expectation::Generation(1));
    committed(a.commit(dependent.clone()).await.unwrap());
    committed(b.commit(set("note/a", 2, Expectation::Any)).await.unwrap());
    let lost = conflict(a.commit(dependent).await.unwrap());
    assert_eq!(lost.path, path("note/a"));
    let state = held(&a.view().await.unwrap(), "note/a").await.unwrap();
    assert_eq!(state.generation, 2, "a check is no change");
}

#[tokio::test]
async fn all_changes_of_a_transaction_take_effect_or_none() {
    let (a, _) = two().await;
    committed(
        a.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    let mut both = set("note/b", 1, Expectation::Absent);
    both.set(path("note/a"), note(2), Expectation::Absent);
    conflict(a.commit(both).await.unwrap());
    let view = a.view().await.unwrap();
    assert_eq!((view.seq(), held(&view, "note/b").await), (1, None));
}

#[tokio::test]
async fn a_deleted_ref_is_absent_and_keeps_its_generation() {
    let (a, _) = two().await;
    committed(
        a.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    let mut delete = transaction();
    delete.delete(path("note/a"), Expectation::Generation(1));
    committed(a.commit(delete).await.unwrap());
    let view = a.view().await.unwrap();
    assert_eq!(held(&view, "note/a").await, None);
    assert_eq!(states(&view).await.unwrap()[&path("note/a")].generation, 2);
    let gone = conflict(
        a.commit(set("note/a", 2, Expectation::Generation(2)))
            .await
            .unwrap(),
    );
    assert_eq!(gone.current.unwrap().value, None);
    committed(
        a.commit(set("note/a", 2, Expectation::Absent))
            .await
            .unwrap(),
    );
    assert_eq!(
        held(&a.cached_view(), "note/a").await.unwrap().generation,
        3
    );
}

#[tokio::test]
async fn transact_builds_again_on_what_came_first() {
    let (a, b) = two().await;
    let mut seen = Vec::new();
    let (committed, ()) = a
        .transact(|view| {
            seen.push(view.seq());
            if seen.len() == 1 {
                // Another process commits to another ref between the view and the commit.
                at_once(b.commit(set("note/b", 1, Expectation::Any)));
            }
            Ok(Step::Commit(
                set("note/a", view.seq(), Expectation::Absent),
                (),
            ))
        })
        .await
        .unwrap();
    assert_eq!((seen, committed.unwrap().seq), (vec![0, 1], 2));
    assert_eq!(
        held(&a.cached_view(), "note/a").await.unwrap().value,
        Some(note(1))
    );
}

#[tokio::test]
async fn transact_gives_up_after_its_attempts() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let b = repo(&storage, 2).await;
    let a = Repo::open(Arc::clone(&storage), options(1).with_max_commit_attempts(3))
        .await
        .unwrap();
    let mut built = 0;
    let result = a.transact(|_| {
        built += 1;
        at_once(b.commit(set("note/b", built, Expectation::Any)));
        Ok(Step::Commit(set("note/a", 1, Expectation::Any), ()))
    });
    let error = result.await.unwrap_err();
    assert_eq!((error.kind(), built), (ErrorKind::Conflict, 3));
}

#[tokio::test]
async fn transact_tells_a_closure_that_contradicts_its_own_view() {
    let (a, b) = two().await;
    committed(
        b.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    let result = a.transact(|_| Ok(Step::Commit(set("note/a", 2, Expectation::Absent), ())));
    let error = result.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let text = error.to_string();
    for part in ["note/a", "no value", "generation 1"] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn transact_that_is_done_commits_nothing() {
    let (a, _) = two().await;
    let (committed, answer) = a.transact(|view| Ok(Step::Done(view.seq()))).await.unwrap();
    assert_eq!((committed, answer), (None, 0));
    let failed = a
        .transact::<()>(|_| Err(mainstay_core::Error::invalid("no")))
        .await
        .unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Invalid);
    assert_eq!(a.view().await.unwrap().seq(), 0);
}

#[tokio::test]
async fn a_blob_that_is_not_stored_cannot_be_named() {
    let (a, _) = two().await;
    let missing = Digest::of(b"never ingested");
    let with_blob = |text: &str, digest| Value::new("note", &text).unwrap().with_blobs([digest]);
    let mut names_it = transaction();
    names_it.set(path("note/a"), with_blob("x", missing), Expectation::Any);
    let error = a.commit(names_it).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(&missing.to_string()), "{error}");

    let mut ingest = a.ingest();
    let stored = ingest.bytes("content".into()).await.unwrap();
    ingest.finish().await.unwrap();
    for text in ["x", "y"] {
        let mut names_it = transaction();
        names_it.set(
            path("note/a"),
            with_blob(text, stored.digest),
            Expectation::Any,
        );
        committed(a.commit(names_it).await.unwrap());
    }
}

#[tokio::test]
async fn a_record_that_could_not_be_read_back_is_refused() {
    let (a, _) = two().await;
    let mut deep = serde_json::json!(1);
    for _ in 0..126 {
        deep = serde_json::json!([deep]);
    }
    let value = Value {
        record: deep,
        ..note("x")
    };
    let mut transaction = transaction();
    transaction.set(path("note/a"), value, Expectation::Any);
    let error = a.commit(transaction).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(a.view().await.unwrap().seq(), 0);
}

#[tokio::test]
async fn time_never_runs_backwards() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let late = Arc::new(mainstay_core::ManualClock::new(
        "2030-01-01T00:00:00Z".parse().unwrap(),
    ));
    let a = Repo::create(Arc::clone(&storage), options(1).with_clock(late))
        .await
        .unwrap();
    let b = repo(&storage, 2).await;
    let first = committed(a.commit(set("note/a", 1, Expectation::Any)).await.unwrap());
    let second = committed(b.commit(set("note/a", 2, Expectation::Any)).await.unwrap());
    assert_eq!(first.time, second.time);
}
