//! Keys that change, and keys that are missing.

use mainstay_core::ErrorKind;
use mainstay_store::Prefix;
use mainstay_store::fault::{Applied, Fault, FaultStorage, Trigger, Verb};

use super::*;

fn old() -> StaticKeys {
    StaticKeys::new(id("old"), secret(1))
}

fn new() -> StaticKeys {
    StaticKeys::new(id("new"), secret(2))
}

fn both() -> StaticKeys {
    new().with_old(id("old"), secret(1))
}

const NAMES: [&str; 6] = ["log/1", "log/2", "log/3", "pack/1", "pack/2", "z"];

/// Returns what the test writes as `name`.
fn content(name: &str) -> Bytes {
    let len = if name.starts_with("pack") { 100 } else { 10 };
    name.bytes().cycle().take(len).collect()
}

async fn fill(raw: &MemoryStorage) {
    for name in NAMES {
        put(&encrypted(raw, old()), name, content(name)).await;
    }
}

async fn check_all(raw: &MemoryStorage, keys: StaticKeys) {
    let storage = encrypted(raw, keys);
    for name in NAMES {
        assert_eq!(
            fetch(&storage, name).await.unwrap(),
            content(name),
            "{name}"
        );
    }
}

#[test]
fn a_missing_key_is_named_and_a_wrong_one_under_its_name_is_corruption() {
    block_on(async {
        let raw = MemoryStorage::new();
        fill(&raw).await;
        let error = fetch(&encrypted(&raw, new()), "log/1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(
            error.to_string(),
            "the object is encrypted under a key that is not at hand (object: log/1, key_id: old)"
        );
        let wrong = StaticKeys::new(id("old"), secret(9));
        let error = fetch(&encrypted(&raw, wrong), "log/1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("object: log/1"), "{error}");
    });
}

#[test]
fn rewriting_moves_all_to_the_current_key_in_as_many_rounds_as_its_limit_asks_for() {
    block_on(async {
        let raw = MemoryStorage::new();
        fill(&raw).await;
        let storage = encrypted(&raw, both());
        put(&storage, "log/3", content("log/3")).await;
        let log = Prefix::directory("log").unwrap();
        let mut counts = Vec::new();
        for (prefix, limit) in [
            (&log, 0),
            (&log, 1),
            (&Prefix::all(), 2),
            (&Prefix::all(), 9),
            (&Prefix::all(), 9),
        ] {
            let report = storage.rewrite(prefix, limit).await.unwrap();
            counts.push((report.rewritten, report.bytes, report.remaining));
            check_all(&raw, both()).await;
        }
        assert_eq!(
            counts,
            [(0, 0, 2), (1, 10, 1), (2, 110, 2), (2, 110, 0), (0, 0, 0)]
        );
        check_all(&raw, new()).await;
    });
}

#[test]
fn wherever_rewriting_is_interrupted_every_object_is_whole_and_the_next_call_ends_the_work() {
    block_on(async {
        let counted = FaultStorage::new(MemoryStorage::new());
        fill(counted.inner()).await;
        let report = encrypted(&counted, both())
            .rewrite(&Prefix::all(), u64::MAX)
            .await;
        assert_eq!(report.unwrap().rewritten, NAMES.len() as u64);

        for operation in 1..=counted.operations() {
            for applied in [Applied::Yes, Applied::No] {
                let faulty = FaultStorage::new(MemoryStorage::new());
                fill(faulty.inner()).await;
                faulty.crash_at(operation, applied);
                let storage = encrypted(&faulty, both());
                assert!(storage.rewrite(&Prefix::all(), u64::MAX).await.is_err());
                check_all(faulty.inner(), both()).await;

                faulty.revive();
                let report = storage.rewrite(&Prefix::all(), u64::MAX).await.unwrap();
                assert_eq!(report.remaining, 0);
                check_all(faulty.inner(), new()).await;
            }
        }
    });
}

#[test]
fn rewriting_never_replaces_an_object_that_it_cannot_read() {
    block_on(async {
        let faulty = FaultStorage::new(MemoryStorage::new());
        fill(faulty.inner()).await;
        let before = fetch(faulty.inner(), "log/1").await.unwrap();
        // The read after that of the head.
        let reads = Trigger::any()
            .with_verb(Verb::Get)
            .with_key_start("log/1")
            .with_skip(1);
        faulty.fail_when(reads, Fault::FlipBit(8 * 90));
        let error = encrypted(&faulty, both())
            .rewrite(&Prefix::all(), 1)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(fetch(faulty.inner(), "log/1").await.unwrap(), before);
    });
}
