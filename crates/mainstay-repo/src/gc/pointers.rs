//! Index objects: written anew without packs that go, deleted once others say the rest.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mainstay_core::Result;
use mainstay_store::Storage;

use super::catalog::{Catalog, located};
use crate::blobs::index::{self, INDEX_BYTES, IndexObject, PackRef};
use crate::blobs::object;
use crate::blobs::pack::PackId;
use crate::blobs::record::{Entry, RecordId};

/// Packs and what is in them.
pub(crate) type Contents = BTreeMap<PackRef, Vec<Entry>>;

/// The index objects that name one of the packs.
pub(crate) fn naming(catalog: &Catalog, goes: impl Fn(PackId) -> bool) -> BTreeSet<[u8; 32]> {
    let naming = catalog
        .indexes
        .iter()
        .filter(|(_, object)| object.packs.iter().any(|pack| goes(pack.id)));
    naming.map(|(hash, _)| *hash).collect()
}

/// What the index objects `stale` say of packs that stay, and no index object that lasts.
pub(crate) fn said_nowhere_else(
    catalog: &Catalog,
    stale: &BTreeSet<[u8; 32]>,
    lasts: impl Fn(&[u8; 32]) -> bool,
    stays: impl Fn(PackId) -> bool,
) -> Contents {
    let others = catalog.indexes.iter();
    let others = others.filter(|(hash, _)| !stale.contains(*hash) && lasts(hash));
    let said: HashSet<(PackId, RecordId)> = others
        .flat_map(|(_, object)| located(object))
        .map(|(pack, entry)| (pack.id, entry.header.id))
        .collect();
    let mut contents = Contents::new();
    let stale = stale.iter().filter_map(|hash| catalog.indexes.get(hash));
    for (pack, entry) in stale.flat_map(located) {
        if stays(pack.id) && !said.contains(&(pack.id, entry.header.id)) {
            contents.entry(pack).or_default().push(entry);
        }
    }
    for entries in contents.values_mut() {
        entries.sort_unstable_by_key(|entry| entry.header.id);
        entries.dedup();
    }
    contents
}

/// Index objects that were written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    /// The hashes in their keys.
    pub(crate) hashes: BTreeSet<[u8; 32]>,
}

/// Writes index objects of packs that are stored.
pub(crate) async fn write(storage: &dyn Storage, mut contents: Contents) -> Result<Written> {
    let mut written = Written::default();
    // No index object tells a record twice, so what is in several packs takes several.
    while !contents.is_empty() {
        let again = take_repeated(&mut contents);
        write_each_once(storage, contents, &mut written).await?;
        contents = again;
    }
    Ok(written)
}

/// Takes out what is also in a pack before.
fn take_repeated(contents: &mut Contents) -> Contents {
    let (mut seen, mut again) = (HashSet::new(), Contents::new());
    for (pack, entries) in contents.iter_mut() {
        let repeated = entries.extract_if(.., |entry| !seen.insert(entry.header.id));
        let repeated: Vec<Entry> = repeated.collect();
        if !repeated.is_empty() {
            again.insert(*pack, repeated);
        }
    }
    contents.retain(|_, entries| !entries.is_empty());
    again
}

async fn write_each_once(
    storage: &dyn Storage,
    contents: Contents,
    written: &mut Written,
) -> Result<()> {
    let limit = object::limit(storage, INDEX_BYTES);
    let mut group: Vec<(PackRef, Vec<Entry>)> = Vec::new();
    let mut records = 0;
    for (pack, entries) in contents {
        records += entries.len();
        if !group.is_empty() && IndexObject::encoded_len(group.len() + 1, records) > limit {
            records = entries.len();
            write_one(storage, std::mem::take(&mut group), written).await?;
        }
        group.push((pack, entries));
    }
    if !group.is_empty() {
        write_one(storage, group, written).await?;
    }
    Ok(())
}

async fn write_one(
    storage: &dyn Storage,
    packs: Vec<(PackRef, Vec<Entry>)>,
    written: &mut Written,
) -> Result<()> {
    let bytes = IndexObject::of(packs).encode();
    let hash = *blake3::hash(&bytes).as_bytes();
    written.bytes += object::put(storage, &index::key(hash)?, bytes.into()).await?;
    written.hashes.insert(hash);
    Ok(())
}
