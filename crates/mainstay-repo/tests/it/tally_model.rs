//! Replicas that count, flush, give up and die, compactors that are deposed in the middle, readers,
//! on a storage that delays, loses and delivers late: in random schedules, against plain counts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{self, Either};
use mainstay_core::{Actor, ErrorKind, Result};
use mainstay_repo::{Accuracy, Repo, Scale, Tally, TallyName, Totals, VerifyLevel};
use mainstay_store::{MemoryStorage, Storage};

use crate::support::options;
use crate::wander::{Dice, WanderingStorage, pause};

/// What a life of a replica did; it counts in registers of its own.
#[derive(Debug, Default)]
struct Life {
    attempted: AtomicU64,
    acknowledged: AtomicU64,
    survived: AtomicBool,
}

struct World {
    storage: Arc<dyn Storage>,
    calm: Arc<AtomicBool>,
    subject: TallyName,
    lives: Mutex<Vec<Arc<Life>>>,
    seed: u64,
    repos: AtomicU64,
    done: AtomicBool,
}

impl World {
    async fn new(seed: u64) -> Arc<Self> {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        Repo::create(Arc::clone(&storage), options(seed))
            .await
            .unwrap();
        Arc::new(Self {
            storage,
            calm: Arc::default(),
            subject: "experiment/checkout".parse().unwrap(),
            lives: Mutex::default(),
            seed,
            repos: AtomicU64::new(1),
            done: AtomicBool::new(false),
        })
    }

    /// A process: a repository of its own on the storage as it sees it.
    async fn process(&self) -> Repo {
        let seed = self.seed * 1_000 + self.repos.fetch_add(1, Ordering::Relaxed);
        let calm = Arc::clone(&self.calm);
        let storage = Arc::new(WanderingStorage::new(Arc::clone(&self.storage), seed, calm));
        loop {
            let opened = Repo::open(Arc::clone(&storage) as _, options(seed)).await;
            if let Some(repo) = tolerated(opened) {
                return repo;
            }
        }
    }

    fn begin_life(&self) -> (usize, Arc<Life>) {
        let life = Arc::new(Life::default());
        let mut lives = self.lives.lock().unwrap();
        lives.push(Arc::clone(&life));
        (lives.len() - 1, life)
    }

    /// What each life was promised, as of now.
    fn lives(&self) -> Vec<(Arc<Life>, u64)> {
        let lives = self.lives.lock().unwrap();
        let promised = |life: &Arc<Life>| life.acknowledged.load(Ordering::SeqCst);
        lives
            .iter()
            .map(|life| (Arc::clone(life), promised(life)))
            .collect()
    }
}

fn tester() -> Actor {
    Actor::new("tester").unwrap()
}

/// What a caller lives with; anything else is a fault.
fn tolerated<T>(outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let kinds = [
                ErrorKind::Unavailable,
                ErrorKind::Fenced,
                ErrorKind::Conflict,
            ];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            None
        }
    }
}

fn names(life: usize) -> [TallyName; 3] {
    ["count", "sum", "sketch"].map(|of| format!("life-{life}/{of}").parse().unwrap())
}

/// What was read of a life, which recorded all three registers at once.
fn read_of(totals: &Totals, life: usize) -> u64 {
    let [count, sum, sketch] = names(life);
    let events = totals.count(&count);
    let observed = totals.sketch(&sketch, Accuracy::ONE_PERCENT);
    assert_eq!(
        totals.sum(&sum, Scale::BITS_32).units(),
        i128::from(events) << 31
    );
    assert_eq!(observed.map_or(0, |sketch| sketch.count()), events);
    events
}

/// A replica lives several lives; in each it is another process.
async fn replica(world: Arc<World>, dice: Dice, lives: u64) {
    for _ in 0..lives {
        let repo = world.process().await;
        let tally = repo.tally(&world.subject, tester()).unwrap();
        let (number, life) = world.begin_life();
        let [count, sum, sketch] = names(number);
        let count = tally.counter(&count).unwrap();
        let sum = tally.accumulator(&sum, Scale::BITS_32).unwrap();
        let sketch = tally.histogram(&sketch, Accuracy::ONE_PERCENT).unwrap();
        for _ in 0..=dice.below(12) {
            for _ in 0..=dice.below(3) {
                life.attempted.fetch_add(1, Ordering::SeqCst);
                let value = f64::from(u32::try_from(dice.below(1_000)).unwrap());
                let all = [count.of(1), sum.of(0.5).unwrap(), sketch.of(value).unwrap()];
                tally.record(all).unwrap();
            }
            let patience = if dice.one_in(4) {
                dice.below(200)
            } else {
                u64::MAX
            };
            flush(&tally, &life, patience).await;
            pause(dice.below(20)).await;
        }
        if dice.one_in(2) {
            while !flush(&tally, &life, u64::MAX).await {}
            life.survived.store(true, Ordering::SeqCst);
        }
    }
}

