//! What an index tells of a search is what reading everything finds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::{Actor, Locator, ManualClock, Name, NodeRef, SeededIds};
use mainstay_repo::{Expectation, Repo, RepoOptions, Step, Transaction, Value};
use mainstay_store::{MemoryStorage, NoWait};
use proptest::prelude::*;

use super::super::find::{Known, find};
use super::super::query::Query;
use crate::eval::{EvalSpec, Evaluations};
use crate::run::{RunSpec, Runs};
use crate::serving::HeartbeatSpec;
use crate::{AliasSpec, AnnotateSpec, FileSpec, ModelSpec, PromoteSpec, Registry, Relation};

fn ada() -> Actor {
    Actor::new("ada").unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

struct World {
    repo: Repo,
    registry: Registry,
    clock: Arc<ManualClock>,
    versions: Vec<NodeRef>,
}

impl World {
    /// Fourteen versions of three models that differ in everything.
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let options = RepoOptions::default()
            .with_clock(Arc::clone(&clock) as _)
            .with_ids(Arc::new(SeededIds::new(7)))
            .with_timer(Arc::new(NoWait::default()));
        let repo = Repo::create(Arc::new(MemoryStorage::new()), options)
            .await
            .unwrap();
        let mut world = Self {
            registry: Registry::new(repo.clone()),
            repo,
            clock,
            versions: Vec::new(),
        };
        let data: NodeRef = "data:d@1".parse().unwrap();
        let build = |_: &_| {
            let mut transaction = Transaction::new(ada(), "data");
            transaction.set(
                data.ref_path(),
                Value::new("note", &1)?,
                Expectation::Absent,
            );
            Ok(Step::Commit(transaction, ()))
        };
        world.repo.transact(build).await.unwrap();
        let run = RunSpec::new(name("r"), world.repo.now(), ada(), "run");
        let run = Runs::new(world.repo.clone()).start(run).await.unwrap().run;
        for number in 0..14_u32 {
            world.clock.advance(Duration::from_mins(1));
            let spec = world.spec(number, &data, &run);
            let registered = world.registry.register(spec).await.unwrap();
            world.versions.push(registered.node);
        }
        world
    }

    fn spec(&self, number: u32, data: &NodeRef, run: &NodeRef) -> ModelSpec {
        let model = name(["base", "m", "n"][number as usize % 3]);
        let file = FileSpec::from_bytes("model.bin".parse().unwrap(), format!("w {number}"));
        let mut spec = ModelSpec::new(model, ada(), "test").with_file(file);
        if number.is_multiple_of(2) {
            spec = spec.with_owner(["ann", "bob", "ann.b"][number as usize % 3]);
        }
        if number.is_multiple_of(3) {
            spec = spec.with_parameter("depth", number).with_purpose("triage");
        } else if number.is_multiple_of(4) {
            spec = spec
                .with_parameter("depth", "deep")
                .with_parameter("on", true);
        }
        if number % 4 == 1 {
            spec = spec
                .with_tag("t", ["a", "ab"][number as usize / 4 % 2])
                .with_seed("numpy", 42);
        }
        if number % 4 == 3 {
            spec = spec
                .with_tag("mlflow.run_id", "f00")
                .with_data(name("train"), data.clone());
        }
        if number % 5 == 1 {
            spec = spec.with_code(name("repo"), name(["c1", "c2"][number as usize % 2]));
            spec = spec.with_data(name("name"), data.clone());
        }
        if number % 5 == 2 {
            spec = spec.with_checkpoint(run.clone(), i64::from(number));
            spec = spec.with_code(name("repo"), name("c1")).with_dirty_code();
        }
        if number % 5 == 3
            && let Some(parent) = self.versions.first()
        {
            let relation = [Relation::FineTune, Relation::Distill][number as usize % 2];
            spec = spec.with_parent(parent.clone(), relation);
        }
        if number % 5 == 4 {
            spec = spec.with_expiry(
                format!("2026-0{}-01T00:00:00Z", number % 9 + 1)
                    .parse()
                    .unwrap(),
            );
        }
        match number % 7 {
            0 => spec,
            1 => spec.with_metric("x", f64::NAN),
            _ => spec.with_metric("x", f64::from(number)),
        }
    }

    /// What is found by what an index tells, and by reading everything: with the keys of the order.
    async fn both_ways(&self, query: &str) -> [BTreeSet<String>; 2] {
        let query = Query::parse(query).unwrap();
        let filter = query.filter.as_ref();
        let view = self.repo.view().await.unwrap();
        let known = Known::of(&view, filter, &query.order).unwrap();
        [known, Known::default()].map(|known| {
            let found = find(&view, &known, filter, &query.order).unwrap();
            found.iter().map(|found| format!("{found:?}")).collect()
        })
    }

    /// How many versions are found without reading, and how many have to be read.
    async fn told(&self, query: &str) -> Option<(usize, usize)> {
        let query = Query::parse(query).unwrap();
        let filter = query.filter.as_ref();
        let view = self.repo.view().await.unwrap();
        let known = Known::of(&view, filter, &query.order).unwrap();
        let told = known.tell(None, filter, &query.order)?;
        Some((told.sure.len(), told.unsure.len()))
    }

    /// Does something to a version; what cannot be done is left.
    async fn did(&self, deed: &Deed) {
        let version = &self.versions[deed.version];
        let model = Locator::from(version.clone());
        let registry = &self.registry;
        self.clock.advance(Duration::from_mins(1));
        match deed.what {
            What::Promote(to) => {
                let spec = PromoteSpec::new(model, name(to), ada(), "test");
                drop(registry.promote(spec.with_metric("x", 100.0)).await);
            }
            What::Alias => {
                let spec = AliasSpec::new(model, name("best"), ada(), "test");
                drop(registry.set_alias(spec).await);
            }
            What::Tag(Some(tag)) => {
                let spec = AnnotateSpec::new(model, ada(), "test").with_tag("t", tag);
                drop(registry.annotate(spec).await);
            }
            What::Tag(None) => {
                let spec = AnnotateSpec::new(model, ada(), "test").without_tag("t");
                drop(registry.annotate(spec).await);
            }
            What::Report => {
                if let Ok(subject) = registry.resolve(&model).await {
                    let spec = EvalSpec::new(name("holdout"), subject, ada(), "test");
                    let reports = Evaluations::new(self.repo.clone());
                    drop(reports.report(spec.with_metric("x", 50.0)).await);
                }
            }
            What::Serve => {
                let (service, instance) = (name("scoring"), name("one"));
                let spec = HeartbeatSpec::new(service, instance, ada());
                drop(registry.heartbeat(spec.with_model(version.clone())).await);
            }
            What::Delete => drop(registry.delete(&model, ada(), "test").await),
            What::Rename(to) => {
                drop(
                    registry
                        .rename(version.name(), &name(to), ada(), "test")
                        .await,
                );
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Deed {
    version: usize,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Promote(&'static str),
    Alias,
    Tag(Option<&'static str>),
    Report,
    Serve,
    Delete,
    Rename(&'static str),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    use prop::sample::select;
    let what = prop_oneof![
        4 => select(vec!["staging", "production", "archived"]).prop_map(What::Promote),
        2 => Just(What::Alias),
        3 => select(vec![Some("a"), Some("b"), None]).prop_map(What::Tag),
        1 => Just(What::Report),
        1 => Just(What::Serve),
        1 => Just(What::Delete),
        1 => select(vec!["m", "z"]).prop_map(What::Rename),
    ];
    let deed = (0_usize..14, what).prop_map(|(version, what)| Deed { version, what });
    prop::collection::vec(deed, 0..8)
}

/// Of every field that a version has.
const CONDITIONS: &[&str] = &[
    "owner = 'ann'",
    "owner != 'ann'",
    "owner LIKE 'ann%'",
    "owner IS NULL",
    "purpose = 'triage'",
    "params.depth > 5",
    "params.depth = '9'",
    "params.depth IN ('deep', '3')",
    "params.on IS NOT NULL",
    "tags.t = 'a'",
    "tags.t != 'a'",
    "tags.t CONTAINS 'b'",
    "tags.t IS NULL",
    "run_id = 'f00'",
    "seeds.numpy = '42'",
    "data = 'data:d@1'",
    "data != 'data:d@1'",
    "dataset.train = 'data:d@1'",
    "dataset.train IS NULL",
    "dataset.name = 'd'",
    "digest.train IS NOT NULL",
    "code = 'c1'",
    "repository IS NULL",
    "dirty = 'true'",
    "run = 'run:r@1'",
    "step > 5",
    "parent IS NULL",
    "parent = 'model:base@1.0.0'",
    "parent.fine_tune != 'model:base@1.0.0'",
    "parents.distill RLIKE 'base'",
    "expires < '2026-05-01T00:00:00Z'",
    "expires IS NOT NULL",
    "file = 'model.bin'",
    "bytes > 3",
    "environment IS NULL",
    "stage = 'production'",
    "stage.staging > '2026-01-01T00:10:00Z'",
    "alias = 'best'",
    "alias != 'best'",
    "served IS NOT NULL",
    "name = 'm'",
    "name != 'm'",
    "version SATISFIES '^1.2'",
    "ordinal >= 3",
    "created < '2026-01-01T00:07:00Z'",
    "metrics.x > 4",
    "metrics.x = 'NaN'",
    "EXISTS DOWNSTREAM OF 'model:base@1.0.0'",
];

const ORDERS: &[&str] = &[
    "",
    " ORDER BY metrics.x DESC, owner",
    " ORDER BY tags.t",
    " ORDER BY params.depth DESC",
    " ORDER BY updated",
    " ORDER BY stage, expires",
    " ORDER BY name, version DESC",
];

fn filters() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(CONDITIONS.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 3, |inner| {
        let joined = |word: &'static str| {
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(move |all| format!("({})", all.join(word)))
        };
        prop_oneof![
            inner.clone().prop_map(|one| format!("NOT ({one})")),
            joined(" AND "),
            joined(" OR "),
        ]
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MAINSTAY_LONG").is_some() { 400 } else { 24 }))]

    #[test]
    fn what_an_index_tells_is_what_reading_everything_finds(
        deeds in deeds(),
        queries in prop::collection::vec((filters(), prop::sample::select(ORDERS.to_vec())), 12),
    ) {
        block_on(async {
            let world = World::new().await;
            for deed in &deeds {
                // So that the indexes learn of it, rather than are made of it.
                let [told, read] = world.both_ways(&queries[0].0).await;
                assert_eq!(told, read, "before {deed:?}");
                world.did(deed).await;
            }
            for (filter, order) in &queries {
                let [told, read] = world.both_ways(&format!("{filter}{order}")).await;
                assert_eq!(told, read, "{filter}{order}");
            }
        });
    }
}

#[test]
fn what_an_index_knows_all_about_is_not_read() {
    block_on(async {
        let world = World::new().await;
        world
            .did(&Deed {
                version: 1,
                what: What::Promote("staging"),
            })
            .await;
        world
            .did(&Deed {
                version: 1,
                what: What::Promote("production"),
            })
            .await;
        for (query, found) in [
            ("", 14),
            ("description = '' AND stage = 'production'", 1),
            ("ORDER BY owner, metrics.x DESC", 14),
            ("stage = 'production'", 1),
            ("metrics.x > 4 AND NOT alias = 'best'", 8),
            ("tags.t = 'ab' ORDER BY tags.t", 2),
            ("owner LIKE 'ann%' AND params.depth > 5", 2),
            ("name = 'm' OR expires < '2026-05-01T00:00:00Z'", 6),
            ("parent.distill IS NOT NULL AND step IS NULL", 2),
            ("dataset.train = 'data:d@1' AND served IS NULL", 3),
        ] {
            let [told, read] = world.both_ways(query).await;
            assert_eq!((told.len(), &told), (found, &read), "{query}");
            assert_eq!(world.told(query).await, Some((found, 0)), "{query}");
        }
        // What reports may say more of is read, and nothing beside it.
        world
            .did(&Deed {
                version: 2,
                what: What::Report,
            })
            .await;
        assert_eq!(world.told("metrics.x > 60").await, Some((1, 1)));
        // What is another in each version is read of those that are left.
        assert_eq!(
            world.told("stage = 'production' AND artifact = ''").await,
            Some((0, 1))
        );
        assert_eq!(world.told("artifact = ''").await, None);
    });
}
