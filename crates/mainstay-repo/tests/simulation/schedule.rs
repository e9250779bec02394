//! Who is next, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::{Digest, Error, ErrorKind, ManualClock, Result};
use mainstay_store::MemoryStorage;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tokio::task::JoinHandle;

use crate::actors::{self, GRACE, Role, Stage};
use crate::ledger::Ledger;
use crate::network::{Answer, Ask, Call, Connection, Network, perform};
use crate::verdict;

/// A stalled process and a collector, and what makes work for them.
const ROLES: [Role; 8] = [
    Role::Writer,
    Role::Writer,
    Role::Writer,
    Role::Committer,
    Role::Committer,
    Role::Reader,
    Role::Collector,
    Role::Collector,
];
/// The writer that is stalled much more often, and for longer, than others.
const STRAGGLER: usize = 2;

/// What a schedule was like.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) trace: Option<Digest>,
    pub(crate) operations: u64,
    pub(crate) faults: u64,
    pub(crate) crashes: u64,
    pub(crate) stalls: u64,
    pub(crate) acknowledged: u64,
    /// Packs that collections deleted.
    pub(crate) deleted: u64,
    /// Checkpoints that they did.
    pub(crate) swept: u64,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.faults += other.faults;
        self.crashes += other.crashes;
        self.stalls += other.stalls;
        self.acknowledged += other.acknowledged;
        self.deleted += other.deleted;
        self.swept += other.swept;
    }
}

/// Chance that depends on the seed alone.
pub(crate) struct Chance(TestRng);

impl Chance {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&stream.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn fill(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Happens,
    Refused,
    RequestLost,
    ResponseLost,
    /// The process dies before the storage heard of it.
    DiesBefore,
    /// The process dies when it had happened.
    DiesAfter,
}

struct Scheduler {
    seed: u64,
    chance: Chance,
    /// One in so many calls goes wrong; 0 is never.
    fault_rate: u64,
    storage: Arc<MemoryStorage>,
    network: Arc<Network>,
    stage: Arc<Stage>,
    processes: Vec<JoinHandle<()>>,
    stalled_until: Vec<u64>,
    trace: Vec<u8>,
    outcome: Outcome,
}

/// Plays the schedule of a seed to its end, then checks everything.
pub(crate) async fn simulate(seed: u64) -> Outcome {
    let mut chance = Chance::new(seed, 0);
    let fault_rate = [0, 50, 10][chance.index(3)];
    let storage = Arc::new(MemoryStorage::new());
    let start = "2026-01-01T00:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::new(start));
    let mut scheduler = Scheduler {
        seed,
        chance,
        fault_rate,
        network: Arc::new(Network::new(ROLES.len())),
        stage: Arc::new(Stage::new(seed, clock, Ledger::default(), &ROLES)),
        processes: Vec::new(),
        stalled_until: vec![0; ROLES.len()],
        storage,
        trace: Vec::new(),
        outcome: Outcome::default(),
    };
    scheduler.run().await;
    scheduler.check().await
}

impl Scheduler {
    async fn run(&mut self) {
        for line in 0..ROLES.len() {
            let process = self.start(line);
            self.processes.push(process);
        }
        loop {
            self.network.quiet().await;
            let waiting: Vec<usize> = {
                let lines = self.network.lines();
                let waits = |line: &usize| !lines[*line].calls.is_empty();
                (0..lines.len()).filter(waits).collect()
            };
            if waiting.is_empty() {
                break;
            }
            let line = self.pick(&waiting);
            if self.stalls(line) {
                continue;
            }
            self.answer(line).await;
        }
        for process in std::mem::take(&mut self.processes) {
            process.await.unwrap();
        }
    }

    fn start(&self, line: usize) -> JoinHandle<()> {
        self.network.lines()[line].ended = false;
        let connection = Connection::new(&self.network, line);
        let life = self.network.lines()[line].life;
        let stage = Arc::clone(&self.stage);
        tokio::spawn(actors::live(stage, connection, (line, life)))
    }

    /// Picks one that is not stalled, if there is one.
    fn pick(&mut self, waiting: &[usize]) -> usize {
        let now = self.outcome.operations;
        let awake: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|line| self.stalled_until[*line] <= now)
            .collect();
        if awake.is_empty() {
            let next = waiting.iter().min_by_key(|line| self.stalled_until[**line]);
            return *next.unwrap();
        }
        awake[self.chance.index(awake.len())]
    }

