//! Leases: one holder commits at a time, whatever clocks, crashes and lost answers do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_core::{Actor, ErrorKind, Result};
use mainstay_repo::{
    CommitOutcome, Contender, Expectation, Lease, Repo, RepoOptions, Step, Value, VerifyLevel,
};
use mainstay_store::fault::{Applied, Fault, FaultStorage};
use mainstay_store::{MemoryStorage, Storage, Timer};

use crate::support::{committed, held, note, options, path, repo, set, transaction};
use crate::wander::{Dice, WanderingStorage, pause};

const TERM: Duration = Duration::from_secs(8);

fn contender(repo: &Repo, who: &str) -> Contender {
    let actor = Actor::new(who).unwrap();
    repo.lease("rollout/prod", actor, TERM).unwrap()
}

fn memory() -> Arc<dyn Storage> {
    Arc::new(MemoryStorage::new())
}

/// Notes how long was waited, and has something done each time.
struct WatchedTimer<F> {
    waited: Mutex<Duration>,
    each: F,
}

impl<F> std::fmt::Debug for WatchedTimer<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WatchedTimer")
    }
}

#[async_trait]
impl<F: Fn() -> Option<Lease> + Send + Sync> Timer for WatchedTimer<F> {
    async fn sleep(&self, duration: Duration) {
        *self.waited.lock().unwrap() += duration;
        if let Some(lease) = (self.each)() {
            lease.renew().await.unwrap();
        }
    }
}

fn watched<F: Fn() -> Option<Lease> + Send + Sync + 'static>(
    each: F,
) -> (Arc<WatchedTimer<F>>, RepoOptions) {
    let waited = Mutex::default();
    let timer = Arc::new(WatchedTimer { waited, each });
    let options = options(2).with_timer(Arc::clone(&timer) as _);
    (timer, options)
}

#[tokio::test]
async fn a_free_lease_is_had_at_once_and_a_held_one_not() {
    let storage = memory();
    let (a, b) = (repo(&storage, 1).await, repo(&storage, 2).await);
    let (a, b) = (contender(&a, "a"), contender(&b, "b"));
    let first = a.acquire(0).await.unwrap().unwrap();
    assert!(b.try_acquire().await.unwrap().is_none() && b.acquire(0).await.unwrap().is_none());
    assert!(a.try_acquire().await.unwrap().is_none());
    let holder = b.holder().await.unwrap().unwrap();
    assert_eq!((holder.actor.as_str(), holder.term()), ("a", TERM));
    first.release().await.unwrap();
    first.release().await.unwrap();
    assert_eq!(b.holder().await.unwrap(), None);
    let second = b.try_acquire().await.unwrap().unwrap();
    assert!(second.epoch() > first.epoch());
    // Late, and no more the holder.
    first.release().await.unwrap();
    assert_eq!(b.holder().await.unwrap().as_ref(), Some(second.holder()));
}

#[tokio::test]
async fn a_silent_holder_is_outlasted_in_exactly_its_term() {
    let storage = memory();
    let a = repo(&storage, 1).await;
    let first = contender(&a, "a").try_acquire().await.unwrap().unwrap();
    let (timer, options) = watched(|| None);
    let b = Repo::open(Arc::clone(&storage), options).await.unwrap();
    let second = contender(&b, "b").acquire(1).await.unwrap().unwrap();
    assert_eq!(*timer.waited.lock().unwrap(), TERM);
    assert!(second.epoch() > first.epoch());
}

#[tokio::test]
async fn a_holder_that_renews_is_not_outlasted() {
    let storage = memory();
    let a = repo(&storage, 1).await;
    let lease = contender(&a, "a").try_acquire().await.unwrap().unwrap();
    let (renewing, looks) = (lease.clone(), AtomicU64::new(0));
    let (timer, options) = watched(move || {
        let third = looks.fetch_add(1, Ordering::Relaxed) % 3 == 2;
        third.then(|| renewing.clone())
    });
    let b = Repo::open(Arc::clone(&storage), options).await.unwrap();
    assert!(contender(&b, "b").acquire(20).await.unwrap().is_none());
    assert_eq!(*timer.waited.lock().unwrap(), 20 * TERM);
    lease.renew().await.unwrap();
}

