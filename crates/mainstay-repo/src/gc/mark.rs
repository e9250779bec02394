//! What is needed: the blobs that refs name, or named within the history that is kept.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Digest, Result, Telling, Timestamp};

use super::CollectOptions;
use crate::blobs::BlobStore;
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

/// The blobs that are needed.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) blobs: BTreeSet<Digest>,
    /// Those that live refs reach, in the order in which they are read: those of the value that was set last
    /// first, and what trees hold after what values name.
    pub(super) live: Vec<Digest>,
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
