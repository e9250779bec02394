//! The records of all index objects, found by their names.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use mainstay_core::{Error, ErrorKind, Result};

use super::Location;
use super::format::{Encoded, IndexName};
use crate::blobs::condemned::Condemned;
use crate::blobs::pack::PackId;
use crate::blobs::record::RecordId;

/// Memory: an index object's own 52 bytes a record, and 6 to 12 for the table.
///
/// The table holds numbers of records, whose names are read where they lie in the index objects. Of
/// each number it keeps seven bits of the name's hash beside, so a record that is not there is hardly
/// ever looked at.
#[derive(Debug, Default)]
pub(super) struct Table {
    parts: Parts,
    slots: HashTable<u32>,
    hashes: RandomState,
    /// What has been loaded, also when it told nothing new.
    loaded: BTreeSet<IndexName>,
    /// What those say need not be.
    superseded: BTreeSet<IndexName>,
    avoided: Avoided,
    /// What lies in the storage, as far as is known, and how large it is.
    pub(super) listed: BTreeMap<IndexName, u64>,
}

/// Packs in which nothing is found that is also elsewhere.
#[derive(Debug, Default)]
struct Avoided {
    condemned: Arc<Condemned>,
    /// Those that were not there. A session that was stalled may name one long after it was deleted.
    lost: HashSet<PackId>,
}

impl Avoided {
    fn contains(&self, pack: &PackId) -> bool {
        self.condemned.contains(pack) || self.lost.contains(pack)
    }

    fn is_empty(&self) -> bool {
        self.condemned.packs.is_empty() && self.lost.is_empty()
    }
}

/// Index objects one after the other; a record's number counts through all of them.
#[derive(Debug, Default)]
struct Parts(Vec<(usize, Encoded)>);

impl Parts {
    /// The index object that a number lies in, and where in it.
    fn of(&self, slot: u32) -> Option<(&Encoded, usize)> {
        let number = slot as usize;
        let behind = self.0.partition_point(|(first, _)| *first <= number);
        let (first, part) = self.0.get(behind.checked_sub(1)?)?;
        Some((part, number - first))
    }

    /// The pack that a number's record is in.
    fn pack(&self, slot: u32) -> Option<PackId> {
        let (part, at) = self.of(slot)?;
        // It was checked when it was loaded.
        let (_, pack) = part.record(at).ok()?;
        Some(part.packs.get(pack as usize)?.id)
    }

    /// Reports whether a number's record is in a pack that is not to be avoided.
    fn is_sound(&self, slot: u32, avoided: &Avoided) -> bool {
        avoided.is_empty() || self.pack(slot).is_some_and(|pack| !avoided.contains(&pack))
    }

    fn end(&self) -> usize {
        self.0.last().map_or(0, |(first, part)| first + part.len())
    }
}

impl Table {
    /// Creates an empty table that avoids condemned packs.
    pub(super) fn beside(condemned: Arc<Condemned>) -> Self {
        let avoided = Avoided {
            condemned,
            ..Avoided::default()
        };
        Self {
            avoided,
            ..Self::default()
        }
    }

    /// Takes note of condemned packs; forgets what is loaded if any of it may also be elsewhere.
    /// Reports whether the packs are news.
    pub(super) fn condemn(&mut self, condemned: &Arc<Condemned>) -> bool {
        if condemned.run <= self.avoided.condemned.run {
            return false;
        }
        let known = std::mem::replace(&mut self.avoided.condemned, Arc::clone(condemned));
        let mut packs = self.parts.0.iter().flat_map(|(_, part)| &part.packs);
        if packs.any(|pack| condemned.contains(&pack.id) && !known.contains(&pack.id)) {
            self.forget();
        }
        true
    }

    /// Takes note of packs that are not there; forgets what is loaded if that is news, as any of it may
    /// also be elsewhere.
    pub(super) fn lose(&mut self, packs: &[PackId]) {
        let known = self.avoided.lost.len();
        self.avoided.lost.extend(packs);
        if self.avoided.lost.len() > known {
            self.forget();
        }
    }

    /// Forgets what is loaded.
    fn forget(&mut self) {
        *self = Self {
            avoided: std::mem::take(&mut self.avoided),
            listed: std::mem::take(&mut self.listed),
            ..Self::default()
        };
    }

