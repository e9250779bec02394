//! Tasks that rename, register, promote and point aliases at once, on models that take each other's names.
//!
//! Whatever they do, at every entry of the log each model has one name that no other has, a name with a
//! number means one version, and who was told something was told the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, Name, NodeRef, Result};
use mainstay_registry::{AliasSpec, FileSpec, ModelSpec, PromoteSpec, Registry};
use mainstay_repo::{Repo, RepoOptions, Value};
use mainstay_store::{MemoryStorage, NoWait, Storage};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::fixture::{ada, locator, name};

/// How many names there are, and how many of them new models take.
const NAMES: u64 = 40;
const SOUGHT: u64 = 4;
const STAGES: [&str; 3] = ["staging", "production", "archived"];
const HANDLES: u64 = 3;
const TASKS: u64 = 9;

/// How many operations race.
fn races() -> u64 {
    match std::env::var_os("MAINSTAY_LONG") {
        Some(_) => 50_000,
        None => 540,
    }
}

/// What a caller was told of a log entry.
#[derive(Debug)]
enum Told {
    /// The version joined the model that is called so.
    Registered {
        version: NodeRef,
        called: Name,
    },
    Renamed {
        id: Name,
        from: Name,
        to: Name,
    },
}

type Tellings = Arc<Mutex<Vec<(u64, Told)>>>;

struct Racer {
    registry: Registry,
    random: ChaCha8Rng,
    number: u64,
    told: Tellings,
}

impl Racer {
    async fn run(mut self, operations: u64) {
        for done in 0..operations {
            if let Err(error) = self.operate(done).await {
                let expected = [
                    ErrorKind::Conflict,
                    ErrorKind::NotFound,
                    ErrorKind::Invalid,
                    ErrorKind::AlreadyExists,
                ];
                assert!(expected.contains(&error.kind()), "{error:?}");
            }
        }
    }

    async fn operate(&mut self, done: u64) -> Result<()> {
        let names = if self.random.random_bool(0.7) {
            SOUGHT
        } else {
            NAMES
        };
        let model = self.any_of(names);
        match self.random.random_range(0..20) {
            at @ 0..=6 => {
                let model = self.any_of(SOUGHT);
                self.register(done, model, at == 6).await
            }
            7..=14 => {
                let to = self.any_of(NAMES);
                let renamed = self.registry.rename(&model, &to, ada(), "race").await?;
                if let Some(seq) = renamed.seq {
                    let (id, from, to) = (renamed.id, renamed.from, renamed.to);
                    self.tell(seq, Told::Renamed { id, from, to });
                }
                Ok(())
            }
            15..=17 => {
                let stage = name(STAGES[self.random.random_range(0..STAGES.len())]);
                let spec = PromoteSpec::new(model_latest(&model), stage, ada(), "race");
                self.registry.promote(spec).await.map(drop)
            }
            _ => {
                let spec = AliasSpec::new(model_latest(&model), name("champion"), ada(), "race");
                self.registry.set_alias(spec).await.map(drop)
            }
        }
    }

    async fn register(&mut self, done: u64, model: Name, is_new: bool) -> Result<()> {
        let weights = format!("{} {done}", self.number);
        let file = FileSpec::from_bytes("model.bin".parse()?, weights);
        let mut spec = ModelSpec::new(model, ada(), "race").with_file(file);
        spec.new_model = is_new;
        let registered = self.registry.register(spec).await?;
        let (version, called) = (registered.node, registered.model);
        self.tell(registered.seq, Told::Registered { version, called });
        Ok(())
    }

    fn tell(&self, seq: u64, told: Told) {
        self.told.lock().unwrap().push((seq, told));
    }

    fn any_of(&mut self, names: u64) -> Name {
        name(&format!("n{}", self.random.random_range(0..names)))
    }
}

fn model_latest(model: &Name) -> mainstay_core::Locator {
    locator(&format!("{model}@latest"))
}

/// What the log says, entry by entry.
#[derive(Default)]
struct Replay {
    /// Id by name, of names that a ref says.
    ids: BTreeMap<String, String>,
    /// Name by id, of models that a ref says.
    called: BTreeMap<String, String>,
    /// Every version that ever was, by id.
    versions: BTreeMap<String, BTreeSet<String>>,
    pointers: BTreeMap<String, NodeRef>,
}

