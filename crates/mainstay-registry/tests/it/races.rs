//! Tasks and processes that promote, alias, delete, register, rename and roll back at once.
//!
//! Whatever they do, at every entry of the log an exclusive stage has at most one holder, which says so
//! itself, every alias points to a version that is there, and every name that the model had leads to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, ErrorKind, Locator, Name, RefPath, Result};
use mainstay_registry::{
    AliasSpec, AnnotateSpec, FileSpec, ModelSpec, PromoteSpec, Registry, RollbackSpec,
};
use mainstay_repo::{Repo, RepoOptions, Value};
use mainstay_store::{Durability, LocalOptions, LocalStorage, MemoryStorage, NoWait, Storage};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::fixture::{ada, locator, name};

const STAGES: [&str; 4] = ["development", "staging", "production", "archived"];
const ALIASES: [&str; 3] = ["champion", "challenger", "canary"];
/// What the model is called; under the first it is kept.
const NAMES: [&str; 3] = ["m", "n", "o"];
const HANDLES: u64 = 4;
const TASKS: u64 = 16;
const PROCESSES: usize = 4;

/// How many operations race: `MAINSTAY_RACES`, or 2,000, or 100,000 with `MAINSTAY_LONG=1`.
fn races() -> u64 {
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    match std::env::var("MAINSTAY_RACES") {
        Ok(count) => count.parse().unwrap(),
        Err(_) if long => 100_000,
        Err(_) => 2_000,
    }
}

fn seed() -> u64 {
    std::env::var("MAINSTAY_SEED").map_or(7, |seed| seed.parse().unwrap())
}

/// One who does things to the model at random.
struct Racer {
    registry: Registry,
    random: ChaCha8Rng,
    number: u64,
    done: u64,
}

impl Racer {
    fn new(repo: Repo, number: u64) -> Self {
        Self {
            registry: Registry::new(repo),
            random: ChaCha8Rng::seed_from_u64(seed() * 1_000 + number),
            number,
            done: 0,
        }
    }

    async fn run(mut self, operations: u64) {
        while self.done < operations {
            self.done += 1;
            let done = self.operate().await;
            if let Err(error) = done {
                // What another has done meanwhile, or a way the policy does not allow.
                use ErrorKind::{AlreadyExists, Conflict, Invalid, NotFound};
                let expected = [Conflict, NotFound, Invalid, AlreadyExists];
                assert!(expected.contains(&error.kind()), "{error:?}");
            }
        }
    }

    async fn operate(&mut self) -> Result<()> {
        let registry = self.registry.clone();
        match self.random.random_range(0..21) {
            0 | 1 => registry.register(self.model()).await.map(drop),
            2..=9 => {
                let to = self.one_of(&STAGES);
                let spec = PromoteSpec::new(self.version().await?, to, ada(), "race");
                registry.promote(spec).await.map(drop)
            }
            10..=13 => {
                let alias = self.one_of(&ALIASES);
                let spec = AliasSpec::new(self.version().await?, alias, ada(), "race");
                registry.set_alias(spec).await.map(drop)
            }
            14 => {
                let alias = self.one_of(&ALIASES);
                let model = name("m");
                let roles = BTreeSet::new();
                let removed = registry.remove_alias(&model, &alias, ada(), &roles, "race");
                removed.await.map(drop)
            }
            15 => {
                let stage = name("production");
                let spec = RollbackSpec::new(name("m"), stage, ada(), "race");
                registry.rollback(spec).await.map(drop)
            }
            16 => {
                let tag = self.random.next_u32().to_string();
                let spec = AnnotateSpec::new(self.version().await?, ada(), "race");
                registry.annotate(spec.with_tag("tag", tag)).await.map(drop)
            }
            17 => {
                let (from, to) = (self.one_of(&NAMES), self.one_of(&NAMES));
                registry.rename(&from, &to, ada(), "race").await.map(drop)
            }
            _ => {
                let version = self.version().await?;
                registry.delete(&version, ada(), "race").await.map(drop)
            }
        }
    }

    fn model(&self) -> ModelSpec {
        let weights = format!("{} {}", self.number, self.done);
        let file = FileSpec::from_bytes("model.bin".parse().unwrap(), weights);
        ModelSpec::new(name("m"), Actor::new("racer").unwrap(), "race").with_file(file)
    }

    fn one_of(&mut self, names: &[&str]) -> Name {
        name(names[self.random.random_range(0..names.len())])
    }

    /// Names a version that was there a moment ago, or whom an alias or a stage means by now.
    async fn version(&mut self) -> Result<Locator> {
        match self.random.random_range(0..8) {
            0 => Ok(locator("m@champion")),
            1 => Ok(locator("m@production")),
            2 => Ok(locator("m@latest")),
            _ => {
                let view = self.registry_view().await?;
                match view.len() {
                    0 => Ok(locator("m@latest")),
                    count => Ok(view[self.random.random_range(0..count)].clone()),
                }
            }
        }
    }

