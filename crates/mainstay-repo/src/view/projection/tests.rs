use std::collections::BTreeMap;

use mainstay_core::{Actor, ErrorKind};
use mainstay_store::{MemoryStorage, Storage};
use proptest::prelude::*;

use super::*;
use crate::{Expectation, Repo, RepoOptions, Step, Transaction, Value};

/// What each ref was last changed by, and whether it holds a value.
#[derive(Debug, Clone, Default, PartialEq)]
struct Seen(BTreeMap<String, (u64, bool)>);

impl Projection for Seen {
    fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()> {
        let seen = (state.seq, state.value.is_some());
        self.0.insert(path.to_string(), seen);
        Ok(())
    }
}

/// Fails at a ref named `bad`.
#[derive(Debug, Clone, Default)]
struct Strict;

impl Projection for Strict {
    fn note(&mut self, path: &RefPath, _: &RefState) -> Result<()> {
        if path.segments().any(|name| name == "bad") {
            return Err(Error::corrupt(path, "bad"));
        }
        Ok(())
    }
}

fn anew(view: &View, prefix: &str) -> Result<Seen> {
    let mut seen = Seen::default();
    for (path, state) in view.states_below(prefix)? {
        seen.note(path, state)?;
    }
    Ok(seen)
}

fn agrees(view: &View, prefix: &str) -> Result<()> {
    assert_eq!(
        *view.project::<Seen>(prefix)?,
        anew(view, prefix)?,
        "{prefix}"
    );
    Ok(())
}

fn change(of: &[(usize, bool)]) -> Transaction {
    let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "test");
    for (place, set) in of {
        let path = PATHS[*place].parse().unwrap();
        if *set {
            transaction.set(path, Value::new("note", place).unwrap(), Expectation::Any);
        } else {
            transaction.delete(path, Expectation::Any);
        }
    }
    transaction
}

const PATHS: [&str; 5] = ["a/b/c", "a/b/d", "a/x/c", "ab/b/c", "b/b/c"];
const PREFIXES: [&str; 4] = ["", "a", "a/b", "a/b/"];

#[derive(Debug, Clone)]
enum Op {
    Commit(Vec<(usize, bool)>),
    /// Waits for checkpoints, which the newest view then begins from.
    Settle,
    /// Asks the newest view for one.
    Ask(usize),
    /// Keeps the newest view.
    Keep,
    /// Asks a view that was kept.
    AskKept(usize, usize),
    /// Asks within a transaction that is then given up, after one before it in the same entry.
    AskDraft(usize, Vec<(usize, bool)>),
    /// Opens the repository again, with nothing in memory.
    Open,
}

fn op() -> impl Strategy<Value = Op> {
    let changes = prop::collection::btree_map(0..PATHS.len(), any::<bool>(), 1..4)
        .prop_map(|changes| changes.into_iter().collect::<Vec<_>>());
    prop_oneof![
        4 => changes.clone().prop_map(Op::Commit),
        2 => Just(Op::Settle),
        4 => (0..PREFIXES.len()).prop_map(Op::Ask),
        1 => Just(Op::Keep),
        2 => (0..8_usize, 0..PREFIXES.len()).prop_map(|(kept, prefix)| Op::AskKept(kept, prefix)),
        1 => ((0..PREFIXES.len()), changes).prop_map(|(prefix, changes)| Op::AskDraft(prefix, changes)),
        1 => Just(Op::Open),
    ]
}

fn run(future: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_is_what_the_refs_of_each_view_make(ops in prop::collection::vec(op(), 1..40)) {
        run(async {
            let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
            let options = RepoOptions::default().with_checkpoint_every(3);
            let mut repo = Repo::create(Arc::clone(&storage), options.clone()).await?;
            let mut kept = Vec::new();
            for op in ops {
                match op {
                    Op::Commit(changes) => {
                        let _deleted_nothing = repo.commit(change(&changes)).await;
                    }
                    Op::Settle => repo.settle().await,
                    Op::Ask(prefix) => repo.read(|view| agrees(view, PREFIXES[prefix])).await?,
                    Op::Keep => kept.push(repo.view().await?),
                    Op::AskKept(view, prefix) => {
                        if let Some(view) = kept.get(view % kept.len().max(1)) {
                            view.read(|view| agrees(view, PREFIXES[prefix])).await?;
                        }
                    }
                    Op::AskDraft(prefix, changes) => {
                        let view = repo.view().await?;
                        view.load("").await?;
                        let mut draft = view.begin(view.time());
                        for (place, set) in changes {
                            let state = RefState {
                                value: set.then(|| Value::new("note", &place)).transpose()?,
                                generation: 1,
                                seq: draft.seq,
                                time: draft.time,
                            };
                            draft.put(PATHS[place].parse()?, state);
                            agrees(&draft, PREFIXES[prefix])?;
                        }
                    }
                    Op::Open => repo = Repo::open(Arc::clone(&storage), options.clone()).await?,
                }
            }
            repo.read(|view| PREFIXES.iter().try_for_each(|prefix| agrees(view, prefix))).await
        });
    }
}

#[test]
fn one_that_fails_is_not_kept() {
    run(async {
        let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
        let set = async |path: &str, set| {
            let mut transaction = Transaction::new(Actor::new("ada")?, "test");
            let path = path.parse()?;
            if set {
                transaction.set(path, Value::new("note", &1)?, Expectation::Any);
            } else {
                transaction.delete(path, Expectation::Any);
            }
            repo.commit(transaction).await.map(drop)
        };
        let ask = async || {
            repo.read(|view| view.project::<Strict>("a").map(drop))
                .await
        };
        set("a/good", true).await?;
        ask().await?;
        set("a/bad", true).await?;
        assert_eq!(ask().await.unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(ask().await.unwrap_err().kind(), ErrorKind::Corrupt);
        Ok(())
    });
}

#[test]
fn more_changes_than_a_view_remembers_are_found_by_a_scan() {
    run(async {
        let mut view = View::empty();
        view.entry = Some(Digest::of(b"one"));
        view.seq = 1;
        agrees(&view, "n")?;
        let mut view = view.begin(view.time());
        for number in 0..=crate::view::MAX_CHANGES {
            let state = RefState {
                value: None,
                generation: 1,
                seq: 2,
                time: view.time,
            };
            view.put(format!("n/{number}").parse()?, state);
        }
        view.entry = Some(Digest::of(b"two"));
        agrees(&view, "n")
    });
}

#[test]
fn those_not_asked_for_give_way() {
    run(async {
        let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
        drop(repo.commit(change(&[(0, true)])).await?);
        let view = repo.view().await?;
        for number in 0..MAX_KEPT + 10 {
            agrees(&view, "a/b")?;
            agrees(&view, &format!("other/{number}"))?;
        }
        let shelf = view.projections.0.lock().unwrap();
        assert!(shelf.count <= MAX_KEPT);
        assert!(shelf.kept[&TypeId::of::<Seen>()].contains_key("a/b"));
        Ok(())
    });
}

#[test]
fn transactions_of_one_entry_see_those_before_them() {
    run(async {
        let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
        for place in 0..3 {
            repo.transact(|view| {
                agrees(view, "")?;
                Ok(Step::Commit(change(&[(place, true)]), ()))
            })
            .await?;
        }
        repo.read(|view| agrees(view, "")).await
    });
}
