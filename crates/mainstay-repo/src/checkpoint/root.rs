//! The format of a checkpoint's root; its normative page is `docs/formats/checkpoint.md`.

use bytes::Bytes;
use mainstay_core::{Digest, Error, RefPath, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::root_key;
use crate::seal;

/// The newest format of roots.
pub(crate) const FORMAT: u64 = 2;
/// The largest stored root in bytes.
pub(crate) const MAX_ROOT_BYTES: u64 = 16 << 20;

/// The root: which entry it is of, and the slices of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Root {
    pub(crate) format: u64,
    pub(crate) seq: u64,
    /// The digest of that log entry.
    pub(crate) entry: Digest,
    pub(crate) time: Timestamp,
    pub(crate) refs: Vec<Slice>,
    pub(crate) keys: Vec<Slice>,
    /// `None` in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) links: Option<Vec<Slice>>,
}

/// The log entry a checkpoint is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) seq: u64,
    pub(crate) entry: Digest,
    pub(crate) time: Timestamp,
}

/// One shard as a root names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slice {
    /// The digest of the shard's bytes.
    pub(crate) digest: Digest,
    /// The first ref, key or link in it.
    pub(crate) first: String,
    /// How many are in it.
    pub(crate) count: u64,
}

impl Slice {
    /// Stands for all of a layer that a root of an older format does not hold.
    pub(crate) fn unwritten() -> Self {
        Self {
            digest: Digest::of(b""),
            first: String::new(),
            count: 0,
        }
    }

    pub(crate) fn is_unwritten(&self) -> bool {
        self.count == 0
    }
}

impl Root {
    /// Encodes the root as it is stored.
    pub(crate) fn encode(&self) -> Result<Bytes> {
        let bytes = seal::encode(self)?;
        if bytes.len() as u64 > MAX_ROOT_BYTES {
            return Err(Error::invalid("state too large for one checkpoint root")
                .context("bytes", bytes.len()));
        }
        Ok(bytes)
    }

    /// Decodes what `checkpoint/<seq>` holds.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the bytes are not a root with
    /// that number, [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when they are
    /// of a newer format.
    pub(crate) fn decode(seq: u64, bytes: &[u8]) -> Result<Self> {
        let root: Self = seal::decode_up_to(FORMAT, &root_key(seq), bytes)?;
        if root.format != if root.links.is_some() { FORMAT } else { 1 } {
            return Err(Error::corrupt(root_key(seq), "members of another format"));
        }
        if root.seq != seq {
            let why = format!("holds the checkpoint of entry {}", root.seq);
            return Err(Error::corrupt(root_key(seq), why));
        }
        if !root.is_in_order() {
            return Err(Error::corrupt(root_key(seq), "slices out of order"));
        }
        Ok(root)
    }

    /// Reports whether the slices ascend. Then each is another shard, and reading them all reads no
    /// more than is stored.
    fn is_in_order(&self) -> bool {
        let paths = self.refs.iter().map(|slice| slice.first.parse::<RefPath>());
        let Ok(paths) = paths.collect::<Result<Vec<RefPath>>>() else {
            return false;
        };
        let ascend = |slices: &[Slice]| slices.is_sorted_by(|a, b| a.first < b.first);
        paths.is_sorted_by(|a, b| a < b)
            && ascend(&self.keys)
            && ascend(self.links.as_deref().unwrap_or_default())
    }

    /// Returns the shards that it names.
    pub(crate) fn shards(&self) -> impl Iterator<Item = Digest> {
        let slices = self.refs.iter().chain(&self.keys);
        let slices = slices.chain(self.links.as_deref().unwrap_or_default());
        slices.map(|slice| slice.digest)
    }

    /// Returns which entry it is of.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor {
            seq: self.seq,
            entry: self.entry,
            time: self.time,
        }
    }
}
