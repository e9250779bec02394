//! One layer of a checkpoint: its refs or its keys, in shards that load on demand.

use std::sync::Arc;

use mainstay_core::{Error, RefPath, Result};
use tokio::sync::OnceCell;

use super::scan::Scope;
use super::shard::Shard;
use crate::RefState;
use crate::checkpoint::item::{Held, Refs};
use crate::checkpoint::recut::Piece;
use crate::checkpoint::root::{Anchor, Slice};
use crate::checkpoint::shard_key;

/// Where a shard goes in its layer.
#[derive(Debug)]
pub(crate) struct Slot<T: Held> {
    pub(crate) slice: Slice,
    pub(crate) first: T::Key,
    shard: OnceCell<Arc<Shard<T>>>,
}

impl<T: Held> Slot<T> {
    /// The shard, if it is in memory.
    pub(crate) fn shard(&self) -> Option<&Arc<Shard<T>>> {
        self.shard.get()
    }
}

/// The slots of a checkpoint, in order.
#[derive(Debug)]
pub(crate) struct Layer<T: Held>(Vec<Slot<T>>);

impl<T: Held> Layer<T> {
    pub(super) fn empty() -> Self {
        Self(Vec::new())
    }

    /// Makes an empty slot for each slice.
    pub(super) fn new(slices: Vec<Slice>) -> Result<Self> {
        let slots = slices.into_iter().map(|slice| {
            Ok(Slot {
                first: T::key_of(&slice.first)?,
                shard: OnceCell::new(),
                slice,
            })
        });
        slots.collect::<Result<_>>().map(Self)
    }

    /// Makes a slot for each piece, with its shard if that is in memory.
    pub(crate) fn of_pieces(pieces: Vec<Piece<T>>) -> Self {
        let slots = pieces.into_iter().map(|piece| Slot {
            slice: piece.slice,
            first: piece.first,
            shard: OnceCell::new_with(piece.shard),
        });
        Self(slots.collect())
    }

    pub(crate) fn slots(&self) -> &[Slot<T>] {
        &self.0
    }

    /// Finds an item; an error names the slot that is not in memory.
    pub(super) fn get(&self, key: &T::Key) -> Result<Option<&T::State>, usize> {
        let after = self.0.partition_point(|slot| slot.first <= *key);
        let Some(at) = after.checked_sub(1) else {
            return Ok(None);
        };
        let shard = self.0[at].shard.get().ok_or(at)?;
        Ok(shard.get(key))
    }

    /// The range of keys that slot `at` covers: from its first to the first of the next. The first
    /// slot covers what comes before it, too.
    pub(crate) fn range(&self, at: usize) -> Covered<T> {
        Covered {
            from: (at > 0).then(|| self.0[at].first.clone()),
            to: self.0.get(at + 1).map(|next| next.first.clone()),
        }
    }

    /// Checks that `shard` is what slot `at` of a checkpoint of `anchor` may hold.
    pub(super) fn check(&self, at: usize, shard: &Shard<T>, anchor: &Anchor) -> Result<()> {
        let slot = &self.0[at];
        let covered = self.range(at);
        let fits = shard.items().len() as u64 == slot.slice.count
            && shard.items().first().map(|(key, _)| key) == Some(&slot.first)
            && shard
                .items()
                .last()
                .is_some_and(|(key, _)| covered.holds(key))
            && shard.items().is_sorted_by(|(a, _), (b, _)| a < b)
            && shard.latest().0 <= anchor.seq
            && shard.latest().1 <= anchor.time;
        if fits {
            Ok(())
        } else {
            let why = "not what the checkpoint says of it";
            Err(Error::corrupt(shard_key(&slot.slice.digest), why)
                .context("checkpoint", anchor.seq))
        }
    }

    pub(super) fn cell(&self, at: usize) -> Option<(&Slice, &OnceCell<Arc<Shard<T>>>)> {
        self.0.get(at).map(|slot| (&slot.slice, &slot.shard))
    }

    pub(super) fn loaded(&self) -> usize {
        self.0
            .iter()
            .filter(|slot| slot.shard.initialized())
            .count()
    }
}

impl<T: Held> Layer<T> {
    /// Iterates over the items of a range, given what comes before it and what it holds; an error names
    /// the slots that are not in memory.
    pub(crate) fn scan<'v, B, H>(
        &'v self,
        is_before: B,
        holds: H,
    ) -> Result<impl Iterator<Item = (&'v T::Key, &'v T::State)> + use<'v, T, B, H>, Vec<usize>>
    where
        B: Fn(&T::Key) -> bool + 'v,
        H: Fn(&T::Key) -> bool + 'v,
    {
        let begins = |slot: &Slot<T>| is_before(&slot.first);
        let start = self.0.partition_point(begins).saturating_sub(1);
        let overlaps = |slot: &&Slot<T>| begins(slot) || holds(&slot.first);
        let slots: Vec<_> = self.0[start..].iter().take_while(overlaps).collect();
        let missing = slots.iter().zip(start..);
        let missing: Vec<usize> = missing
            .filter(|(slot, _)| !slot.shard.initialized())
            .map(|(_, at)| at)
            .collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let shards = slots.into_iter().filter_map(|slot| slot.shard.get());
        let items = shards.flat_map(move |shard| {
            let begin = shard.items().partition_point(|(key, _)| is_before(key));
            &shard.items()[begin..]
        });
        Ok(items
            .map(|(key, state)| (key, state))
            .take_while(move |(key, _)| holds(key)))
    }
}

impl Layer<Refs> {
    /// Iterates over the refs of a scope; an error names the slots that are not in memory.
    pub(super) fn below<'v>(
        &'v self,
        scope: &Scope,
    ) -> Result<impl Iterator<Item = (&'v RefPath, &'v RefState)> + use<'v>, Vec<usize>> {
        let (from, scope) = (scope.clone(), scope.clone());
        self.scan(
            move |path: &RefPath| from.is_after(path),
            move |path: &RefPath| scope.holds(path),
        )
    }
}

/// The keys that one shard covers.
#[derive(Debug)]
pub(crate) struct Covered<T: Held> {
    from: Option<T::Key>,
    to: Option<T::Key>,
}

impl<T: Held> Covered<T> {
    pub(crate) fn holds(&self, key: &T::Key) -> bool {
        self.from.as_ref().is_none_or(|from| from <= key)
            && self.to.as_ref().is_none_or(|to| key < to)
    }

    /// Whether a shard that begins with `first`, before one that begins with `next`, may hold some.
    pub(crate) fn overlaps(&self, first: &T::Key, next: Option<&T::Key>) -> bool {
        let ends_before = next.zip(self.from.as_ref());
        self.to.as_ref().is_none_or(|to| first < to)
            && ends_before.is_none_or(|(next, from)| next > from)
    }
}
