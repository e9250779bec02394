//! The stored formats: golden fixtures, and decoders against hostile bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mainstay_core::{BulkDigest, Digest, Telling};
use mainstay_store::{MemoryStorage, StorageExt as _};
use proptest::prelude::*;

use super::get;
use crate::blobs::BlobStore;
use crate::blobs::codec::{Codec, decompress};
use crate::blobs::damage::Damage;
use crate::blobs::index::{Encoded, IndexObject, PackRef};
use crate::blobs::manifest::{Body, ChunkRef, ListRef, Manifest, decode_list, encode_list};
use crate::blobs::pack::{
    FOOTER_LEN, Footer, PackBuilder, PackId, Sealed, check_header, name, records,
};
use crate::blobs::record::{Entry, RecordId};
use crate::blobs::testing::random_bytes;
use crate::blobs::weigh::Weight;

/// A chunk of each codec with the bytes that are stored for it, and the blobs they make.
struct Sample {
    chunks: Vec<(Codec, Vec<u8>, Vec<u8>)>,
    blobs: Vec<(Vec<u8>, Manifest)>,
    list: Vec<ChunkRef>,
}

fn sample() -> Sample {
    let text = b"golden ".repeat(3000);
    // Written out, so that another version of a compressor changes nothing.
    let zstd = hex("28b52ffd6008517d000038676f6c64656e200100fe91f66204");
    let lz4 = hex(&format!(
        "7f676f6c64656e200700{}03506c64656e20",
        "ff".repeat(82)
    ));
    let random = random_bytes(20_000, 1);
    let chunks = vec![
        (Codec::Raw, random.clone(), random.clone()),
        (Codec::Zstd, text.clone(), zstd),
        (Codec::Lz4, text[..20_944].to_vec(), lz4),
    ];
    let references: Vec<_> = chunks
        .iter()
        .map(|(_, content, _)| reference(content))
        .collect();
    let blob = |parts: &[usize], body: Body| {
        let contents = parts.iter().map(|part| chunks[*part].1.as_slice());
        let bytes = contents.collect::<Vec<_>>().concat();
        let manifest = Manifest {
            digest: Digest::of(&bytes),
            size: bytes.len() as u64,
            body,
        };
        (bytes, manifest)
    };
    let list = vec![references[0], references[1], references[0]];
    let list_size = list.iter().map(|chunk| u64::from(chunk.len)).sum();
    let list_ref = ListRef {
        address: *blake3::hash(&encode_list(&list)).as_bytes(),
        chunks: 3,
        size: list_size,
    };
    let inline = Manifest {
        digest: Digest::of(b"inline"),
        size: 6,
        body: Body::Inline(Bytes::from_static(b"inline")),
    };
    let blobs = vec![
        (b"inline".to_vec(), inline),
        blob(&[0, 1, 2], Body::Chunks(references)),
        blob(&[0, 1, 0, 0, 1, 0], Body::Lists(vec![list_ref; 2])),
    ];
    Sample {
        chunks,
        blobs,
        list,
    }
}

/// The codecs that came later: numbers of two and of four bytes, the last of which is cut short and
/// whose last bytes are constant.
fn grouped_sample() -> Sample {
    let noise = random_bytes(999, 1);
    let grouped = |codec: Codec, width: usize, frame: &str| {
        let content: Vec<u8> = noise
            .chunks(width - 1)
            .flat_map(|number| [number, &[7][..number.len() / (width - 1)]].concat())
            .collect();
        let group = |place: usize| content[place..].iter().step_by(width).copied().collect();
        let mut groups: Vec<Vec<u8>> = (0..width).map(group).collect();
        groups[width - 1] = hex(frame);
        let length = |group: &Vec<u8>| u32::try_from(group.len()).unwrap().to_le_bytes();
        let lengths: Vec<u8> = groups.iter().flat_map(length).collect();
        (codec, content, [lengths, groups.concat()].concat())
    };
    let chunks = vec![
        grouped(Codec::Grouped2, 2, "28b52ffd60e7024d00001007070100e22b8005"),
        grouped(Codec::Grouped4, 4, "28b52ffd604d004d00001007070100482ac002"),
    ];
    let bytes = [&chunks[0].1[..], &chunks[1].1].concat();
    let references = chunks.iter().map(|(_, content, _)| reference(content));
    let manifest = Manifest {
        digest: Digest::of(&bytes),
        size: bytes.len() as u64,
        body: Body::Chunks(references.collect()),
    };
    Sample {
        chunks,
        blobs: vec![(bytes, manifest)],
        list: Vec::new(),
    }
}

