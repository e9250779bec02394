//! Restoring: like a file, into a file, and with few requests.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_core::Progress;
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};

use super::*;

#[derive(Debug, Clone)]
enum Move {
    Read(usize),
    Start(u64),
    Current(i64),
    End(i64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => prop_oneof![0_usize..200, 0_usize..400_000].prop_map(Move::Read),
        1 => (0_u64..1_300_000).prop_map(Move::Start),
        1 => prop_oneof![-9_i64..99, -900_000_i64..900_000].prop_map(Move::Current),
        1 => (-1_300_000_i64..10).prop_map(Move::End),
    ];
    prop::collection::vec(one, 1..20)
}

/// Does the same with a reader and with a cursor over the bytes.
async fn compare(store: &BlobStore, digest: &Digest, bytes: &[u8], moves: &[Move]) {
    let mut reader = store.find(digest).await.unwrap().unwrap().reader();
    let mut cursor = io::Cursor::new(bytes);
    for step in moves {
        let position = match *step {
            Move::Read(len) => {
                let mut read = Vec::new();
                (&mut reader)
                    .take(len as u64)
                    .read_to_end(&mut read)
                    .await
                    .unwrap();
                let mut expected = Vec::new();
                io::Read::read_to_end(&mut io::Read::take(&mut cursor, len as u64), &mut expected)
                    .unwrap();
                assert!(read == expected);
                continue;
            }
            Move::Start(at) => SeekFrom::Start(at),
            Move::Current(offset) => SeekFrom::Current(offset),
            Move::End(offset) => SeekFrom::End(offset),
        };
        let (moved, expected) = (
            reader.seek(position).await,
            io::Seek::seek(&mut cursor, position),
        );
        match expected {
            Ok(at) => assert_eq!(moved.unwrap(), at),
            Err(error) => assert_eq!(moved.unwrap_err().kind(), error.kind()),
        }
        assert_eq!(reader.position(), cursor.position());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_reader_does_what_a_cursor_does(size in 0_usize..1_200_000, moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = BlobStore::new(Arc::new(MemoryStorage::new()));
            let bytes = random_bytes(size, 1);
            let (stored, _) = put(&store, bytes.clone()).await;
            compare(&store, &stored.digest, &bytes, &moves).await;
        });
    }
}

#[tokio::test]
async fn a_reader_reads_lines() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let lines: Vec<String> = (0..20_000).map(|line| format!("line {line}")).collect();
    let text = lines.join("\n");
    let (stored, _) = put(&store, text).await;
    let reader = store.find(&stored.digest).await.unwrap().unwrap().reader();
    let mut read = reader.lines();
    for line in lines {
        assert_eq!(read.next_line().await.unwrap().unwrap(), line);
    }
    assert!(read.next_line().await.unwrap().is_none());
}

#[tokio::test]
async fn a_seek_costs_little_and_damage_is_invalid_data() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let store = BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage));
    let (stored, _) = put(&store, random_bytes(9_000_000, 1)).await;
    let mut reader = store.find(&stored.digest).await.unwrap().unwrap().reader();
    let before = storage.reading();
    reader.seek(SeekFrom::Start(5_000_000)).await.unwrap();
    reader.read_exact(&mut [0; 1000]).await.unwrap();
    let cost = storage.reading() - before;
    assert_eq!(cost.gets, 1);
    assert!(cost.bytes_read < 400_000, "{cost:?}");

    damage_packs(&*storage, |bytes| bytes.truncate(4_000_000)).await;
    reader.seek(SeekFrom::Start(8_000_000)).await.unwrap();
    let error = reader.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("pack/"), "{error}");
    reader.seek(SeekFrom::Start(0)).await.unwrap();
    reader.read_u8().await.unwrap();
}

#[tokio::test]
async fn a_blob_out_of_two_packs_takes_two_requests_a_batch() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let store = BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage));
    // Constant bytes are cut every 128 KiB, so a blob of such blocks is made of theirs.
    let block = |byte: u8| vec![byte; 128 * 1024];
    for parity in 0..2 {
        let blocks = (0..60).filter(|byte| byte % 2 == parity).flat_map(block);
        put(&store, blocks.collect::<Vec<u8>>()).await;
    }
    let bytes: Vec<u8> = (0..60).flat_map(block).collect();
    let (stored, _) = put(&store, bytes.clone()).await;
    assert_eq!(stored.new_bytes, 0);
    let blob = store.find(&stored.digest).await.unwrap().unwrap();
    let before = storage.reading();
    assert!(blob.bytes().await.unwrap() == bytes);
    // Two batches of at most 4 MiB.
    assert_eq!((storage.reading() - before).gets, 4);
}

#[cfg(unix)]
#[tokio::test]
async fn an_export_has_holes_where_the_blob_has_zeros() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let path = directory.path().join("out.bin");
    let mut bytes = random_bytes(100_000, 1);
    bytes.resize(8_000_000, 0);
    for tail in [0, 10] {
        bytes.extend(random_bytes(tail, 2));
        let (stored, _) = put(&store, bytes.clone()).await;
        let blob = store.find(&stored.digest).await.unwrap().unwrap();
        blob.export(&path).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
        assert!(std::fs::metadata(&path).unwrap().blocks() * 512 < 1_000_000);
    }
}

#[derive(Debug, Default)]
struct Told(AtomicU64);

impl Progress for Told {
    fn advance(&self, unit: &'static str, done: u64, total: Option<u64>) {
        assert_eq!((unit, total), ("bytes", Some(9_000_000)));
        assert!(self.0.swap(done, Ordering::Relaxed) < done);
    }
}

#[tokio::test]
async fn progress_is_told_up_to_the_size() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let (stored, _) = put(&store, random_bytes(9_000_000, 1)).await;
    let progress = Arc::new(Told::default());
    let blob = store.find(&stored.digest).await.unwrap().unwrap();
    let blob = blob.with_progress(Arc::<Told>::clone(&progress));
    blob.bytes().await.unwrap();
    assert_eq!(progress.0.load(Ordering::Relaxed), 9_000_000);
}
