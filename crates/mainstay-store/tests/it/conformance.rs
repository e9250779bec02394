//! Every backend and every wrapper passes the conformance suite.

use std::sync::Arc;

use mainstay_core::{NoMetrics, SeededIds, SystemClock};
use mainstay_store::conformance::{self, Need, Report, RunOptions};
use mainstay_store::fault::{Fault, FaultStorage, Lie, LyingStorage};
use mainstay_store::{
    CacheStorage, EncryptedStorage, EncryptionKey, KeyId, MemoryStorage, MeterStorage,
    MetricsStorage, NoWait, Prefix, PrefixStorage, ProbeStorage, ReadOnlyStorage, RetryOptions,
    RetryStorage, RouteStorage, StaticKeys, Storage,
};

async fn run(storage: impl Storage + 'static) -> Report {
    conformance::run(Arc::new(storage), &RunOptions::default().with_seed(1)).await
}

async fn passes_every_case(storage: impl Storage + 'static) {
    run(storage).await.check(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_passes_every_case() {
    passes_every_case(MemoryStorage::new()).await;
}

#[cfg(unix)]
mod local {
    use mainstay_store::{Durability, LocalOptions, LocalStorage};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_durable_directory_passes_every_case() {
        let dir = tempfile::tempdir().unwrap();
        let options = LocalOptions::default();
        passes_every_case(LocalStorage::open(dir.path(), options).await.unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_directory_that_does_not_sync_passes_every_case() {
        let dir = tempfile::tempdir().unwrap();
        let options = LocalOptions::default().with_durability(Durability::None);
        passes_every_case(LocalStorage::open(dir.path(), options).await.unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_suite_leaves_no_file_behind() {
        let dir = tempfile::tempdir().unwrap();
        let options = LocalOptions::default().with_durability(Durability::None);
        passes_every_case(LocalStorage::open(dir.path(), options).await.unwrap()).await;
        let mut directories = vec![dir.path().to_path_buf()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                assert!(path.is_dir(), "{}", path.display());
                directories.push(path);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_prefix_passes_every_case() {
    let prefix = Prefix::directory("team/a-1").unwrap();
    passes_every_case(PrefixStorage::new(MemoryStorage::new(), prefix)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn routes_pass_every_case() {
    let storage = RouteStorage::new(Arc::new(MemoryStorage::new()));
    passes_every_case(storage).await;
    // Again with routes at keys that the cases use, since the suite keeps each case below a prefix.
    for case in conformance::cases() {
        let mut storage = RouteStorage::new(Arc::new(MemoryStorage::new()));
        for directory in ["a", "dir", "dir-1", "escape", "last/x", "log", "random"] {
            let prefix = Prefix::directory(directory).unwrap();
            storage = storage
                .with(prefix, Arc::new(MemoryStorage::new()))
                .unwrap();
        }
        let outcome = case.run(Arc::new(storage), 1).await;
        assert_eq!(outcome, Ok(()), "{}", case.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_meter_passes_every_case() {
    passes_every_case(MeterStorage::new(MemoryStorage::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_watched_storage_passes_every_case() {
    let (metrics, clock) = (
        Arc::new(NoMetrics::default()),
        Arc::new(SystemClock::default()),
    );
    passes_every_case(MetricsStorage::new(MemoryStorage::new(), metrics, clock)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cache_that_keeps_everything_passes_every_case() {
    let everything = vec![Prefix::all()];
    passes_every_case(CacheStorage::new(MemoryStorage::new(), everything, 1 << 20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn encryption_passes_every_case() {
    let key = EncryptionKey::from_bytes([7; 32]);
    let keys = StaticKeys::new(KeyId::new("k").unwrap(), key);
    passes_every_case(EncryptedStorage::new(MemoryStorage::new(), Arc::new(keys))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fault_storage_without_a_plan_passes_every_case() {
    passes_every_case(FaultStorage::new(MemoryStorage::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_probed_storage_passes_every_case() {
    let ids = Arc::new(SeededIds::new(1));
    passes_every_case(ProbeStorage::new(MemoryStorage::new(), ids)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn retrying_passes_every_case() {
    let options = RetryOptions::default().with_seed(1);
    passes_every_case(RetryStorage::new(
        MemoryStorage::new(),
        Arc::new(NoWait::default()),
        options,
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn retrying_over_a_storage_that_loses_requests_passes_every_case_it_can() {
    let faulty = FaultStorage::new(MemoryStorage::new());
    faulty.fail_randomly(1, 5, vec![Fault::LoseRequest]);
    let options = RetryOptions::default().with_seed(1).with_attempts(40);
    // A create that fails ambiguously and then finds its own bytes there takes them for written;
    // this case writes the same bytes twice.
    let options_run = RunOptions::default().with_skipped(&["create_does_not_replace"]);
    let storage = Arc::new(RetryStorage::new(
        faulty,
        Arc::new(NoWait::default()),
        options,
    ));
    let report = conformance::run(storage, &options_run).await;
    report.check(&["create_does_not_replace"]).unwrap();
}

#[tokio::test]
async fn a_read_only_storage_passes_the_cases_that_read_and_skips_the_others() {
    let report = run(ReadOnlyStorage::new(MemoryStorage::new())).await;
    assert_eq!(
        report.passed,
        [
            "an_absent_key_reads_as_none",
            "an_empty_storage_lists_nothing"
        ]
    );
    let writing = conformance::cases()
        .iter()
        .filter(|case| case.needs != Need::Reads)
        .map(|case| case.name);
    report.check(&writing.collect::<Vec<_>>()).unwrap();
}

/// The suite would notice: each of these storages breaks one promise.
mod violations {
    use async_trait::async_trait;
    use bytes::Bytes;
    use futures::stream::{self, BoxStream};
    use futures::{StreamExt as _, TryStreamExt as _};
    use mainstay_core::Result;
    use mainstay_store::{ByteRange, Capabilities, Key, Object, ObjectMeta, PutMode, PutOutcome};

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Broken {
        ListsInReverse,
        AfterIsIncluded,
        RangesFailBeyondTheEnd,
        OverwriteTears,
        DeleteForgets,
    }

    #[derive(Debug)]
    struct BrokenStorage(MemoryStorage, Broken);

    #[async_trait]
    impl Storage for BrokenStorage {
        async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
            let object = self.0.get(key, range.clone()).await?;
            match (&object, &range) {
                (Some(object), ByteRange::Offsets(range))
                    if self.1 == Broken::RangesFailBeyondTheEnd && range.end > object.size =>
                {
                    Ok(None)
                }
                _ => Ok(object),
            }
        }

        async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
            match (self.1, mode) {
                (Broken::OverwriteTears, PutMode::Overwrite) => {
                    let half = bytes.slice(..bytes.len() / 2);
                    self.0.put(key, half, mode).await.map(drop)?;
                    tokio::task::yield_now().await;
                    self.0.put(key, bytes, mode).await
                }
                _ => self.0.put(key, bytes, mode).await,
            }
        }

        fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
            let (prefix, after) = (prefix.clone(), after.cloned());
            let listing = async move {
                let all: Vec<_> = self.0.list(&prefix, None).try_collect().await?;
                let inclusive = self.1 == Broken::AfterIsIncluded;
                let mut listed: Vec<_> = all
                    .into_iter()
                    .filter(|object| match &after {
                        Some(after) if inclusive => object.key >= *after,
                        Some(after) => object.key > *after,
                        None => true,
                    })
                    .map(Ok)
                    .collect();
                if self.1 == Broken::ListsInReverse {
                    listed.reverse();
                }
                Ok::<_, mainstay_core::Error>(stream::iter(listed))
            };
            stream::once(listing).try_flatten().boxed()
        }

        async fn delete(&self, key: &Key) -> Result<()> {
            if self.1 == Broken::DeleteForgets && key.as_str().ends_with("/dir/object") {
                return Ok(());
            }
            self.0.delete(key).await
        }

        fn capabilities(&self) -> Capabilities {
            self.0.capabilities()
        }
    }

    async fn outcome_of(case: &str, storage: impl Storage + 'static) -> conformance::Outcome {
        let mut cases = conformance::cases().iter();
        let case = cases.find(|one| one.name == case).unwrap();
        case.run(Arc::new(storage), 1).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn every_lie_fails_the_case_about_it_whatever_the_seed() {
        for &lie in Lie::all() {
            let case = match lie {
                Lie::IgnoresCondition => "create_does_not_replace",
                Lie::Races => "of_racing_creators_one_wins_and_all_see_its_bytes",
                Lie::StaleLists => "a_listing_sees_what_was_done_before_it",
                _ => "what_was_written_is_read_back",
            };
            for seed in 0..20 {
                let storage = LyingStorage::new(MemoryStorage::new(), lie, seed);
                let outcome = outcome_of(case, storage).await;
                assert!(outcome.is_err(), "{lie:?} with seed {seed} passes {case}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn each_broken_promise_fails_the_case_about_it() {
        for (broken, case) in [
            (
                Broken::ListsInReverse,
                "keys_are_listed_in_byte_order_of_the_whole_key",
            ),
            (
                Broken::AfterIsIncluded,
                "pages_joined_are_the_whole_listing",
            ),
            (
                Broken::RangesFailBeyondTheEnd,
                "ranges_are_cut_to_the_object",
            ),
            (
                Broken::OverwriteTears,
                "readers_see_whole_objects_while_they_are_replaced",
            ),
            (
                Broken::DeleteForgets,
                "delete_is_idempotent_and_the_key_is_free_again",
            ),
        ] {
            // Below a prefix, by which `DeleteForgets` knows the key.
            let storage = BrokenStorage(MemoryStorage::new(), broken);
            let prefix = Prefix::directory("x").unwrap();
            let outcome = outcome_of(case, PrefixStorage::new(storage, prefix)).await;
            assert!(outcome.is_err(), "{broken:?} passes {case}");
        }
    }

    #[tokio::test]
    async fn a_skipped_name_that_is_no_case_is_a_failure() {
        let options = RunOptions::default().with_skipped(&["no_such_case"]);
        let storage = Arc::new(ReadOnlyStorage::new(MemoryStorage::new()));
        let report = conformance::run(storage, &options).await;
        assert_eq!(report.failed.len(), 1);
        assert!(report.check(&[]).is_err());
        assert!(report.to_string().contains("failed: no_such_case"));
    }
}
