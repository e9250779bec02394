//! The records of all index objects, found by their names.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use mainstay_core::{Error, ErrorKind, Result};

use super::Location;
use super::avoided::{Avoided, Grade};
use super::format::{Encoded, IndexName};
use crate::blobs::condemned::Condemned;
use crate::blobs::pack::PackId;
use crate::blobs::record::{Kind, RecordId};

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
    loaded: HashSet<IndexName>,
    /// What those say need not be.
    superseded: HashSet<IndexName>,
    /// The packs of those that say so, and what they supersede.
    mergers: Vec<(Vec<PackId>, Vec<IndexName>)>,
    /// All that they supersede.
    merged: HashSet<IndexName>,
    /// The manifests that lie in several packs, and where else than the table says.
    elsewhere: HashMap<RecordId, Vec<u32>>,
    avoided: Avoided,
    /// What lies in the storage, as far as is known, and how large it is.
    pub(super) listed: HashMap<IndexName, u64>,
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

    /// Reports whether a number's record has this name.
    fn is(&self, slot: u32, id: &RecordId) -> bool {
        self.of(slot).is_some_and(|(part, at)| part.is_at(at, id))
    }

    fn location(&self, slot: u32) -> Option<Location> {
        let (part, at) = self.of(slot)?;
        // It was checked when it was loaded.
        let (entry, pack) = part.record(at).ok()?;
        let pack = part.packs.get(pack as usize)?.id;
        Some(Location { pack, entry })
    }

    /// How good the place of a number's record is.
    fn grade(&self, slot: u32, avoided: &Avoided) -> Grade {
        if avoided.is_empty() {
            return Grade::Sound;
        }
        let location = self.location(slot);
        location.map_or(Grade::Hollow, |location| avoided.grade(&location))
    }

    fn end(&self) -> usize {
        self.0.last().map_or(0, |(first, part)| first + part.len())
    }
}

impl Table {
    /// Creates an empty table that avoids condemned packs.
    pub(super) fn beside(condemned: Arc<Condemned>) -> Self {
        Self {
            avoided: Avoided::beside(condemned),
            ..Self::default()
        }
    }

    /// Takes note of condemned packs; forgets what is loaded if any of it may also be elsewhere.
    /// Reports whether the packs are news.
    pub(super) fn condemn(&mut self, condemned: &Arc<Condemned>) -> bool {
        if condemned.run <= self.avoided.run() {
            return false;
        }
        let known = self.avoided.condemn(condemned);
        let mut packs = self.parts.0.iter().flat_map(|(_, part)| &part.packs);
        if packs.any(|pack| condemned.contains(&pack.id) && !known.contains(&pack.id)) {
            self.forget();
        }
        true
    }

    /// Takes note of packs that are not there; forgets what is loaded if that is news, as any of it may
    /// also be elsewhere.
    pub(super) fn lose(&mut self, packs: &[PackId]) {
        if self.avoided.lose(packs) {
            self.forget();
        }
    }

