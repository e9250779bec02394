//! Storing and reading blobs, through [`BlobStore`].

mod batches;
mod crashes;
mod formats;
mod model;
mod reading;
mod weights;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::{Digest, Error, ErrorKind, Result};
use mainstay_store::fault::{Fault, FaultStorage, Trigger};
use mainstay_store::{
    Key, LocalOptions, LocalStorage, MemoryStorage, MeterStorage, Prefix, PutMode, ReadOnlyStorage,
    Storage, StorageExt as _,
};

use super::manifest::{Body, MAX_CHUNKS};
use super::testing::random_bytes;
use super::{BlobStore, IngestReport, StoredBlob};

async fn put(store: &BlobStore, bytes: impl Into<Bytes>) -> (StoredBlob, IngestReport) {
    let mut ingest = store.ingest();
    let stored = ingest.bytes(bytes.into()).await.unwrap();
    (stored, ingest.finish().await.unwrap())
}

async fn get(store: &BlobStore, digest: &Digest) -> Result<Bytes> {
    let blob = store.find(digest).await?;
    blob.expect("the blob is stored").bytes().await
}

#[tokio::test]
async fn a_file_is_found_by_the_sha256_of_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    for size in [0, 1, 16_384, 16_385, 262_144, 262_145, 3_000_000] {
        let bytes = random_bytes(size, 1);
        let path = directory.path().join("file");
        std::fs::write(&path, &bytes).unwrap();
        let store = BlobStore::new(Arc::new(MemoryStorage::new()));
        let mut ingest = store.ingest();
        let stored = ingest.file(&path).await.unwrap();
        ingest.finish().await.unwrap();
        assert_eq!(stored.digest, Digest::of(&bytes));
        assert_eq!((stored.size, stored.new_bytes), (size as u64, size as u64));
        assert_eq!(get(&store, &stored.digest).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_missing_file_is_named_and_leaves_the_session_usable() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let mut ingest = store.ingest();
    let directory = tempfile::tempdir().unwrap();
    for (path, kind) in [
        (directory.path().join("absent"), ErrorKind::NotFound),
        (directory.path().to_owned(), ErrorKind::Invalid),
    ] {
        let error = ingest.file(&path).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
    let stored = ingest.bytes("kept".into()).await.unwrap();
    assert_eq!(ingest.finish().await.unwrap().blobs, 1);
    assert_eq!(get(&store, &stored.digest).await.unwrap(), "kept");
}

#[tokio::test]
async fn the_error_of_a_stream_is_returned_and_leaves_the_session_usable() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let mut ingest = store.ingest();
    for good in [0, 1, 20] {
        let piece = Bytes::from(random_bytes(50_000, 1));
        let failing = stream::iter((0..good).map(move |_| Ok(piece.clone())));
        let failing = failing.chain(stream::iter([Err(Error::invalid("broken source"))]));
        let error = ingest.stream(failing.boxed()).await.unwrap_err();
        assert_eq!(error.message(), "broken source");
    }
    let stored = ingest.bytes("kept".into()).await.unwrap();
    ingest.finish().await.unwrap();
    assert_eq!(get(&store, &stored.digest).await.unwrap(), "kept");
}

#[tokio::test]
async fn a_put_that_is_given_up_ends_the_session() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let mut ingest = store.ingest();
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[7; 1000])));
    // Polled once and dropped: the stream never ends.
    assert!(ingest.stream(endless.boxed()).now_or_never().is_none());
    let error = ingest.bytes("more".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(
        ingest.finish().await.unwrap_err().kind(),
        ErrorKind::Cancelled
    );
}

#[tokio::test]
async fn an_empty_session_asks_the_storage_nothing() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let store = BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage));
    let report = store.ingest().finish().await.unwrap();
    assert_eq!(report, IngestReport::default());
    assert_eq!(storage.reading().requests(), 0);
}

