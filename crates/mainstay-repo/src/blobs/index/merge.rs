//! Merging small index objects into larger ones, so that opening reads few.
//!
//! A merged object names those that it supersedes, which stay: whoever is about to read them finds
//! them, and whoever reads the merged one leaves them out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use mainstay_core::{Error, Result};
use mainstay_store::StorageExt as _;

use super::format::{Encoded, IndexName, IndexObject, PackRef, key};
use super::{INDEX_BYTES, Index};
use crate::blobs::pack::PackId;
use crate::blobs::record::{Entry, RecordId};
use crate::blobs::{blocking, object};

/// Objects of one class are about as large as each other: within this factor.
const CLASS_FACTOR: u64 = 16;
/// The smallest class ends here.
const SMALL_BYTES: u64 = 64 * 1024;
/// Objects from here on are not merged.
const FULL_BYTES: u64 = INDEX_BYTES as u64 / 2;

impl Index {
    /// Merges the index objects of a class when there are enough; returns how many bytes were written.
    ///
    /// Any number of processes may do the same at once: what one merged twice is superseded by the next
    /// merge. Each record is merged O(log n) times.
    pub(crate) async fn merge(&self) -> Result<u64> {
        let Some(names) = self.mergeable() else {
            return Ok(0);
        };
        let mut parts = Vec::with_capacity(names.len());
        for name in names {
            let key = key(name)?;
            // Gone or damaged objects are for others to report.
            let Some(bytes) = self.storage.get_all(&key).await? else {
                return Ok(0);
            };
            let part = Encoded::check(&bytes, &name).map_err(|damage| damage.of(&key))?;
            parts.push((name, part));
        }
        let (listed, avoided) = {
            let table = self.table();
            let packs = parts.iter().flat_map(|(_, part)| &part.packs);
            let avoided = packs.filter(|pack| table.avoids(&pack.id));
            let avoided: BTreeSet<PackId> = avoided.map(|pack| pack.id).collect();
            (table.listed.clone(), avoided)
        };
        let merging = blocking::run(move || merged(parts, &listed, &avoided));
        let Some(object) = merging.await?? else {
            return Ok(0);
        };
        let bytes = Bytes::from(object.encode());
        let name = *blake3::hash(&bytes).as_bytes();
        let written = object::put(&*self.storage, &key(name)?, bytes.clone()).await?;
        self.add(name, &bytes, bytes.len() as u64)?;
        Ok(written)
    }

    /// Chooses index objects to merge: of the smallest class that has enough, as many as fit.
    fn mergeable(&self) -> Option<Vec<IndexName>> {
        let table = self.table();
        let mut classes: BTreeMap<u32, Vec<(u64, IndexName)>> = BTreeMap::new();
        for (name, size) in table.live().filter(|(_, size)| *size < FULL_BYTES) {
            let class = (size / SMALL_BYTES)
                .checked_ilog(CLASS_FACTOR)
                .map_or(0, |log| log + 1);
            classes.entry(class).or_default().push((size, *name));
        }
        let mut chosen = classes
            .into_values()
            .find(|class| class.len() >= self.fan_in)?;
        chosen.sort_unstable();
        let mut total = 0;
        let fitting = chosen.iter().take_while(|(size, _)| {
            total += size;
            total <= INDEX_BYTES as u64
        });
        let names: Vec<IndexName> = fitting.map(|(_, name)| *name).collect();
        (names.len() > 1).then_some(names)
    }
}

/// Puts index objects together, telling of a record in several packs one that is not avoided; `None`
/// when they contradict each other.
fn merged(
    parts: Vec<(IndexName, Encoded)>,
    listed: &HashMap<IndexName, u64>,
    avoided: &BTreeSet<PackId>,
) -> Result<Option<IndexObject>> {
    let mut packs: BTreeMap<PackId, (u64, Vec<Entry>)> = BTreeMap::new();
    let mut supersedes: BTreeSet<IndexName> = BTreeSet::new();
    for (name, part) in parts {
        supersedes.insert(name);
        supersedes.extend(
            part.supersedes
                .iter()
                .filter(|name| listed.contains_key(*name)),
        );
        let part = IndexObject::from_encoded(&part)
            .map_err(|damage| damage.of("an index object that was checked"))?;
        for pack in &part.packs {
            let (size, _) = packs.entry(pack.id).or_insert((pack.size, Vec::new()));
            if *size != pack.size {
                return Ok(None);
            }
        }
        for (entry, pack) in part.records {
            let pack = part.packs.get(pack as usize);
            let pack = pack.and_then(|pack| packs.get_mut(&pack.id));
            let (_, entries) = pack.ok_or_else(|| Error::corrupt("index", "names no pack"))?;
            entries.push(entry);
        }
    }
    leave_out(&mut packs, avoided);
    let packs = packs
        .into_iter()
        .map(|(id, (size, entries))| (PackRef { id, size }, entries));
    let mut object = IndexObject::of(packs.collect());
    object.supersedes = supersedes.into_iter().collect();
    Ok(Some(object))
}

/// Leaves out what lies in avoided packs and in others, too.
fn leave_out(packs: &mut BTreeMap<PackId, (u64, Vec<Entry>)>, avoided: &BTreeSet<PackId>) {
    if avoided.is_empty() {
        return;
    }
    let sound = packs.iter().filter(|(id, _)| !avoided.contains(id));
    let sound = sound.flat_map(|(_, (_, entries))| entries);
    let sound: HashSet<RecordId> = sound.map(|entry| entry.header.id).collect();
    for id in avoided {
        if let Some((_, entries)) = packs.get_mut(id) {
            entries.retain(|entry| !sound.contains(&entry.header.id));
        }
    }
    packs.retain(|_, (_, entries)| !entries.is_empty());
}