    /// Decides whether a process is stalled now, its call underway.
    fn stalls(&mut self, line: usize) -> bool {
        let now = self.outcome.operations;
        let (one_in, longest) = if line == STRAGGLER {
            (15, 400)
        } else {
            (120, 150)
        };
        if self.stalled_until[line] > now || !self.chance.one_in(one_in) {
            return false;
        }
        self.stalled_until[line] = now + 1 + self.chance.below(longest);
        self.outcome.stalls += 1;
        true
    }

    fn fate(&mut self) -> Fate {
        if self.fault_rate == 0 || !self.chance.one_in(self.fault_rate) {
            return Fate::Happens;
        }
        self.outcome.faults += 1;
        match self.chance.below(12) {
            0..4 => Fate::Refused,
            4..7 => Fate::RequestLost,
            7..10 => Fate::ResponseLost,
            10 => Fate::DiesBefore,
            _ => Fate::DiesAfter,
        }
    }

    async fn answer(&mut self, line: usize) {
        self.outcome.operations += 1;
        let clock = &self.stage.clock;
        clock.advance(Duration::from_millis(20));
        if self.chance.one_in(60) {
            clock.advance(GRACE);
        }
        let Call { ask, answer } = self.network.lines()[line].calls.pop_front().unwrap();
        let fate = match ask {
            Ask::Sleep => Fate::Happens,
            _ => self.fate(),
        };
        let spelled = spell(&ask);
        let deletes =
            |directory| matches!(&ask, Ask::Delete(key) if key.as_str().starts_with(directory));
        let (is_pack, is_root) = (deletes("pack/"), deletes("checkpoint/"));
        let happens = !matches!(fate, Fate::Refused | Fate::RequestLost | Fate::DiesBefore);
        let result = if happens {
            Some(perform(&self.storage, ask).await)
        } else {
            None
        };
        self.outcome.deleted += u64::from(is_pack && happens);
        self.outcome.swept += u64::from(is_root && happens);
        let answered = result.as_ref().map_or_else(String::new, spell_answer);
        self.trace
            .extend(format!("{line} {fate:?} {spelled} {answered}\n").into_bytes());
        let told = match (fate, result) {
            (Fate::Happens, Some(result)) => result,
            (Fate::Refused, _) => Err(Error::new(ErrorKind::Unavailable, "refused")),
            (Fate::DiesBefore | Fate::DiesAfter, _) => {
                drop(answer);
                return self.kill(line).await;
            }
            _ => Err(Error::new(ErrorKind::Unavailable, "lost").ambiguous()),
        };
        // Nobody may be waiting for it any more.
        drop(answer.send(told));
    }

    /// Ends a process and starts the next in its place.
    async fn kill(&mut self, line: usize) {
        self.outcome.crashes += 1;
        self.network.kill(line);
        self.processes[line].abort();
        let next = self.start(line);
        let dead = std::mem::replace(&mut self.processes[line], next);
        if let Err(ended) = dead.await {
            assert!(ended.is_cancelled(), "{ended}");
        }
    }

    async fn check(mut self) -> Outcome {
        if std::env::var_os("MAINSTAY_TRACE").is_some() {
            let path = format!("trace-{}.txt", self.seed);
            std::fs::write(path, &self.trace).unwrap();
        }
        let (deleted, swept) = verdict::settle(&self.storage, &self.stage).await;
        self.outcome.deleted += deleted;
        self.outcome.swept += swept;
        self.outcome.acknowledged = self.stage.ledger.lock().unwrap().acknowledged();
        self.outcome.trace = Some(Digest::of(&self.trace));
        self.outcome
    }
}

fn spell(ask: &Ask) -> String {
    match ask {
        Ask::Get(key, range) => format!("get {key} {range:?}"),
        Ask::Put(key, bytes, mode) => format!("put {key} {mode:?} {}", Digest::of(bytes)),
        Ask::Delete(key) => format!("delete {key}"),
        Ask::List(prefix, after) => format!("list {prefix} {after:?}"),
        Ask::Sleep => "sleep".to_owned(),
    }
}

fn spell_answer(answer: &Result<Answer>) -> String {
    match answer {
        Ok(Answer::Object(object)) => {
            let object = object.as_ref().map(|object| Digest::of(&object.bytes));
            format!("{object:?}")
        }
        other => format!("{other:?}"),
    }
}