#[tokio::test]
async fn what_is_stored_is_not_written_again() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let bytes = random_bytes(1_000_000, 1);
    let store = BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage));
    let mut ingest = store.ingest();
    let first = ingest.bytes(bytes.clone().into()).await.unwrap();
    let again = ingest.bytes(bytes.clone().into()).await.unwrap();
    assert_eq!((first.new_bytes, again.new_bytes), (1_000_000, 0));
    let report = ingest.finish().await.unwrap();
    assert_eq!((report.blobs, report.logical_bytes), (2, 2_000_000));
    assert_eq!(report.new_bytes, 1_000_000);
    assert_eq!(report.stored_bytes, storage.reading().bytes_written);
    // A pack of chunks, a pack of manifests, an index.
    assert_eq!((storage.reading().puts, report.requests), (3, 3));

    // This handle, and one that has yet to load the index.
    for store in [
        store,
        BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage)),
    ] {
        let (stored, report) = put(&store, bytes.clone()).await;
        assert_eq!((stored.new_bytes, report.stored_bytes), (0, 0));
        assert_eq!(report.requests, 0);
        assert_eq!(storage.reading().puts, 3);
    }
}

#[tokio::test]
async fn ten_thousand_small_files_are_three_objects() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let store = BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage));
    let mut ingest = store.ingest();
    let mut digests = Vec::new();
    for seed in 0..10_000 {
        let stored = ingest.bytes(random_bytes(100, seed).into()).await.unwrap();
        digests.push(stored.digest);
    }
    ingest.finish().await.unwrap();
    let written = storage.reading();
    assert!(written.puts <= 3, "{written:?}");
    assert!(written.bytes_written < 10_000 * 400, "{written:?}");
    for seed in [0, 5_000, 9_999] {
        let bytes = get(&store, &digests[seed]).await.unwrap();
        assert_eq!(bytes, random_bytes(100, seed as u64));
    }
    // One request each: the index is in memory.
    let read = storage.reading() - written;
    assert_eq!((read.gets, read.requests()), (3, 3));
}

#[tokio::test]
async fn a_byte_inserted_into_ten_megabytes_costs_two_chunks() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let mut bytes = random_bytes(10_000_000, 1);
    put(&store, bytes.clone()).await;
    bytes.insert(5_000_000, 0);
    let (stored, report) = put(&store, bytes.clone()).await;
    assert!(stored.new_bytes < 300_000, "{stored:?}");
    assert!(report.stored_bytes < 320_000, "{report:?}");
    assert_eq!(get(&store, &stored.digest).await.unwrap(), bytes);
}

#[tokio::test]
async fn what_another_handle_stored_is_found_without_opening_anew() {
    let storage = Arc::new(MemoryStorage::new());
    let [ours, theirs] = [(); 2].map(|()| BlobStore::new(Arc::<MemoryStorage>::clone(&storage)));
    for seed in 0..3 {
        let bytes = random_bytes(30_000, seed);
        assert!(ours.find(&Digest::of(&bytes)).await.unwrap().is_none());
        put(&theirs, bytes.clone()).await;
        assert_eq!(get(&ours, &Digest::of(&bytes)).await.unwrap(), bytes);
    }
}

/// A blob so long that its chunks are listed apart, most of them alike, so that it takes little room.
fn long_blob() -> Vec<u8> {
    // A chunk ends after these 64 bytes, if it is long enough.
    let cutting = (0..u64::MAX)
        .map(|seed| random_bytes(64, seed))
        .find(|bytes| {
            let mut hasher = gearhash::Hasher::default();
            hasher.update(bytes);
            hasher.is_match(0xffff_0000_0000_0000)
        })
        .unwrap();
    let chunks = MAX_CHUNKS + MAX_CHUNKS / 2;
    let mut bytes = Vec::with_capacity(chunks * 8192 + 100);
    for number in 0..chunks {
        let start = bytes.len();
        bytes.extend((number as u64 / 512).to_le_bytes());
        bytes.resize(start + 8192 - cutting.len(), 0);
        bytes.extend(&cutting);
    }
    bytes.extend([1; 100]);
    bytes
}

#[tokio::test]
async fn a_long_blob_has_its_chunks_in_lists() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let store = BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage));
    let bytes = long_blob();
    let (stored, report) = put(&store, bytes.clone()).await;
    assert!(report.stored_bytes < 300_000, "{report:?}");
    let blob = store.find(&stored.digest).await.unwrap().unwrap();
    let Body::Lists(lists) = &blob.manifest().body else {
        panic!("{:?}", blob.manifest().body);
    };
    assert_eq!(lists.len(), 2);
    blob.check_parts().await.unwrap();
    assert!(blob.bytes().await.unwrap() == bytes);
    let end = bytes.len() as u64;
    let boundary = lists[0].size;
    for range in [0..10, boundary - 5..boundary + 5, end - 10..end + 10] {
        let read = blob.range(range.clone()).await.unwrap();
        let until = range.end.min(end);
        let expected = usize::try_from(range.start).unwrap()..usize::try_from(until).unwrap();
        assert_eq!(read, bytes[expected]);
    }
    // A range reads the lists and chunks it touches and no others.
    let before = storage.reading();
    blob.range(end - 10..end).await.unwrap();
    assert_eq!((storage.reading() - before).gets, 2);
}

