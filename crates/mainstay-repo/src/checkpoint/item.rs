//! The items of shards.

use std::borrow::Cow;
use std::fmt;

use mainstay_core::{Digest, Error, RefPath, Result, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::root::{Anchor, Root, Slice};
use crate::log::entry::{Logged, check_idempotency_key};
use crate::view::KeyUse;
use crate::{RefState, Value};

/// What shards are made of.
pub(crate) trait Item {
    /// What the items are cut by.
    fn id(&self) -> &str;
    /// The entry that changed the item last.
    fn seq(&self) -> u64;
    /// Checks the item by itself and against the checkpoint it belongs to.
    fn check(&self, anchor: &Anchor) -> Result<()>;
}

/// Items as they are held in memory.
pub(crate) trait Held: Item + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    type Key: Ord + Clone + fmt::Debug + Send + Sync;
    type State: fmt::Debug + Send + Sync;

    fn into_held(self) -> (Self::Key, Self::State);
    /// Reads a key as roots spell it.
    fn key_of(text: &str) -> Result<Self::Key>;
    /// The entry that changed the item last, and its time.
    fn moment(state: &Self::State) -> (u64, Timestamp);
    /// The slices of the layer that holds such items.
    fn slices(root: &Root) -> &[Slice];
    /// What a transaction of entry `seq` makes of the layer.
    fn changed(logged: Logged, seq: u64, time: Timestamp) -> Vec<(Self::Key, Self::State)>;
}

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

impl Item for RefItem<'_> {
    fn id(&self) -> &str {
        self.path.as_str()
    }

    fn seq(&self) -> u64 {
        self.seq
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

    fn seq(&self) -> u64 {
        self.seq
    }

    fn check(&self, anchor: &Anchor) -> Result<()> {
        check_idempotency_key(&self.key)?;
        check_moment(self.seq, self.time, anchor)
    }
}

impl Held for RefItem<'static> {
    type Key = RefPath;
    type State = RefState;

    fn into_held(self) -> (RefPath, RefState) {
        let state = RefState {
            value: self.value.into_owned(),
            generation: self.generation,
            seq: self.seq,
            time: self.time,
        };
        (self.path.into_owned(), state)
    }

    fn key_of(text: &str) -> Result<RefPath> {
        text.parse()
    }

    fn moment(state: &RefState) -> (u64, Timestamp) {
        (state.seq, state.time)
    }

    fn slices(root: &Root) -> &[Slice] {
        &root.refs
    }

    fn changed(logged: Logged, seq: u64, time: Timestamp) -> Vec<(RefPath, RefState)> {
        let changes = logged.changes.into_iter();
        changes.map(|change| change.into_state(seq, time)).collect()
    }
}

impl Held for KeyItem<'static> {
    type Key = String;
    type State = KeyUse;

    fn into_held(self) -> (String, KeyUse) {
        let used = KeyUse {
            request: self.request,
            seq: self.seq,
            time: self.time,
        };
        (self.key.into_owned(), used)
    }

    fn key_of(text: &str) -> Result<String> {
        Ok(text.to_owned())
    }

    fn moment(used: &KeyUse) -> (u64, Timestamp) {
        (used.seq, used.time)
    }

    fn slices(root: &Root) -> &[Slice] {
        &root.keys
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