fn reference(content: &[u8]) -> ChunkRef {
    ChunkRef {
        address: *blake3::hash(content).as_bytes(),
        len: u32::try_from(content.len()).unwrap(),
    }
}

fn samples() -> [Sample; 2] {
    [sample(), grouped_sample()]
}

fn decode_index(bytes: &[u8], name: &[u8; 32]) -> Result<IndexObject, Damage> {
    let encoded = Encoded::check(&Bytes::copy_from_slice(bytes), name)?;
    IndexObject::from_encoded(&encoded)
}

/// The index of all samples, in place of the indexes of each.
fn merged_index() -> IndexObject {
    let parts = samples().map(|sample| objects(&sample).1);
    let mut names = parts
        .each_ref()
        .map(|part| *blake3::hash(&part.encode()).as_bytes());
    names.sort_unstable();
    let packs = parts.iter().flat_map(|part| {
        part.packs.iter().enumerate().map(|(number, pack)| {
            let records = part.records.iter();
            let own = records.filter(|(_, of)| *of as usize == number);
            (*pack, own.map(|(entry, _)| *entry).collect())
        })
    });
    IndexObject {
        supersedes: names.into(),
        ..IndexObject::of(packs.collect())
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The sample's packs, chunks first, and their index.
fn objects(sample: &Sample) -> (Vec<Sealed>, IndexObject) {
    let mut chunks = PackBuilder::new(usize::MAX);
    for (codec, content, stored) in &sample.chunks {
        let id = RecordId::chunk(blake3::hash(content));
        chunks.append(id, *codec, stored, content.len()).unwrap();
    }
    let mut metadata = PackBuilder::new(usize::MAX);
    if !sample.list.is_empty() {
        let list = encode_list(&sample.list);
        let id = RecordId::list(blake3::hash(&list));
        metadata.append(id, Codec::Raw, &list, list.len()).unwrap();
    }
    for (_, manifest) in &sample.blobs {
        let encoded = manifest.encode();
        let id = RecordId::manifest(&manifest.digest);
        metadata
            .append(id, Codec::Raw, &encoded, encoded.len())
            .unwrap();
    }
    let packs = [&mut chunks, &mut metadata].map(|pack| pack.seal(BytesMut::new()).unwrap());
    let known = packs.iter().map(|pack| {
        let size = pack.bytes.len() as u64;
        (PackRef { id: pack.id, size }, pack.entries.clone())
    });
    let index = IndexObject::of(known.collect());
    (packs.into(), index)
}

fn golden(format: &str, version: u32) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    root.join(format!("{format}/v{version}"))
}

#[test]
fn what_is_written_is_what_its_version_first_wrote() {
    let mut written = Vec::new();
    for sample in samples() {
        let (packs, index) = objects(&sample);
        written.extend(
            packs
                .into_iter()
                .map(|pack| ("pack", 2, pack.id.0, pack.bytes)),
        );
        let index = Bytes::from(index.encode());
        written.push(("index", 1, *blake3::hash(&index).as_bytes(), index));
    }
    let merged = Bytes::from(merged_index().encode());
    written.push(("index", 2, *blake3::hash(&merged).as_bytes(), merged));
    let mut missing = Vec::new();
    for (format, version, name, bytes) in written {
        let name = BulkDigest::from_bytes(name).to_hex();
        let file = golden(format, version).join(format).join(name);
        if let Ok(stored) = std::fs::read(&file) {
            assert!(stored == bytes, "{}", file.display());
        } else {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, bytes).unwrap();
            missing.push(file);
        }
    }
    assert!(
        missing.is_empty(),
        "were missing and have been written, commit them: {missing:?}"
    );
}

/// The objects in a folder of fixtures, by what they are named by.
fn fixtures(format: &str, version: u32) -> impl Iterator<Item = ([u8; 32], Bytes)> {
    let folder = std::fs::read_dir(golden(format, version).join(format)).unwrap();
    folder.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = hex(name).try_into().unwrap();
        (name, std::fs::read(&path).unwrap().into())
    })
}