/// Takes the lease from whoever has it.
async fn steal(repo: &Repo) -> Lease {
    contender(repo, "thief").acquire(2).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_deposed_holder_can_do_nothing_more() {
    let storage = memory();
    let (a, b) = (repo(&storage, 1).await, repo(&storage, 2).await);
    let old = contender(&a, "a").try_acquire().await.unwrap().unwrap();
    committed(
        old.commit(set("note/a", 1, Expectation::Any))
            .await
            .unwrap(),
    );
    let new = steal(&b).await;
    let head = b.view().await.unwrap().seq();

    let error = old
        .commit(set("note/a", 2, Expectation::Any))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let error = old.renew().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let build = |_: &_| Ok(Step::Commit(set("note/a", 2, Expectation::Any), ()));
    let error = old.transact(build).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let fenced = old.fence(set("note/a", 2, Expectation::Any));
    assert!(matches!(
        a.commit(fenced).await.unwrap(),
        CommitOutcome::Conflict(_)
    ));
    assert_eq!(b.view().await.unwrap().seq(), head);

    new.transact(build).await.unwrap();
    new.renew().await.unwrap();
    let now = b.view().await.unwrap();
    assert_eq!(held(&now, "note/a").await.unwrap().value, Some(note(2)));
}

#[tokio::test]
async fn renewals_do_not_disturb_what_the_holder_commits() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    let lease = contender(&repo, "a").try_acquire().await.unwrap().unwrap();
    let prepared = lease.fence(set("note/a", 1, Expectation::Absent));
    lease.renew().await.unwrap();
    committed(repo.commit(prepared).await.unwrap());
    // An unmet expectation of its own stays a conflict.
    let again = lease
        .commit(set("note/a", 1, Expectation::Absent))
        .await
        .unwrap();
    assert!(matches!(again, CommitOutcome::Conflict(_)));
}

#[tokio::test]
async fn an_idempotency_key_is_repeated_by_the_next_holder() {
    let storage = memory();
    let (a, b) = (repo(&storage, 1).await, repo(&storage, 2).await);
    let step = || {
        let mut step = set("note/a", 1, Expectation::Absent);
        step.idempotency_key("step-1");
        step
    };
    let old = contender(&a, "a").try_acquire().await.unwrap().unwrap();
    let first = old
        .transact(|_| Ok(Step::Commit(step(), ())))
        .await
        .unwrap();
    let new = steal(&b).await;
    let second = new
        .transact(|_| Ok(Step::Commit(step(), ())))
        .await
        .unwrap();
    assert_eq!(first.0.unwrap().seq, second.0.unwrap().seq);
    assert!(second.0.unwrap().replayed);
}

#[tokio::test]
async fn names_and_terms_out_of_bounds_are_refused_and_records_of_others_corrupt() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    let actor = Actor::new("a").unwrap();
    let long = "a/".repeat(11);
    for (name, term) in [
        ("", TERM),
        ("a b", TERM),
        (long.as_str(), TERM),
        ("a", Duration::ZERO),
        ("a", Duration::from_secs(86_401)),
    ] {
        let error = repo.lease(name, actor.clone(), term).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
    }
    for (kind, record, expected) in [
        ("note", serde_json::json!("x"), ErrorKind::Corrupt),
        (
            "lease.holder",
            serde_json::json!({"format": 1}),
            ErrorKind::Corrupt,
        ),
        (
            "lease.holder",
            serde_json::json!({"format": 2}),
            ErrorKind::Incompatible,
        ),
        (
            "lease.holder",
            serde_json::json!({"format": 1, "actor": "a", "id": "0".repeat(32), "term_ms": 0}),
            ErrorKind::Corrupt,
        ),
    ] {
        let mut write = transaction();
        let value = Value::new(kind, &record).unwrap();
        write.set(path("lease/rollout/prod/holder"), value, Expectation::Any);
        committed(repo.commit(write).await.unwrap());
        let error = contender(&repo, "a").acquire(2).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{record}");
    }
}