    async fn registry_view(&self) -> Result<Vec<Locator>> {
        let page = mainstay_registry::search::Page::default();
        let found = self.registry.search("", &page).await?;
        let named =
            |hit: &mainstay_registry::search::SearchHit| locator(&format!("m@{}", hit.version));
        Ok(found.results.iter().map(named).collect())
    }
}

/// The refs of the model as the log builds them, entry by entry.
#[derive(Default)]
struct Replay {
    refs: BTreeMap<RefPath, Value>,
    counts: BTreeMap<String, u64>,
}

impl Replay {
    fn below<'r>(&'r self, family: &str) -> impl Iterator<Item = (String, &'r Value)> {
        let prefix = format!("model/m/{family}/");
        self.refs.iter().filter_map(move |(path, value)| {
            Some((path.as_str().strip_prefix(&prefix)?.to_owned(), value))
        })
    }

    fn exists(&self, version: &str) -> bool {
        self.below("version").any(|(found, _)| found == version)
    }

    fn check(&self, seq: u64) {
        for family in ["alias", "stage"] {
            for (pointer, value) in self.below(family) {
                let target = value.pointee().unwrap();
                let version = target.version().as_str();
                assert!(
                    self.exists(version),
                    "{seq}: {family} {pointer} points to {target}"
                );
            }
        }
        for (path, value) in &self.refs {
            if path.as_str().starts_with("model-name/") {
                assert_eq!(value.record["id"], "m", "{seq}: {path} leads elsewhere");
            }
        }
        let holder = self.below("stage").find(|(stage, _)| stage == "production");
        let holder = holder.map(|(_, value)| value.pointee().unwrap().version().to_string());
        let in_production = self.below("status").filter_map(|(version, value)| {
            (value.record["stage"] == "production").then_some(version)
        });
        let in_production: Vec<String> = in_production.collect();
        assert_eq!(in_production, Vec::from_iter(holder), "{seq}");
        for family in ["status", "annotation"] {
            for (version, _) in self.below(family) {
                assert!(
                    self.exists(&version),
                    "{seq}: {family} of {version}, which is gone"
                );
            }
        }
    }
}

/// Walks the log; returns how often each family of refs was set and deleted.
async fn check(repo: &Repo) -> BTreeMap<String, u64> {
    repo.view().await.unwrap();
    let mut replay = Replay::default();
    let mut entries = repo.entries(0);
    while let Some(entry) = entries.try_next().await.unwrap() {
        for change in entry.changes {
            // A name leads to the model from outside of it.
            let family = change
                .path
                .segments()
                .nth(2)
                .unwrap_or("leading")
                .to_owned();
            let what = if change.value.is_some() {
                "set"
            } else {
                "deleted"
            };
            *replay.counts.entry(format!("{family} {what}")).or_default() += 1;
            match change.value {
                Some(value) => replay.refs.insert(change.path, value),
                None => replay.refs.remove(&change.path),
            };
        }
        replay.check(entry.seq);
    }
    replay.counts
}

async fn open(storage: Arc<dyn Storage>) -> Repo {
    let options = RepoOptions::default().with_timer(Arc::new(NoWait::default()));
    Repo::open(storage, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_race_never_leave_two_holders_or_a_dangling_alias() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let options = RepoOptions::default();
    Repo::create(Arc::clone(&storage), options).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for handle in 0..HANDLES {
        let repo = open(Arc::clone(&storage)).await;
        for task in 0..TASKS / HANDLES {
            let racer = Racer::new(repo.clone(), handle * TASKS + task);
            tasks.spawn(racer.run(races() / TASKS));
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_raced(&check(&open(storage).await).await);
}

fn assert_raced(counts: &BTreeMap<String, u64>) {
    for raced in [
        "version deleted",
        "alias set",
        "alias deleted",
        "stage set",
        "stage deleted",
        "name set",
    ] {
        assert!(counts[raced] >= races() / 200, "{raced}: {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_race_never_leave_two_holders_or_a_dangling_alias() {
    const TEST: &str = "races::processes_that_race_never_leave_two_holders_or_a_dangling_alias";
    if let Some((place, number)) = mainstay_children::part() {
        let repo = Repo::open(local(Path::new(&place)).await, RepoOptions::default())
            .await
            .unwrap();
        mainstay_children::wait_for_all();
        let racer = Racer::new(repo, 1_000 + number as u64);
        return racer.run(races() / PROCESSES as u64).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let storage = local(directory.path()).await;
    let repo = Repo::create(Arc::clone(&storage), RepoOptions::default())
        .await
        .unwrap();
    mainstay_children::race(TEST, directory.path(), PROCESSES);
    assert_raced(&check(&repo).await);
}

/// Waits for no disk: processes race, and the machine goes on.
async fn local(directory: &Path) -> Arc<dyn Storage> {
    let options = LocalOptions::default().with_durability(Durability::None);
    let storage = LocalStorage::open(directory, options).await;
    Arc::new(storage.unwrap())
}
