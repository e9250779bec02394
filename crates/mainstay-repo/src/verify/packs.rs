//! Index objects and packs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Digest, Error, Result};
use mainstay_store::{ByteRange, Key, Storage, StorageExt as _};

use super::{Findings, Latest, VerifyLevel};
use crate::blobs::blocking;
use crate::blobs::condemned::Condemned;
use crate::blobs::damage::Damage;
use crate::blobs::index::{self, Encoded, Index, IndexObject};
use crate::blobs::manifest::Manifest;
use crate::blobs::object::hash_in_key;
use crate::blobs::pack::{self, FOOTER_LEN, Footer, MAX_PACK, PackId};
use crate::blobs::record::{Entry, Kind};
use crate::keys;

/// What the index objects say of one pack.
#[derive(Debug, Default)]
struct Indexed {
    sizes: Vec<u64>,
    entries: Vec<Entry>,
}

/// Checks every index object and pack; returns an index of what the good index objects say.
pub(super) async fn check(
    storage: &Arc<dyn Storage>,
    latest: &mut Latest,
    level: VerifyLevel,
    findings: &mut Findings,
) -> Result<Index> {
    let (index, mut packs) = check_index(storage, latest.condemned(), findings).await?;
    let stored = addressed(storage, pack::DIRECTORY, findings).await?;
    findings.telling.expect("packs", stored.len() as u64);
    for (key, hash, size) in stored {
        findings.checked();
        let indexed = packs.remove(&PackId(hash)).unwrap_or_default();
        if indexed.sizes.iter().any(|indexed| *indexed != size) {
            let detail = format!("{size} bytes long, the index says {:?}", indexed.sizes);
            findings.fault(&key, "corrupt", detail);
        }
        let checked = match level {
            _ if size > MAX_PACK as u64 => Err(Error::corrupt(&key, "longer than a pack may be")),
            _ if level.reads_pack(&hash) => {
                let checked = check_all(&**storage, &key, hash, indexed.entries).await;
                findings.telling.add("bytes", size);
                checked
            }
            _ => check_end(&**storage, &key, size, indexed.entries).await,
        };
        if findings.note(&key, checked)? == Some(Found::Gone)
            && !latest.condemns(&PackId(hash)).await?
        {
            findings.fault(&key, "missing", "listed but not there");
        }
        findings.telling.add("packs", 1);
    }
    for (id, indexed) in packs {
        // An index object of a session that was stalled may name what has been collected.
        if latest.condemns(&id).await? {
            continue;
        }
        let detail = format!("the index knows {} records in it", indexed.entries.len());
        findings.fault(id.key()?, "missing", detail);
    }
    Ok(index)
}

async fn check_index(
    storage: &Arc<dyn Storage>,
    condemned: &Arc<Condemned>,
    findings: &mut Findings,
) -> Result<(Index, BTreeMap<PackId, Indexed>)> {
    let merged = Index::fixed_beside(Arc::clone(storage), Arc::clone(condemned));
    let mut packs: BTreeMap<PackId, Indexed> = BTreeMap::new();
    let mut objects = listed_index(storage, findings).await?;
    let (mut seen, mut gone) = (HashSet::new(), HashSet::new());
    while let Some((key, hash, _)) = objects.pop() {
        if !seen.insert(hash) {
            if gone.contains(&hash) {
                findings.fault(&key, "missing", "listed but not there");
            }
            continue;
        }
        findings.checked();
        let Some(bytes) = storage.get_all(&key).await? else {
            // A collection has deleted it, since others say the same, which are listed by now.
            gone.insert(hash);
            objects = listed_index(storage, findings).await?;
            continue;
        };
        let decoded = Encoded::check(&bytes, &hash)
            .and_then(|encoded| Ok((IndexObject::from_encoded(&encoded)?, encoded)))
            .map_err(|damage| damage.of(&key));
        let Some((object, encoded)) = findings.note(&key, decoded)? else {
            continue;
        };
        for pack in &object.packs {
            packs.entry(pack.id).or_default().sizes.push(pack.size);
        }
        for (entry, pack) in &object.records {
            if let Some(pack) = object.packs.get(*pack as usize) {
                packs.entry(pack.id).or_default().entries.push(*entry);
            }
        }
        if !merged.knows(&hash) {
            merged.insert(hash, encoded)?;
        }
    }
    Ok((merged, packs))
}

