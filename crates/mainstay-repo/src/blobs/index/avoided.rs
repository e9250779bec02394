//! Places in which nothing is looked for that is also elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Location;
use crate::blobs::condemned::Condemned;
use crate::blobs::pack::PackId;
use crate::blobs::record::RecordId;

/// How good a place is to find a record in; the least is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    Sound,
    /// The pack is condemned or was not there.
    Avoided,
    /// A manifest of which something could not be found.
    Hollow,
}

/// Condemned packs, and what this process could not read.
#[derive(Debug, Default)]
pub(super) struct Avoided {
    condemned: Arc<Condemned>,
    /// Packs that were not there. A session that was stalled may name one long after it was deleted.
    lost: HashSet<PackId>,
    /// Manifests that name what is not there, by their packs. A session that was stalled may make one
    /// known long after what it relied on was deleted.
    hollow: HashMap<PackId, HashSet<RecordId>>,
}

impl Avoided {
    pub(super) fn beside(condemned: Arc<Condemned>) -> Self {
        Self {
            condemned,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.condemned.packs.is_empty() && self.lost.is_empty() && self.hollow.is_empty()
    }

    pub(super) fn grade(&self, location: &Location) -> Grade {
        let hollow = self.hollow.get(&location.pack);
        if hollow.is_some_and(|hollow| hollow.contains(&location.entry.header.id)) {
            Grade::Hollow
        } else if self.avoids(&location.pack) {
            Grade::Avoided
        } else {
            Grade::Sound
        }
    }

    /// Reports whether nothing is looked for in a pack that is also elsewhere.
    pub(super) fn avoids(&self, pack: &PackId) -> bool {
        self.condemned.contains(pack) || self.lost.contains(pack)
    }

    /// Reports whether some of what an index object says of a pack may be better said by one that it
    /// supersedes.
    pub(super) fn doubts(&self, pack: &PackId) -> bool {
        self.avoids(pack) || self.hollow.contains_key(pack)
    }

    /// How many runs of collection the condemned packs are of.
    pub(super) fn run(&self) -> u64 {
        self.condemned.run
    }

    /// Takes note of newer condemned packs; returns those known before.
    pub(super) fn condemn(&mut self, condemned: &Arc<Condemned>) -> Arc<Condemned> {
        std::mem::replace(&mut self.condemned, Arc::clone(condemned))
    }

    /// Takes note of packs that are not there; reports whether any is news.
    pub(super) fn lose(&mut self, packs: &[PackId]) -> bool {
        let known = self.lost.len();
        self.lost.extend(packs);
        self.lost.len() > known
    }

    /// Takes note of a manifest that names what is not there; reports whether that is news.
    pub(super) fn hollow(&mut self, id: RecordId, pack: PackId) -> bool {
        self.hollow.entry(pack).or_default().insert(id)
    }
}
