use std::sync::Arc;

use mainstay_core::Actor;
use mainstay_store::MemoryStorage;
use proptest::prelude::*;

use super::*;
use crate::{CommitOutcome, Expectation, Repo, RepoOptions, Step, Transaction, Value};

/// What a ref holds: the generation that has a value.
#[derive(Debug, PartialEq)]
struct Held(Option<u64>);

fn path(of: usize) -> RefPath {
    format!("note/n{of}").parse().unwrap()
}

fn anew(view: &View, of: usize) -> Held {
    Held(view.get(&path(of)).unwrap().map(|state| state.generation))
}

fn recalled(view: &View, of: usize) -> Option<Arc<Held>> {
    view.recall(path(of).as_str(), |changed| *changed == path(of))
}

fn learn(view: &View, of: usize, bytes: usize) {
    view.keep(path(of).as_str(), bytes, &Arc::new(anew(view, of)));
}

fn change(of: usize, set: bool) -> Transaction {
    let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "test");
    if set {
        transaction.set(path(of), Value::new("note", &of).unwrap(), Expectation::Any);
    } else {
        transaction.delete(path(of), Expectation::Any);
    }
    transaction
}

async fn commit(repo: &Repo, transaction: Transaction) {
    let outcome = repo.commit(transaction).await.unwrap();
    assert!(
        matches!(outcome, CommitOutcome::Committed(_)),
        "{outcome:?}"
    );
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

async fn repo() -> Repo {
    Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default())
        .await
        .unwrap()
}

#[test]
fn what_concerns_nothing_that_changed_is_recalled_and_the_rest_is_not() {
    block_on(async {
        let repo = repo().await;
        commit(&repo, change(1, true)).await;
        let early = repo.view().await.unwrap();
        assert_eq!(recalled(&early, 1), None);
        learn(&early, 1, 10);
        assert_eq!(*recalled(&early, 1).unwrap(), Held(Some(1)));
        commit(&repo, change(2, true)).await;
        let between = repo.view().await.unwrap();
        assert_eq!(*recalled(&between, 1).unwrap(), Held(Some(1)));
        // By now it is known of a later view.
        assert_eq!(recalled(&early, 1), None);
        commit(&repo, change(1, false)).await;
        let late = repo.view().await.unwrap();
        assert_eq!(recalled(&late, 1), None);
        learn(&late, 1, 10);
        assert_eq!(*recalled(&late, 1).unwrap(), Held(None));
        // Who looks at an earlier view does not drive out what is known of a later one.
        learn(&early, 1, 10);
        assert_eq!(*recalled(&late, 1).unwrap(), Held(None));
    });
}

#[test]
fn what_an_entry_in_the_making_says_is_not_kept() {
    block_on(async {
        let repo = repo().await;
        let build = |view: &View| {
            let mut making = view.begin(view.time());
            making.put(
                path(1),
                crate::RefState {
                    value: Some(Value::new("note", &1)?),
                    generation: 9,
                    seq: making.seq,
                    time: making.time,
                },
            );
            learn(&making, 1, 10);
            assert_eq!(recalled(&making, 1), None);
            Ok(Step::Done(()))
        };
        repo.transact(build).await.unwrap();
        assert_eq!(recalled(&repo.view().await.unwrap(), 1), None);
    });
}

#[test]
fn what_is_kept_is_bounded_and_what_is_asked_for_stays() {
    const PIECE: usize = MAX_BYTES / 64;
    block_on(async {
        let repo = repo().await;
        commit(&repo, change(0, true)).await;
        let view = repo.view().await.unwrap();
        learn(&view, 0, PIECE);
        learn(&view, 1, MAX_BYTES);
        assert_eq!(recalled(&view, 1), None, "too much for itself alone");
        for other in 1..1_000 {
            learn(&view, other, PIECE);
            assert!(recalled(&view, 0).is_some(), "{other}");
            let halves = view.memory.0.lock().unwrap();
            assert!(halves.young.bytes + halves.old.bytes <= MAX_BYTES);
        }
        let kept = (0..1_000)
            .filter(|of| recalled(&view, *of).is_some())
            .count();
        assert!((16..=64).contains(&kept), "{kept}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_recalled_is_what_would_be_made(
        steps in prop::collection::vec((0_usize..4, any::<bool>(), 0_usize..4, 0_usize..4), 1..40),
    ) {
        block_on(async {
            let repo = repo().await;
            let mut views = vec![repo.view().await.unwrap()];
            for (changed, set, learnt, back) in steps {
                commit(&repo, change(changed, set)).await;
                views.push(repo.view().await.unwrap());
                let view = &views[views.len().saturating_sub(1 + back)];
                for of in 0..4 {
                    if let Some(held) = recalled(view, of) {
                        assert_eq!(*held, anew(view, of));
                    }
                }
                learn(view, learnt, 10);
            }
        });
    }
}
