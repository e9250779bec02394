//! The conformance suite over every store that needs no server of its own.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_hostile::{Dialect, HostileServer, ServerOptions};
use mainstay_store::conformance::{self, Report, RunOptions};
use mainstay_store::{Prefix, Storage as _};
use mainstay_store_object::object_store::ObjectStore;
use mainstay_store_object::object_store::local::LocalFileSystem;
use mainstay_store_object::object_store::memory::InMemory;
use mainstay_store_object::object_store::path::Path;
use mainstay_store_object::object_store::prefix::PrefixStore;
use mainstay_store_object::{ObjectStorage, StoreProfile, open};

use crate::server::{SERVICES, bare, key};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_passes_every_case_over_the_wire() {
    passes_over_the_wire(Dialect::S3).await;
}

/// Google's server cannot be had here: that it passes is said of the model of its documentation that
/// the hostile server is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_model_of_gcs_passes_every_case_over_the_wire() {
    passes_over_the_wire(Dialect::Gcs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn azure_passes_every_case_over_the_wire() {
    passes_over_the_wire(Dialect::Azure).await;
}

async fn passes_over_the_wire(dialect: Dialect) {
    // Small pages, so that listings have several.
    let options = ServerOptions::default().with_page(100);
    let server = HostileServer::start_with(dialect, options).await.unwrap();
    let storage = open(&server.url(), &server.client_options()).unwrap();
    let report = conformance::run(storage, &RunOptions::default().with_seed(1)).await;
    assert!(
        report.failed.is_empty() && report.skipped.is_empty(),
        "{report}"
    );
    assert!(server.objects().is_empty());
}

#[tokio::test]
async fn a_service_that_lists_from_the_beginning_whatever_it_is_asked_is_listed_from_where_it_is_to()
 {
    for dialect in SERVICES {
        let options = ServerOptions::default().with_page(2).with_offsets_ignored();
        let server = HostileServer::start_with(dialect, options).await.unwrap();
        for number in 1..=5 {
            server.insert(&format!("log/{number}"), "entry");
        }
        let storage = bare(&server);
        let listing = storage.list(&Prefix::all(), Some(&key("log/3")));
        let listed = listing.map_ok(|object| object.key.to_string());
        let listed: Vec<_> = listed.try_collect().await.unwrap();
        assert_eq!(listed, ["log/4", "log/5"], "{dialect:?}");
    }
}
