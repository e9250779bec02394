//! Random interleavings of writers, stalled sessions and collectors, some of which crash or are
//! stalled in the middle of a run, against a map of what must be readable.

use std::pin::Pin;

use mainstay_store::Timer;
use mainstay_store::fault::Fault;

use super::stalled::Gate;
use super::*;
use crate::{Ingest, TreeBuilder, TreeEntry};

/// How many schedules are tried; `MAINSTAY_LONG=1` tries all of them.
const SCHEDULES: (u64, u64) = (150, 10_000);
const STEPS: usize = 30;
const PATHS: u64 = 5;
/// Where large contents may be cut.
const CUT: usize = 9_000;

/// What was stored together.
#[derive(Debug, Clone)]
struct Held {
    contents: Vec<Bytes>,
    /// The tree that holds it; `None` when values name the blobs themselves.
    tree: Option<Digest>,
}

impl Held {
    /// The entries of the tree: pages of which most are alike in all trees.
    fn entries(contents: &[Bytes]) -> Vec<TreeEntry> {
        let fill = (0..150).map(|n| TreeEntry::new(format!("a{n:03}"), n.into(), []));
        let held: BTreeMap<String, Digest> = contents
            .iter()
            .map(|content| Digest::of(content))
            .map(|digest| (digest.to_string(), digest))
            .collect();
        let held = held.into_iter();
        let held = held.map(|(key, digest)| TreeEntry::new(key, 0.into(), [digest]));
        fill.chain(held).collect()
    }

    async fn assert_readable(&self, repo: &Repo) {
        for content in &self.contents {
            assert_eq!(read(repo, content).await.as_ref(), Some(content));
        }
        if let Some(root) = &self.tree {
            let entries: Vec<_> = repo.tree(root).entries().try_collect().await.unwrap();
            assert_eq!(entries, Self::entries(&self.contents));
        }
    }
}

type Running = Pin<Box<dyn Future<Output = mainstay_core::Result<CollectionReport>> + Send>>;

struct Actors {
    random: u64,
    /// Whether values name trees.
    trees: bool,
    world: World,
    repos: Vec<Repo>,
    /// What must be readable, by path.
    live: BTreeMap<String, Held>,
    sessions: Vec<(usize, Ingest, Held)>,
    stored: Vec<(usize, Held)>,
    plans: Vec<crate::CollectionPlan>,
    stalled: Vec<(Arc<Gate>, Running)>,
    /// How many packs were to be written again to bring pieces together.
    gathered: u64,
    /// Every pack and index object that was there after a step.
    seen: BTreeSet<String>,
}