/// The index objects, the last of them those that readers look at first: blobs are looked for where readers will.
async fn listed_index(
    storage: &Arc<dyn Storage>,
    findings: &mut Findings,
) -> Result<Vec<(Key, [u8; 32], u64)>> {
    let mut objects = addressed(storage, index::DIRECTORY, findings).await?;
    objects.sort_unstable_by_key(|(_, hash, size)| (*size, *hash));
    Ok(objects)
}

/// What became of a pack that was listed.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Sound,
    Gone,
}

/// Checks a pack's footer and directory, and the index against the directory.
async fn check_end(
    storage: &dyn Storage,
    key: &Key,
    size: u64,
    indexed: Vec<Entry>,
) -> Result<Found> {
    let end = storage.get(key, ByteRange::Last(FOOTER_LEN as u64)).await?;
    let Some(end) = end else {
        return Ok(Found::Gone);
    };
    let footer = Footer::decode(&end.bytes, size).map_err(|damage| damage.of(key))?;
    let range = u64::from(footer.directory_offset)..size - FOOTER_LEN as u64;
    let Some(directory) = storage.get(key, ByteRange::Offsets(range)).await? else {
        return Ok(Found::Gone);
    };
    footer
        .directory(&directory.bytes)
        .and_then(|directory| compare(&directory, &indexed))
        .map(|()| Found::Sound)
        .map_err(|damage| damage.of(key))
}

/// Checks every byte of a pack, and the index against it.
async fn check_all(
    storage: &dyn Storage,
    key: &Key,
    hash: [u8; 32],
    indexed: Vec<Entry>,
) -> Result<Found> {
    let Some(bytes) = storage.get_all(key).await? else {
        return Ok(Found::Gone);
    };
    let checking = move || {
        if pack::name(&bytes)? != PackId(hash) {
            return Err(Damage::Broken("bytes do not match the object's name"));
        }
        compare(&open_pack(&bytes)?, &indexed).map(|()| Found::Sound)
    };
    blocking::run(checking)
        .await?
        .map_err(|damage| damage.of(key))
}

/// Opens every record of a pack and returns its directory, which is that of these records.
fn open_pack(bytes: &Bytes) -> Result<Vec<Entry>, Damage> {
    pack::check_header(bytes)?;
    let Some(end) = bytes.len().checked_sub(FOOTER_LEN) else {
        return Err(Damage::Broken("pack ends too early"));
    };
    let footer = Footer::decode(&bytes[end..], bytes.len() as u64)?;
    let records_end = footer.directory_offset as usize;
    let directory = footer.directory(&bytes[records_end..end])?;
    let mut found = Vec::with_capacity(directory.len());
    for entry in pack::records(bytes, records_end) {
        let entry = entry?;
        // The record lies within the pack, which is shorter than 2^32 bytes.
        let place = entry.offset as usize..usize::try_from(entry.end()).unwrap_or(records_end);
        let content = entry.open(&bytes.slice(place))?;
        if entry.header.id.kind == Kind::Manifest {
            Manifest::decode(&content, &Digest::from_bytes(entry.header.id.hash))?;
        }
        found.push(entry);
    }
    found.sort_unstable_by_key(|entry| entry.header.id);
    if found == directory {
        Ok(directory)
    } else {
        Err(Damage::Broken("pack directory is not that of its records"))
    }
}

/// Checks that a pack's directory, ordered by kind and hash, tells all that the index does.
fn compare(directory: &[Entry], indexed: &[Entry]) -> Result<(), Damage> {
    let agrees = |entry: &Entry| {
        directory
            .binary_search_by_key(&entry.header.id, |listed| listed.header.id)
            .is_ok_and(|position| directory.get(position) == Some(entry))
    };
    if indexed.iter().all(agrees) {
        Ok(())
    } else {
        Err(Damage::Broken(
            "the index disagrees with the pack's directory",
        ))
    }
}

/// The objects below a directory that are named by a hash; others are reported.
async fn addressed(
    storage: &Arc<dyn Storage>,
    directory: &str,
    findings: &mut Findings,
) -> Result<Vec<(Key, [u8; 32], u64)>> {
    let prefix = keys::below(directory);
    let mut listed = storage.list(&prefix, None);
    let mut objects = Vec::new();
    while let Some(object) = listed.try_next().await? {
        match hash_in_key(&object.key) {
            Some(hash) => objects.push((object.key, hash, object.size)),
            None => super::unknown(&object.key, findings),
        }
    }
    Ok(objects)
}
