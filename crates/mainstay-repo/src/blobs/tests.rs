use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::Digest;
use mainstay_store::MemoryStorage;

use super::BlobStore;
use super::testing::random_bytes;

#[tokio::test]
async fn blobs_are_read_back_by_another_handle() {
    let storage = Arc::new(MemoryStorage::new());
    let sizes = [0, 1, 100, 16_384, 16_385, 200_000, 3_000_000];
    let mut ingest = BlobStore::new(storage.clone()).ingest();
    for size in sizes {
        let bytes = random_bytes(size, size as u64);
        let stored = ingest.bytes(Bytes::from(bytes)).await.unwrap();
        assert_eq!((stored.size, stored.new_bytes), (size as u64, size as u64));
    }
    let report = ingest.finish().await.unwrap();
    assert_eq!(report.blobs, sizes.len() as u64);
    let reader = BlobStore::new(storage);
    for size in sizes {
        let bytes = random_bytes(size, size as u64);
        let blob = reader.find(&Digest::of(&bytes)).await.unwrap().unwrap();
        assert_eq!(blob.size(), size as u64);
        assert_eq!(blob.bytes().await.unwrap(), bytes);
        let (start, end) = (size / 3, size - size / 4);
        let range = blob.range(start as u64..end as u64).await.unwrap();
        assert_eq!(range, bytes[start..end]);
    }
}
