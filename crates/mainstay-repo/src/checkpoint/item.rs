//! The items of shards.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hash;

use mainstay_core::{Digest, Error, RefPath, Result, Timestamp, canon};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::root::{Anchor, Root, Slice};
use crate::log::entry::{Logged, check_idempotency_key};
use crate::view::{Base, KeyUse, Layer, Miss};
use crate::{RefState, Value, View};

/// What shards are made of.
pub(crate) trait Item {
    /// What the items are cut by.
    fn id(&self) -> &str;
    /// The format of a shard with it.
    fn format(&self) -> u64;
    /// Checks the item by itself and against the checkpoint it belongs to.
    fn check(&self, anchor: &Anchor) -> Result<()>;
}

/// One of the layers of the state, and its items as they are held in memory.
pub(crate) trait Held: fmt::Debug + Sized + Send + Sync + 'static {
    /// The items as they are stored.
    type Item: Item + DeserializeOwned;
    type Key: Ord + Hash + Clone + fmt::Debug + Send + Sync;
    type State: Clone + fmt::Debug + Send + Sync;

    fn held(item: Self::Item) -> (Self::Key, Self::State);
    /// Encodes an item as it is stored.
    fn encode(key: &Self::Key, state: &Self::State) -> Result<Vec<u8>>;
    /// The format of a shard with such an item.
    fn format_of(state: &Self::State) -> u64;
    /// What an item with this key is cut by.
    fn id_of(key: &Self::Key) -> &str;
    /// Reads a key as roots spell it.
    fn key_of(text: &str) -> Result<Self::Key>;
    /// The entry that changed the item last, and its time.
    fn moment(state: &Self::State) -> (u64, Timestamp);
    /// The slices of the layer that holds such items; `None` when the root is of a format without it.
    fn slices(root: &Root) -> Option<&[Slice]>;
    /// The layer of a checkpoint that holds such items.
    fn layer(base: &Base) -> &Layer<Self>;
    /// Names a shard of the layer.
    fn miss(at: usize) -> Miss;
    /// What has changed since the checkpoint that a view begins from, in order.
    fn changes(view: &View) -> Box<dyn Iterator<Item = (&Self::Key, &Self::State)> + Send + '_>;
    /// What a transaction of entry `seq` makes of the layer.
    fn changed(logged: Logged, seq: u64, time: Timestamp) -> Vec<(Self::Key, Self::State)>;
}

/// The refs.
#[derive(Debug)]
pub(crate) enum Refs {}

/// The idempotency keys.
#[derive(Debug)]
pub(crate) enum Keys {}

/// A ref, tombstones included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefItem<'a> {
    #[serde(rename = "ref")]
    path: Cow<'a, RefPath>,
    generation: u64,
    seq: u64,
    time: Timestamp,
    value: Cow<'a, Option<Value>>,
}

/// An idempotency key and what it stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyItem<'a> {
    key: Cow<'a, str>,
    request: Digest,
    seq: u64,
    time: Timestamp,
}

impl<'a> RefItem<'a> {
    pub(crate) fn new(path: &'a RefPath, state: &'a RefState) -> Self {
        Self {
            path: Cow::Borrowed(path),
            generation: state.generation,
            seq: state.seq,
            time: state.time,
            value: Cow::Borrowed(&state.value),
        }
    }
}

impl<'a> KeyItem<'a> {
    pub(crate) fn new(key: &'a str, used: &KeyUse) -> Self {
        Self {
            key: Cow::Borrowed(key),
            request: used.request,
            seq: used.seq,
            time: used.time,
        }
    }
}

/// The format of a shard with such a value.
fn format_with(value: Option<&Value>) -> u64 {
    match value {
        Some(value) if !value.trees.is_empty() => 2,
        _ => 1,
    }
}

impl Item for RefItem<'_> {
    fn id(&self) -> &str {
        self.path.as_str()
    }

    fn format(&self) -> u64 {
        format_with(self.value.as_ref().as_ref())
    }

    fn check(&self, anchor: &Anchor) -> Result<()> {
        if self.generation == 0 {
            return Err(Error::invalid("generations begin with 1"));
        }
        if let Some(value) = &*self.value {
            value.check()?;
        }
        check_moment(self.seq, self.time, anchor)
    }
}

