//! The stored formats of tallies and leases, byte for byte as version 1 wrote them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, canon};
use mainstay_repo::{Accuracy, Expectation, Repo, Scale, TallyName, Totals, Value};
use mainstay_store::{Key, MemoryStorage, Prefix, PutMode, Storage, StorageExt as _};

use crate::support::{committed, held, options, path, repo, transaction};

const REF: &str = "tally/experiment/checkout";
const VALUES: [(&str, &str); 3] = [
    (REF, "tally/v1/ref.json"),
    ("lease/rollout/prod/holder", "lease/v1/holder.json"),
    ("lease/rollout/prod/beat", "lease/v1/beat.json"),
];

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(file)
}

fn subject() -> TallyName {
    "experiment/checkout".parse().unwrap()
}

/// A base and a replica's object with every kind of register and every member.
async fn written(storage: &Arc<dyn Storage>) -> Repo {
    let repo = repo(storage, 11).await;
    let actor = Actor::new("router-7").unwrap();
    let contender = repo
        .lease("rollout/prod", actor.clone(), Duration::from_secs(15))
        .unwrap();
    let lease = contender.try_acquire().await.unwrap().unwrap();
    lease.renew().await.unwrap();
    let tally = repo.tally(&subject(), actor).unwrap();
    let count = tally.counter(&"canary/exposures".parse().unwrap()).unwrap();
    let sum = tally
        .accumulator(&"canary/reward".parse().unwrap(), Scale::BITS_32)
        .unwrap();
    let cents = tally
        .accumulator(&"canary/reward".parse().unwrap(), Scale::INTEGER)
        .unwrap();
    let sketch = tally
        .histogram(&"größe".parse().unwrap(), Accuracy::ONE_PERCENT)
        .unwrap();
    count.add(u64::MAX - 1);
    for value in [-2.5, 0.1, 9_007_199_254_740_992.0] {
        sum.add(value).unwrap();
        cents.add(value).unwrap();
    }
    for value in [-12.5, -0.0, 1e-13, 0.001, 3.75, 3.76, 1e9] {
        sketch.observe(value).unwrap();
    }
    tally.flush().await.unwrap();
    repo.compact_tally(&subject(), &lease).await.unwrap();
    count.add(3);
    sum.add(-0.75).unwrap();
    sketch.observe(1.0).unwrap();
    tally.flush().await.unwrap();
    repo
}

fn check(file: &Path, bytes: &[u8], missing: &mut Vec<PathBuf>) {
    if let Ok(golden) = fs::read(file) {
        let texts = [bytes, &golden].map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        assert_eq!(texts[0], texts[1], "{}", file.display());
    } else {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
        missing.push(file.to_owned());
    }
}

#[tokio::test]
async fn what_is_written_is_what_version_1_wrote() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = written(&storage).await;
    let mut missing = Vec::new();
    let prefix = Prefix::directory("tally").unwrap();
    let listed: Vec<_> = storage.list(&prefix, None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 2);
    for object in listed {
        let bytes = storage.get_all(&object.key).await.unwrap().unwrap();
        let file = golden("tally/v1").join(object.key.as_str());
        check(&file, &bytes, &mut missing);
    }
    let view = repo.view().await.unwrap();
    for (at, file) in VALUES {
        let value = held(&view, at).await.unwrap().value.unwrap();
        check(&golden(file), &canon::to_vec(&value).unwrap(), &mut missing);
    }
    let totals = repo.read_tally(&subject()).await.unwrap();
    let totals = canon::to_vec(&totals).unwrap();
    check(&golden("tally/v1/totals.json"), &totals, &mut missing);
    assert!(
        missing.is_empty(),
        "were missing and have been written, commit them: {missing:?}"
    );
}

#[tokio::test]
async fn what_version_1_wrote_adds_up_as_it_did_and_is_gone_on_with() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = repo(&storage, 12).await;
    let directory = golden("tally/v1/tally/experiment%2fcheckout");
    for file in fs::read_dir(directory).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let key = Key::new(format!("tally/experiment%2fcheckout/{name}")).unwrap();
        let bytes = fs::read(file.path()).unwrap();
        let put = storage.put(&key, bytes.into(), PutMode::Create).await;
        put.map(drop).unwrap();
    }
    let mut refs = transaction();
    for (at, file) in VALUES {
        let value: Value = canon::from_slice(&fs::read(golden(file)).unwrap()).unwrap();
        refs.set(path(at), value, Expectation::Absent);
    }
    committed(repo.commit(refs).await.unwrap());

    let read = async || -> Totals { repo.read_tally(&subject()).await.unwrap() };
    let totals = read().await;
    let expected = fs::read(golden("tally/v1/totals.json")).unwrap();
    assert_eq!(canon::to_vec(&totals).unwrap(), expected);

    let options = options(13);
    let other = Repo::open(Arc::clone(&storage), options).await.unwrap();
    let actor = Actor::new("keeper").unwrap();
    let contender = other
        .lease("rollout/prod", actor, Duration::from_secs(1))
        .unwrap();
    let holder = contender.holder().await.unwrap().unwrap();
    assert_eq!(
        (holder.actor.as_str(), holder.term_ms),
        ("router-7", 15_000)
    );
    let lease = contender.acquire(2).await.unwrap().unwrap();
    other.compact_tally(&subject(), &lease).await.unwrap();
    assert_eq!(read().await, totals);
}
