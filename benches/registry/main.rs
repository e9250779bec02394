//! Registering, looking up, searching and promoting model versions.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench registry               with 100,000 versions of one model
//! cargo bench -p mainstay-bench --bench registry -- 10000      with so many
//! ```
//!
//! Record runs in `results/registry.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for people that measures time and stops at the first failure"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use mainstay::registry::search::{self, Page};
use mainstay::registry::{
    self, AliasSpec, Bump, FileSpec, ModelSpec, PromoteSpec, Promotion, Registry,
};
use mainstay::repo::{Repo, RepoOptions};
use mainstay::store::{LocalOptions, LocalStorage, MemoryStorage, Storage};
use mainstay::{Actor, Locator, Timestamp};

const VERSIONS: u64 = 100_000;
/// How many are registered together.
const BATCH: u64 = 100;
const ALONE: u64 = 2_000;
const PROMOTIONS: u64 = 400;
const LOOKS: u32 = 100_000;
const SEARCHES: usize = 11;

fn main() {
    let wanted = mainstay_bench::arguments().into_iter().next();
    let versions = wanted.map_or(VERSIONS, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        register_alone().await;
        register_together().await;
        promote().await;
        look(versions).await;
    });
}

async fn register_alone() {
    let models = memory().await;
    let start = Instant::now();
    for n in 0..ALONE {
        models.register(version("fraud", n)).await.unwrap();
    }
    rate("memory, one after the other", ALONE, start);
}

async fn register_together() {
    for (storage, models) in [
        ("memory", memory().await),
        ("local Strict", local().await.1),
    ] {
        let start = Instant::now();
        for first in (0..ALONE).step_by(BATCH.try_into().unwrap()) {
            register_batch(&models, first, first + BATCH).await;
        }
        rate(&format!("{storage}, {BATCH} together"), ALONE, start);
    }
}

async fn register_batch(models: &Registry, from: u64, to: u64) {
    let specs = (from..to).map(|n| version("fraud", n)).collect();
    models.register_many(specs).await.unwrap();
}

