//! Packs, index objects and manifests, put together by the pages of their formats.

use std::io::Write as _;
use std::sync::Arc;

use mainstay_core::Digest;
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::MemoryStorage;

use crate::{put, read};

const CHUNK: u8 = 1;
const MANIFEST: u8 = 2;
const LIST: u8 = 3;
const RAW: u8 = 0;
/// What a record has at most after decompression.
const MAX_LENS: [(u8, u32); 3] = [(CHUNK, 128 << 10), (MANIFEST, 2_883_664), (LIST, 147_456)];

/// A record and its header.
struct Record {
    header: [u8; 44],
    stored: Vec<u8>,
}

impl Record {
    fn new((kind, hash): (u8, [u8; 32]), codec: u8, stored: Vec<u8>, len: u32) -> Self {
        let mut header = [0; 44];
        header[..2].copy_from_slice(&[kind, codec]);
        let stored_len = u32::try_from(stored.len()).unwrap();
        header[4..8].copy_from_slice(&stored_len.to_le_bytes());
        header[8..12].copy_from_slice(&len.to_le_bytes());
        header[12..].copy_from_slice(&hash);
        Self { header, stored }
    }
}

/// A repository with a pack of one record, which an index object knows.
async fn repository(record: &Record) -> Arc<MemoryStorage> {
    let storage = Arc::new(MemoryStorage::new());
    let created = Repo::create(Arc::clone(&storage) as _, RepoOptions::default()).await;
    drop(created.unwrap());
    let mut pack = [b"MNSTPACK".as_slice(), &[1, 0, 0, 0, 0, 0, 0, 0]].concat();
    let entry = [record.header.as_slice(), &16_u32.to_le_bytes()].concat();
    pack.extend(record.header);
    pack.extend(&record.stored);
    let directory = u32::try_from(pack.len()).unwrap();
    pack.extend(&entry);
    pack.extend(directory.to_le_bytes());
    pack.extend(1_u32.to_le_bytes());
    pack.extend(blake3::hash(&entry).as_bytes());
    pack.extend(b"KCAPTSNM");
    let hash = blake3::hash(&pack);
    let size = pack.len() as u64;
    put(&storage, &format!("pack/{hash}"), pack).await;
    let index = index(
        [1, 1, 0],
        &[
            hash.as_bytes().as_slice(),
            &size.to_le_bytes(),
            &entry,
            &[0; 4],
        ]
        .concat(),
    );
    put(&storage, &format!("index/{}", blake3::hash(&index)), index).await;
    storage
}

/// An index object that says it has so many packs, records and superseded objects.
fn index(counts: [u32; 3], rest: &[u8]) -> Vec<u8> {
    let version: u32 = if counts[2] == 0 { 1 } else { 2 };
    let mut index = b"MNSTINDX".to_vec();
    index.extend(version.to_le_bytes());
    index.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
    index.extend(rest);
    index
}

/// A Zstandard frame of some kilobytes that holds 256 MiB.
fn zstd() -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

/// The same with other compressions, or what says it holds much more.
fn stored() -> Vec<(&'static str, u8, Vec<u8>)> {
    let frame = zstd();
    // Magic, one segment, of 2^62 bytes, and a block of one byte repeated.
    let lying = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..],
        &(1_u64 << 62).to_le_bytes(),
        &[0x03, 0xff, 0xff, 7],
    ];
    // A literal, then a match of distance 1 that goes on and on.
    let lz4 = [&[0x1f, b'a', 1, 0][..], &vec![255; 100_000], &[0]].concat();
    let grouped = |lengths: &[u32]| {
        let lengths = lengths.iter().flat_map(|length| length.to_le_bytes());
        lengths.chain(frame.iter().copied()).collect::<Vec<u8>>()
    };
    let len = u32::try_from(frame.len()).unwrap();
    vec![
        ("a Zstandard frame of 256 MiB", 1, frame.clone()),
        ("a Zstandard frame that says 2^62 bytes", 1, lying.concat()),
        ("an LZ4 block of 25 MB", 2, lz4),
        ("two groups of 4 GiB", 3, grouped(&[u32::MAX, u32::MAX])),
        ("a group of 256 MiB", 3, grouped(&[len, 0])),
        ("four groups of 4 GiB", 4, grouped(&[u32::MAX; 4])),
        ("a group of 256 MiB of four", 4, grouped(&[len, 0, 0, 0])),
    ]
}

/// A manifest of `blob`, right but for what it says of itself.
fn manifest(blob: &Digest, form: u8, count: u32, size: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, form, 0, 0];
    bytes.extend(count.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes.extend(blob.as_bytes());
    bytes.extend(body);
    let check = blake3::hash(&bytes);
    bytes.extend(check.as_bytes());
    bytes
}

pub(crate) async fn read_all() {
    let blob = Digest::of(b"bomb");
    for (what, codec, stored) in stored() {
        for (kind, max_len) in MAX_LENS {
            for len in [max_len, u32::MAX] {
                let name = (kind, *blob.as_bytes());
                let record = Record::new(name, codec, stored.clone(), len);
                let storage = repository(&record).await;
                let faults = read(what, &storage, &blob).await;
                assert!(faults > 0, "{what} of kind {kind}, as {len} bytes");
            }
        }
    }
    // An address, the chunks and bytes of a list: one of 4,096 chunks of 128 KiB that is nowhere.
    let list = [
        &[7; 32][..],
        &4096_u32.to_le_bytes(),
        &(512_u64 << 20).to_le_bytes(),
    ]
    .concat();
    let lists = list.repeat(65_536);
    for (what, form, count, size, body) in [
        ("4 GiB inline", 0, u32::MAX, u64::from(u32::MAX), &[][..]),
        ("2^32 chunks", 1, u32::MAX, u64::MAX, &[]),
        ("2^32 lists", 2, u32::MAX, u64::MAX, &[]),
        ("a list that is nowhere", 2, 1, 512 << 20, &list),
        (
            "32 TiB that are nowhere",
            2,
            65_536,
            65_536 * (512_u64 << 20),
            &lists,
        ),
    ] {
        let stored = manifest(&blob, form, count, size, body);
        let len = u32::try_from(stored.len()).unwrap();
        let record = Record::new((MANIFEST, *blob.as_bytes()), RAW, stored, len);
        let faults = read(what, &repository(&record).await, &blob).await;
        assert!(faults > 0, "{what}");
    }
    let name = (CHUNK, *blake3::hash(b"sound").as_bytes());
    for counts in [
        [u32::MAX, 0, 0],
        [0, u32::MAX, 0],
        [0, 0, u32::MAX],
        [u32::MAX; 3],
    ] {
        let sound = Record::new(name, RAW, b"sound".to_vec(), 5);
        let storage = repository(&sound).await;
        let index = index(counts, &[7; 4_000]);
        put(&storage, &format!("index/{}", blake3::hash(&index)), index).await;
        assert!(read("an index that says 2^32", &storage, &blob).await > 0);
        let mut pack = b"MNSTPACK\x01\0\0\0\0\0\0\0".to_vec();
        pack.extend([7; 4_000]);
        pack.extend(counts[..2].iter().flat_map(|count| count.to_le_bytes()));
        pack.extend([7; 32]);
        pack.extend(b"KCAPTSNM");
        put(&storage, &format!("pack/{}", blake3::hash(&pack)), pack).await;
        assert!(read("a pack that says 2^32", &storage, &blob).await > 0);
    }
}
