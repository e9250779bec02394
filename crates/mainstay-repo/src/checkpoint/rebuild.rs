//! Making the items of a damaged shard again.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, Result};
use mainstay_store::Storage;

use super::find::{last_number_at_most, newest_at_most};
use super::item::Held;
use super::load::{self, is_damage};
use super::root::{Anchor, Root};
use super::root_key;
use crate::View;
use crate::log::entry;
use crate::log::read::{self, READ_AHEAD};
use crate::view::{Covered, Source};

/// Makes the view of the entry that a checkpoint is of again, from an older one and the log; `None` when
/// that is damaged. A checkpoint that was deleted lacks many shards: so the log is read once for all.
pub(crate) async fn view(source: &Arc<Source>, anchor: &Anchor) -> Result<Option<View>> {
    let made = async {
        let older = newest_at_most(source, anchor.seq - 1).await?;
        read::catch_up(&*source.storage, older, anchor.seq, READ_AHEAD).await
    };
    match made.await {
        Ok(view) => Ok(Some(view).filter(|view| view.entry == Some(anchor.entry))),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the items with keys in `covered` out of a view; `None` when a shard that holds some is damaged.
pub(crate) async fn items_in<T: Held>(
    storage: &dyn Storage,
    view: &View,
    covered: &Covered<T>,
) -> Result<Option<Vec<(T::Key, T::State)>>> {
    let slots = T::layer(&view.base).slots();
    let mut items = BTreeMap::new();
    if let Some(anchor) = view.base.anchor() {
        for (at, slot) in slots.iter().enumerate() {
            let next = slots.get(at + 1).map(|slot| &slot.first);
            if !covered.overlaps(&slot.first, next) {
                continue;
            }
            match load::shard::<T>(storage, &anchor, &slot.slice).await {
                Ok(read) => items.extend(read.into_iter().filter(|(key, _)| covered.holds(key))),
                Err(error) if is_damage(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
    let changed = T::changes(view).filter(|(key, _)| covered.holds(key));
    items.extend(changed.map(|(key, state)| (key.clone(), state.clone())));
    Ok(Some(items.into_iter().collect()))
}

/// Makes the items with keys in `covered` as of `anchor`: those of the newest older checkpoint that
/// holds them soundly, or none, and what the log then made of them.
///
/// # Errors
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the log is damaged as well.
pub(crate) async fn items<T: Held>(
    storage: &dyn Storage,
    anchor: &Anchor,
    covered: &Covered<T>,
) -> Result<Vec<(T::Key, T::State)>> {
    let (mut seq, mut digest, mut items) = match sound_before(storage, anchor.seq, covered).await? {
        Some((older, items)) => (older.seq, Some(older.entry), items),
        None => (0, None, BTreeMap::new()),
    };
    let mut entries = stream::iter(seq + 1..=anchor.seq)
        .map(|seq| read::read_existing(storage, seq))
        .buffered(READ_AHEAD);
    while let Some(stored) = entries.try_next().await? {
        let next = stored.entry;
        if next.prev != digest {
            let why = "the hash chain of the log is broken here";
            return Err(Error::corrupt(entry::key(next.seq), why));
        }
        (seq, digest) = (next.seq, Some(stored.digest));
        for logged in next.transactions {
            let changed = T::changed(logged, next.seq, next.time);
            items.extend(changed.into_iter().filter(|(key, _)| covered.holds(key)));
        }
    }
    if digest == Some(anchor.entry) {
        Ok(items.into_iter().collect())
    } else {
        let why = "checkpoint is of another log entry than the one stored";
        Err(Error::corrupt(root_key(seq), why))
    }
}

type Sound<T> = (Anchor, BTreeMap<<T as Held>::Key, <T as Held>::State>);

/// The newest checkpoint before entry `seq` that holds the items soundly, and the items.
async fn sound_before<T: Held>(
    storage: &dyn Storage,
    mut seq: u64,
    covered: &Covered<T>,
) -> Result<Option<Sound<T>>> {
    let mut damaged = Vec::new();
    while let Some(number) = last_number_at_most(storage, seq - 1).await? {
        seq = number;
        let found = match load::root(storage, number).await {
            Ok(root) => {
                let anchor = root.anchor();
                let items = overlapping(storage, &root, covered, &mut damaged).await;
                items.map(|items| (anchor, items))
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => return Ok(Some(found)),
            Err(error) if is_damage(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Reads the shards of `root` that may hold the items. Those that are damaged are noted, as many
/// checkpoints may name them.
async fn overlapping<T: Held>(
    storage: &dyn Storage,
    root: &Root,
    covered: &Covered<T>,
    damaged: &mut Vec<Digest>,
) -> Result<BTreeMap<T::Key, T::State>> {
    let Some(slices) = T::slices(root) else {
        let why = "written by a version that did not keep this part of the state";
        return Err(Error::corrupt(root_key(root.seq), why));
    };
    let firsts = slices.iter().map(|slice| T::key_of(&slice.first));
    let firsts: Vec<T::Key> = firsts.collect::<Result<_>>()?;
    let mut items = BTreeMap::new();
    for (at, slice) in slices.iter().enumerate() {
        if !covered.overlaps(&firsts[at], firsts.get(at + 1)) {
            continue;
        }
        let read = if damaged.contains(&slice.digest) {
            Err(Error::corrupt(slice.digest, "damaged shard"))
        } else {
            load::shard::<T>(storage, &root.anchor(), slice).await
        };
        match read {
            Ok(read) => items.extend(read.into_iter().filter(|(key, _)| covered.holds(key))),
            Err(error) => {
                damaged.push(slice.digest);
                return Err(error);
            }
        }
    }
    Ok(items)
}