async fn promote() {
    let (_directory, models) = local().await;
    register_batch(&models, 0, PROMOTIONS).await;
    for n in 0..PROMOTIONS {
        promote_to(&models, n, "staging").await;
    }
    let mut times = Vec::new();
    for n in 0..PROMOTIONS {
        let start = Instant::now();
        promote_to(&models, n, "production").await;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    println!(
        "promote, local Strict: {:.2} ms ({:.2} to {:.2})",
        times[times.len() / 2],
        times[0],
        times[times.len() - 1]
    );
}

async fn promote_to(models: &Registry, n: u64, stage: &str) {
    let spec = PromoteSpec::new(
        locator(&number(n)),
        stage.parse().unwrap(),
        actor(),
        "bench",
    );
    match models.promote(spec).await.unwrap() {
        Promotion::Promoted(_) => {}
        Promotion::Refused(refusal) => panic!("{refusal:?}"),
    }
}

/// Everything that is read when there are many versions.
async fn look(versions: u64) {
    let repo = repo_on(Arc::new(MemoryStorage::new())).await;
    let models = Registry::new(repo.clone());
    let start = Instant::now();
    for first in (0..versions).step_by(1_000) {
        register_batch(&models, first, versions.min(first + 1_000)).await;
    }
    println!("\n{versions} versions of one model");
    rate("memory, 1,000 together", versions, start);
    let start = Instant::now();
    for n in versions..versions + 20 {
        models.register(version("fraud", n)).await.unwrap();
    }
    rate("one more", 20, start);
    for stage in ["staging", "production"] {
        promote_to(&models, versions / 2, stage).await;
    }
    let alias = AliasSpec::new(
        locator(&number(versions / 3)),
        "champion".parse().unwrap(),
        actor(),
        "bench",
    );
    models.set_alias(alias).await.unwrap();

    let view = repo.view().await.unwrap();
    view.load("").await.unwrap();
    let numbers: Vec<Locator> = (0..1_024)
        .map(|n| locator(&number(n * 7_919 % versions)))
        .collect();
    nanos("a version by number", LOOKS, &numbers, |model| {
        black_box(registry::resolve(&view, model).unwrap());
    });
    for (what, looks) in [
        ("a version's record, read for the first time", 1_000),
        ("a version's record", LOOKS),
    ] {
        nanos(what, looks, &numbers, |model| {
            black_box(registry::show(&view, model).unwrap());
        });
    }
    nanos("an alias", LOOKS, &[locator("champion")], |model| {
        black_box(registry::resolve(&view, model).unwrap());
    });
    nanos(
        "the holder of a stage",
        LOOKS,
        &[locator("production")],
        |model| {
            black_box(registry::resolve(&view, model).unwrap());
        },
    );
    nanos("the latest", LOOKS, &[locator("latest")], |model| {
        black_box(registry::resolve(&view, model).unwrap());
    });
    for query in [
        "name = 'fraud' AND tags.team = 'risk' AND metrics.auc > 0.999",
        "tags.team = 'risk' ORDER BY metrics.auc DESC",
        "metrics.auc > 0.999",
        "stage = 'production'",
        "ORDER BY created",
        "owner = 'team-7' ORDER BY metrics.auc DESC",
        "owner LIKE 'team-%' AND params.n > 500 AND expires < '2026-06-01T00:00:00Z'",
        "tags.team != 'web' AND alias IS NULL AND served IS NULL",
        "description CONTAINS 'nothing'",
    ] {
        let mut times = Vec::new();
        for _ in 0..SEARCHES {
            let start = Instant::now();
            black_box(search::search(&view, query, &Page::default()).unwrap());
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_unstable_by(f64::total_cmp);
        println!("  {query}: {:.1} ms", times[SEARCHES / 2]);
    }
}

fn version(model: &str, n: u64) -> ModelSpec {
    #[expect(clippy::cast_precision_loss, reason = "a metric")]
    let auc = 0.9 + (n * 7_919 % 1_000) as f64 / 10_000.0;
    let file = FileSpec::from_bytes("model.bin".parse().unwrap(), n.to_string());
    ModelSpec::new(model.parse().unwrap(), actor(), "bench")
        .with_file(file)
        .with_bump(Bump::Exact(number(n).parse().unwrap()))
        .with_parameter("n", n)
        .with_metric("auc", auc)
        .with_tag("team", if n.is_multiple_of(10) { "risk" } else { "web" })
        .with_owner(format!("team-{}", n % 100))
        .with_expiry(Timestamp::from_unix_micros(
            1_767_225_600_000_000 + i64::try_from(n).unwrap(),
        ))
}

fn number(n: u64) -> String {
    format!("1.{n}.0")
}

fn locator(selector: &str) -> Locator {
    format!("model:fraud@{selector}").parse().unwrap()
}

fn actor() -> Actor {
    Actor::new("bench").unwrap()
}

async fn memory() -> Registry {
    registry_on(Arc::new(MemoryStorage::new())).await
}

async fn local() -> (tempfile::TempDir, Registry) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let storage = LocalStorage::open(directory.path(), LocalOptions::default());
    let models = registry_on(Arc::new(storage.await.unwrap())).await;
    (directory, models)
}

async fn registry_on(storage: Arc<dyn Storage>) -> Registry {
    Registry::new(repo_on(storage).await)
}

async fn repo_on(storage: Arc<dyn Storage>) -> Repo {
    Repo::create(storage, RepoOptions::default()).await.unwrap()
}

fn rate(what: &str, count: u64, start: Instant) {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("register, {what}: {rate:.0} a second");
}

fn nanos<T>(what: &str, count: u32, of: &[T], mut look: impl FnMut(&T)) {
    let start = Instant::now();
    for one in of.iter().cycle().take(count as usize) {
        look(one);
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(count);
    println!("  {what}: {each:.2} µs");
}
