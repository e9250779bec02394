//! What concurrent clients see of a repository, checked against one client's order; and the checker
//! checked against trying every order there is.

use std::cell::RefCell;
use std::sync::Arc;

use mainstay::repo::{Repo, RepoOptions};
use mainstay::store::{Durability, LocalOptions, LocalStorage, MemoryStorage, NoWait, Storage};
use mainstay_store::fault::{Fault, FaultStorage, Lie, LyingStorage};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::linearizability::workload::{self, History, Workload};
use tests::linearizability::{
    Call, Change, Expected, Model as _, Operation, Refs, RefsState, Verdict, check,
};

/// Searches an order, for as long as a test may take.
fn find_order(history: &[Call<Operation>]) -> Verdict<RefsState> {
    check(&Refs::of(history), history, 100_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_in_memory_see_one_order_of_their_commits() {
    let histories = std::env::var("MAINSTAY_HISTORIES").map_or(20, |text| text.parse().unwrap());
    for seed in 0..histories {
        let storage = Arc::new(MemoryStorage::new());
        let history = history(storage, Workload::default().with_seed(seed)).await;
        expect_order(&history);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_in_a_directory_see_one_order_of_their_commits() {
    for durability in [Durability::Strict, Durability::Batch, Durability::None] {
        let directory = tempfile::tempdir().unwrap();
        let options = LocalOptions::default().with_durability(durability);
        let storage = LocalStorage::open(directory.path(), options).await.unwrap();
        expect_order(&history(Arc::new(storage), Workload::default()).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn storages_that_let_two_writers_win_are_found_out_every_time() {
    for lie in [Lie::IgnoresCondition, Lie::Races] {
        for seed in 0..20 {
            let storage = LyingStorage::new(MemoryStorage::new(), lie, seed);
            let workload = Workload::default().with_seed(seed);
            let calls = history(Arc::new(storage), workload).await.calls;
            let verdict = find_order(&calls);
            assert!(
                matches!(verdict, Verdict::Violation { .. }),
                "{lie:?}, seed {seed}: {verdict:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lost_answers_leave_commits_of_unknown_fate_and_one_order() {
    for seed in 0..5 {
        // What may have happened at any time since makes some searches long: then another history.
        let mut verdict = Verdict::Undecided(0);
        for _ in 0..3 {
            verdict = find_order(&with_lost_answers(seed).await);
            if !matches!(verdict, Verdict::Undecided(_)) {
                break;
            }
        }
        assert!(
            matches!(verdict, Verdict::Linearizable(_)),
            "seed {seed}: {verdict:?}"
        );
    }
}

async fn with_lost_answers(seed: u64) -> Vec<Call<Operation>> {
    let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let (observer, handles) = handles(Arc::<FaultStorage<_>>::clone(&storage)).await;
    storage.fail_randomly(seed, 8, vec![Fault::LoseRequest, Fault::LoseResponse]);
    let workload = Workload::default().with_seed(seed);
    let history = workload::run(handles, &observer, workload).await;
    storage.clear();

    assert!(history.failures.is_empty(), "{:?}", history.failures);
    let unknown = history.calls.iter().filter(|call| call.returned.is_none());
    assert_ne!(unknown.count(), 0, "no fate stayed unknown");
    history.calls
}

/// Sixteen handles, as if each were a process of its own.
async fn handles(storage: Arc<dyn Storage>) -> (Repo, Vec<Repo>) {
    // Who does not wait may lose against the others for long.
    let options = || {
        RepoOptions::default()
            .with_timer(Arc::new(NoWait::default()))
            .with_max_commit_attempts(10_000)
    };
    let observer = Repo::create(Arc::clone(&storage), options()).await.unwrap();
    let mut handles = Vec::new();
    for _ in 0..16 {
        handles.push(Repo::open(Arc::clone(&storage), options()).await.unwrap());
    }
    (observer, handles)
}

async fn history(storage: Arc<dyn Storage>, workload: Workload) -> History {
    let (observer, handles) = handles(storage).await;
    workload::run(handles, &observer, workload).await
}

fn expect_order(history: &History) {
    assert!(history.failures.is_empty(), "{:?}", history.failures);
    let commits = |call: &&Call<Operation>| !matches!(call.operation, Operation::View(_));
    assert_eq!(history.calls.iter().filter(commits).count(), 16 * 50);
    let verdict = find_order(&history.calls);
    assert!(matches!(verdict, Verdict::Linearizable(_)), "{verdict:?}");
}

fn call(invoked: u64, returned: Option<u64>, operation: Operation) -> Call<Operation> {
    Call {
        client: 0,
        invoked,
        returned,
        operation,
    }
}

fn view(seq: u64, refs: &[(usize, (u64, Option<u64>))]) -> Operation {
    Operation::View(RefsState {
        seq,
        refs: refs.iter().copied().collect(),
    })
}

fn commit(seq: u64, changes: &[(usize, Expected, Option<u64>)]) -> Operation {
    Operation::Committed {
        changes: changes.to_vec(),
        seq,
    }
}

/// What a client wants of a small repository, and whether it hears the answer.
fn wish() -> impl Strategy<Value = (Option<Vec<Change>>, bool)> {
    let expected = prop_oneof![
        4 => Just(Expected::Any),
        1 => Just(Expected::Absent),
        2 => (1..3_u64).prop_map(Expected::Generation),
        1 => (0..2_u64).prop_map(Expected::Value),
    ];
    let line = (expected, prop::option::weighted(0.8, 0..2_u64));
    let changes = btree_map(0..2_usize, line, 1..=2).prop_map(|lines| {
        let lines = lines.into_iter();
        lines
            .map(|(path, (expected, value))| (path, expected, value))
            .collect()
    });
    (
        prop::option::weighted(0.7, changes),
        prop::bool::weighted(0.8),
    )
}

/// What a repository in `state` answers.
fn answer(state: &RefsState, wish: Option<Vec<Change>>, heard: bool) -> Option<Operation> {
    let Some(changes) = wish else {
        return Some(Operation::View(state.clone()));
    };
    let unmet = changes.iter().find_map(|&(path, expected, value)| {
        let found = state.refs.get(&path).copied();
        let conflict = Operation::Conflict {
            path,
            expected,
            found,
        };
        let single = Operation::Unknown {
            changes: vec![(path, expected, value)],
        };
        Refs::default()
            .apply(state, &single)
            .is_none()
            .then_some(conflict)
    });
    match unmet {
        Some(conflict) => heard.then_some(conflict),
        None if heard => Some(Operation::Committed {
            changes,
            seq: state.seq + 1,
        }),
        None => Some(Operation::Unknown { changes }),
    }
}

prop_compose! {
    /// Up to five calls that overlap at random, answered in one order, which they nearly keep. In
    /// half of the histories one answer is then given to another call.
    fn small_history()(
        wishes in vec((wish(), 1..25_u64, 1..25_u64), 1..=5),
        mixed_up in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) -> Vec<Call<Operation>> {
        let mut state = RefsState::default();
        let mut calls = Vec::new();
        for (place, ((wish, heard), before, after)) in (0..).zip(wishes) {
            let Some(operation) = answer(&state, wish, heard) else { continue };
            state = Refs::default().apply(&state, &operation).unwrap();
            let point = 100 + 10 * place;
            let heard = !matches!(operation, Operation::Unknown { .. });
            calls.push(call(point - before, heard.then_some(point + after), operation));
        }
        if let (Some((a, b)), false) = (mixed_up, calls.is_empty()) {
            let (a, b) = (a.index(calls.len()), b.index(calls.len()));
            let other = calls[b].operation.clone();
            if calls[a].returned.is_some() {
                calls[a].operation = other;
            }
        }
        calls
    }
}

/// Tries every order of every choice of calls.
fn any_order_explains(history: &[Call<Operation>]) -> bool {
    orders(history.len()).iter().any(|order| {
        let complete = (0..history.len())
            .all(|call| order.contains(&call) || history[call].returned.is_none());
        let in_time = order.iter().enumerate().all(|(place, &later)| {
            order[..place].iter().all(|&earlier| {
                history[later]
                    .returned
                    .is_none_or(|end| end >= history[earlier].invoked)
            })
        });
        let explains = || {
            let state = Some(RefsState::default());
            let end = order.iter().fold(state, |state, &call| {
                Refs::default().apply(&state?, &history[call].operation)
            });
            end.is_some()
        };
        complete && in_time && explains()
    })
}

/// Every sequence of different numbers below `count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    let mut place = 0;
    while place < all.len() {
        for number in (0..count)
            .filter(|number| !all[place].contains(number))
            .collect::<Vec<_>>()
        {
            let mut longer = all[place].clone();
            longer.push(number);
            all.push(longer);
        }
        place += 1;
    }
    all
}

#[test]
fn the_search_agrees_with_trying_every_order() {
    let mut runner = TestRunner::new(Config::with_cases(4_000));
    let verdicts = RefCell::new([0, 0]);
    let outcome = runner.run(&small_history(), |history| {
        let expected = any_order_explains(&history);
        verdicts.borrow_mut()[usize::from(expected)] += 1;
        match find_order(&history) {
            Verdict::Linearizable(order) => {
                prop_assert!(expected);
                prop_assert!(order.len() <= history.len());
            }
            Verdict::Violation { stuck, .. } => {
                prop_assert!(!expected);
                prop_assert!(!stuck.is_empty());
            }
            Verdict::Undecided(_) => prop_assert!(false, "so few calls are always decided"),
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(
        verdicts.into_inner().iter().all(|&count| count > 400),
        "both kinds were tried"
    );
}

#[test]
fn an_acknowledged_commit_that_a_later_view_lacks_is_a_violation() {
    let history = [
        call(0, Some(1), commit(1, &[(0, Expected::Any, Some(7))])),
        call(2, Some(3), view(0, &[])),
    ];
    let Verdict::Violation {
        explained,
        state,
        stuck,
    } = find_order(&history)
    else {
        panic!("accepted")
    };
    assert_eq!((explained, state.seq, stuck), (vec![0], 1, vec![1]));
}

#[test]
fn a_view_may_miss_what_is_being_committed_but_not_see_it_and_then_miss_it() {
    let [before, after] = [view(0, &[]), view(1, &[(0, (1, Some(7)))])];
    let commit = call(0, Some(9), commit(1, &[(0, Expected::Absent, Some(7))]));
    let seen = |first: &Operation, second: &Operation| {
        let views = [
            call(1, Some(2), first.clone()),
            call(3, Some(4), second.clone()),
        ];
        let history = [std::slice::from_ref(&commit), &views[..]].concat();
        matches!(find_order(&history), Verdict::Linearizable(_))
    };
    assert!(seen(&before, &before) && seen(&before, &after) && seen(&after, &after));
    assert!(!seen(&after, &before));
}

#[test]
fn a_commit_of_unknown_fate_explains_what_is_seen_of_it_at_any_later_time() {
    let unknown = Operation::Unknown {
        changes: vec![(0, Expected::Any, Some(7))],
    };
    let after = view(1, &[(0, (1, Some(7)))]);
    let verdict = |history: &[Call<Operation>]| find_order(history);
    let late = [
        call(0, None, unknown.clone()),
        call(5, Some(6), view(0, &[])),
        call(8, Some(9), after.clone()),
    ];
    assert_eq!(verdict(&late), Verdict::Linearizable(vec![1, 0, 2]));
    assert_eq!(verdict(&late[..2]), Verdict::Linearizable(vec![1]));
    let early = [call(0, Some(1), after), call(2, None, unknown)];
    assert!(matches!(verdict(&early), Verdict::Violation { .. }));
}

#[test]
fn a_conflict_that_no_state_explains_is_a_violation() {
    let conflict = |found| Operation::Conflict {
        path: 0,
        expected: Expected::Absent,
        found,
    };
    let written = call(0, Some(1), commit(1, &[(0, Expected::Any, Some(7))]));
    let history = |found| [written.clone(), call(2, Some(3), conflict(found))];
    let explained = |found| matches!(find_order(&history(found)), Verdict::Linearizable(_));
    assert!(explained(Some((1, Some(7)))));
    assert!(!explained(None) && !explained(Some((2, Some(7)))) && !explained(Some((1, Some(8)))));
}

#[test]
fn a_search_that_would_take_too_long_says_so() {
    let unknown = |path| Operation::Unknown {
        changes: vec![(path, Expected::Any, Some(1))],
    };
    let mut history: Vec<_> = (0..40).map(|path| call(0, None, unknown(path))).collect();
    history.push(call(1, Some(2), view(99, &[])));
    assert_eq!(
        check(&Refs::of(&history), &history, 1_000),
        Verdict::Undecided(1_000)
    );
}