#[tokio::test]
async fn what_any_version_wrote_is_read() {
    for versions in [[1, 1], [1, 2], [2, 1], [2, 2]] {
        check_golden(versions).await;
    }
}

async fn check_golden([pack_version, index_version]: [u32; 2]) {
    let storage = MemoryStorage::new();
    let mut packs = BTreeSet::new();
    for (hash, bytes) in fixtures("pack", pack_version) {
        assert_eq!(name(&bytes), Ok(PackId(hash)));
        packs.insert(PackId(hash));
        let key = PackId(hash).key().unwrap();
        storage.create(&key, bytes).await.map(drop).unwrap();
    }
    for (hash, bytes) in fixtures("index", index_version) {
        // Others are of packs of another version.
        let index = decode_index(&bytes, &hash).unwrap();
        if index.packs.iter().all(|pack| packs.contains(&pack.id)) {
            let key = crate::blobs::index::key(hash).unwrap();
            storage.create(&key, bytes).await.map(drop).unwrap();
        }
    }
    let store = BlobStore::new(Arc::new(storage));
    let mut size = 0;
    for (bytes, manifest) in samples().into_iter().flat_map(|sample| sample.blobs) {
        assert!(get(&store, &manifest.digest).await.unwrap() == bytes);
        size += manifest.size;
    }
    let mut weighed = 0;
    let each = (&Telling::default(), |weight: Weight| {
        weighed += weight.bytes;
    });
    store.weigh(&Arc::default(), |_| true, each).await.unwrap();
    assert_eq!(weighed, size);
}

/// Whatever a decoder makes of bytes; it must not panic, and must not take what is not so.
fn decode_all(bytes: &Bytes) {
    let hash = *blake3::hash(bytes).as_bytes();
    if let Ok(index) = decode_index(bytes, &hash) {
        assert_eq!(index.encode(), *bytes);
    }
    let _checked = check_header(bytes);
    let _name = name(bytes);
    for entry in records(bytes, bytes.len()).flatten() {
        let place = entry.offset as usize..usize::try_from(entry.end()).unwrap();
        let _opened = entry.open(&bytes.slice(place));
    }
    if let Some(end) = bytes.len().checked_sub(FOOTER_LEN)
        && let Ok(footer) = Footer::decode(&bytes[end..], bytes.len() as u64)
    {
        let directory = footer.directory(&bytes[footer.directory_offset as usize..end]);
        for entry in directory.into_iter().flatten() {
            let start = entry.offset as usize;
            let end = usize::try_from(entry.end()).unwrap();
            let _opened = entry.open(&bytes.slice(start..end));
        }
    }
    for digest in sample_digests() {
        if let Ok(manifest) = Manifest::decode(bytes, &digest) {
            assert_eq!(manifest.encode(), *bytes);
        }
    }
    let _list = decode_list(bytes, bytes.len() / 36, bytes.len() as u64);
}

fn sample_digests() -> Vec<Digest> {
    let blobs = samples().into_iter().flat_map(|sample| sample.blobs);
    blobs.map(|(_, manifest)| manifest.digest).collect()
}

/// One of each stored thing, to be mutilated.
fn specimens() -> Vec<Vec<u8>> {
    let mut specimens = Vec::new();
    for sample in samples() {
        let (packs, index) = objects(&sample);
        specimens.extend(sample.blobs.iter().map(|(_, manifest)| manifest.encode()));
        specimens.extend(packs.iter().map(|pack| pack.bytes.to_vec()));
        specimens.extend([index.encode(), encode_list(&sample.list)]);
    }
    specimens.push(merged_index().encode());
    specimens
}