/// Flushes, and gives up after a while.
async fn flush(tally: &Tally, life: &Life, patience: u64) -> bool {
    let counted = life.attempted.load(Ordering::SeqCst);
    let flushing = Box::pin(tally.flush());
    match future::select(flushing, Box::pin(pause(patience))).await {
        Either::Left((outcome, _)) => {
            let flushed = tolerated(outcome).is_some();
            if flushed {
                life.acknowledged.fetch_max(counted, Ordering::SeqCst);
            }
            flushed
        }
        Either::Right(_) => false,
    }
}

/// Compacts whenever it gets the lease, and sometimes dies with it.
async fn compactor(world: Arc<World>, dice: Dice) {
    while !world.done.load(Ordering::SeqCst) {
        let repo = world.process().await;
        let contender = repo
            .lease("tallies", tester(), Duration::from_secs(1))
            .unwrap();
        for _ in 0..=dice.below(8) {
            let Some(Some(lease)) = tolerated(contender.acquire(2).await) else {
                continue;
            };
            let patience = if dice.one_in(3) {
                dice.below(400)
            } else {
                u64::MAX
            };
            let compacting = Box::pin(repo.compact_tally(&world.subject, &lease));
            if let Either::Left((outcome, _)) =
                future::select(compacting, Box::pin(pause(patience))).await
            {
                tolerated(outcome);
                tolerated(lease.release().await);
            }
            pause(dice.below(100)).await;
        }
    }
}

/// Reads again and again: never less than was promised, never more than was attempted. Verification
/// takes nothing that goes on meanwhile for a fault.
async fn reader(world: Arc<World>, dice: Dice) {
    let repo = world.process().await;
    while !world.done.load(Ordering::SeqCst) {
        if dice.one_in(8)
            && let Some(report) = tolerated(repo.verify(VerifyLevel::Quick).await)
        {
            assert_eq!(report.faults, [], "seed {}", world.seed);
        }
        let promised = world.lives();
        let Some(totals) = tolerated(repo.read_tally(&world.subject).await) else {
            continue;
        };
        for (number, (life, promised)) in promised.into_iter().enumerate() {
            let read = read_of(&totals, number);
            let attempted = life.attempted.load(Ordering::SeqCst);
            let at = format!("seed {}, life {number}", world.seed);
            assert!(read >= promised, "{at}: {read} of {promised} promised");
            assert!(read <= attempted, "{at}: {read} of {attempted} attempted");
        }
    }
}

async fn check(seed: u64) {
    let world = World::new(seed).await;
    let dice = |n: u64| Dice::new(seed * 100 + n);
    let replicas = (0..4).map(|n| tokio::spawn(replica(Arc::clone(&world), dice(n), 3)));
    let replicas: Vec<_> = replicas.collect();
    let others = [
        tokio::spawn(compactor(Arc::clone(&world), dice(10))),
        tokio::spawn(compactor(Arc::clone(&world), dice(11))),
        tokio::spawn(reader(Arc::clone(&world), dice(12))),
    ];
    for replica in replicas {
        replica.await.unwrap();
    }
    world.done.store(true, Ordering::SeqCst);
    for other in others {
        other.await.unwrap();
    }
    world.calm.store(true, Ordering::SeqCst);
    // Let what is late arrive.
    pause(2_000).await;

    let repo = world.process().await;
    let totals = repo.read_tally(&world.subject).await.unwrap();
    for (number, (life, promised)) in world.lives().into_iter().enumerate() {
        let read = read_of(&totals, number);
        let attempted = life.attempted.load(Ordering::SeqCst);
        let at = format!("seed {seed}, life {number}");
        assert!((promised..=attempted).contains(&read), "{at}: {read}");
        if life.survived.load(Ordering::SeqCst) {
            assert_eq!(read, attempted, "{at}");
        }
    }
    let contender = repo
        .lease("tallies", tester(), Duration::from_secs(1))
        .unwrap();
    let lease = contender.acquire(2).await.unwrap().unwrap();
    repo.compact_tally(&world.subject, &lease).await.unwrap();
    assert_eq!(repo.read_tally(&world.subject).await.unwrap(), totals);
    assert_eq!(repo.stats().await.unwrap().tally_objects, 1);
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, [], "seed {seed}");
}

#[tokio::test]
async fn what_is_read_is_what_was_acknowledged_in_any_schedule() {
    let from = number("MAINSTAY_SEED").unwrap_or(0);
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    for seed in from..from + if long { 5_000 } else { 12 } {
        check(seed).await;
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