#[tokio::test]
async fn a_range_fetches_only_the_chunks_it_touches() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let store = BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage));
    let bytes = random_bytes(5_000_000, 1);
    let (stored, _) = put(&store, bytes.clone()).await;
    let blob = store.find(&stored.digest).await.unwrap().unwrap();
    let before = storage.reading();
    assert_eq!(
        blob.range(2_500_000..2_500_100).await.unwrap(),
        bytes[2_500_000..2_500_100]
    );
    let cost = storage.reading() - before;
    assert_eq!(cost.gets, 1);
    assert!(cost.bytes_read < 2 * 140_000, "{cost:?}");
    // Neighbors come together: about 70 chunks in two requests.
    let before = storage.reading();
    assert!(blob.bytes().await.unwrap() == bytes);
    assert_eq!((storage.reading() - before).gets, 2);
}

#[tokio::test]
async fn ranges_are_cut_to_the_blob() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    for size in [0_u64, 10, 50_000] {
        let bytes = random_bytes(usize::try_from(size).unwrap(), 1);
        let (stored, _) = put(&store, bytes.clone()).await;
        let blob = store.find(&stored.digest).await.unwrap().unwrap();
        assert_eq!(blob.range(0..u64::MAX).await.unwrap(), bytes);
        for empty in [size..size + 5, size + 1..size + 9, u64::MAX - 1..u64::MAX] {
            assert_eq!(blob.range(empty).await.unwrap(), "");
        }
        #[expect(clippy::reversed_empty_ranges, reason = "the case tested")]
        let reversed = 9..3;
        assert_eq!(blob.range(reversed).await.unwrap(), "");
    }
}

#[tokio::test]
async fn export_replaces_a_file_and_leaves_nothing_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let path = directory.path().join("out.bin");
    for size in [0, 5, 3_000_000] {
        let bytes = random_bytes(size, 1);
        let (stored, _) = put(&store, bytes.clone()).await;
        let blob = store.find(&stored.digest).await.unwrap().unwrap();
        blob.export(&path).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
        assert_eq!(names(directory.path()), ["out.bin"]);
    }
}

