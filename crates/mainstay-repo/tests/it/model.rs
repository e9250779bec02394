//! A reference model: several handles on one storage against plain maps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use mainstay_core::{Clock as _, ErrorKind, ManualClock, Timestamp, canon};
use mainstay_repo::{CommitOutcome, Expectation, Repo, Step, Transaction, View};
use mainstay_store::{MemoryStorage, Storage};
use proptest::prelude::*;

use crate::support::{note, options, path, start, states, transaction};

const HANDLES: usize = 3;
const REFS: [&str; 6] = [
    "a/a",
    "a/b",
    "a/b/c",
    "model/m/version/1",
    "model/m/alias/x",
    "z/z",
];
const TEXTS: [&str; 3] = ["one", "two", "three"];

#[derive(Debug, Clone)]
enum Op {
    Commit {
        handle: usize,
        lines: Vec<Line>,
        key: Option<u8>,
        exact: bool,
    },
    Refresh(usize),
    Reopen(usize),
    /// Lets checkpoints be written.
    Settle(usize),
    /// Moves the clock, also backwards.
    Clock(i64),
}

#[derive(Debug, Clone, PartialEq)]
struct Line {
    path: usize,
    expect: Expect,
    action: Action,
}

#[derive(Debug, Clone, PartialEq)]
enum Expect {
    Any,
    Absent,
    /// The current generation plus this.
    Generation(u64),
    Record(usize),
}

#[derive(Debug, Clone, PartialEq)]
enum Action {
    Set(usize),
    Delete,
    Check,
}

fn line() -> impl Strategy<Value = Line> {
    let expect = prop_oneof![
        3 => Just(Expect::Any),
        2 => Just(Expect::Absent),
        2 => Just(Expect::Generation(0)),
        1 => Just(Expect::Generation(1)),
        1 => (0..TEXTS.len()).prop_map(Expect::Record),
    ];
    let action = prop_oneof![
        4 => (0..TEXTS.len()).prop_map(Action::Set),
        1 => Just(Action::Delete),
        1 => Just(Action::Check),
    ];
    (0..REFS.len(), expect, action).prop_map(|(path, expect, action)| Line {
        path,
        expect,
        action,
    })
}

