//! Group commit: concurrent callers of few handles, against the log read as one client's doing.

mod check;
mod schedule;

use std::sync::Arc;

use futures::future::join_all;
use mainstay_core::ErrorKind;
use mainstay_repo::{Expectation, Repo, Step, Value};
use mainstay_store::fault::{Applied, Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{MemoryStorage, MeterStorage, Storage};
use proptest::prelude::*;

use self::check::check;
use self::schedule::{Expect, How, Stepped, Wish, handles, play};
use crate::support::{committed, count, options, path, set, transaction};

fn faulty() -> Arc<FaultStorage<MemoryStorage>> {
    Arc::new(FaultStorage::new(MemoryStorage::new()))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// Many random schedules with `MAINSTAY_LONG=1`.
fn config(cases: u32) -> ProptestConfig {
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    ProptestConfig::with_cases(if long { cases * 200 } else { cases })
}

fn wish() -> impl Strategy<Value = Wish> {
    let expect = prop_oneof![
        4 => Just(Expect::Any),
        1 => Just(Expect::Absent),
        2 => (0_u64..4).prop_map(Expect::Generation),
    ];
    let how = prop_oneof![3 => Just(How::Commit), 3 => Just(How::Transact), 1 => Just(How::Look)];
    let lines = prop::collection::btree_map(0..schedule::REFS.len(), expect, 1..3);
    let key = prop::option::weighted(0.2, 0_u8..2);
    (0..2_usize, lines, key, how).prop_map(|(handle, lines, key, how)| {
        // The same key mostly stands for the same request.
        let lines = match key {
            Some(key) => vec![(usize::from(key), Expect::Any)],
            None => lines.into_iter().collect(),
        };
        Wish {
            handle,
            lines,
            key,
            how,
        }
    })
}

fn polls() -> impl Strategy<Value = Vec<(usize, bool)>> {
    let step = (0..64_usize, prop::bool::weighted(0.03));
    prop::collection::vec(step, 0..200)
}

fn fault() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![
        Fault::LoseRequest,
        Fault::LoseResponse,
        Fault::Refuse(ErrorKind::Unavailable),
        Fault::Crash(Applied::Yes),
        Fault::Crash(Applied::No),
    ])
}

proptest! {
    #![proptest_config(config(128))]
    #[test]
    fn whoever_calls_whenever_the_log_explains_every_answer(
        wishes in prop::collection::vec(wish(), 1..12),
        count in 1_usize..3,
        polls in polls(),
        faults in prop::collection::vec((1_u64..60, fault()), 0..3),
    ) {
        block_on(async {
            let storage = faulty();
            let handles = handles(&storage, count).await;
            for (after, fault) in faults {
                storage.fail_at(storage.operations() + after, fault);
            }
            let calls = play(&storage, &handles, wishes, &polls);
            check(&storage, &calls).await;
        });
    }
}

/// Six callers of one handle, half of them on the same ref.
fn six() -> Vec<Wish> {
    let hows = [How::Commit, How::Transact];
    (0..6)
        .map(|caller| Wish {
            handle: 0,
            lines: vec![(if caller < 3 { 0 } else { caller - 2 }, Expect::Any)],
            key: None,
            how: hows[caller % 2],
        })
        .collect()
}