impl Actors {
    async fn new(seed: u64) -> Self {
        let mut world = World::new();
        let mut repos = Vec::new();
        for _ in 0..3 {
            repos.push(world.open().await);
        }
        Self {
            random: seed,
            trees: seed % 3 == 1,
            world,
            repos,
            live: BTreeMap::new(),
            sessions: Vec::new(),
            stored: Vec::new(),
            plans: Vec::new(),
            stalled: Vec::new(),
            gathered: 0,
            seen: BTreeSet::new(),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        let bytes = random_bytes(8, self.random);
        self.random = self.random.wrapping_add(0x1234_5678_9abc_def1);
        u64::from_le_bytes(bytes.try_into().unwrap()) % below
    }

    fn pick(&mut self, len: usize) -> usize {
        usize::try_from(self.draw(len as u64)).unwrap()
    }

    /// Contents that share chunks, packs and manifests in all manners.
    fn contents(&mut self) -> Vec<Bytes> {
        (0..=self.draw(3))
            .map(|_| {
                if self.draw(2) == 0 {
                    return format!("small {}", self.draw(6)).into();
                }
                // Of two parts that others have, too.
                let (first, second) = (self.draw(4), 10 + self.draw(4));
                let parts = [random_bytes(CUT, first), random_bytes(CUT, second)];
                parts.concat().into()
            })
            .collect()
    }

    fn path(&mut self) -> String {
        format!("files/f{}", self.draw(PATHS))
    }

    async fn put(&mut self, ingest: &mut Ingest, content: Bytes) {
        let stored = if content.len() > CUT && self.draw(3) > 0 {
            let mut layout = Layout::new();
            layout.push(CUT as u64, Cut::Blocks);
            layout.push((content.len() - CUT) as u64, Cut::Blocks);
            ingest.bytes_with(content, layout).await
        } else {
            ingest.bytes(content).await
        };
        stored.unwrap();
    }

    /// Stores contents, in one schedule of three with a tree of them.
    async fn put_all(&mut self, ingest: &mut Ingest, contents: Vec<Bytes>) -> Held {
        for content in &contents {
            self.put(ingest, content.clone()).await;
        }
        if !self.trees {
            let tree = None;
            return Held { contents, tree };
        }
        let mut builder = TreeBuilder::new();
        for entry in Held::entries(&contents) {
            builder.add(ingest, &entry).await.unwrap();
        }
        let tree = Some(builder.finish(ingest).await.unwrap().root);
        Held { contents, tree }
    }

    /// Names what is stored; notes it if the commit was not refused.
    async fn commit(&mut self, repo: &Repo, path: String, held: Held) -> bool {
        let value = Value::new("files", &path).unwrap();
        let value = match held.tree {
            Some(root) => value.with_trees([root]),
            None => value.with_blobs(held.contents.iter().map(|content| Digest::of(content))),
        };
        let mut transaction = Transaction::new(tester(), "test");
        transaction.set(path.parse().unwrap(), value, Expectation::Any);
        match repo.commit(transaction).await {
            Ok(outcome) => {
                assert!(matches!(outcome, CommitOutcome::Committed(_)));
                self.live.insert(path, held);
                true
            }
            Err(error) => {
                let refused = [ErrorKind::Conflict, ErrorKind::Invalid].contains(&error.kind());
                assert!(refused, "{error}");
                false
            }
        }
    }

    async fn step(&mut self) {
        let handle = self.pick(self.repos.len());
        let repo = self.repos[handle].clone();
        match self.draw(16) {
            0..3 => {
                let (path, contents) = (self.path(), self.contents());
                for attempt in 0.. {
                    let mut ingest = repo.ingest();
                    let held = self.put_all(&mut ingest, contents.clone()).await;
                    let stored = refusable(ingest.finish().await);
                    if stored && self.commit(&repo, path.clone(), held).await {
                        break;
                    }
                    assert!(attempt < 3, "refused again and again");
                }
            }
            3 => {
                let (mut ingest, contents) = (repo.ingest(), self.contents());
                let held = self.put_all(&mut ingest, contents).await;
                self.sessions.push((handle, ingest, held));
            }
            4 if !self.sessions.is_empty() => {
                let at = self.pick(self.sessions.len());
                let (handle, ingest, held) = self.sessions.swap_remove(at);
                if refusable(ingest.finish().await) {
                    self.stored.push((handle, held));
                }
            }
            5 if !self.stored.is_empty() => {
                let at = self.pick(self.stored.len());
                let (handle, held) = self.stored.swap_remove(at);
                let (repo, path) = (self.repos[handle].clone(), self.path());
                self.commit(&repo, path, held).await;
            }
            // A value of before, as a rollback names it.
            6 if !self.stored.is_empty() => {
                let at = self.pick(self.stored.len());
                let held = self.stored[at].1.clone();
                let path = self.path();
                self.commit(&repo, path, held).await;
            }
            7 | 8 => {
                let path = self.path();
                if let Some(held) = self.live.remove(&path) {
                    drop_ref(&repo, &path).await;
                    self.stored.push((handle, held));
                }
            }
            9 => self.world.clock.advance(GRACE / 2),
            10 => {
                let options = self.options();
                let plan = repo.plan_collection(&options).await.unwrap();
                self.plans.push(plan);
            }
            11 => self.repos[handle] = self.world.open().await,
            12 if !self.stalled.is_empty() => self.resume().await,
            _ => self.collect().await,
        }
    }

    /// Pieces are brought together in most runs, whatever that costs or if it costs little.
    fn options(&mut self) -> CollectOptions {
        let worth = [0, 9_000, u64::MAX, u64::MAX][self.pick(4)];
        options().with_defragment_bytes_per_request(worth)
    }

    /// Runs a collector that may crash, or be stalled, at any operation.
    async fn collect(&mut self) {
        self.world.clock.advance(GRACE);
        let gate = Arc::new(Gate::default());
        let timer = Arc::clone(&gate) as Arc<dyn Timer>;
        let faulty = Arc::new(FaultStorage::with_timer(
            Arc::clone(&self.world.storage),
            timer,
        ));
        let repo = self.world.open_on(Arc::clone(&faulty) as _).await;
        let options = self.options();
        let plan = if self.plans.is_empty() || self.draw(2) == 0 {
            repo.plan_collection(&options).await.unwrap()
        } else {
            let at = self.pick(self.plans.len());
            self.plans.swap_remove(at)
        };
        self.gathered += plan.defragment.packs;
        let operation = faulty.operations() + 1 + self.draw(40);
        match self.draw(4) {
            0 => faulty.crash_at(operation, Applied::Yes),
            1 => faulty.crash_at(operation, Applied::No),
            2 => faulty.fail_at(operation, Fault::Delay(GRACE)),
            _ => {}
        }
        let mut running: Running = Box::pin(async move {
            let applied = repo.apply_collection(&plan, tester(), "collect").await;
            if faulty.is_crashed() {
                return Ok(CollectionReport::default());
            }
            applied
        });
        tokio::select! {
            biased;
            applied = &mut running => check(applied),
            () = gate.reached() => self.stalled.push((gate, running)),
        }
    }

    async fn resume(&mut self) {
        let at = self.pick(self.stalled.len());
        let (gate, running) = self.stalled.swap_remove(at);
        gate.open();
        check(running.await);
    }

    async fn assert_readable(&mut self) {
        let mut repos = self.repos.clone();
        repos.push(self.world.open().await);
        for repo in &repos {
            for held in self.live.values() {
                held.assert_readable(repo).await;
            }
        }
    }

    /// Lets everybody come to an end.
    async fn end(mut self) {
        let options = self.options();
        while !self.stalled.is_empty() {
            self.resume().await;
        }
        self.assert_readable().await;
        let Self {
            mut world,
            repos,
            live,
            seen,
            ..
        } = self;
        let fresh = world.open().await;
        assert_sound(&fresh).await;
        settle_with(&fresh, &world, &options).await;
        world.clock.advance(GRACE);
        let again = collect_with(&fresh, &options).await;
        assert_eq!(again, CollectionReport::default());
        assert_receipts(&fresh, &world, &seen).await;
        for repo in repos.iter().chain([&fresh]) {
            for held in live.values() {
                held.assert_readable(repo).await;
            }
        }
        assert_sound(&fresh).await;
        if live.is_empty() {
            assert_eq!(count(&*world.storage, "pack/").await, 0);
        }
    }
}
/// Whether a session's end was not refused because of a collection.
fn refusable(finished: mainstay_core::Result<crate::IngestReport>) -> bool {
    match finished {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            false
        }
    }
}

