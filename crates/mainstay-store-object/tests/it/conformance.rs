//! The conformance suite over the stores of `object_store` that need no server.

use std::sync::Arc;

use mainstay_store::conformance::{self, Report, RunOptions};
use mainstay_store_object::object_store::ObjectStore;
use mainstay_store_object::object_store::local::LocalFileSystem;
use mainstay_store_object::object_store::memory::InMemory;
use mainstay_store_object::object_store::path::Path;
use mainstay_store_object::object_store::prefix::PrefixStore;
use mainstay_store_object::{ObjectStorage, StoreProfile};

async fn run(store: impl ObjectStore, profile: StoreProfile, skip: &[&str]) -> Report {
    let storage = ObjectStorage::new(Arc::new(store), profile);
    let options = RunOptions::default().with_seed(1).with_skipped(skip);
    conformance::run(Arc::new(storage), &options).await
}

async fn passes_every_case(store: impl ObjectStore, profile: StoreProfile) {
    let report = run(store, profile, &[]).await;
    assert!(
        report.failed.is_empty() && report.skipped.is_empty(),
        "{report}"
    );
    assert_eq!(report.passed.len(), conformance::cases().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_passes_every_case() {
    passes_every_case(InMemory::new(), StoreProfile::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_taken_for_the_least_able_store_passes_every_case() {
    let profile = StoreProfile::memory().unordered().without_suffix_ranges();
    passes_every_case(InMemory::new(), profile).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_prefix_that_is_no_key_passes_every_case() {
    let store = PrefixStore::new(InMemory::new(), Path::from("Team A/%models"));
    passes_every_case(store, StoreProfile::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_file_system_passes_all_but_the_case_of_a_key_below_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalFileSystem::new_with_prefix(dir.path())
        .unwrap()
        .with_fsync(true);
    let skip = ["a_key_is_not_in_the_way_of_keys_below_it"];
    let report = run(store, StoreProfile::file_system(), &skip).await;
    assert!(report.failed.is_empty(), "{report}");
    assert_eq!(report.skipped, skip);
}
