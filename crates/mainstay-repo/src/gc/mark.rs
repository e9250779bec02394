//! What is needed: the blobs that refs name, or named within the history that is kept.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Digest, Result, Telling, Timestamp};

use super::CollectOptions;
use super::catalog::Catalog;
use crate::blobs::BlobStore;
use crate::blobs::pack::PackId;
use crate::blobs::record::{Kind, RecordId};
use crate::log::{as_of, walk};
use crate::repo::Inner;
use crate::{Value, View, tree};

/// How often a blob counts that shares no chunk with a newer one, where any other counts once: mostly the
/// newest is read.
pub(super) const NEWEST_TIMES: u64 = 4;

/// The view from which on history is kept, not after `view`.
pub(super) async fn kept_from(
    inner: &Inner,
    view: &View,
    options: &CollectOptions,
    now: Timestamp,
) -> Result<View> {
    let kept = i64::try_from(options.keep_history.as_micros()).unwrap_or(i64::MAX);
    let since = Timestamp::from_unix_micros(now.as_unix_micros().saturating_sub(kept));
    let by_time = if kept == i64::MAX {
        0
    } else {
        as_of::view_as_of(inner, since).await?.seq
    };
    let by_count = view.seq.saturating_sub(options.keep_entries);
    as_of::view_at(inner, by_time.min(by_count).min(view.seq)).await
}

/// The blobs that are needed.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) blobs: BTreeSet<Digest>,
    /// Those that live refs reach, in the order in which they are read: those of the value that was set last
    /// first, and what trees hold after what values name.
    pub(super) live: Vec<Digest>,
}

impl Marked {
    /// Blobs in no order.
    pub(super) fn of(blobs: BTreeSet<Digest>) -> Self {
        let live = Vec::new();
        Self { blobs, live }
    }
}

/// Finds the blobs of every state that the refs had from `from` to `view`.
pub(super) async fn mark(
    inner: &Arc<Inner>,
    (from, view): (&View, &View),
    telling: &Telling,
) -> Result<Marked> {
    let mut named = live(from).await?;
    telling.expect("entries", inner.head().seq.saturating_sub(from.seq));
    let mut told = from.seq;
    let mut entries = walk::forwards(Arc::clone(inner), from.seq.into());
    while let Some(entry) = entries.try_next().await? {
        let values = entry
            .changes
            .iter()
            .filter_map(|change| change.value.as_ref());
        values.for_each(|value| named.add(value));
        // An entry may hold several transactions.
        telling.add("entries", entry.seq.saturating_sub(told));
        told = entry.seq;
    }
    let (mut live, trees) = newest_first(view).await?;
    let mut seen = BTreeSet::new();
    live.extend(tree::in_order(&inner.blobs, trees, &mut seen).await?);
    let mut blobs = named.blobs;
    blobs.extend(&live);
    let held = tree::reach(&inner.blobs, named.trees, &mut seen).await?;
    blobs.extend(held.whole()?);
    Ok(Marked { blobs, live })
}

/// What the values of a view name.
async fn live(view: &View) -> Result<Named> {
    view.read(|view| {
        let mut named = Named::default();
        let values = view
            .below("")?
            .filter_map(|(_, state)| state.value.as_ref());
        values.for_each(|value| named.add(value));
        Ok(named)
    })
    .await
}

/// The blobs and the trees that the values of a view name, those of the value that was set last first.
async fn newest_first(view: &View) -> Result<(Vec<Digest>, Vec<Digest>)> {
    view.read(|view| {
        let values = view.below("")?;
        let mut values: Vec<(u64, &Value)> = values
            .filter_map(|(_, state)| Some((state.seq, state.value.as_ref()?)))
            .filter(|(_, value)| !(value.blobs.is_empty() && value.trees.is_empty()))
            .collect();
        values.sort_by_key(|(seq, _)| Reverse(*seq));
        let blobs = values.iter().flat_map(|(_, value)| &value.blobs).copied();
        let trees = values.iter().flat_map(|(_, value)| &value.trees).copied();
        Ok((blobs.collect(), trees.collect()))
    })
    .await
}

