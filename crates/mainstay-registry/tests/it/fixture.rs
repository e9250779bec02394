use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{
    Actor, Clock as _, Edge, EdgeKind, Locator, ManualClock, Name, NodeRef, RefPath, SeededIds,
    Timestamp, canon,
};
use mainstay_registry::run::Runs;
use mainstay_registry::{
    AliasSpec, FileSpec, ModelSpec, PromoteSpec, Promotion, Registered, Registry,
};
use mainstay_repo::{Expectation, Repo, RepoOptions, Step, Transaction, Value};
use mainstay_store::{
    MemoryStorage, NoWait, Prefix, PutMode, PutOutcome, Storage as _, StorageExt as _,
};

pub(crate) struct Fixture {
    storage: Arc<MemoryStorage>,
    pub(crate) repo: Repo,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<ManualClock>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let storage = Arc::new(MemoryStorage::new());
        let repo = Repo::create(Arc::clone(&storage) as _, options(&clock, 7))
            .await
            .unwrap();
        Self {
            storage,
            registry: Registry::new(repo.clone()),
            repo,
            clock,
        }
    }

    pub(crate) fn runs(&self) -> Runs {
        Runs::new(self.repo.clone())
    }

    /// Opens the repository as another process does.
    pub(crate) async fn reopened(&self) -> Repo {
        let options = options(&self.clock, 8);
        Repo::open(Arc::clone(&self.storage) as _, options)
            .await
            .unwrap()
    }

    /// Reads every object of the storage.
    pub(crate) async fn objects(&self) -> BTreeMap<String, Bytes> {
        let listed = self.storage.list(&Prefix::all(), None);
        let listed: Vec<_> = listed.try_collect().await.unwrap();
        let mut objects = BTreeMap::new();
        for object in listed {
            let bytes = self.storage.get_all(&object.key).await.unwrap().unwrap();
            objects.insert(object.key.to_string(), bytes);
        }
        objects
    }

    /// Writes over an object, or deletes it, behind everybody's back.
    pub(crate) async fn damage(&self, key: &str, bytes: Option<Bytes>) {
        let key = key.parse().unwrap();
        match bytes {
            Some(bytes) => {
                let put = self.storage.put(&key, bytes, PutMode::Overwrite);
                assert_eq!(put.await.unwrap(), PutOutcome::Written);
            }
            None => self.storage.delete(&key).await.unwrap(),
        }
    }

    /// Records something that a model may refer to.
    pub(crate) async fn record(&self, reference: &str, record: serde_json::Value) -> NodeRef {
        let value = Value::new("note", &record).unwrap();
        self.set(reference, value).await
    }

    /// Records something that a run made.
    pub(crate) async fn made_by(&self, reference: &str, run: &NodeRef) -> NodeRef {
        let edge = Edge::new(EdgeKind::GeneratedBy, run.clone());
        let value = Value::new("note", &reference).unwrap().with_edges([edge]);
        self.set(reference, value).await
    }

    async fn set(&self, reference: &str, value: Value) -> NodeRef {
        let node = node(reference);
        let mut transaction = Transaction::new(ada(), "record");
        transaction.set(node.ref_path(), value, Expectation::Absent);
        self.commit(transaction).await;
        node
    }

    /// Commits as another program does.
    pub(crate) async fn commit(&self, transaction: Transaction) {
        let build = |_: &_| Ok(Step::Commit(transaction.clone(), ()));
        self.repo.transact(build).await.unwrap();
    }

    pub(crate) async fn register(&self, spec: ModelSpec) -> Registered {
        self.clock.advance(Duration::from_mins(1));
        self.registry.register(spec).await.unwrap()
    }

    /// Registers `model` with these weights.
    pub(crate) async fn weights(&self, model: &str, weights: &str) -> Registered {
        self.register(spec(model, weights)).await
    }

    pub(crate) async fn promote(&self, model: &str, to: &str) -> Promotion {
        let spec = PromoteSpec::new(locator(model), name(to), ada(), "promote");
        self.registry.promote(spec).await.unwrap()
    }

    /// Takes a version to production by way of staging.
    pub(crate) async fn produce(&self, model: &str) {
        for stage in ["staging", "production"] {
            assert!(matches!(
                self.promote(model, stage).await,
                Promotion::Promoted(_)
            ));
        }
    }

    pub(crate) async fn alias(&self, model: &str, alias: &str) {
        let spec = AliasSpec::new(locator(model), name(alias), ada(), "alias");
        self.registry.set_alias(spec).await.unwrap();
    }

    pub(crate) async fn stage(&self, model: &str) -> String {
        let info = self.registry.show(&locator(model)).await.unwrap();
        info.stage.to_string()
    }

    pub(crate) async fn find(&self, model: &str) -> Option<String> {
        match self.registry.resolve(&locator(model)).await {
            Ok(node) => Some(node.version().to_string()),
            Err(error) => {
                assert_eq!(error.kind(), mainstay_core::ErrorKind::NotFound, "{error}");
                None
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn options(clock: &Arc<ManualClock>, seed: u64) -> RepoOptions {
    RepoOptions::default()
        .with_clock(Arc::clone(clock) as _)
        .with_ids(Arc::new(SeededIds::new(seed)))
        .with_timer(Arc::new(NoWait::default()))
}

pub(crate) fn spec(model: &str, weights: &str) -> ModelSpec {
    ModelSpec::new(name(model), ada(), "register").with_file(file("model.bin", weights))
}

pub(crate) fn file(path: &str, content: &str) -> FileSpec {
    FileSpec::from_bytes(path.parse().unwrap(), content.to_owned())
}

pub(crate) fn ada() -> Actor {
    Actor::new("ada").unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn node(text: &str) -> NodeRef {
    text.parse().unwrap()
}

pub(crate) fn locator(text: &str) -> Locator {
    text.parse().unwrap()
}

/// Compares with a fixture in `tests/golden`, which is written when it is missing.
pub(crate) fn check_golden(bytes: &[u8], file: &str) {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    check_file(bytes, &golden.join(file));
}

/// Compares with a file, which is written when it is missing; white space at its end does not count.
pub(crate) fn check_file(bytes: &[u8], path: &Path) {
    if !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, [bytes, b"\n"].concat()).unwrap();
    }
    let recorded = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    let found = std::str::from_utf8(bytes).unwrap();
    assert_eq!(found.trim_end(), recorded.trim_end(), "{}", path.display());
}

/// Writes a version with nothing of format 2 again as it was written before records said who registered it:
/// recorded fixtures hold the digest of that.
pub(crate) async fn without_author(fixture: &Fixture, path: &str) {
    let path: RefPath = path.parse().unwrap();
    let view = fixture.repo.view().await.unwrap();
    let mut value = view.get(&path).unwrap().unwrap().value.clone().unwrap();
    let record = value.record.as_object_mut().unwrap();
    record.remove("author").unwrap();
    record.insert("format".into(), 1.into());
    let mut transaction = Transaction::new(ada(), "an earlier release");
    transaction.set(path, value, Expectation::Any);
    fixture.commit(transaction).await;
}

/// Compares what a ref holds with a fixture.
pub(crate) async fn check_golden_ref(fixture: &Fixture, path: &str, file: &str) {
    let view = fixture.repo.view().await.unwrap();
    let state = view.get(&path.parse().unwrap()).unwrap().unwrap();
    let bytes = canon::to_vec(state.value.as_ref().unwrap()).unwrap();
    check_golden(&bytes, file);
}
