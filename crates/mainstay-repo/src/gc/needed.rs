//! The records that are needed, in the order in which they are read.

use std::collections::{BTreeSet, HashMap};

use mainstay_core::{Digest, Result};

use super::catalog::Catalog;
use super::mark::Marked;
use super::parts::{Made, Parts};
use super::sequence::Sequence;
use crate::blobs::pack::PackId;
use crate::blobs::record::{Kind, RecordId};

/// How often a blob counts that shares no chunk with a newer one, where any other counts once: mostly the
/// newest is read.
pub(super) const NEWEST_TIMES: u64 = 4;

const NONE: u32 = u32::MAX;

/// The records that are needed.
///
/// Memory: 4 bytes for each record of the catalog, some more for each blob.
#[derive(Debug)]
pub(super) struct Needed {
    /// By the place of a record in the catalog: its turn in the order of reading, blob after blob, as its
    /// bytes follow each other.
    turns: Vec<u32>,
    len: u32,
    /// The packs with the manifests that count, of each blob.
    manifests: HashMap<RecordId, Vec<PackId>>,
    /// See [`reads`](Self::reads).
    reads: Vec<Read>,
}

/// A blob that is read.
#[derive(Debug)]
pub(super) struct Read {
    /// The turns of its chunks, in order.
    pub(super) chunks: Sequence,
    /// How often it counts.
    pub(super) times: u64,
}

impl Needed {
    /// What blobs are made of, manifests included; those of `live` blobs come first.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a blob's manifest or list cannot be read: what
    /// it is made of cannot be told from what nobody needs.
    pub(super) fn of(
        catalog: &Catalog,
        parts: &Parts,
        live: &[Digest],
        blobs: &BTreeSet<Digest>,
    ) -> Result<Self> {
        let mut needed = Self {
            turns: vec![NONE; catalog.len()],
            len: 0,
            manifests: HashMap::new(),
            reads: Vec::new(),
        };
        let live = live.iter().map(|digest| (digest, true));
        let rest = blobs.iter().map(|digest| (digest, false));
        for (digest, is_live) in live.chain(rest) {
            let manifest = RecordId::manifest(digest);
            let Some(made) = parts.blobs.get(digest) else {
                continue;
            };
            if needed.manifests.contains_key(&manifest) {
                continue;
            }
            let made = made.as_ref();
            let made = made.map_err(|error| error.clone().context("blob", digest))?;
            if let Some(place) = catalog.place(&manifest) {
                needed.add(place);
            }
            needed.manifests.insert(manifest, made.packs.clone());
            let read = needed.add_parts(catalog, parts, made);
            needed.reads.extend(read.filter(|_| is_live));
        }
        Ok(needed)
    }

    /// Adds what a blob is made of; returns how it is read, unless it is one chunk or most of its chunks are
    /// known.
    fn add_parts(&mut self, catalog: &Catalog, parts: &Parts, made: &Made) -> Option<Read> {
        let known = self.len;
        let (mut chunks, mut count, mut new) = (Sequence::default(), 0_u64, 0);
        for place in parts.of(made) {
            let turn = self.add(place);
            if catalog.record(place).kind == Kind::Chunk {
                chunks.push(turn);
                count += 1;
                new += u64::from(turn >= known);
            }
        }
        chunks.shrink();
        let times = if new == count { NEWEST_TIMES } else { 1 };
        (count > 1 && new * 2 >= count).then_some(Read { chunks, times })
    }

    fn add(&mut self, place: u32) -> u32 {
        let turn = &mut self.turns[place as usize];
        if *turn == NONE {
            *turn = self.len;
            self.len += 1;
        }
        *turn
    }

    /// Reports whether the record at a place of the catalog is needed.
    pub(super) fn has(&self, place: u32) -> bool {
        self.turns[place as usize] != NONE
    }

    pub(super) fn contains(&self, catalog: &Catalog, id: &RecordId) -> bool {
        catalog.place(id).is_some_and(|place| self.has(place))
    }

    /// The records, in the order of the catalog.
    pub(super) fn ids(&self, catalog: &Catalog) -> impl Iterator<Item = RecordId> {
        let turns = self.turns.iter().zip(0_u32..);
        let places = turns.filter(|(turn, _)| **turn != NONE);
        places.map(|(_, place)| catalog.record(place))
    }

    /// When a record is read; one that is not needed comes last.
    pub(super) fn turn(&self, catalog: &Catalog, id: &RecordId) -> u32 {
        let place = catalog.place(id);
        place.map_or(NONE, |place| self.turns[place as usize])
    }

    /// How many there are; each has a turn below that.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Each live blob in several chunks; but for blobs most of whose chunks are also in such as come before.
    pub(super) fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The packs out of which a record may be used.
    pub(super) fn packs(&self, catalog: &Catalog, id: &RecordId) -> impl Iterator<Item = PackId> {
        let counting = self.manifests.get(id);
        let holders = catalog.holders(id);
        holders.filter(move |pack| counting.is_none_or(|packs| packs.contains(pack)))
    }

    /// Reports whether a needed record is a manifest that does not count in this pack.
    pub(super) fn is_hollow(&self, id: &RecordId, pack: PackId) -> bool {
        let counting = self.manifests.get(id);
        counting.is_some_and(|packs| !packs.contains(&pack))
    }
}

/// The records that blobs are made of, as far as their manifests are in `sound` packs.
///
/// # Errors
/// Those of [`Needed::of`].
pub(super) async fn needed(
    catalog: &Catalog,
    Marked { blobs, live }: Marked,
    sound: impl Fn(PackId) -> bool + Send + Sync,
) -> Result<Needed> {
    let parts = catalog.made(blobs.iter().copied(), sound).await?;
    Needed::of(catalog, &parts, &live, &blobs)
}
