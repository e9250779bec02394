//! Clients that commit to a repository and read it at once, and the history of what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use mainstay::repo::{CommitOutcome, Expectation, RefState, Repo, Transaction, Value, View};
use mainstay::{Actor, Error, ErrorKind, RefPath, Result};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;

use super::{Call, Change, Expected, Operation, Ref, RefsState};

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// How many transactions each client tries to commit.
    pub commits: usize,
    /// How many refs they share.
    pub refs: usize,
    /// Decides what they do.
    pub seed: u64,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            commits: 50,
            refs: 8,
            seed: 0,
        }
    }
}

impl Workload {
    /// Sets how many transactions each client tries to commit.
    #[must_use]
    pub fn with_commits(mut self, commits: usize) -> Self {
        self.commits = commits;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// What clients saw.
#[derive(Debug)]
pub struct History {
    /// Their commits and views.
    pub calls: Vec<Call<Operation>>,
    /// What they could not read, after which they gave up, except that the storage was unavailable:
    /// empty on a sound one.
    pub failures: Vec<Error>,
}

/// Lets one client work on each handle and returns their history. `observer` looks on, and once more
/// at the end.
///
/// Wants an empty repository that nobody else commits to, and a multi-threaded runtime.
pub async fn run(handles: Vec<Repo>, observer: &Repo, workload: Workload) -> History {
    let recorder = Arc::new(Recorder::default());
    let observing = handles.len();
    let mut clients = JoinSet::new();
    for (number, repo) in handles.into_iter().enumerate() {
        let client = Client {
            number,
            repo,
            workload,
            chance: chance(workload.seed, number),
            recorder: Arc::clone(&recorder),
        };
        clients.spawn(client.work());
    }
    let mut failures = Vec::new();
    while let Some(ended) = clients.join_next().await {
        let panicked = |cause| Error::new(ErrorKind::Internal, "a client ended").with_source(cause);
        failures.extend(ended.map_err(panicked).flatten().err());
        failures.extend(recorder.view(observing, observer).await.err());
    }
    History {
        calls: recorder.history(),
        failures,
    }
}

/// The calls so far, and the order of their events.
#[derive(Default)]
struct Recorder {
    events: AtomicU64,
    calls: Mutex<Vec<Call<Operation>>>,
}

impl Recorder {
    fn event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::SeqCst)
    }

    fn record(&self, call: Call<Operation>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
    }

    fn history(&self) -> Vec<Call<Operation>> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads the refs; `None` when the storage is unavailable.
    async fn view(&self, client: usize, repo: &Repo) -> Result<Option<RefsState>> {
        let invoked = self.event();
        let read = async { repo.view().await?.read(seen).await };
        let seen = match read.await {
            Err(error) if error.kind() == ErrorKind::Unavailable => return Ok(None),
            seen => seen?,
        };
        let returned = Some(self.event());
        self.record(Call {
            client,
            invoked,
            returned,
            operation: Operation::View(seen.clone()),
        });
        Ok(Some(seen))
    }
}

fn chance(seed: u64, client: usize) -> ChaCha8Rng {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    chance.set_stream(client as u64);
    chance
}

struct Client {
    number: usize,
    repo: Repo,
    workload: Workload,
    chance: ChaCha8Rng,
    recorder: Arc<Recorder>,
}

impl Client {
    async fn work(mut self) -> Result<()> {
        let mut view = RefsState::default();
        for commit in 0..self.workload.commits {
            if self.chance.random_ratio(1, 2) {
                let newest = self.recorder.view(self.number, &self.repo).await?;
                view = newest.unwrap_or(view);
            }
            let changes = self.changes(&view, commit);
            self.commit(changes).await?;
        }
        Ok(())
    }

    /// One to three refs, half of them expected to be as the last view showed them.
    fn changes(&mut self, view: &RefsState, commit: usize) -> Vec<Change> {
        let mut paths: Vec<usize> = (0..self.workload.refs).collect();
        let mut changes = Vec::new();
        for line in 0..self.chance.random_range(1..=3) {
            let path = paths.swap_remove(self.chance.random_range(..paths.len()));
            let expected = match view.refs.get(&path) {
                _ if self.chance.random_ratio(1, 2) => Expected::Any,
                None | Some((_, None)) => Expected::Absent,
                Some((_, Some(value))) if self.chance.random_ratio(1, 3) => Expected::Value(*value),
                Some((generation, Some(_))) => Expected::Generation(*generation),
            };
            // No two are the same.
            let number = (self.number * self.workload.commits + commit) * 3 + line;
            let value = (!self.chance.random_ratio(1, 8)).then_some(number as u64);
            changes.push((path, expected, value));
        }
        changes
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<()> {
        let transaction = transaction(&changes)?;
        let invoked = self.recorder.event();
        let outcome = self.repo.commit(transaction).await;
        let returned = self.recorder.event();
        let (returned, operation) = match outcome {
            Ok(CommitOutcome::Committed(committed)) => {
                let seq = committed.seq;
                (Some(returned), Operation::Committed { changes, seq })
            }
            Ok(CommitOutcome::Conflict(conflict)) => {
                let path = number(&conflict.path)?;
                let expected = changes.iter().find(|(changed, ..)| *changed == path);
                let (_, expected, _) = expected.ok_or_else(|| {
                    Error::new(ErrorKind::Internal, "a conflict on a ref nobody asked for")
                })?;
                let found = conflict.current.as_ref().map(held).transpose()?;
                let operation = Operation::Conflict {
                    path,
                    expected: *expected,
                    found,
                };
                (Some(returned), operation)
            }
            Err(error) if error.is_ambiguous() => (None, Operation::Unknown { changes }),
            // It did not take effect and tells nothing.
            Err(_) => return Ok(()),
        };
        self.recorder.record(Call {
            client: self.number,
            invoked,
            returned,
            operation,
        });
        Ok(())
    }
}

fn transaction(changes: &[Change]) -> Result<Transaction> {
    let mut transaction = Transaction::new(Actor::new("client")?, "linearizability");
    for (path, expected, value) in changes {
        let path: RefPath = format!("run/ref/{path}").parse()?;
        let expectation = match *expected {
            Expected::Any => Expectation::Any,
            Expected::Absent => Expectation::Absent,
            Expected::Generation(generation) => Expectation::Generation(generation),
            Expected::Value(value) => Expectation::Record(record(value)?.record_digest()?),
        };
        match value {
            Some(value) => transaction.set(path, record(*value)?, expectation),
            None => transaction.delete(path, expectation),
        };
    }
    Ok(transaction)
}

fn record(value: u64) -> Result<Value> {
    Value::new("number", &value)
}

fn seen(view: &View) -> Result<RefsState> {
    let refs = view
        .states_below("run/ref")?
        .map(|(path, state)| Ok((number(path)?, held(state)?)))
        .collect::<Result<_>>()?;
    Ok(RefsState {
        seq: view.seq(),
        refs,
    })
}

fn held(state: &RefState) -> Result<Ref> {
    let value = state.value.as_ref();
    let value = value.map(|value| value.decode("number")).transpose()?;
    Ok((state.generation, value))
}

fn number(path: &RefPath) -> Result<usize> {
    let last = path.as_str().rsplit('/').next().unwrap_or_default();
    last.parse().map_err(|_| {
        Error::new(ErrorKind::Internal, "a ref that is no number").context("ref", path)
    })
}