impl Item for KeyItem<'_> {
    fn id(&self) -> &str {
        &self.key
    }

    fn format(&self) -> u64 {
        1
    }

    fn check(&self, anchor: &Anchor) -> Result<()> {
        check_idempotency_key(&self.key)?;
        check_moment(self.seq, self.time, anchor)
    }
}

impl Held for Refs {
    type Item = RefItem<'static>;
    type Key = RefPath;
    type State = RefState;

    fn held(item: RefItem<'static>) -> (RefPath, RefState) {
        let state = RefState {
            value: item.value.into_owned(),
            generation: item.generation,
            seq: item.seq,
            time: item.time,
        };
        (item.path.into_owned(), state)
    }

    fn encode(path: &RefPath, state: &RefState) -> Result<Vec<u8>> {
        canon::to_vec(&RefItem::new(path, state))
    }

    fn format_of(state: &RefState) -> u64 {
        format_with(state.value.as_ref())
    }

    fn id_of(path: &RefPath) -> &str {
        path.as_str()
    }

    fn key_of(text: &str) -> Result<RefPath> {
        text.parse()
    }

    fn moment(state: &RefState) -> (u64, Timestamp) {
        (state.seq, state.time)
    }

    fn slices(root: &Root) -> Option<&[Slice]> {
        Some(&root.refs)
    }

    fn layer(base: &Base) -> &Layer<Self> {
        &base.refs
    }

    fn miss(at: usize) -> Miss {
        Miss::Ref(at)
    }

    fn changes(view: &View) -> Box<dyn Iterator<Item = (&RefPath, &RefState)> + Send + '_> {
        Box::new(view.refs.iter().map(|(path, state)| (path, &**state)))
    }

    fn changed(logged: Logged, seq: u64, time: Timestamp) -> Vec<(RefPath, RefState)> {
        let changes = logged.changes.into_iter();
        changes.map(|change| change.into_state(seq, time)).collect()
    }
}

impl Held for Keys {
    type Item = KeyItem<'static>;
    type Key = String;
    type State = KeyUse;

    fn held(item: KeyItem<'static>) -> (String, KeyUse) {
        let used = KeyUse {
            request: item.request,
            seq: item.seq,
            time: item.time,
        };
        (item.key.into_owned(), used)
    }

    fn encode(key: &String, used: &KeyUse) -> Result<Vec<u8>> {
        canon::to_vec(&KeyItem::new(key, used))
    }

    fn format_of(_: &KeyUse) -> u64 {
        1
    }

    fn id_of(key: &String) -> &str {
        key
    }

    fn key_of(text: &str) -> Result<String> {
        Ok(text.to_owned())
    }

    fn moment(used: &KeyUse) -> (u64, Timestamp) {
        (used.seq, used.time)
    }

    fn slices(root: &Root) -> Option<&[Slice]> {
        Some(&root.keys)
    }

    fn layer(base: &Base) -> &Layer<Self> {
        &base.keys
    }

    fn miss(at: usize) -> Miss {
        Miss::Key(at)
    }

    fn changes(view: &View) -> Box<dyn Iterator<Item = (&String, &KeyUse)> + Send + '_> {
        Box::new(view.keys.iter())
    }

    fn changed(logged: Logged, seq: u64, time: Timestamp) -> Vec<(String, KeyUse)> {
        let used = logged.idempotency_key.zip(logged.request);
        used.map(|(key, request)| (key, KeyUse { request, seq, time }))
            .into_iter()
            .collect()
    }
}

fn check_moment(seq: u64, time: Timestamp, anchor: &Anchor) -> Result<()> {
    if (1..=anchor.seq).contains(&seq) && time <= anchor.time {
        Ok(())
    } else {
        Err(Error::invalid("changed after the checkpoint"))
    }
}
