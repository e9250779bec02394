//! Cutting the state into shards again where it has changed since a checkpoint.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::Result;

use super::item::Held;
use super::root::Slice;
use super::shard::Draft;
use crate::View;
use crate::view::Shard;

/// One shard of the new state.
pub(crate) struct Piece<T: Held> {
    pub(crate) slice: Slice,
    pub(crate) first: T::Key,
    /// In memory, if it is.
    pub(crate) shard: Option<Arc<Shard<T>>>,
    /// What has to be written; `None` when it is as it was.
    pub(crate) bytes: Option<Bytes>,
    /// The object with its name may be damaged, and is to be replaced.
    pub(crate) heals: bool,
}

/// Cuts one layer of a view into the shards that cutting it as a whole would give.
///
/// A shard of the view's checkpoint stays if nothing in its range has changed, nor the item after it:
/// it ends where it did. Elsewhere the items are cut anew, up to the first cut that was one before.
/// Reads and encodes only those.
pub(crate) struct Recut<'v, T: Held> {
    view: &'v View,
    /// The shard of the checkpoint that comes next.
    at: usize,
    changes: Peekable<Changes<'v, T>>,
    /// Items that have not been cut.
    waiting: VecDeque<(T::Key, T::State)>,
    heals: bool,
}

type Changes<'v, T> =
    Box<dyn Iterator<Item = (&'v <T as Held>::Key, &'v <T as Held>::State)> + Send + 'v>;

impl<'v, T: Held> Recut<'v, T> {
    pub(crate) fn new(view: &'v View) -> Self {
        Self {
            view,
            at: 0,
            changes: T::changes(view).peekable(),
            waiting: VecDeque::new(),
            heals: false,
        }
    }

    /// Returns the next shard; `None` after the last.
    ///
    /// # Errors
    /// Those of reading a shard of the checkpoint; a damaged one is made again from the log.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece<T>>> {
        if self.waiting.is_empty() {
            self.heals = false;
            if let Some(kept) = self.keep() {
                return Ok(Some(kept));
            }
        }
        let (mut draft, mut items) = (Draft::default(), Vec::new());
        while !draft.has_ended() {
            let Some((key, state)) = self.waiting.pop_front() else {
                if self.fetch().await? {
                    continue;
                }
                break;
            };
            let encoded = T::encode(&key, &state)?;
            if !draft.add(T::id_of(&key), &encoded, T::format_of(&state)) {
                self.waiting.push_front((key, state));
                break;
            }
            items.push((key, state));
        }
        let Some((first, _)) = items.first() else {
            return Ok(None);
        };
        let (slice, bytes) = draft.finish();
        Ok(Some(Piece {
            slice,
            first: first.clone(),
            shard: Some(Arc::new(Shard::new(items))),
            bytes: Some(bytes),
            heals: self.heals,
        }))
    }

    /// Keeps the next shard of the checkpoint, if it is what comes next.
    fn keep(&mut self) -> Option<Piece<T>> {
        let layer = T::layer(&self.view.base);
        let slot = layer.slots().get(self.at)?;
        let shard = slot.shard();
        let next = layer.slots().get(self.at + 1).map(|slot| &slot.first);
        let touched = match (self.changes.peek(), next) {
            (Some((changed, _)), Some(next)) => *changed <= next,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if touched || shard.is_some_and(|shard| shard.is_rebuilt()) {
            return None;
        }
        self.at += 1;
        Some(Piece {
            slice: slot.slice.clone(),
            first: slot.first.clone(),
            shard: shard.cloned(),
            bytes: None,
            heals: false,
        })
    }

    /// Gets more items to cut; returns whether there are any.
    async fn fetch(&mut self) -> Result<bool> {
        let layer = T::layer(&self.view.base);
        let Some(slot) = layer.slots().get(self.at) else {
            let rest = self.changes.by_ref();
            self.waiting
                .extend(rest.map(|(key, state)| (key.clone(), state.clone())));
            return Ok(!self.waiting.is_empty());
        };
        self.view.base.load(T::miss(self.at)).await?;
        let covered = layer.range(self.at);
        self.at += 1;
        let Some(shard) = slot.shard() else {
            return Ok(true);
        };
        self.heals |= shard.is_rebuilt();
        for (key, state) in shard.items() {
            while let Some((new, changed)) = self.changes.next_if(|(changed, _)| *changed < key) {
                self.waiting.push_back((new.clone(), changed.clone()));
            }
            let changed = self.changes.next_if(|(changed, _)| *changed == key);
            let state = changed.map_or(state, |(_, changed)| changed);
            self.waiting.push_back((key.clone(), state.clone()));
        }
        while let Some((new, changed)) = self.changes.next_if(|(changed, _)| covered.holds(changed))
        {
            self.waiting.push_back((new.clone(), changed.clone()));
        }
        Ok(true)
    }
}