    /// Takes note of what lies in the storage; forgets everything if something loaded is not there any
    /// more: what it said has been superseded, and may have been collected.
    pub(super) fn list(&mut self, listed: BTreeMap<IndexName, u64>) {
        if self.loaded.iter().any(|name| !listed.contains_key(name)) {
            self.forget();
        }
        self.listed = listed;
    }

    /// The pack a record is in, if that is not to be avoided.
    pub(super) fn sound_pack(&self, id: &RecordId) -> Option<PackId> {
        let slot = self.slot(id)?;
        let pack = self.parts.pack(slot)?;
        (!self.avoided.contains(&pack)).then_some(pack)
    }

    pub(super) fn contains(&self, id: &RecordId) -> bool {
        self.slot(id).is_some()
    }

    pub(super) fn get(&self, id: &RecordId) -> Option<Location> {
        self.location(self.slot(id)?)
    }

    /// Reports whether an index object has nothing to tell that is not known.
    pub(super) fn knows(&self, name: &IndexName) -> bool {
        self.loaded.contains(name) || self.superseded.contains(name)
    }

    /// What is in no other index object that is listed.
    pub(super) fn live(&self) -> impl Iterator<Item = (&IndexName, u64)> {
        let listed = self.listed.iter();
        listed
            .filter(|(name, _)| !self.superseded.contains(*name))
            .map(|(name, size)| (name, *size))
    }

    /// Takes in an index object.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when there are more than 2^32 records.
    pub(super) fn insert(&mut self, name: IndexName, part: Encoded) -> Result<()> {
        if !self.loaded.insert(name) {
            return Ok(());
        }
        self.superseded.extend(&part.supersedes);
        let (first, len) = (self.parts.end(), part.len());
        u32::try_from(first + len).map_err(|_| {
            Error::new(ErrorKind::Unsupported, "the repository has too many chunks")
        })?;
        self.parts.0.push((first, part));
        let mut any = false;
        for number in first..first + len {
            any |= self.link(u32::try_from(number).unwrap_or(u32::MAX));
        }
        if !any {
            // All of it is in others.
            self.parts.0.pop();
        }
        Ok(())
    }

    /// Makes the record of a number findable, unless one of its name is in a place as good.
    fn link(&mut self, slot: u32) -> bool {
        let (parts, hashes) = (&self.parts, &self.hashes);
        let name = |slot: u32| parts.of(slot).and_then(|(part, at)| part.name_at(at));
        let hash = |slot: &u32| hashes.hash_one(name(*slot));
        let wanted = name(slot);
        let same = |other: &u32| name(*other) == wanted;
        let is_sound = |slot: u32| parts.is_sound(slot, &self.avoided);
        match self.slots.entry(hash(&slot), same, hash) {
            Place::Vacant(place) => {
                place.insert(slot);
                true
            }
            Place::Occupied(mut place) if !is_sound(*place.get()) && is_sound(slot) => {
                *place.get_mut() = slot;
                true
            }
            Place::Occupied(_) => false,
        }
    }

    fn slot(&self, id: &RecordId) -> Option<u32> {
        let hash = self.hashes.hash_one(Some((id.kind as u8, &id.hash)));
        let same = |slot: &u32| {
            let found = self.parts.of(*slot);
            found.is_some_and(|(part, at)| part.is_at(at, id))
        };
        self.slots.find(hash, same).copied()
    }

    fn location(&self, slot: u32) -> Option<Location> {
        let (part, at) = self.parts.of(slot)?;
        // It was checked when it was loaded.
        let (entry, pack) = part.record(at).ok()?;
        let pack = part.packs.get(pack as usize)?.id;
        Some(Location { pack, entry })
    }

    /// Every record that is not in condemned packs once, in no order that means anything but is the same for the same index objects.
    pub(super) fn locations(&self) -> impl Iterator<Item = Location> {
        let mut slots: Vec<u32> = self.slots.iter().copied().collect();
        slots.sort_unstable();
        let sound = slots
            .into_iter()
            .filter(|slot| self.parts.is_sound(*slot, &self.avoided));
        sound.filter_map(|slot| self.location(slot))
    }

    /// How many bytes this takes, and for how many records.
    #[cfg(test)]
    pub(super) fn memory(&self) -> (usize, usize) {
        let parts = self.parts.0.iter();
        let encoded: usize = parts.map(|(_, part)| part.len() * 52).sum();
        (encoded + self.slots.allocation_size(), self.slots.len())
    }
}
