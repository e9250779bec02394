//! The format of a shard, and how the state is cut into shards.

use bytes::Bytes;
use mainstay_core::{Digest, Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::item::{Held, Item};
use super::root::{Anchor, Slice};
use super::shard_key;
use crate::seal;

/// The largest stored shard in bytes: one item may be as large as a log entry allows.
pub(crate) const MAX_SHARD_BYTES: u64 = 32 << 20;
/// A shard ends after so many items at the latest.
const MAX_ITEMS: u64 = 1_024;
/// A shard ends before an item that would make it larger than this.
const SHARD_BYTES: usize = 1 << 20;

/// The newest format of shards: values in it name trees.
const FORMAT: u64 = 2;

const OPENING: &[u8] = br#"{"format":1,"items":["#;
/// As long as the other.
const OPENING_2: &[u8] = br#"{"format":2,"items":["#;
const CLOSING: &[u8] = b"]}";

/// A shard as it is stored, under the digest of its bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shard<T> {
    format: u64,
    items: Vec<T>,
}

/// A shard in the making.
///
/// A cut depends on what lies between it and the cut before, not on the whole, so a change in one
/// place leaves the shards elsewhere as they were.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    first: String,
    count: u64,
    bytes: Vec<u8>,
    format: u64,
    ended: bool,
}

impl Draft {
    /// Adds an item that takes a format, unless the shard ends before it. It must not have
    /// [ended](Self::has_ended).
    pub(crate) fn add(&mut self, id: &str, encoded: &[u8], format: u64) -> bool {
        if self.count == 0 {
            id.clone_into(&mut self.first);
            self.bytes.extend_from_slice(OPENING);
        } else if self.bytes.len() + encoded.len() >= SHARD_BYTES {
            return false;
        } else {
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(encoded);
        self.count += 1;
        self.format = self.format.max(format);
        self.ended = self.count == MAX_ITEMS || ends_shard(id);
        true
    }

    /// Reports whether the shard ends here, whatever follows.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Encodes the shard, which holds at least one item.
    pub(crate) fn finish(mut self) -> (Slice, Bytes) {
        if self.format == FORMAT {
            self.bytes[..OPENING_2.len()].copy_from_slice(OPENING_2);
        }
        self.bytes.extend_from_slice(CLOSING);
        let slice = Slice {
            digest: Digest::of(&self.bytes),
            first: self.first,
            count: self.count,
        };
        (slice, self.bytes.into())
    }
}

/// One item in 256 ends its shard, whatever stands around it.
fn ends_shard(id: &str) -> bool {
    Digest::of(id.as_bytes()).as_bytes()[0] == 0
}

/// Reads a shard that nothing says anything of; `None` when it does not hold such items.
pub(crate) fn items<T: Held>(bytes: &[u8]) -> Option<Vec<(T::Key, T::State)>> {
    let Shard { format, items }: Shard<T::Item> = serde_json::from_slice(bytes).ok()?;
    let fits = Some(format) == items.iter().map(Item::format).max();
    fits.then(|| items.into_iter().map(T::held).collect())
}

/// Decodes the shard that `slice` of the checkpoint of `anchor` names.
///
/// # Errors
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the bytes are not those that were
/// written.
pub(crate) fn decode<T: Item + DeserializeOwned>(
    anchor: &Anchor,
    slice: &Slice,
    bytes: &[u8],
) -> Result<Vec<T>> {
    let object = shard_key(&slice.digest);
    if Digest::of(bytes) != slice.digest {
        return Err(Error::corrupt(object, "content does not match its name"));
    }
    let Shard { format, items } = seal::decode_plain::<Shard<T>>(FORMAT, &object, bytes)?;
    if Some(format) != items.iter().map(Item::format).max() {
        return Err(Error::corrupt(object, "items of another format"));
    }
    let first = items.first().map(Item::id);
    if first != Some(slice.first.as_str()) || items.len() as u64 != slice.count {
        return Err(Error::corrupt(object, "not what the checkpoint says of it")
            .context("checkpoint", anchor.seq));
    }
    for item in &items {
        item.check(anchor).map_err(|cause| {
            Error::corrupt(&object, "item breaks a rule of the state")
                .context("item", item.id())
                .with_source(cause)
        })?;
    }
    Ok(items)
}