/// A run may find that another one was there.
fn check(applied: mainstay_core::Result<CollectionReport>) {
    if let Err(error) = applied {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn whatever_writers_and_collectors_do_nothing_reachable_is_lost() {
    let local = tokio::task::LocalSet::new();
    let (mut schedules, mut gathered) = (0, 0);
    for seed in seeds() {
        let run = local.run_until(schedule(seed)).await;
        schedules += 1;
        gathered += run.unwrap_or_else(|| panic!("MAINSTAY_SEED={seed}"));
    }
    assert!(
        schedules < 100 || gathered * 10 > schedules,
        "{gathered} packs in {schedules} schedules"
    );
}

/// `MAINSTAY_SEEDS=from..to` if that is set; else so many, beginning with `MAINSTAY_SEED`.
fn seeds() -> std::ops::Range<u64> {
    let set = |name| std::env::var(name).ok();
    if let Some(seeds) = set("MAINSTAY_SEEDS") {
        let (from, to) = seeds.split_once("..").unwrap();
        return from.parse().unwrap()..to.parse().unwrap();
    }
    let schedules = set("MAINSTAY_LONG").map_or(SCHEDULES.0, |_| SCHEDULES.1);
    let first = set("MAINSTAY_SEED").map_or(0, |seed| seed.parse().unwrap());
    first..first + schedules
}

/// Plays one schedule; returns how many packs were to be gathered if it went well.
async fn schedule(seed: u64) -> Option<u64> {
    let run = tokio::task::spawn_local(async move {
        let mut actors = Actors::new(seed).await;
        for _ in 0..STEPS {
            actors.step().await;
            actors.seen.extend(stored(&*actors.world.storage).await);
        }
        let gathered = actors.gathered;
        actors.end().await;
        gathered
    });
    run.await.ok()
}
