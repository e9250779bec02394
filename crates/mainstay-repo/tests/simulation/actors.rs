//! What the processes do.

mod collector;
mod committer;
mod reader;
mod writer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainstay_core::{Actor, ErrorKind, ManualClock, Result, SeededIds};
use mainstay_repo::{CollectOptions, Repo, RepoOptions};
use mainstay_store::{RetryOptions, RetryStorage, Storage, Timer};

use crate::ledger::Ledger;
use crate::network::Connection;
use crate::schedule::Chance;

pub(crate) const GRACE: Duration = Duration::from_hours(1);
/// How many things each process does; the one that takes a dead one's place does the rest.
const ACTIONS: u64 = 5;
pub(crate) const COUNTER: &str = "shared/counter";

#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    /// Stores blobs and names them.
    Writer,
    /// Commits without blobs.
    Committer,
    /// Reads everything.
    Reader,
    /// Collects.
    Collector,
}

/// What all processes of a schedule share, besides the storage.
pub(crate) struct Stage {
    pub(crate) seed: u64,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ledger: Mutex<Ledger>,
    roles: Vec<Role>,
    left: Mutex<Vec<u64>>,
}

impl Stage {
    pub(crate) fn new(seed: u64, clock: Arc<ManualClock>, ledger: Ledger, roles: &[Role]) -> Self {
        Self {
            seed,
            clock,
            ledger: Mutex::new(ledger),
            roles: roles.to_vec(),
            left: Mutex::new(vec![ACTIONS; roles.len()]),
        }
    }

    /// Takes one of the actions that are left to a process.
    fn take_action(&self, line: usize) -> bool {
        let left = &mut self.left.lock().unwrap()[line];
        let taken = *left > 0;
        *left = left.saturating_sub(1);
        taken
    }

    pub(crate) fn options(&self, ids: u64, timer: Arc<dyn Timer>) -> RepoOptions {
        RepoOptions::default()
            .with_clock(Arc::clone(&self.clock) as _)
            .with_ids(Arc::new(SeededIds::new(self.seed << 16 | ids)))
            .with_timer(timer)
            .with_checkpoint_every(3)
    }
}

/// One process from its start to its end.
struct Process {
    stage: Arc<Stage>,
    line: usize,
    chance: Chance,
    repo: Repo,
}

/// Tells the network when the process ends, also by a panic.
struct Presence(Connection);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.end();
    }
}

pub(crate) async fn live(stage: Arc<Stage>, connection: Connection, (line, life): (usize, u64)) {
    let _presence = Presence(connection.clone());
    let ids = (line as u64 + 1) * 1000 + life;
    let chance = Chance::new(stage.seed, ids);
    let timer: Arc<dyn Timer> = Arc::new(connection.clone());
    let storage: Arc<dyn Storage> = if line.is_multiple_of(2) {
        let options = RetryOptions::default().with_seed(ids);
        Arc::new(RetryStorage::new(connection, Arc::clone(&timer), options))
    } else {
        Arc::new(connection)
    };
    let options = stage.options(ids, timer);
    let repo = loop {
        match Repo::create(Arc::clone(&storage), options.clone()).await {
            Ok(repo) => break repo,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
        }
    };
    let mut process = Process {
        stage,
        line,
        chance,
        repo,
    };
    while process.stage.take_action(line) {
        match process.stage.roles[line] {
            Role::Writer => writer::act(&mut process).await,
            Role::Committer => committer::act(&mut process).await,
            Role::Reader => reader::act(&process).await,
            Role::Collector => collector::act(&mut process).await,
        }
    }
    process.repo.settle().await;
}

pub(crate) fn actor() -> Actor {
    Actor::new("simulation").unwrap()
}

/// Only live refs are kept.
pub(crate) fn collect_options() -> CollectOptions {
    CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(GRACE)
        .with_checkpoint_spacing_percent(100)
}

/// Returns what succeeded; what failed must have failed for a reason that the schedule gave.
fn tolerate<T>(result: Result<T>, also: &[ErrorKind]) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let expected = error.kind() == ErrorKind::Unavailable || also.contains(&error.kind());
            assert!(expected, "{error:?}");
            None
        }
    }
}

/// How a commit ended, as far as it is known.
enum Fate {
    Committed,
    Refused,
    Unknown,
}

fn fate(committed: Result<()>) -> Fate {
    match committed {
        Ok(()) => Fate::Committed,
        Err(error) if error.is_ambiguous() => Fate::Unknown,
        Err(_) => Fate::Refused,
    }
}
