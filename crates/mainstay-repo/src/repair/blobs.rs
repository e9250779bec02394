//! Packs and index: what packs hold is made findable, what is gone is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Digest, Error, ErrorKind, Result, Telling};
use mainstay_store::{Storage, StorageExt as _};

use super::RepairReport;
use crate::blobs::blocking;
use crate::blobs::condemned::Condemned;
use crate::blobs::index::{self, PackRef};
use crate::blobs::manifest::Manifest;
use crate::blobs::pack::{self, FOOTER_LEN, Footer, HEADER_LEN, PackId};
use crate::blobs::record::{Entry, Kind, RecordId};
use crate::gc::catalog::Catalog;
use crate::gc::pointers::{self, Contents};
use crate::gc::repack::Repack;

/// What reading a pack whole showed.
enum Found {
    /// It is what was written; its directory.
    Sound(Vec<Entry>),
    /// It is not; the records in it that are.
    Damaged(Vec<Entry>),
    /// A newer version wrote it.
    Newer,
}

/// Makes the index say what the packs hold; packs that it writes are not condemned, and of `pack_bytes`
/// at most.
pub(super) async fn repair(
    storage: &Arc<dyn Storage>,
    (condemned, pack_bytes): (&Condemned, usize),
    report: &mut RepairReport,
    telling: &Telling,
) -> Result<()> {
    let catalog = Catalog::load(storage).await?;
    let mut sound: Vec<(PackRef, Vec<Entry>)> = Vec::new();
    let mut damaged: BTreeMap<PackId, Vec<Entry>> = BTreeMap::new();
    telling.expect("packs", catalog.packs.len() as u64);
    for (id, known) in &catalog.packs {
        telling.add("packs", 1);
        let Some(size) = known.stored else {
            if !condemned.contains(id) && is_named(&catalog, *id) {
                report.act(id.key()?, "forget", "it is missing");
            }
            continue;
        };
        let Some(bytes) = storage.get_all(&id.key()?).await? else {
            continue;
        };
        telling.add("bytes", bytes.len() as u64);
        match examine(*id, &known.entries, bytes).await? {
            _ if condemned.contains(id) => {}
            Found::Sound(entries) => sound.push((PackRef { id: *id, size }, entries)),
            Found::Damaged(good) => {
                let is_elsewhere = |entry: &Entry| is_elsewhere(&catalog, *id, entry);
                if is_named(&catalog, *id) || !good.iter().all(is_elsewhere) {
                    let detail = format!("damaged; {} records in it are good", good.len());
                    report.act(id.key()?, "salvage", detail);
                    damaged.insert(*id, good);
                }
            }
            Found::Newer => report.act(id.key()?, "leave", "a newer Mainstay wrote it"),
        }
    }
    let goes = |pack: PackId| {
        damaged.contains_key(&pack) || !catalog.is_stored(pack) && !condemned.contains(&pack)
    };
    let mut unknown = Contents::new();
    for (pack, entries) in sound {
        let is_known = |entry: &Entry| {
            let mut holders = catalog.holders(&entry.header.id);
            match entry.header.id.kind {
                // That of another pack may name what is not there.
                Kind::Manifest => holders.any(|other| other == pack.id),
                Kind::Chunk | Kind::List => holders.any(|other| !goes(other)),
            }
        };
        if !entries.iter().all(is_known) {
            report.act(pack.id.key()?, "index", "the index does not know all of it");
            unknown.insert(pack, entries);
        }
    }
    let stale = pointers::naming(&catalog, goes);
    let mut unreadable = Vec::new();
    for (hash, error) in &catalog.damaged {
        if error.kind() == ErrorKind::Corrupt {
            report.act(index::key(*hash)?, "delete", error);
            unreadable.push(*hash);
        } else {
            report.act(index::key(*hash)?, "leave", error);
        }
    }
    if !report.applied {
        return Ok(());
    }
    let rest = pointers::said_nowhere_else(
        &catalog,
        &stale,
        |_| true,
        |pack| !goes(pack) && catalog.is_stored(pack),
    );
    for (pack, entries) in rest {
        unknown.entry(pack).or_default().extend(entries);
    }
    unknown.extend(salvage(storage, (condemned, pack_bytes), &damaged).await?);
    for entries in unknown.values_mut() {
        entries.sort_unstable_by_key(|entry| entry.header.id);
        entries.dedup();
    }
    let written = pointers::write(&**storage, unknown).await?;
    for hash in stale.into_iter().chain(unreadable) {
        // What was damaged may have been written again as it was.
        if !written.hashes.contains(&hash) {
            storage.delete(&index::key(hash)?).await?;
        }
    }
    Ok(())
}