/// What values name.
#[derive(Debug, Default)]
pub(super) struct Named {
    blobs: BTreeSet<Digest>,
    trees: BTreeSet<Digest>,
}

impl Named {
    pub(super) fn add(&mut self, value: &Value) {
        self.blobs.extend(&value.blobs);
        self.trees.extend(&value.trees);
    }

    /// The blobs, those that trees hold and their pages among them.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a page cannot be read: what it holds cannot be
    /// told from what nobody needs.
    pub(super) async fn blobs(self, store: &BlobStore) -> Result<BTreeSet<Digest>> {
        let mut blobs = self.blobs;
        let held = tree::reach(store, self.trees, &mut BTreeSet::new()).await?;
        blobs.extend(held.whole()?);
        Ok(blobs)
    }
}

/// The records that are needed.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// Each with its place in the order of reading: blob after blob, as its bytes follow each other.
    records: HashMap<RecordId, usize>,
    /// The packs with the manifests that count, of each blob.
    manifests: HashMap<RecordId, Vec<PackId>>,
    /// See [`reads`](Self::reads).
    reads: Vec<Read>,
}

/// A blob that is read.
#[derive(Debug)]
pub(super) struct Read {
    /// The places of its chunks, in order.
    pub(super) places: Vec<usize>,
    /// How often it counts.
    pub(super) times: u64,
}

impl Needed {
    pub(super) fn contains(&self, id: &RecordId) -> bool {
        self.records.contains_key(id)
    }

    /// The records, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &RecordId> {
        self.records.keys()
    }

    /// The place of a record in the order of reading; one that is not needed comes last.
    pub(super) fn place(&self, id: &RecordId) -> usize {
        self.records.get(id).copied().unwrap_or(usize::MAX)
    }

    /// How many there are; each has a place below that.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Each live blob in several chunks; but for blobs most of whose chunks are also in such as come before.
    pub(super) fn reads(&self) -> &[Read] {
        &self.reads
    }

    fn add(&mut self, id: RecordId) -> usize {
        let place = self.records.len();
        *self.records.entry(id).or_insert(place)
    }

    /// Adds what a blob is made of; returns the places of its chunks, and how many of them are new.
    fn add_parts(&mut self, parts: Vec<RecordId>) -> (Vec<usize>, usize) {
        let known = self.records.len();
        let places = parts.into_iter().filter_map(|part| {
            let place = self.add(part);
            (part.kind == Kind::Chunk).then_some(place)
        });
        let chunks: Vec<usize> = places.collect();
        let new = chunks.iter().filter(|place| **place >= known).count();
        (chunks, new)
    }

    /// The packs out of which a record may be used.
    pub(super) fn places(&self, catalog: &Catalog, id: &RecordId) -> impl Iterator<Item = PackId> {
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

/// The records that blobs are made of, manifests included, as far as these are in `sound` packs; those of
/// live blobs come first.
///
/// # Errors
/// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a blob's manifest or list cannot be read: what
/// it is made of cannot be told from what nobody needs.
pub(super) async fn records(
    catalog: &Catalog,
    marked: Marked,
    sound: impl Fn(PackId) -> bool + Send + Sync,
) -> Result<Needed> {
    let mut needed = Needed::default();
    let mut made = catalog.made(marked.blobs.clone(), sound).await?;
    let live = marked.live.into_iter().map(|digest| (digest, true));
    let rest = marked.blobs.into_iter().map(|digest| (digest, false));
    for (digest, is_live) in live.chain(rest) {
        let Some(made) = made.remove(&digest) else {
            continue;
        };
        let made = made.map_err(|error| error.context("blob", digest))?;
        let manifest = RecordId::manifest(&digest);
        needed.add(manifest);
        let (chunks, new) = needed.add_parts(made.parts);
        if is_live && chunks.len() > 1 && new * 2 >= chunks.len() {
            let is_newest = new == chunks.len();
            needed.reads.push(Read {
                places: chunks,
                times: if is_newest { NEWEST_TIMES } else { 1 },
            });
        }
        needed.manifests.insert(manifest, made.packs);
    }
    Ok(needed)
}
