//! Models: cut at their tensors, their weights grouped, versions that share what did not change.

use std::ops::Range;

use futures::TryStreamExt as _;

use super::*;
use crate::{Cut, Layout};

const MIB: usize = 1024 * 1024;

/// Weights of 16 bits, normally distributed: out of a table of 4,096, each the sum of twelve bytes.
fn bf16(len: usize, seed: u64) -> Vec<u8> {
    let random = random_bytes(4096 * 12, 7);
    let table: Vec<[u8; 2]> = random
        .chunks_exact(12)
        .map(|bytes| {
            let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
            let low = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
            let sum = f64::from(sum) - 1530.0 + f64::from(low) / f64::from(1 << 24);
            #[expect(clippy::cast_possible_truncation, reason = "rounds")]
            let weight = (sum / 20_000.0) as f32;
            let [.., third, fourth] = weight.to_le_bytes();
            [third, fourth]
        })
        .collect();
    let places = random_bytes(len, seed);
    let places = places.as_chunks::<2>().0.iter();
    let weights = places.flat_map(|place| table[usize::from(u16::from_le_bytes(*place)) % 4096]);
    weights.collect()
}

/// A model with these tensors, and the range of each.
fn safetensors(note: &str, tensors: &[&[u8]]) -> (Vec<u8>, Vec<Range<u64>>) {
    let mut end = 0;
    let entries = tensors.iter().enumerate().map(|(number, tensor)| {
        let start = end;
        end += tensor.len();
        let len = tensor.len() / 2;
        format!(r#""t{number}":{{"dtype":"BF16","shape":[{len}],"data_offsets":[{start},{end}]}}"#)
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    let header = format!(r#"{{"__metadata__":{{"note":"{note}"}},{entries}}}"#);
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    let ranges = tensors.iter().map(|tensor| {
        let start = bytes.len() as u64;
        bytes.extend_from_slice(tensor);
        start..bytes.len() as u64
    });
    let ranges = ranges.collect();
    (bytes, ranges)
}

#[tokio::test]
async fn a_model_adds_little_more_than_the_share_of_its_blocks_that_changed() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let mut tensors: Vec<Vec<u8>> = (0..4).map(|seed| bf16(5 * MIB, seed)).collect();
    let model = |note: &str, tensors: &[Vec<u8>]| {
        let tensors: Vec<&[u8]> = tensors.iter().map(Vec::as_slice).collect();
        safetensors(note, &tensors).0
    };
    let (_, first) = put(&store, model("first", &tensors)).await;
    assert!(
        first.stored_bytes * 100 < 80 * first.logical_bytes,
        "{first:?}"
    );
    // One block of twenty, at no particular place, and a header of another length.
    let changed = bf16(MIB, 99);
    tensors[2][3_333_332..][..MIB].copy_from_slice(&changed);
    let second = model("the second version of it", &tensors);
    let (_, second) = put(&store, second).await;
    assert!(
        second.stored_bytes * 20 * 100 <= 130 * first.stored_bytes,
        "{second:?} after {first:?}"
    );
}

#[tokio::test]
async fn tensors_are_told_apart_by_their_chunks_without_reading_them() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let store = BlobStore::new(Arc::<MeterStorage<_>>::clone(&storage));
    let (a, b, c) = (bf16(300_000, 1), bf16(200_000, 2), bf16(300_000, 3));
    let mut found = Vec::new();
    for (note, tensors) in [("x", [&a[..], &b, &c]), ("longer", [&b, &c[..], &c])] {
        let (bytes, ranges) = safetensors(note, &tensors);
        let (stored, _) = put(&store, bytes).await;
        let blob = store.find(&stored.digest).await.unwrap().unwrap();
        let before = storage.reading();
        let chunks: Vec<_> = blob.chunks().try_collect().await.unwrap();
        assert_eq!((storage.reading() - before).requests(), 0);
        for range in ranges {
            let within = |(place, _): &&(Range<u64>, _)| {
                place.start >= range.start && place.end <= range.end
            };
            let within: Vec<_> = chunks.iter().filter(within).collect();
            // Every tensor has its own run of chunks.
            let bytes: u64 = within
                .iter()
                .map(|(place, _)| place.end - place.start)
                .sum();
            assert_eq!(bytes, range.end - range.start);
            found.push(
                within
                    .iter()
                    .map(|(_, address)| *address)
                    .collect::<Vec<_>>(),
            );
        }
    }
    let [a, b1, c1, b2, c2, c3] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!((b1, c1, c2), (b2, c2, c3));
    assert!(a != b1 && b1 != c1 && a != c1);
}

#[tokio::test]
async fn chunks_lie_one_after_the_other_and_are_named_by_their_bytes() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let (model, _) = safetensors("x", &[&bf16(400_000, 1), &bf16(1000, 2)]);
    for bytes in [model, b"inline".to_vec(), Vec::new()] {
        let (stored, _) = put(&store, bytes.clone()).await;
        let blob = store.find(&stored.digest).await.unwrap().unwrap();
        let mut end = 0;
        let mut chunks = blob.chunks();
        while let Some((place, address)) = chunks.try_next().await.unwrap() {
            assert_eq!(place.start, end);
            end = place.end;
            let range = blob.stream_range(place.start..place.end + u64::MAX / 2);
            let pieces: Vec<Bytes> = range.try_collect().await.unwrap();
            let rest = pieces.concat();
            let [from, to] = [place.start, place.end].map(|at| usize::try_from(at).unwrap());
            assert!(rest == bytes[from..]);
            assert_eq!(
                address.as_bytes(),
                blake3::hash(&bytes[from..to]).as_bytes()
            );
        }
        assert_eq!(end, bytes.len() as u64);
    }
}

#[tokio::test]
async fn what_looks_like_a_model_and_is_none_is_stored_all_the_same() {
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let (model, _) = safetensors("x", &[&bf16(400_000, 1), &bf16(1000, 2)]);
    let mut cases = vec![model[..300_000].to_vec(), model.clone()];
    cases.push([&model[..], &random_bytes(100_000, 1)].concat());
    // A header that never ends, one that is no JSON, and one longer than looked at.
    for length in [1_000_000_u64, 50_000, u64::MAX] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.resize(400_000, b'{');
        cases.push(bytes);
    }
    for bytes in cases {
        let mut ingest = store.ingest();
        let pieces = bytes
            .chunks(70_001)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)));
        let pieces: Vec<Result<Bytes>> = pieces.collect();
        let stored = ingest.stream(stream::iter(pieces).boxed()).await.unwrap();
        ingest.finish().await.unwrap();
        assert!(get(&store, &stored.digest).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_page_that_moves_is_stored_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = BlobStore::new(Arc::new(MemoryStorage::new()));
    let pages: Vec<Vec<u8>> = (0..9).map(|seed| random_bytes(90_001, seed)).collect();
    let mut new_bytes = Vec::new();
    for (header, order) in [(50, [0, 1, 2, 3]), (77, [3, 1, 8, 0])] {
        let mut layout = Layout::new();
        let mut bytes = random_bytes(header, header as u64);
        layout.push(header as u64, Cut::Content);
        for page in order {
            bytes.extend(&pages[page]);
            layout.push(pages[page].len() as u64, Cut::Blocks);
        }
        let path = directory.path().join("pages");
        std::fs::write(&path, &bytes).unwrap();
        let mut ingest = store.ingest();
        let stored = ingest.file_with(&path, layout.clone()).await.unwrap();
        let again = ingest.bytes_with(bytes.into(), layout).await.unwrap();
        ingest.finish().await.unwrap();
        assert_eq!((again.digest, again.new_bytes), (stored.digest, 0));
        new_bytes.push(stored.new_bytes);
    }
    assert_eq!(new_bytes, [50 + 4 * 90_001, 77 + 90_001]);
}