/// Whether an index object names a pack.
fn is_named(catalog: &Catalog, pack: PackId) -> bool {
    !pointers::naming(catalog, |other| other == pack).is_empty()
}

/// Whether another pack holds a record, too.
fn is_elsewhere(catalog: &Catalog, pack: PackId, entry: &Entry) -> bool {
    catalog.holders(&entry.header.id).any(|other| other != pack)
}

/// Writes the good records of damaged packs again.
async fn salvage(
    storage: &Arc<dyn Storage>,
    (condemned, pack_bytes): (&Condemned, usize),
    damaged: &BTreeMap<PackId, Vec<Entry>>,
) -> Result<Contents> {
    let (mut contents, mut left) = (Contents::new(), damaged.clone());
    while !left.is_empty() {
        let mut repack = Repack::new(&**storage, condemned, pack_bytes);
        let (mut written, mut again) = (BTreeSet::new(), BTreeMap::<_, Vec<Entry>>::new());
        for (pack, entries) in left {
            let key = pack.key()?;
            let whole = storage.get_all(&key).await?;
            let whole = whole.ok_or_else(|| Error::corrupt(&key, "missing pack"))?;
            for entry in entries {
                if written.insert(entry.header.id) {
                    repack.record(pack, &entry, &whole).await?;
                } else if entry.header.id.kind == Kind::Manifest {
                    // It may be another one, and a pack holds no record twice.
                    again.entry(pack).or_default().push(entry);
                }
            }
        }
        contents.extend(repack.finish().await?.0);
        left = again;
    }
    Ok(contents)
}

async fn examine(id: PackId, known: &[Entry], bytes: Bytes) -> Result<Found> {
    let known = known.to_vec();
    blocking::run(move || {
        let directory = directory(&bytes);
        match directory {
            Ok(directory) if pack::name(&bytes) == Ok(id) => Found::Sound(directory),
            Err(crate::blobs::damage::Damage::Newer(_)) => Found::Newer,
            directory => {
                let hints = known.into_iter().chain(directory.unwrap_or_default());
                let scanned = pack::records(&bytes, bytes.len()).map_while(Result::ok);
                let mut good: BTreeMap<RecordId, Entry> = BTreeMap::new();
                for entry in hints.chain(scanned) {
                    if is_good(&bytes, &entry) {
                        good.insert(entry.header.id, entry);
                    }
                }
                Found::Damaged(good.into_values().collect())
            }
        }
    })
    .await
}

fn directory(bytes: &Bytes) -> Result<Vec<Entry>, crate::blobs::damage::Damage> {
    use crate::blobs::damage::Damage;
    if bytes.len() < HEADER_LEN + FOOTER_LEN {
        return Err(Damage::Broken("pack ends too early"));
    }
    pack::check_header(&bytes[..HEADER_LEN])?;
    let end = bytes.len() - FOOTER_LEN;
    let footer = Footer::decode(&bytes[end..], bytes.len() as u64)?;
    footer.directory(&bytes[footer.directory_offset as usize..end])
}

/// Whether a record of a pack is what was written.
fn is_good(bytes: &Bytes, entry: &Entry) -> bool {
    let start = entry.offset as usize;
    let end = usize::try_from(entry.end()).unwrap_or(usize::MAX);
    if end > bytes.len() {
        return false;
    }
    let id = entry.header.id;
    match entry.open(&bytes.slice(start..end)) {
        Ok(content) if id.kind == Kind::Manifest => {
            Manifest::decode(&content, &Digest::from_bytes(id.hash)).is_ok()
        }
        opened => opened.is_ok(),
    }
}