/// Acquires, commits under the lease, renews, releases; returns what was acknowledged.
async fn work(storage: &Arc<dyn Storage>, steps: &mut u64) -> Result<()> {
    let repo = Repo::create(Arc::clone(storage), options(1)).await?;
    for _ in 0..2 {
        if let Some(lease) = contender(&repo, "a").acquire(3).await? {
            let step = set(&format!("note/n{steps}"), *steps, Expectation::Absent);
            committed(lease.commit(step).await?);
            *steps += 1;
            lease.renew().await?;
            lease.release().await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn after_a_crash_or_a_lost_answer_at_any_operation_another_takes_over() {
    let counted = Arc::new(FaultStorage::new(MemoryStorage::new()));
    work(&(Arc::<FaultStorage<_>>::clone(&counted) as _), &mut 0)
        .await
        .unwrap();
    for k in 1..=counted.operations() {
        for fault in [
            Fault::Crash(Applied::Yes),
            Fault::Crash(Applied::No),
            Fault::LoseResponse,
            Fault::LoseRequest,
        ] {
            let faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
            let storage: Arc<dyn Storage> = Arc::<FaultStorage<_>>::clone(&faulty);
            faulty.fail_at(k, fault);
            let mut steps = 0;
            drop(work(&storage, &mut steps).await);
            faulty.revive();
            let at = format!("operation {k}, {fault:?}");
            let other = Repo::create(Arc::clone(&storage), options(2))
                .await
                .unwrap();
            let lease = steal(&other).await;
            let step = set("note/last", 1, Expectation::Absent);
            committed(lease.commit(step).await.expect(&at));
            let view = other.view().await.unwrap();
            for n in 0..steps {
                assert!(held(&view, &format!("note/n{n}")).await.is_some(), "{at}");
            }
            let report = other.verify(VerifyLevel::Full).await.unwrap();
            assert_eq!(report.faults, [], "{at}");
        }
    }
}

/// Each holder appends its epoch to a ref as long as it can: the epochs never fall, and an epoch
/// that another has followed never comes back.
async fn check_schedule(seed: u64) {
    let storage = memory();
    Repo::create(Arc::clone(&storage), options(seed))
        .await
        .unwrap();
    let calm = Arc::new(AtomicBool::new(false));
    let commits = Arc::new(AtomicU64::new(0));
    let controllers = (0..4_u64).map(|n| {
        let (storage, calm) = (Arc::clone(&storage), Arc::clone(&calm));
        let commits = Arc::clone(&commits);
        let seed = seed * 10 + n;
        tokio::spawn(async move {
            let dice = Dice::new(seed);
            let storage = Arc::new(WanderingStorage::new(storage, seed, calm));
            for life in 0..3 {
                let opened = Repo::open(Arc::clone(&storage) as _, options(seed * 10 + life)).await;
                let Ok(repo) = opened else { continue };
                let Ok(Some(lease)) = contender(&repo, "c").acquire(5).await else {
                    continue;
                };
                for _ in 0..dice.below(6) {
                    let mut write = transaction();
                    write.set(path("note/epoch"), note(lease.epoch()), Expectation::Any);
                    let committed = if dice.one_in(2) {
                        lease.commit(write).await.map(drop)
                    } else {
                        let build = |_: &_| Ok(Step::Commit(write.clone(), ()));
                        lease.transact(build).await.map(drop)
                    };
                    match committed {
                        Ok(()) => drop(commits.fetch_add(1, Ordering::SeqCst)),
                        Err(error) if error.kind() == ErrorKind::Fenced => break,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
                    }
                    pause(dice.below(100)).await;
                    drop(lease.renew().await);
                }
                if dice.one_in(2) {
                    drop(lease.release().await);
                }
            }
        })
    });
    for controller in controllers.collect::<Vec<_>>() {
        controller.await.unwrap();
    }
    let repo = Repo::open(storage, options(seed)).await.unwrap();
    let mut epochs = Vec::new();
    let mut history = repo.history(&path("note/epoch"));
    while let Some(change) = futures::TryStreamExt::try_next(&mut history).await.unwrap() {
        let text = change.value.unwrap().record;
        epochs.push(text.as_str().unwrap().parse::<u64>().unwrap());
    }
    epochs.reverse();
    assert!(epochs.is_sorted(), "seed {seed}: {epochs:?}");
    assert!(
        epochs.len() as u64 >= commits.load(Ordering::SeqCst),
        "seed {seed}"
    );
}

#[tokio::test]
async fn in_any_schedule_no_deposed_holder_commits_after_the_next_one() {
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    for seed in 0..if long { 10_000 } else { 30 } {
        check_schedule(seed).await;
    }
}