fn op() -> impl Strategy<Value = Op> {
    let commit = (
        0..HANDLES,
        prop::collection::vec(line(), 0..4),
        prop::option::weighted(0.3, 0_u8..4),
        any::<bool>(),
    );
    prop_oneof![
        8 => commit.prop_map(|(handle, lines, key, exact)| Op::Commit { handle, lines, key, exact }),
        1 => (0..HANDLES).prop_map(Op::Refresh),
        1 => (0..HANDLES).prop_map(Op::Reopen),
        3 => (0..HANDLES).prop_map(Op::Settle),
        1 => (-50_i64..100).prop_map(Op::Clock),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Ref {
    text: Option<&'static str>,
    generation: u64,
    seq: u64,
    time: Timestamp,
}

type State = BTreeMap<&'static str, Ref>;

/// The whole past: the state after each entry.
#[derive(Debug)]
struct Model {
    states: Vec<(Timestamp, State)>,
    keys: BTreeMap<u8, (Vec<(Expectation, Line)>, u64)>,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Committed { seq: u64, replayed: bool },
    Conflict(&'static str),
    Refused(ErrorKind),
}

impl Model {
    fn head(&self) -> (Timestamp, &State, u64) {
        let (time, state) = self.states.last().unwrap();
        (*time, state, self.states.len() as u64 - 1)
    }

    fn commit(
        &mut self,
        now: Timestamp,
        lines: &[(Expectation, Line)],
        key: Option<u8>,
    ) -> Outcome {
        let (time, state, head) = self.head();
        let changes = lines.iter().any(|(_, line)| line.action != Action::Check);
        let mut paths: Vec<usize> = lines.iter().map(|(_, line)| line.path).collect();
        paths.sort_unstable();
        if !changes || !paths.is_sorted_by(|a, b| a < b) {
            return Outcome::Refused(ErrorKind::Invalid);
        }
        let mut request = lines.to_vec();
        request.sort_by_key(|(_, line)| line.path);
        if let Some((first, seq)) = key.and_then(|key| self.keys.get(&key)) {
            return if *first == request {
                Outcome::Committed {
                    seq: *seq,
                    replayed: true,
                }
            } else {
                Outcome::Refused(ErrorKind::AlreadyExists)
            };
        }
        for (expectation, line) in lines {
            let current = state.get(REFS[line.path]);
            let live = current.filter(|current| current.text.is_some());
            let holds = match expectation {
                Expectation::Any => true,
                Expectation::Absent => live.is_none(),
                Expectation::Generation(g) => live.is_some_and(|live| live.generation == *g),
                Expectation::Record(digest) => {
                    live.is_some_and(|live| canon::digest(&live.text.unwrap()).unwrap() == *digest)
                }
                _ => unreachable!(),
            };
            if !holds {
                return Outcome::Conflict(REFS[line.path]);
            }
        }
        let (seq, time, mut next) = (head + 1, now.max(time), state.clone());
        for (_, line) in lines {
            let text = match line.action {
                Action::Set(text) => Some(TEXTS[text]),
                Action::Delete => None,
                Action::Check => continue,
            };
            let generation = next
                .get(REFS[line.path])
                .map_or(0, |before| before.generation)
                + 1;
            next.insert(
                REFS[line.path],
                Ref {
                    text,
                    generation,
                    seq,
                    time,
                },
            );
        }
        self.states.push((time, next));
        if let Some(key) = key {
            self.keys.insert(key, (request, seq));
        }
        Outcome::Committed {
            seq,
            replayed: false,
        }
    }
}

fn built(lines: &[(Expectation, Line)], key: Option<u8>) -> Transaction {
    let mut built = transaction();
    for (expectation, line) in lines {
        let at = path(REFS[line.path]);
        match line.action {
            Action::Set(text) => built.set(at, note(TEXTS[text]), *expectation),
            Action::Delete => built.delete(at, *expectation),
            Action::Check => built.check(at, *expectation),
        };
    }
    if let Some(key) = key {
        built.idempotency_key(format!("key {key}"));
    }
    built
}

fn outcome(result: mainstay_core::Result<CommitOutcome>) -> Outcome {
    match result {
        Ok(CommitOutcome::Committed(committed)) => Outcome::Committed {
            seq: committed.seq,
            replayed: committed.replayed,
        },
        Ok(CommitOutcome::Conflict(conflict)) => Outcome::Conflict(
            REFS.into_iter()
                .find(|at| *at == conflict.path.as_str())
                .unwrap(),
        ),
        Err(error) => Outcome::Refused(error.kind()),
    }
}

async fn seen(
    view: &View,
) -> BTreeMap<String, (Option<mainstay_repo::Value>, u64, u64, Timestamp)> {
    let states = states(view).await.unwrap().into_iter();
    states
        .map(|(path, state)| {
            let state = (state.value, state.generation, state.seq, state.time);
            (path.to_string(), state)
        })
        .collect()
}

fn expected(
    state: &State,
) -> BTreeMap<String, (Option<mainstay_repo::Value>, u64, u64, Timestamp)> {
    state
        .iter()
        .map(|(at, r)| {
            (
                (*at).to_owned(),
                (r.text.map(note), r.generation, r.seq, r.time),
            )
        })
        .collect()
}

async fn run(ops: Vec<Op>, checkpoint_every: u64) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let clock = Arc::new(ManualClock::new(start()));
    let options = |handle: usize| {
        options(handle as u64)
            .with_clock(Arc::<ManualClock>::clone(&clock))
            .with_checkpoint_every(checkpoint_every)
    };
    let mut handles = Vec::new();
    for handle in 0..HANDLES {
        handles.push(
            Repo::create(Arc::clone(&storage), options(handle))
                .await
                .unwrap(),
        );
    }
    let mut model = Model {
        states: vec![(handles[0].cached_view().time(), State::new())],
        keys: BTreeMap::new(),
    };
    // Write ids must not repeat when a handle is opened again.
    let mut opened = HANDLES;
    for op in ops {
        match op {
            Op::Refresh(handle) => {
                let view = handles[handle].view().await.unwrap();
                assert_eq!(seen(&view).await, expected(model.head().1));
            }
            Op::Reopen(handle) => {
                opened += 1;
                handles[handle] = Repo::open(Arc::clone(&storage), options(opened))
                    .await
                    .unwrap();
                assert_eq!(
                    seen(&handles[handle].cached_view()).await,
                    expected(model.head().1)
                );
            }
            Op::Settle(handle) => {
                handles[handle].settle().await;
                let view = handles[handle].view().await.unwrap();
                assert_eq!(seen(&view).await, expected(model.head().1));
            }
            Op::Clock(seconds) => {
                let micros = clock.now().as_unix_micros() + seconds * 1_000_000;
                clock.set(Timestamp::from_unix_micros(micros));
            }
            Op::Commit {
                handle,
                lines,
                key,
                exact,
            } => {
                let lines: Vec<(Expectation, Line)> = lines
                    .into_iter()
                    .map(|line| {
                        let current = model.head().1.get(REFS[line.path]);
                        let expectation = match line.expect {
                            Expect::Any => Expectation::Any,
                            Expect::Absent => Expectation::Absent,
                            Expect::Generation(ahead) => {
                                Expectation::Generation(current.map_or(0, |r| r.generation) + ahead)
                            }
                            Expect::Record(text) => {
                                Expectation::Record(canon::digest(TEXTS[text]).unwrap())
                            }
                        };
                        (expectation, line)
                    })
                    .collect();
                let model_outcome = model.commit(clock.now(), &lines, key);
                let repo = &handles[handle];
                if exact {
                    let result = repo
                        .transact(|_| Ok(Step::Commit(built(&lines, key), ())))
                        .await;
                    let result =
                        result.map(|(committed, ())| CommitOutcome::Committed(committed.unwrap()));
                    // A conflict on the view the closure saw is an error.
                    let expected = match model_outcome {
                        Outcome::Conflict(_) => Outcome::Refused(ErrorKind::Conflict),
                        other => other,
                    };
                    assert_eq!(outcome(result), expected);
                } else {
                    assert_eq!(
                        outcome(repo.commit(built(&lines, key)).await),
                        model_outcome
                    );
                }
            }
        }
    }
    check_the_past(&handles[0], &model).await;
}

async fn check_the_past(repo: &Repo, model: &Model) {
    for (seq, (time, state)) in model.states.iter().enumerate() {
        let view = repo.view_at(seq as u64).await.unwrap();
        assert_eq!(seen(&view).await, expected(state), "as of {seq}");
        assert_eq!((view.seq(), view.time()), (seq as u64, *time));
        for moment in [*time, time.saturating_add(Duration::from_micros(1))] {
            let last = model.states.iter().rposition(|(time, _)| *time <= moment);
            let view = repo.view_as_of(moment).await.unwrap();
            assert_eq!(view.seq(), last.unwrap_or(0) as u64, "as of {moment}");
        }
    }
    let beyond = repo.view_at(model.states.len() as u64).await.unwrap_err();
    assert_eq!(beyond.kind(), ErrorKind::NotFound);

    for at in REFS {
        let mut expected: Vec<Ref> = Vec::new();
        for (_, state) in &model.states {
            if let Some(now) = state.get(at)
                && expected.first() != Some(now)
            {
                expected.insert(0, now.clone());
            }
        }
        let history: Vec<_> = repo.history(&path(at)).try_collect().await.unwrap();
        let seen: Vec<_> = history
            .iter()
            .map(|c| (c.value.clone(), c.generation, c.seq, c.time))
            .collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|r| (r.text.map(note), r.generation, r.seq, r.time))
            .collect();
        assert_eq!(seen, expected, "history of {at}");
        let links: Vec<_> = history.iter().map(|c| c.previous).collect();
        let before: Vec<_> = seen
            .iter()
            .skip(1)
            .map(|c| Some(c.2))
            .chain([None])
            .collect();
        assert!(history.is_empty() || links == before);
    }

    let feed: Vec<_> = repo.entries(0).try_collect().await.unwrap();
    let seqs: Vec<u64> = feed.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..model.states.len() as u64).collect::<Vec<_>>());
    let middle = seqs.len() / 2;
    let resumed: Vec<_> = repo.entries(middle as u64).try_collect().await.unwrap();
    assert_eq!(resumed, feed[middle..]);
    let mut back: Vec<_> = repo.entries_back().try_collect().await.unwrap();
    back.reverse();
    assert_eq!(back, feed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn the_repository_behaves_like_plain_maps(
        ops in prop::collection::vec(op(), 1..60),
        checkpoint_every in 1_u64..6,
    ) {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(run(ops, checkpoint_every));
    }
}
