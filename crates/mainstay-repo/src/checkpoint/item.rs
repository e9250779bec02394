//! The items of shards.

use std::borrow::Cow;

use mainstay_core::{Digest, Error, RefPath, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::root::Root;
use crate::log::entry::check_idempotency_key;
use crate::view::KeyUse;
use crate::{RefState, Value};

/// What shards are made of.
pub(crate) trait Item {
    /// What the items are cut by.
    fn id(&self) -> &str;
    /// The entry that changed the item last.
    fn seq(&self) -> u64;
    /// Checks the item by itself and against the root it belongs to.
    fn check(&self, root: &Root) -> Result<()>;
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

    pub(crate) fn into_state(self) -> (RefPath, RefState) {
        let state = RefState {
            value: self.value.into_owned(),
            generation: self.generation,
            seq: self.seq,
            time: self.time,
        };
        (self.path.into_owned(), state)
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

    pub(crate) fn into_use(self) -> (String, KeyUse) {
        let used = KeyUse {
            request: self.request,
            seq: self.seq,
            time: self.time,
        };
        (self.key.into_owned(), used)
    }
}

impl Item for RefItem<'_> {
    fn id(&self) -> &str {
        self.path.as_str()
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn check(&self, root: &Root) -> Result<()> {
        if self.generation == 0 {
            return Err(Error::invalid("generations begin with 1"));
        }
        if let Some(value) = &*self.value {
            value.check()?;
        }
        check_moment(self.seq, self.time, root)
    }
}

impl Item for KeyItem<'_> {
    fn id(&self) -> &str {
        &self.key
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn check(&self, root: &Root) -> Result<()> {
        check_idempotency_key(&self.key)?;
        check_moment(self.seq, self.time, root)
    }
}

fn check_moment(seq: u64, time: Timestamp, root: &Root) -> Result<()> {
    if (1..=root.seq).contains(&seq) && time <= root.time {
        Ok(())
    } else {
        Err(Error::invalid("changed after the checkpoint"))
    }
}
