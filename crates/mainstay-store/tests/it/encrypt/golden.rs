//! Objects that earlier versions encrypted.

use std::path::{Path, PathBuf};

use super::*;

/// What the fixture holds; written in this order with [`SeededIds`] of seed 1.
fn objects() -> [(&'static str, Vec<u8>); 3] {
    [
        ("empty", Vec::new()),
        ("log/1", b"first\n".to_vec()),
        ("pack/two-segments", text(SEGMENT + 1)),
    ]
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/encrypted-object/v1")
        .join(name)
}

fn storage(raw: &MemoryStorage) -> EncryptedStorage<&MemoryStorage> {
    let bytes: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).unwrap());
    let keys = StaticKeys::new(id("golden-1"), EncryptionKey::from_bytes(bytes));
    EncryptedStorage::with_ids(raw, Arc::new(keys), Arc::new(SeededIds::new(1)))
}

#[test]
fn the_golden_objects_of_version_1_are_what_is_written_and_are_read_back() {
    block_on(async {
        let written = MemoryStorage::new();
        let writer = storage(&written);
        let mut missing = Vec::new();
        for (name, plain) in objects() {
            put(&writer, name, plain.clone()).await;
            let stored = fetch(&written, name).await.unwrap();
            if !file(name).exists() {
                std::fs::create_dir_all(file(name).parent().unwrap()).unwrap();
                std::fs::write(file(name), &stored).unwrap();
                missing.push(name);
            }
            let golden = std::fs::read(file(name)).unwrap();
            assert_eq!(golden, stored, "{name}");

            let raw = MemoryStorage::new();
            put(&raw, name, golden).await;
            assert_eq!(fetch(&storage(&raw), name).await.unwrap(), plain, "{name}");
        }
        assert!(
            missing.is_empty(),
            "were missing and have been written, commit them: {missing:?}"
        );
    });
}