impl Replay {
    fn apply(&mut self, path: &str, value: Option<&Value>) {
        let segments: Vec<&str> = path.split('/').collect();
        match segments[..] {
            ["model-name", name] => {
                let id = value.unwrap().record["id"].as_str().unwrap();
                self.ids.insert(name.to_owned(), id.to_owned());
            }
            ["model", id, "name", "current"] => {
                let name = value.unwrap().record["name"].as_str().unwrap();
                self.called.insert(id.to_owned(), name.to_owned());
            }
            ["model", id, "version", version] => {
                let is_first = self
                    .versions
                    .entry(id.to_owned())
                    .or_default()
                    .insert(version.to_owned());
                assert!(is_first, "{path} was written twice");
            }
            ["model", _, "alias" | "stage", _] => match value.and_then(Value::pointee) {
                Some(target) => drop(self.pointers.insert(path.to_owned(), target)),
                None => drop(self.pointers.remove(path)),
            },
            _ => {}
        }
    }

    fn id<'r>(&'r self, name: &'r str) -> &'r str {
        self.ids.get(name).map_or(name, String::as_str)
    }

    fn called<'r>(&'r self, id: &'r str) -> &'r str {
        self.called.get(id).map_or(id, String::as_str)
    }

    fn check(&self, seq: u64) {
        let mut names = BTreeSet::new();
        for (id, versions) in &self.versions {
            let called = self.called(id);
            assert!(
                names.insert(called),
                "{seq}: two models are called {called}"
            );
            assert_eq!(self.id(called), id, "{seq}: {called} leads elsewhere");
            // The name may be the id of another model, whose versions are known by it too.
            if called != id
                && let Some(known) = self.versions.get(called)
            {
                let both: Vec<_> = known.intersection(versions).collect();
                assert!(both.is_empty(), "{seq}: {called}@{both:?} are two things");
            }
        }
        for id in self.ids.values() {
            assert!(self.versions.contains_key(id), "{seq}: {id} is no model");
        }
        for (path, target) in &self.pointers {
            let (id, version) = (target.name().as_str(), target.version().as_str());
            assert!(self.versions[id].contains(version), "{seq}: {path}");
            assert!(path.starts_with(&format!("model/{id}/")), "{seq}: {path}");
        }
    }
}

async fn open(storage: Arc<dyn Storage>) -> Repo {
    let options = RepoOptions::default().with_timer(Arc::new(NoWait::default()));
    Repo::open(storage, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn tasks_that_race_for_names_never_mix_two_models() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    Repo::create(Arc::clone(&storage), RepoOptions::default())
        .await
        .unwrap();
    let tellings = Tellings::default();
    let mut tasks = tokio::task::JoinSet::new();
    for handle in 0..HANDLES {
        let repo = open(Arc::clone(&storage)).await;
        for task in 0..TASKS / HANDLES {
            let number = handle * TASKS + task;
            let racer = Racer {
                registry: Registry::new(repo.clone()),
                random: ChaCha8Rng::seed_from_u64(11_000 + number),
                number,
                told: Arc::clone(&tellings),
            };
            tasks.spawn(racer.run(races() / TASKS));
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let repo = open(storage).await;
    let mut told: BTreeMap<u64, Vec<Told>> = BTreeMap::new();
    for (seq, what) in std::mem::take(&mut *tellings.lock().unwrap()) {
        told.entry(seq).or_default().push(what);
    }
    let mut replay = Replay::default();
    let (mut renames, mut shared) = (0, 0);
    let mut entries = repo.entries(0);
    // One for each transaction; those that share an entry of the log have its number.
    while let Some(entry) = entries.try_next().await.unwrap() {
        let before = replay.called.clone();
        for change in &entry.changes {
            replay.apply(change.path.as_str(), change.value.as_ref());
        }
        replay.check(entry.seq);
        shared += usize::from(replay.versions.keys().any(|id| replay.id(id) != id));
        let wrote = |path: &str| {
            entry
                .changes
                .iter()
                .any(|change| change.path.as_str() == path)
        };
        told.entry(entry.seq)
            .or_default()
            .retain(|what| match what {
                Told::Registered { version, called } => {
                    let wrote = wrote(version.ref_path().as_str());
                    let name = replay.called(version.name().as_str());
                    assert!(!wrote || name == called.as_str(), "{}: {what:?}", entry.seq);
                    !wrote
                }
                // Others may rename it in the same entry, before and after.
                Told::Renamed { id, from, to } => {
                    let id = id.as_str();
                    let was = before.get(id).map_or(id, String::as_str);
                    let did = wrote(&format!("model/{id}/name/current"))
                        && (was, replay.called(id)) == (from.as_str(), to.as_str());
                    renames += usize::from(did);
                    !did
                }
            });
    }
    let untrue: Vec<_> = told.values().flatten().collect();
    assert!(untrue.is_empty(), "{untrue:?}");
    assert!(renames > 20 && shared > 20, "{renames} {shared}");
}
