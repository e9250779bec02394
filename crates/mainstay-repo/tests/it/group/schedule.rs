//! Callers of a few handles, polled and dropped one step at a time in any order.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use mainstay_core::{Actor, Result};
use mainstay_repo::{
    CommitOutcome, Committed, Conflict, Expectation, Repo, Step, Transaction, View,
};
use mainstay_store::fault::FaultStorage;
use mainstay_store::{
    ByteRange, Capabilities, Key, MemoryStorage, Object, ObjectMeta, Prefix, PutMode, PutOutcome,
    Storage,
};

use crate::support::{note, options, path};

pub(super) const REFS: [&str; 4] = ["a/a", "a/b", "b/a", "b/b"];

/// Every ref and its generation.
pub(super) type Seen = BTreeMap<String, u64>;

/// What one caller wants.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) handle: usize,
    pub(super) lines: Vec<(usize, Expect)>,
    /// Callers with the same key and the same lines ask for the same.
    pub(super) key: Option<u8>,
    pub(super) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Commit,
    /// Records what it saw.
    Transact,
    /// Answers what it saw.
    Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    Any,
    Absent,
    Generation(u64),
}

impl Expect {
    fn expectation(self) -> Expectation {
        match self {
            Self::Any => Expectation::Any,
            Self::Absent => Expectation::Absent,
            Self::Generation(generation) => Expectation::Generation(generation),
        }
    }

    /// Nothing is ever deleted here.
    pub(super) fn holds(self, generation: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => generation == 0,
            Self::Generation(expected) => generation > 0 && expected == generation,
        }
    }
}

/// What a caller was told.
#[derive(Debug)]
pub(super) enum Answer {
    Committed(Committed),
    Conflict(Conflict),
    Looked(Seen),
}

/// One call: when it began and ended, by the steps of the schedule, and how.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) wish: Wish,
    pub(super) invoked: u64,
    pub(super) returned: Option<u64>,
    /// `None` when it was dropped.
    pub(super) result: Option<Result<Answer>>,
    /// What the transaction that was committed was built on, if the caller looked.
    pub(super) built_on: Option<Seen>,
}

pub(super) fn seen(view: &View) -> Result<Seen> {
    let states = view.states_below("")?;
    Ok(states
        .map(|(path, state)| (path.to_string(), state.generation))
        .collect())
}

/// The transaction of caller `number`: its reason tells it from the others, its values do not tell
/// it from those with the same key.
fn transaction(wish: &Wish, number: usize) -> Transaction {
    let mut built = Transaction::new(Actor::new("caller").unwrap(), number.to_string());
    let value = wish.key.map_or(number, |key| 1_000 + usize::from(key));
    for (at, expect) in &wish.lines {
        built.set(path(REFS[*at]), note(value), expect.expectation());
    }
    if let Some(key) = wish.key {
        built.idempotency_key(format!("key {key}"));
    }
    built
}

async fn call(repo: Repo, wish: Wish, number: usize, built_on: Arc<Mutex<Seen>>) -> Result<Answer> {
    let built = transaction(&wish, number);
    if wish.how == How::Commit {
        return Ok(match repo.commit(built).await? {
            CommitOutcome::Committed(committed) => Answer::Committed(committed),
            CommitOutcome::Conflict(conflict) => Answer::Conflict(conflict),
        });
    }
    let (committed, looked) = repo
        .transact(|view| {
            let saw = seen(view)?;
            built_on.lock().unwrap().clone_from(&saw);
            Ok(match wish.how {
                How::Look => Step::Done(saw),
                _ => Step::Commit(built.clone(), saw),
            })
        })
        .await?;
    Ok(committed.map_or(Answer::Looked(looked), Answer::Committed))
}

type Running = Pin<Box<dyn Future<Output = Result<Answer>>>>;

/// Plays a schedule: each step polls a caller, or drops it. Whoever is left is then polled until it
/// has its answer.
///
/// # Panics
/// When somebody never gets an answer.
pub(super) fn play(
    storage: &Arc<FaultStorage<MemoryStorage>>,
    handles: &[Repo],
    wishes: Vec<Wish>,
    schedule: &[(usize, bool)],
) -> Vec<Call> {
    let mut calls: Vec<Call> = wishes
        .into_iter()
        .map(|wish| Call {
            wish,
            invoked: u64::MAX,
            returned: None,
            result: None,
            built_on: None,
        })
        .collect();
    let mut running: Vec<Option<(Running, Arc<Mutex<Seen>>)>> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let saw = Arc::default();
        let repo = handles[call.wish.handle % handles.len()].clone();
        let future = self::call(repo, call.wish.clone(), number, Arc::clone(&saw));
        // The schedule alone says when it pauses.
        let future = tokio::task::unconstrained(future);
        running.push(Some((Box::pin(future), saw)));
    }
    let everybody = (0..calls.len()).map(|caller| (caller, false));
    let rest = everybody.cycle().take(calls.len() * 4_000);
    for ((caller, dropped), step) in schedule.iter().copied().chain(rest).zip(0..) {
        let caller = caller % calls.len();
        let Some((future, saw)) = &mut running[caller] else {
            continue;
        };
        let call = &mut calls[caller];
        call.invoked = call.invoked.min(step);
        if dropped {
            running[caller] = None;
            continue;
        }
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            call.built_on = Some(saw.lock().unwrap().clone());
            call.returned = Some(step);
            call.result = Some(result);
            running[caller] = None;
        }
        if running.iter().all(Option::is_none) {
            break;
        }
    }
    assert!(
        running.iter().all(Option::is_none),
        "somebody waits forever"
    );
    storage.clear();
    storage.revive();
    calls
}

/// Lets other callers go on before and after each operation has acted.
#[derive(Debug)]
pub(super) struct Stepped(pub(super) Arc<FaultStorage<MemoryStorage>>);

/// Lets others go on once, without the help of a runtime.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn stepped<T>(operation: impl Future<Output = T>) -> T {
    pause().await;
    let result = operation.await;
    pause().await;
    result
}

#[async_trait]
impl Storage for Stepped {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        stepped(self.0.get(key, range)).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        stepped(self.0.put(key, bytes, mode)).await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let step = stream::once(pause()).filter_map(|()| async { None });
        step.chain(self.0.list(prefix, after)).boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        stepped(self.0.delete(key)).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

/// Handles on one storage, as if each were a process, that wait for nothing.
pub(super) async fn handles(storage: &Arc<FaultStorage<MemoryStorage>>, count: usize) -> Vec<Repo> {
    let stepped: Arc<dyn Storage> = Arc::new(Stepped(Arc::clone(storage)));
    let mut handles = Vec::new();
    for seed in 0..count {
        let options = options(seed as u64).with_checkpoint_every(4);
        handles.push(Repo::create(Arc::clone(&stepped), options).await.unwrap());
    }
    handles
}