#[tokio::test]
async fn a_failed_export_touches_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Arc::new(MemoryStorage::new());
    let store = BlobStore::new(Arc::<MemoryStorage>::clone(&storage));
    let (stored, _) = put(&store, random_bytes(9_000_000, 1)).await;
    let blob = store.find(&stored.digest).await.unwrap().unwrap();
    let path = directory.path().join("out.bin");
    std::fs::write(&path, "before").unwrap();

    let absent = directory.path().join("absent/out.bin");
    let error = blob.export(&absent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("absent"), "{error}");

    damage_packs(&*storage, |bytes| {
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
    })
    .await;
    let error = blob.export(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("pack/"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
    assert_eq!(names(directory.path()), ["out.bin"]);
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

async fn keys(storage: &dyn Storage, directory: &str) -> Vec<Key> {
    let prefix = Prefix::directory(directory).unwrap();
    let listed = storage.list(&prefix, None);
    listed
        .map_ok(|object| object.key)
        .try_collect()
        .await
        .unwrap()
}

async fn damage_packs(storage: &dyn Storage, damage: impl Fn(&mut Vec<u8>)) {
    for key in keys(storage, "pack").await {
        let mut bytes = storage.get_all(&key).await.unwrap().unwrap().to_vec();
        damage(&mut bytes);
        let written = storage.put(&key, bytes.into(), PutMode::Overwrite).await;
        written.map(drop).unwrap();
    }
}

#[tokio::test]
async fn a_missing_pack_is_damage_that_names_it() {
    let storage = Arc::new(MemoryStorage::new());
    let store = BlobStore::new(Arc::<MemoryStorage>::clone(&storage));
    let (stored, _) = put(&store, random_bytes(100_000, 1)).await;
    let blob = store.find(&stored.digest).await.unwrap().unwrap();
    for key in keys(&*storage, "pack").await {
        storage.delete(&key).await.unwrap();
    }
    for error in [
        blob.bytes().await.unwrap_err(),
        blob.range(1..2).await.unwrap_err(),
        store.find(&stored.digest).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("pack/"), "{error}");
    }
}

#[tokio::test]
async fn storing_again_mends_a_pack_that_was_damaged_before_it_was_indexed() {
    // A session that crashed between pack and index, whose pack was damaged afterwards.
    let storage = Arc::new(MemoryStorage::new());
    let bytes = random_bytes(100_000, 1);
    let crashed = BlobStore::new(Arc::<MemoryStorage>::clone(&storage));
    put(&crashed, bytes.clone()).await;
    for key in keys(&*storage, "index").await {
        storage.delete(&key).await.unwrap();
    }
    damage_packs(&*storage, |bytes| bytes[50] ^= 1).await;

    let store = BlobStore::new(Arc::<MemoryStorage>::clone(&storage));
    let (stored, report) = put(&store, bytes.clone()).await;
    assert!(report.stored_bytes > 100_000);
    assert_eq!(get(&store, &stored.digest).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_damaged_index_object_hides_nothing_that_another_tells() {
    let storage = Arc::new(MemoryStorage::new());
    let store = BlobStore::new(Arc::<MemoryStorage>::clone(&storage));
    let (lost, _) = put(&store, random_bytes(20_000, 1)).await;
    let [key] = keys(&*storage, "index").await.try_into().unwrap();
    let (kept, _) = put(&store, random_bytes(20_000, 2)).await;
    let damaged = storage.put(&key, "damage".into(), PutMode::Overwrite).await;
    damaged.map(drop).unwrap();

    let fresh = BlobStore::new(Arc::<MemoryStorage>::clone(&storage));
    assert_eq!(
        get(&fresh, &kept.digest).await.unwrap(),
        random_bytes(20_000, 2)
    );
    let error = fresh.find(&lost.digest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(key.as_str()), "{error}");
    // Storing it again makes it found again.
    let (again, _) = put(&fresh, random_bytes(20_000, 1)).await;
    assert_eq!(again.new_bytes, 20_000);
    assert_eq!(
        get(&fresh, &lost.digest).await.unwrap(),
        random_bytes(20_000, 1)
    );
}

#[tokio::test]
async fn a_storage_that_refuses_writes_ends_the_session_with_its_error() {
    let store = BlobStore::new(Arc::new(ReadOnlyStorage::new(MemoryStorage::new())));
    let mut ingest = store.ingest();
    ingest.bytes("refused".into()).await.unwrap();
    let error = ingest.finish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(store.find(&Digest::of(b"refused")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_run_at_once_all_store_their_blobs() {
    let directory = tempfile::tempdir().unwrap();
    let local = LocalStorage::open(directory.path(), LocalOptions::default()).await;
    let storage: Arc<dyn Storage> = Arc::new(local.unwrap());
    let store = BlobStore::new(Arc::clone(&storage));
    let blobs: Vec<Vec<u8>> = (0..4)
        .map(|seed| [random_bytes(400_000, 9), random_bytes(300_000, seed)].concat())
        .collect();
    let storing = blobs.iter().map(|bytes| put(&store, bytes.clone()));
    let stored = futures::future::join_all(storing).await;
    let fresh = BlobStore::new(storage);
    for ((stored, _), bytes) in stored.iter().zip(&blobs) {
        assert!(get(&fresh, &stored.digest).await.unwrap() == *bytes);
    }
}

#[tokio::test]
async fn lookups_at_once_share_a_listing() {
    // Delays that take no time make the listings overlap.
    let storage = Arc::new(FaultStorage::new(MeterStorage::new(MemoryStorage::new())));
    storage.fail_when(Trigger::any(), Fault::Delay(std::time::Duration::ZERO));
    let store = BlobStore::new(Arc::<FaultStorage<_>>::clone(&storage));
    let digests: Vec<_> = (0..20_u8).map(|byte| Digest::of(&[byte])).collect();
    let lookups = digests.iter().map(|digest| store.find(digest));
    for found in futures::future::join_all(lookups).await {
        assert!(found.unwrap().is_none());
    }
    assert_eq!(storage.inner().reading().lists, 2);
}
