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
use crate::blobs::record::RecordId;
use crate::log::{as_of, walk};
use crate::repo::Inner;
use crate::{Value, View, tree};

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

/// The blobs of every state that the refs had from `from` on.
pub(super) async fn blobs_since(
    inner: &Arc<Inner>,
    from: &View,
    telling: &Telling,
) -> Result<BTreeSet<Digest>> {
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
    named.blobs(&inner.blobs).await
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

/// The blobs that the values of a view name, those of the value that was set last first.
pub(super) async fn newest_first(view: &View) -> Result<Vec<Digest>> {
    view.read(|view| {
        let mut named: Vec<(u64, Digest)> = Vec::new();
        for (_, state) in view.below("")? {
            let blobs = state.value.iter().flat_map(|value| &value.blobs);
            named.extend(blobs.map(|blob| (state.seq, *blob)));
        }
        // Stable: the blobs of one value stay in their order.
        named.sort_by_key(|(seq, _)| Reverse(*seq));
        Ok(named.into_iter().map(|(_, blob)| blob).collect())
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

    fn add(&mut self, id: RecordId) {
        let place = self.records.len();
        self.records.entry(id).or_insert(place);
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
/// the blobs that come `first` come first.
///
/// # Errors
/// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a blob's manifest or list cannot be read: what
/// it is made of cannot be told from what nobody needs.
pub(super) async fn records(
    catalog: &Catalog,
    (blobs, first): (BTreeSet<Digest>, Vec<Digest>),
    sound: impl Fn(PackId) -> bool + Send + Sync,
) -> Result<Needed> {
    let mut needed = Needed::default();
    let mut made = catalog.made(blobs.clone(), sound).await?;
    for digest in first.into_iter().chain(blobs) {
        let Some(made) = made.remove(&digest) else {
            continue;
        };
        let made = made.map_err(|error| error.context("blob", digest))?;
        let manifest = RecordId::manifest(&digest);
        needed.add(manifest);
        made.parts.into_iter().for_each(|part| needed.add(part));
        needed.manifests.insert(manifest, made.packs);
    }
    Ok(needed)
}