    /// Takes note of a manifest that names what is not there: it is found in another pack, if it is in
    /// any. What index objects say that were superseded by one that names the pack counts again.
    pub(super) fn hollow(&mut self, id: &RecordId, pack: PackId) {
        if !self.avoided.hollow(*id, pack) {
            return;
        }
        let mergers = self.mergers.iter();
        let trusted = mergers.filter(|(packs, _)| !packs.iter().any(|p| self.avoided.doubts(p)));
        self.superseded = trusted.flat_map(|(_, names)| names).copied().collect();
        let hash = self.hash(id);
        let grade = |slot: u32| self.parts.grade(slot, &self.avoided);
        if let Some(others) = self.elsewhere.get_mut(id)
            && let Some(place) = others.iter_mut().min_by_key(|slot| grade(**slot))
            && let Some(held) = self.slots.find_mut(hash, |slot| self.parts.is(*slot, id))
            && grade(*place) < grade(*held)
        {
            std::mem::swap(place, held);
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
    pub(super) fn list(&mut self, listed: HashMap<IndexName, u64>) {
        if self.loaded.iter().any(|name| !listed.contains_key(name)) {
            self.forget();
        }
        self.listed = listed;
    }

    /// The pack a record is in, if there is nothing against that place.
    pub(super) fn sound_pack(&self, id: &RecordId) -> Option<PackId> {
        let location = self.get(id)?;
        (self.avoided.grade(&location) == Grade::Sound).then_some(location.pack)
    }

    /// The best of the places of a record outside of some packs.
    pub(super) fn get_besides(&self, id: &RecordId, passed: &[PackId]) -> Option<Location> {
        let others = self.elsewhere.get(id).into_iter().flatten().copied();
        let slots = self.slot(id).into_iter().chain(others);
        let places = slots.filter_map(|slot| self.parts.location(slot));
        places
            .filter(|place| !passed.contains(&place.pack))
            .min_by_key(|place| self.avoided.grade(place))
    }

    /// Reports whether nothing is looked for in a pack that is also elsewhere.
    pub(super) fn avoids(&self, pack: &PackId) -> bool {
        self.avoided.avoids(pack)
    }

    pub(super) fn contains(&self, id: &RecordId) -> bool {
        self.slot(id).is_some()
    }

    pub(super) fn get(&self, id: &RecordId) -> Option<Location> {
        self.parts.location(self.slot(id)?)
    }

    /// Reports whether an index object has nothing to tell that is not known.
    pub(super) fn knows(&self, name: &IndexName) -> bool {
        self.loaded.contains(name) || self.superseded.contains(name)
    }

    /// What is in no other index object that is listed, in no order.
    pub(super) fn live(&self) -> impl Iterator<Item = (&IndexName, u64)> {
        let listed = self.listed.iter();
        listed
            .filter(|(name, _)| !self.merged.contains(*name))
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
        self.supersede(&part);
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

    /// Takes note of what need not be read beside an index object: nothing, if it may be that its places
    /// are not the best.
    fn supersede(&mut self, part: &Encoded) {
        if part.supersedes.is_empty() {
            return;
        }
        let packs: Vec<PackId> = part.packs.iter().map(|pack| pack.id).collect();
        if !packs.iter().any(|pack| self.avoided.doubts(pack)) {
            self.superseded.extend(&part.supersedes);
        }
        self.merged.extend(&part.supersedes);
        self.mergers.push((packs, part.supersedes.clone()));
    }

    /// Makes the record of a number findable, unless one of its name is in a place as good; a manifest
    /// in any case, if that is in another pack.
    fn link(&mut self, slot: u32) -> bool {
        let (parts, hashes) = (&self.parts, &self.hashes);
        let name = |slot: u32| parts.of(slot).and_then(|(part, at)| part.name_at(at));
        let hash = |slot: &u32| hashes.hash_one(name(*slot));
        let wanted = name(slot);
        let same = |other: &u32| name(*other) == wanted;
        let mut place = match self.slots.entry(hash(&slot), same, hash) {
            Place::Vacant(place) => {
                place.insert(slot);
                return true;
            }
            Place::Occupied(place) => place,
        };
        let held = *place.get();
        let is_better = parts.grade(slot, &self.avoided) < parts.grade(held, &self.avoided);
        if is_better {
            *place.get_mut() = slot;
        }
        let (found, other) = if is_better {
            (slot, held)
        } else {
            (held, slot)
        };
        self.link_elsewhere(other, found) || is_better
    }

    /// Takes note that a manifest also lies in the pack of `other`, if that is news.
    fn link_elsewhere(&mut self, other: u32, found: u32) -> bool {
        let places = [other, found].map(|slot| self.parts.location(slot));
        let [Some(place), Some(found)] = places else {
            return false;
        };
        let id = place.entry.header.id;
        if id.kind != Kind::Manifest || place.pack == found.pack {
            return false;
        }
        let others = self.elsewhere.entry(id).or_default();
        let mut known = others.iter().filter_map(|slot| self.parts.location(*slot));
        let is_new = known.all(|known| known.pack != place.pack);
        if is_new {
            others.push(other);
        }
        is_new
    }

    fn slot(&self, id: &RecordId) -> Option<u32> {
        let found = self
            .slots
            .find(self.hash(id), |slot| self.parts.is(*slot, id));
        found.copied()
    }

    fn hash(&self, id: &RecordId) -> u64 {
        self.hashes.hash_one(Some((id.kind as u8, &id.hash)))
    }

    /// Every record that is not in condemned packs once, in no order that means anything but is the same
    /// for the same index objects.
    pub(super) fn locations(&self) -> impl Iterator<Item = Location> {
        let mut slots: Vec<u32> = self.slots.iter().copied().collect();
        slots.sort_unstable();
        let locations = slots.into_iter();
        let locations = locations.filter_map(|slot| self.parts.location(slot));
        locations.filter(|location| !self.avoided.avoids(&location.pack))
    }

    /// How many bytes this takes, and for how many records.
    #[cfg(test)]
    pub(super) fn memory(&self) -> (usize, usize) {
        let parts = self.parts.0.iter();
        let encoded: usize = parts.map(|(_, part)| part.len() * 52).sum();
        (encoded + self.slots.allocation_size(), self.slots.len())
    }
}