#[tokio::test]
async fn a_fault_at_any_operation_is_told_to_those_it_concerns() {
    let storage = faulty();
    let repos = handles(&storage, 1).await;
    let begun = storage.operations();
    let calls = play(&storage, &repos, six(), &[]);
    let operations = storage.operations() - begun;
    assert!(calls.iter().all(|call| matches!(call.result, Some(Ok(_)))));
    assert_eq!(check(&storage, &calls).await, 1);
    for operation in 1..=operations {
        for fault in [
            Fault::LoseRequest,
            Fault::LoseResponse,
            Fault::NoSpace,
            Fault::Crash(Applied::Yes),
            Fault::Crash(Applied::No),
        ] {
            let storage = faulty();
            let repos = handles(&storage, 1).await;
            storage.fail_at(storage.operations() + operation, fault);
            let calls = play(&storage, &repos, six(), &[]);
            check(&storage, &calls).await;
            // A lost answer is looked up; only the look of `transact` at the head fails with it.
            let lost = matches!(fault, Fault::LoseRequest | Fault::LoseResponse);
            for call in calls
                .iter()
                .filter(|call| lost && call.wish.how == How::Commit)
            {
                let result = &call.result;
                assert!(
                    matches!(result, Some(Ok(_))),
                    "{operation}, {fault:?}: {result:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_caller_dropped_at_any_step_takes_nobody_elses_commit_along() {
    for dropped in 0..6 {
        for steps in 0..40 {
            let storage = faulty();
            let repos = handles(&storage, 1).await;
            let mut schedule: Vec<_> = (0..6)
                .map(|caller| (caller, false))
                .cycle()
                .take(steps)
                .collect();
            schedule.push((dropped, true));
            let calls = play(&storage, &repos, six(), &schedule);
            let rest = calls
                .iter()
                .enumerate()
                .filter(|(caller, _)| *caller != dropped);
            for (caller, call) in rest {
                assert!(
                    matches!(call.result, Some(Ok(_))),
                    "{caller}, {dropped} after {steps}"
                );
            }
            check(&storage, &calls).await;
        }
    }
}

#[tokio::test]
async fn when_every_caller_of_an_entry_is_dropped_it_is_given_up() {
    let storage = faulty();
    let repos = handles(&storage, 1).await;
    // All have joined or wait, none has begun to write but the first.
    for steps in 6..30 {
        let polled = (0..6).map(|caller| (caller, false)).cycle().take(steps);
        let schedule: Vec<_> = polled.chain((0..6).map(|caller| (caller, true))).collect();
        let calls = play(&storage, &repos, six(), &schedule);
        assert!(
            calls
                .iter()
                .all(|call| !matches!(call.result, Some(Err(_))))
        );
        let after = repos[0].commit(set("b/b", "after", Expectation::Any)).await;
        let after = committed(after.unwrap());
        assert_eq!(repos[0].view().await.unwrap().seq(), after.seq);
    }
}

#[tokio::test]
async fn concurrent_commits_take_few_requests() {
    let metered = Arc::new(MeterStorage::new(Stepped(faulty())));
    let storage: Arc<dyn Storage> = Arc::<MeterStorage<_>>::clone(&metered);
    let repo = Repo::create(storage, options(1)).await.unwrap();
    let before = metered.reading();
    let commits = (0..1_000).map(|n| repo.commit(set(&format!("a/n{n}"), n, Expectation::Absent)));
    let seqs: Vec<u64> = join_all(commits)
        .await
        .into_iter()
        .map(|outcome| committed(outcome.unwrap()).seq)
        .collect();
    assert_eq!((seqs[0], seqs[999]), (1, 1));
    let transacts = (0..1_000).map(|n| {
        repo.transact(move |view| {
            let held = view
                .get(&path("a/hot"))?
                .and_then(|state| state.value.clone());
            let held: u64 = held.map_or(Ok(0), |value| value.decode("count"))?;
            let mut add = transaction();
            add.set(
                path("a/hot"),
                Value::new("count", &(held + n))?,
                Expectation::Any,
            );
            Ok(Step::Commit(add, ()))
        })
    });
    for outcome in join_all(transacts).await {
        outcome.unwrap();
    }
    let sum: u64 = {
        let view = repo.view().await.unwrap();
        let state = crate::support::held(&view, "a/hot").await.unwrap();
        assert_eq!(state.generation, 1_000);
        state.value.unwrap().decode("count").unwrap()
    };
    assert_eq!(sum, 999 * 1_000 / 2);
    let reading = metered.reading();
    assert_eq!(reading.puts - before.puts, 2);
    assert!(reading.requests() - before.requests() <= 10, "{reading:?}");
}

#[tokio::test]
async fn an_entry_takes_no_more_than_it_holds_and_one_bad_transaction_fails_alone() {
    let storage: Arc<dyn Storage> = Arc::new(Stepped(faulty()));
    let repo = Repo::create(Arc::clone(&storage), options(1))
        .await
        .unwrap();
    let (large, too_large) = ("x".repeat(9 << 20), "x".repeat(17 << 20));
    let texts = ["", &large, &too_large, &large, ""];
    let commits = texts
        .iter()
        .enumerate()
        .map(|(n, text)| repo.commit(set(&format!("a/n{n}"), text, Expectation::Absent)));
    let mut seqs = Vec::new();
    for (n, outcome) in join_all(commits).await.into_iter().enumerate() {
        if n == 2 {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Invalid);
        } else {
            seqs.push(committed(outcome.unwrap()).seq);
        }
    }
    // Two of 9 MiB do not fit into 16 MiB.
    assert_eq!(seqs, [1, 1, 2, 2]);
    let opened = Repo::open(storage, options(2)).await.unwrap();
    assert_eq!(count(&opened.cached_view(), "a").await, 4);
}

#[tokio::test]
async fn a_failure_is_told_to_every_caller_of_the_entry_and_to_no_other() {
    let faults = faulty();
    let storage: Arc<dyn Storage> = Arc::new(Stepped(Arc::clone(&faults)));
    let repo = Repo::create(storage, options(1)).await.unwrap();
    let entry = Trigger::any().with_verb(Verb::Put).with_key_start("log/");
    faults.fail_when(entry.with_times(1), Fault::NoSpace);
    let commits = (0..4).map(|n| repo.commit(set(&format!("a/n{n}"), n, Expectation::Absent)));
    for outcome in join_all(commits).await {
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_ambiguous()),
            (ErrorKind::Unavailable, false)
        );
        assert!(
            error.to_string().contains("log/00000000000000000001"),
            "{error}"
        );
    }
    committed(
        repo.commit(set("a/n1", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
}
