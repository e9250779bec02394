use std::collections::HashMap;

use mainstay_store::{MemoryStorage, MeterStorage};
use proptest::prelude::*;

use super::*;
use crate::blobs::codec::Codec;
use crate::blobs::record::Header;
use crate::blobs::testing::random_bytes;

/// A record of some number, at a place that tells in which pack it is.
fn entry(number: u64, offset: u32) -> Entry {
    let kinds = [Kind::Chunk, Kind::Manifest, Kind::List];
    Entry {
        header: Header {
            id: RecordId {
                kind: kinds[usize::try_from(number % 3).unwrap()],
                hash: random_bytes(32, number).try_into().unwrap(),
            },
            codec: Codec::Zstd,
            stored_len: 50,
            len: 100,
        },
        offset,
    }
}

fn pack(seed: u64) -> PackRef {
    PackRef {
        id: PackId(random_bytes(32, seed).try_into().unwrap()),
        size: 60_000_000,
    }
}

fn named(object: &IndexObject) -> (IndexName, Bytes) {
    let bytes = Bytes::from(object.encode());
    (*blake3::hash(&bytes).as_bytes(), bytes)
}

fn add(index: &Index, object: &IndexObject) {
    let (name, bytes) = named(object);
    index.add(name, &bytes, bytes.len() as u64).unwrap();
}

#[test]
fn a_record_takes_about_60_bytes() {
    let index = Index::fixed(Arc::new(MemoryStorage::new()));
    for part in 0..4 {
        let records = (0..30_000).map(|number| entry(part * 30_000 + number, 16));
        add(
            &index,
            &IndexObject::of(vec![(pack(part), records.collect())]),
        );
    }
    let (bytes, records) = index.table().memory();
    assert_eq!(records, 120_000);
    assert!(bytes <= 66 * records, "{} bytes each", bytes / records);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn look_ups_agree_with_a_map(
        parts in prop::collection::vec(prop::collection::btree_set(0_u64..400, 0..200), 1..8),
    ) {
        let index = Index::fixed(Arc::new(MemoryStorage::new()));
        let mut map = HashMap::new();
        for (part, numbers) in (0..).zip(&parts) {
            let offset = 16 + u32::try_from(part).unwrap();
            let records = numbers.iter().map(|number| entry(*number, offset));
            add(&index, &IndexObject::of(vec![(pack(part), records.collect())]));
            for number in numbers {
                map.entry(*number).or_insert((pack(part).id, offset));
            }
        }
        for number in 0..500 {
            let id = entry(number, 0).header.id;
            let found = index.get(&id).map(|found| (found.pack, found.entry.offset));
            prop_assert_eq!(found, map.get(&number).copied());
            prop_assert_eq!(index.get(&id).is_some(), found.is_some());
        }
        let manifests: usize = index.manifests().values().map(Vec::len).sum();
        prop_assert_eq!(manifests, map.keys().filter(|number| *number % 3 == 1).count());
    }
}

/// Stores index objects of one record each, merging after each as a session does.
async fn store(index: &Index, storage: &dyn Storage, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let object = IndexObject::of(vec![(pack(number), vec![entry(number, 16)])]);
        let (name, bytes) = named(&object);
        let key = key(name).unwrap();
        storage.create(&key, bytes).await.map(drop).unwrap();
        add(index, &object);
        index.merge().await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_loads_merged_index_objects_and_not_what_they_supersede() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let writer = Index::with_fan_in(Arc::<MeterStorage<_>>::clone(&storage), 4);
    store(&writer, &*storage, 0..100).await;
    let reader = Index::new(Arc::<MeterStorage<_>>::clone(&storage));
    reader.refresh().await.unwrap();
    let (bytes, records) = reader.table().memory();
    assert_eq!(records, 100);
    assert!(bytes < 8000, "{bytes}");
    // One after the other, so that what one supersedes is known before it would be fetched.
    assert!(reader.table().live().count() <= 4);
    let fetched = storage.reading();
    reader.refresh().await.unwrap();
    assert_eq!((storage.reading() - fetched).gets, 0);
    for number in 0..100 {
        let found = reader.find(&entry(number, 0).header.id).await.unwrap();
        assert_eq!(found.unwrap().pack, pack(number).id);
    }
}

#[tokio::test]
async fn writers_that_merge_at_once_lose_no_record() {
    let storage = Arc::new(MemoryStorage::new());
    let writers = [(); 2].map(|()| Index::with_fan_in(Arc::<MemoryStorage>::clone(&storage), 3));
    for round in 0..10 {
        for (number, writer) in (0..).zip(&writers) {
            let first = round * 10 + number * 5;
            store(writer, &*storage, first..first + 5).await;
        }
        writers[usize::try_from(round % 2).unwrap()]
            .refresh()
            .await
            .unwrap();
    }
    let reader = Index::new(Arc::<MemoryStorage>::clone(&storage));
    for number in 0..100 {
        assert!(
            reader
                .find(&entry(number, 0).header.id)
                .await
                .unwrap()
                .is_some()
        );
    }
}

#[tokio::test]
async fn a_damaged_merged_object_hides_nothing_that_the_others_tell() {
    use mainstay_store::PutMode;
    let storage = Arc::new(MemoryStorage::new());
    let writer = Index::with_fan_in(Arc::<MemoryStorage>::clone(&storage), 4);
    store(&writer, &*storage, 0..4).await;
    let [merged] = writer
        .table()
        .live()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()[..]
    else {
        panic!("not merged");
    };
    let merged = key(merged).unwrap();
    let damaged = storage
        .put(&merged, "damage".into(), PutMode::Overwrite)
        .await;
    damaged.map(drop).unwrap();
    let reader = Index::new(Arc::<MemoryStorage>::clone(&storage));
    for number in 0..4 {
        assert!(
            reader
                .find(&entry(number, 0).header.id)
                .await
                .unwrap()
                .is_some()
        );
    }
    let error = reader.find(&entry(9, 0).header.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_manifest_of_no_use_is_found_in_another_pack_though_a_merged_object_leaves_that_out() {
    let storage = Arc::new(MemoryStorage::new());
    let writer = Index::with_fan_in(Arc::<MemoryStorage>::clone(&storage), 2);
    // Number 1 is a manifest.
    let manifest = entry(1, 16);
    let id = manifest.header.id;
    for number in 0..2 {
        let object = IndexObject::of(vec![(pack(number), vec![manifest])]);
        let (name, bytes) = named(&object);
        let created = storage.create(&key(name).unwrap(), bytes).await;
        created.map(drop).unwrap();
        add(&writer, &object);
    }
    assert!(writer.merge().await.unwrap() > 0);
    let reader = Index::new(Arc::<MemoryStorage>::clone(&storage));
    let first = reader.find(&id).await.unwrap().unwrap().pack;
    assert_eq!(reader.get_besides(&id, &[first]), None);
    reader.hollow(&id, first).await.unwrap();
    let second = reader.get(&id).unwrap().pack;
    assert_ne!(second, first);
    assert_eq!(reader.sound_pack(&id), Some(second));
    // With nothing better left it is still found.
    reader.hollow(&id, second).await.unwrap();
    assert_eq!(reader.sound_pack(&id), None);
    assert!(reader.get(&id).is_some());
    assert_eq!(reader.get_besides(&id, &[first, second]), None);
}
