//! Many files at once, and sessions that make known what they stored before they end.

use std::path::PathBuf;
use std::sync::Mutex;

use mainstay_core::Progress;

use super::*;

/// Sizes around every limit: inline, one piece, several.
const SIZES: [usize; 9] = [0, 1, 4096, 16_384, 16_385, 262_144, 262_145, 700_000, 5];

fn write_files(directory: &Path, count: usize) -> Vec<(PathBuf, Vec<u8>)> {
    let file = |number: usize| {
        let path = directory.join(format!("file-{number}"));
        let bytes = random_bytes(SIZES[number % SIZES.len()], number as u64);
        std::fs::write(&path, &bytes).unwrap();
        (path, bytes)
    };
    (0..count).map(file).collect()
}

#[derive(Debug, Default)]
struct Told(Mutex<Vec<(&'static str, u64, Option<u64>)>>);

impl Progress for Told {
    fn advance(&self, unit: &'static str, done: u64, total: Option<u64>) {
        self.0.lock().unwrap().push((unit, done, total));
    }
}

#[tokio::test]
async fn files_are_answered_in_order_and_a_missing_one_in_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = write_files(directory.path(), 40);
    files[17].0 = directory.path().join("absent");
    files[30].0 = directory.path().to_owned();
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let progress = Arc::new(Told::default());
    let mut ingest = store.ingest().with_progress(Arc::<Told>::clone(&progress));
    let paths = files.iter().map(|(path, _)| path.clone());
    let stored = ingest.files(paths).await.unwrap();
    let report = ingest.finish().await.unwrap();
    assert_eq!((stored.len(), report.blobs), (40, 38));
    for (number, (stored, (path, bytes))) in stored.into_iter().zip(&files).enumerate() {
        match number {
            17 | 30 => {
                let error = stored.unwrap_err();
                assert!(
                    error.to_string().contains(path.to_str().unwrap()),
                    "{error}"
                );
            }
            _ => {
                let stored = stored.unwrap();
                assert_eq!(stored.digest, Digest::of(bytes));
                assert_eq!(stored.size, bytes.len() as u64);
                assert!(get(&store, &stored.digest).await.unwrap() == *bytes);
            }
        }
    }
    let told = progress.0.lock().unwrap();
    assert!(told.contains(&("files", 40, Some(40))));
    assert!(told.contains(&("bytes", report.logical_bytes, None)));
}

#[tokio::test]
async fn files_at_once_are_stored_as_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let files = write_files(directory.path(), 20);
    let objects = |storage: Arc<MemoryStorage>| async move {
        let mut objects = keys(&*storage, "pack").await;
        objects.extend(keys(&*storage, "index").await);
        objects
    };
    let [together, apart] = [(); 2].map(|()| Arc::new(MemoryStorage::new()));
    let mut ingest = BlobStore::new(Arc::<MemoryStorage>::clone(&together)).ingest();
    let paths = files.iter().map(|(path, _)| path.clone());
    ingest.files(paths).await.unwrap();
    let report = ingest.finish().await.unwrap();
    let mut ingest = BlobStore::new(Arc::<MemoryStorage>::clone(&apart)).ingest();
    for (path, _) in &files {
        ingest.file(path).await.unwrap();
    }
    assert_eq!(ingest.finish().await.unwrap(), report);
    assert_eq!(objects(together).await, objects(apart).await);
}

#[tokio::test]
async fn no_files_are_no_error_and_given_up_ones_end_the_session() {
    let directory = tempfile::tempdir().unwrap();
    let files = write_files(directory.path(), 50);
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let mut ingest = store.ingest();
    assert!(ingest.files([]).await.unwrap().is_empty());
    let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
    assert!(ingest.files(paths.clone()).now_or_never().is_none());
    let error = ingest.files(paths).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn a_storage_that_fails_ends_a_batch_with_its_error() {
    let directory = tempfile::tempdir().unwrap();
    let paths = write_files(directory.path(), 20)
        .into_iter()
        .map(|(path, _)| path);
    let storage = Arc::new(ReadOnlyStorage::new(MemoryStorage::new()));
    let store = BlobStore::new(storage);
    let mut ingest = store.ingest();
    // Enough to fill a pack, whose failure is noticed when the next is full.
    let large = directory.path().join("large");
    std::fs::write(&large, random_bytes(80_000_000, 1)).unwrap();
    let error = ingest.files(paths.chain([large])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let error = ingest.finish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn a_long_session_makes_known_what_it_stored_before_it_ends() {
    let storage = Arc::new(MemoryStorage::new());
    let store = BlobStore::eager(Arc::<MemoryStorage>::clone(&storage), 500, 16);
    let mut ingest = store.ingest();
    let mut blobs: Vec<Vec<u8>> = Vec::new();
    // Past the size of a pack of metadata, so that one is written and told of.
    for seed in 0..1500 {
        let bytes = random_bytes(16_000, seed);
        ingest.bytes(bytes.clone().into()).await.unwrap();
        blobs.push(bytes);
    }
    assert!(!keys(&*storage, "index").await.is_empty());
    // What is told and what is not are both known to the session.
    for seed in [0, 1499] {
        let again = ingest
            .bytes(random_bytes(16_000, seed).into())
            .await
            .unwrap();
        assert_eq!(again.new_bytes, 0);
    }
    let report = ingest.finish().await.unwrap();
    let mut written = 0;
    for directory in ["pack", "index"] {
        for key in keys(&*storage, directory).await {
            written += storage.get_all(&key).await.unwrap().unwrap().len() as u64;
        }
    }
    assert_eq!(report.stored_bytes, written);
    let fresh = BlobStore::new(storage);
    for bytes in &blobs {
        assert!(get(&fresh, &Digest::of(bytes)).await.unwrap() == *bytes);
    }
}