#[test]
fn a_pack_in_which_any_bit_is_another_has_another_name() {
    for pack in samples().iter().flat_map(|sample| objects(sample).0) {
        assert_eq!(name(&pack.bytes), Ok(pack.id));
        let mut bytes = pack.bytes.to_vec();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(name(&bytes), Ok(pack.id), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// Sets the checksums of a mutilated specimen right, so that the checks behind them are reached.
fn forge(bytes: &mut [u8]) {
    let len = bytes.len();
    if len > 32 && bytes[0] == 1 {
        let check = blake3::hash(&bytes[..len - 32]);
        bytes[len - 32..].copy_from_slice(check.as_bytes());
    } else if bytes.starts_with(b"MNSTPACK") && len > FOOTER_LEN {
        let footer = len - FOOTER_LEN;
        let offset = bytes[footer..footer + 4].try_into().unwrap();
        let offset = u32::from_le_bytes(offset) as usize;
        if offset <= footer {
            let hash = blake3::hash(&bytes[offset..footer]);
            bytes[footer + 8..footer + 40].copy_from_slice(hash.as_bytes());
        }
    }
}

/// Every codec that compresses.
const CODECS: [Codec; 4] = [Codec::Zstd, Codec::Lz4, Codec::Grouped2, Codec::Grouped4];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn decompression_gives_what_was_asked_for_or_damage(
        random in prop::collection::vec(any::<u8>(), 0..300),
        which in 0..5_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        codec in prop::sample::select(CODECS.to_vec()),
        len in prop_oneof![0..3000_usize, Just(128 * 1024)],
    ) {
        let known = samples().into_iter().flat_map(|sample| sample.chunks);
        let mut stored = known.map(|(_, _, stored)| stored).nth(which).unwrap_or(random);
        for (at, byte) in edits {
            if !stored.is_empty() {
                let at = at.index(stored.len());
                stored[at] = byte;
            }
        }
        if let Ok(bytes) = decompress(codec, &stored, len) {
            prop_assert_eq!(bytes.len(), len);
        }
    }

    #[test]
    fn decoders_survive_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decode_all(&bytes.into());
    }

    #[test]
    fn decoders_survive_mutilated_and_forged_objects(
        which: prop::sample::Index,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        at_the_end: bool,
        cut in prop_oneof![3 => Just(0_usize), 1 => 1_usize..200],
        forged: bool,
    ) {
        let mut bytes = which.get(&specimens()).clone();
        bytes.truncate(bytes.len().saturating_sub(cut));
        for (at, byte) in edits {
            if !bytes.is_empty() {
                // Most of a pack is payload: directory and footer deserve their share.
                let start = if at_the_end { bytes.len().saturating_sub(300) } else { 0 };
                let at = start + at.index(bytes.len() - start);
                bytes[at] = byte;
            }
        }
        if forged {
            forge(&mut bytes);
        }
        decode_all(&bytes.into());
    }
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let sample = sample();
    let (packs, index) = objects(&sample);
    let mut pack = packs[0].bytes.to_vec();
    pack[8] = 3;
    assert_eq!(check_header(&pack), Err(Damage::Newer(3)));
    let mut index = index.encode();
    index[8] = 3;
    let hash = *blake3::hash(&index).as_bytes();
    assert_eq!(decode_index(&index, &hash), Err(Damage::Newer(3)));
    let (_, manifest) = &sample.blobs[0];
    let mut bytes = manifest.encode();
    bytes[0] = 2;
    let len = bytes.len();
    let check = blake3::hash(&bytes[..len - 32]);
    bytes[len - 32..].copy_from_slice(check.as_bytes());
    let decoded = Manifest::decode(&bytes.into(), &manifest.digest);
    assert_eq!(decoded, Err(Damage::Newer(2)));
}

#[test]
fn a_manifest_of_another_blob_is_refused() {
    let (_, manifest) = &sample().blobs[1];
    let bytes = Bytes::from(manifest.encode());
    assert!(Manifest::decode(&bytes, &manifest.digest).is_ok());
    assert!(Manifest::decode(&bytes, &Digest::of(b"another")).is_err());
}

#[test]
fn an_index_leaves_out_what_another_of_its_packs_has_too() {
    let (packs, _) = objects(&sample());
    let size = packs[0].bytes.len() as u64;
    let pack = |id: &Sealed, entries: &[Entry]| (PackRef { id: id.id, size }, entries.to_vec());
    let twice = vec![
        pack(&packs[0], &packs[0].entries),
        pack(&packs[1], &packs[0].entries),
        pack(&packs[1], &packs[0].entries),
    ];
    let index = IndexObject::of(twice);
    assert_eq!((index.packs.len(), index.records.len()), (2, 3));
    let bytes = index.encode();
    let hash = *blake3::hash(&bytes).as_bytes();
    assert_eq!(decode_index(&bytes, &hash), Ok(index));
}
