//! Lost answers, crashes at every operation, a full disk.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_repo::{CommitOutcome, Expectation, Repo, VerifyLevel};
use mainstay_store::fault::{Applied, Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{MemoryStorage, Storage};

use crate::support::{committed, count, held, note, options, path, repo, set};

type Faulty = FaultStorage<MemoryStorage>;

fn faulty() -> (Arc<Faulty>, Arc<dyn Storage>) {
    let faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
    (Arc::clone(&faulty), faulty)
}

fn puts_of_log() -> Trigger {
    Trigger::any().with_verb(Verb::Put).with_key_start("log/")
}

/// Commits `note/n<i>` for each i, so that a doubled or lost commit shows.
async fn commit_all(repo: &Repo, count: u64) -> mainstay_core::Result<u64> {
    for n in 0..count {
        let at = format!("note/n{n}");
        match repo.commit(set(&at, n, Expectation::Absent)).await? {
            CommitOutcome::Committed(_) => {}
            CommitOutcome::Conflict(conflict) => panic!("false conflict: {conflict:?}"),
        }
        repo.settle().await;
    }
    Ok(count)
}

async fn entries(repo: &Repo) -> u64 {
    let entries: Vec<_> = repo.entries(0).try_collect().await.unwrap();
    entries.len() as u64
}

#[tokio::test]
async fn a_lost_answer_at_any_step_is_neither_conflict_nor_second_commit() {
    const COMMITS: u64 = 5;
    let (counted, storage) = faulty();
    let options = || options(1).with_checkpoint_every(2);
    let repo = Repo::create(storage, options()).await.unwrap();
    let start = counted.operations();
    commit_all(&repo, COMMITS).await.unwrap();
    let operations = counted.operations() - start;
    assert!(operations >= 2 * COMMITS);

    for k in 1..=operations {
        for fault in [Fault::LoseResponse, Fault::LoseRequest] {
            let (faulty, storage) = faulty();
            let repo = Repo::create(storage, options()).await.unwrap();
            faulty.fail_at(faulty.operations() + k, fault);
            commit_all(&repo, COMMITS).await.unwrap();
            assert_eq!(count(&repo.view().await.unwrap(), "note").await, COMMITS);
            assert_eq!(entries(&repo).await, COMMITS, "operation {k}, {fault:?}");
            let report = repo.verify(VerifyLevel::Full).await.unwrap();
            assert_eq!(report.faults, [], "operation {k}, {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_commit_whose_fate_cannot_be_told_says_so_and_may_be_repeated() {
    for (fault, landed) in [(Fault::LoseResponse, true), (Fault::LoseRequest, false)] {
        let (faulty, storage) = faulty();
        let repo = repo(&storage, 1).await;
        faulty.fail_when(puts_of_log().with_times(1), fault);
        let gets = Trigger::any().with_verb(Verb::Get).with_key_start("log/");
        faulty.fail_when(gets.with_times(1), Fault::Refuse(ErrorKind::Unavailable));
        let mut transaction = set("note/a", 1, Expectation::Absent);
        transaction.idempotency_key("once");
        let error = repo.commit(transaction.clone()).await.unwrap_err();
        assert!(error.is_ambiguous());
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let contexts: Vec<_> = error.contexts().map(|(key, _)| key).collect();
        assert_eq!(contexts, ["seq", "write_id"]);
        let again = committed(repo.commit(transaction).await.unwrap());
        assert_eq!((again.seq, again.replayed), (1, landed));
        assert_eq!(entries(&repo).await, 1);
    }
}

#[tokio::test]
async fn a_write_lost_again_and_again_is_given_up_with_its_fate_open() {
    let (faulty, storage) = faulty();
    let repo = repo(&storage, 1).await;
    faulty.fail_when(puts_of_log(), Fault::LoseRequest);
    let error = repo
        .commit(set("note/a", 1, Expectation::Absent))
        .await
        .unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
    faulty.clear();
    committed(
        repo.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn a_refusal_after_a_lost_write_does_not_end_the_doubt() {
    let (faulty, storage) = faulty();
    let repo = repo(&storage, 1).await;
    // The first write may still arrive, so the later refusals prove nothing.
    faulty.fail_when(puts_of_log().with_times(1), Fault::LoseRequest);
    faulty.fail_when(puts_of_log(), Fault::NoSpace);
    let error = repo
        .commit(set("note/a", 1, Expectation::Absent))
        .await
        .unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
}

#[tokio::test]
async fn somebody_elses_entry_found_after_a_lost_request_is_rebased_upon() {
    let (faulty, storage) = faulty();
    let (a, b) = (repo(&storage, 1).await, repo(&storage, 2).await);
    committed(
        b.commit(set("note/b", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    faulty.fail_when(puts_of_log().with_times(1), Fault::LoseRequest);
    // `a` has not seen entry 1: its lost write of entry 1 meets that of `b`.
    let done = committed(
        a.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    assert_eq!((done.seq, entries(&a).await), (2, 2));
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_back_whole_leaves_the_fate_open() {
    let (faulty, storage) = faulty();
    let repo = repo(&storage, 1).await;
    faulty.fail_when(puts_of_log().with_times(1), Fault::LoseResponse);
    let gets = Trigger::any().with_verb(Verb::Get).with_key_start("log/");
    faulty.fail_when(gets.with_times(1), Fault::FlipBit(2_000));
    let error = repo
        .commit(set("note/a", 1, Expectation::Absent))
        .await
        .unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
}

/// What a process did before it died.
#[derive(Debug, Default)]
struct Acknowledged {
    created: bool,
    commits: u64,
}

/// A process's life: create, commit with checkpoints, some of it through `transact`.
async fn live(
    storage: &Arc<dyn Storage>,
    acknowledged: &mut Acknowledged,
) -> mainstay_core::Result<()> {
    let options = options(1).with_checkpoint_every(2);
    let repo = Repo::create(Arc::clone(storage), options).await?;
    acknowledged.created = true;
    for n in 0..5 {
        let mut both = set(&format!("note/n{n}"), n, Expectation::Absent);
        both.set(path("note/last"), note(n), Expectation::Any);
        if n % 2 == 0 {
            committed(repo.commit(both).await?);
        } else {
            repo.transact(|_| Ok(mainstay_repo::Step::Commit(both.clone(), ())))
                .await?;
        }
        acknowledged.commits += 1;
        repo.settle().await;
    }
    Ok(())
}

#[tokio::test]
async fn after_a_crash_at_any_operation_what_was_acknowledged_is_there_and_nothing_is_half_done() {
    let (counted, storage) = faulty();
    live(&storage, &mut Acknowledged::default()).await.unwrap();
    let operations = counted.operations();

    for k in 1..=operations {
        for applied in [Applied::Yes, Applied::No] {
            let (faulty, storage) = faulty();
            faulty.crash_at(k, applied);
            let mut acknowledged = Acknowledged::default();
            let outcome = live(&storage, &mut acknowledged).await;
            assert!(faulty.is_crashed());
            // Only a checkpoint may be lost without the writer's notice.
            assert!(
                outcome.is_err() || acknowledged.commits == 5,
                "operation {k}"
            );
            faulty.revive();
            check_revived(
                &storage,
                &acknowledged,
                &format!("operation {k}, {applied:?}"),
            )
            .await;
        }
    }
}

async fn check_revived(storage: &Arc<dyn Storage>, acknowledged: &Acknowledged, at: &str) {
    let options = options(2).with_checkpoint_every(2);
    let repo = if acknowledged.created {
        Repo::open(Arc::clone(storage), options).await.expect(at)
    } else {
        Repo::create(Arc::clone(storage), options).await.expect(at)
    };
    let view = repo.view().await.unwrap();
    let head = view.seq();
    assert!(
        (acknowledged.commits..=acknowledged.commits + 1).contains(&head),
        "{at}: {head}"
    );
    for n in 0..5 {
        let there = held(&view, &format!("note/n{n}")).await.is_some();
        assert_eq!(there, n < head, "{at}: note {n}");
    }
    if head > 0 {
        let last = held(&view, "note/last").await.unwrap();
        assert_eq!(
            (last.value.clone(), last.generation),
            (Some(note(head - 1)), head),
            "{at}"
        );
    }
    assert_eq!(entries(&repo).await, head, "{at}");
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, [], "{at}");
    // And the life goes on.
    committed(
        repo.commit(set("note/after", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn a_full_disk_refuses_the_commit_and_nothing_is_half_written() {
    let (faulty, storage) = faulty();
    let repo = repo(&storage, 1).await;
    committed(
        repo.commit(set("note/a", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    faulty.fail_when(Trigger::any(), Fault::NoSpace);
    let error = repo
        .commit(set("note/b", 1, Expectation::Absent))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.is_ambiguous()),
        (ErrorKind::Unavailable, false)
    );
    assert!(
        error.to_string().contains("log/00000000000000000002"),
        "{error}"
    );
    assert_eq!(repo.view().await.unwrap().seq(), 1);
    faulty.clear();
    let after = committed(
        repo.commit(set("note/b", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    assert_eq!(after.seq, 2);
}

#[tokio::test]
async fn a_full_disk_at_creation_leaves_no_repository() {
    let (faulty, storage) = faulty();
    faulty.fail_when(Trigger::any(), Fault::NoSpace);
    let error = Repo::create(Arc::clone(&storage), options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    faulty.clear();
    let error = Repo::open(Arc::clone(&storage), options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn checkpoints_that_cannot_be_written_fail_no_commit() {
    for place in ["shard/", "checkpoint/"] {
        let (faulty, storage) = faulty();
        let every = options(1).with_checkpoint_every(2);
        let repo = Repo::create(Arc::clone(&storage), every).await.unwrap();
        let trigger = Trigger::any().with_verb(Verb::Put).with_key_start(place);
        faulty.fail_when(trigger, Fault::NoSpace);
        commit_all(&repo, 5).await.unwrap();
        faulty.clear();
        let opened = Repo::open(storage, options(2)).await.unwrap();
        assert_eq!(opened.cached_view().seq(), 5);
    }
}
