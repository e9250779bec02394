//! The format of a shard, and how the state is cut into shards.

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstay_core::{Digest, Error, Result, canon};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::root::{Anchor, Slice};
use super::shard_key;
use crate::seal::{self, Format};

/// The largest stored shard in bytes: one item may be as large as a log entry allows.
pub(crate) const MAX_SHARD_BYTES: u64 = 32 << 20;
/// A shard ends after so many items at the latest.
const MAX_ITEMS: u64 = 1_024;
/// A shard ends before an item that would make it larger than this.
const SHARD_BYTES: usize = 1 << 20;

const OPENING: &[u8] = br#"{"format":1,"items":["#;
const CLOSING: &[u8] = b"]}";

/// A shard as it is stored, under the digest of its bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shard<T> {
    #[serde(rename = "format")]
    _format: Format,
    items: Vec<T>,
}

/// The shards of an earlier state of the same log, to take over where nothing has changed.
#[derive(Debug, Default)]
pub(crate) struct Earlier<'a> {
    seq: u64,
    by_first: BTreeMap<&'a str, &'a Slice>,
}

impl<'a> Earlier<'a> {
    /// The shards named by `slices` hold the state as of entry `seq`.
    pub(crate) fn new(seq: u64, slices: &'a [Slice]) -> Self {
        let by_first = slices.iter().map(|slice| (slice.first.as_str(), slice));
        Self {
            seq,
            by_first: by_first.collect(),
        }
    }

    /// The shard that cutting `items` gives first, if it is one of these.
    fn first_of<T: Item>(&self, items: &[T]) -> Option<&'a Slice> {
        let slice = *self.by_first.get(items.first()?.id())?;
        let count = usize::try_from(slice.count).ok()?;
        let run = items.get(..count)?;
        // Items never leave the state, so a run of unchanged ones is what the shard holds. It must
        // not have ended for the size or lack of a next item, which may be another now.
        let same = run.iter().all(|item| item.seq() <= self.seq)
            && (slice.count == MAX_ITEMS || ends_shard(run.last()?.id()));
        same.then_some(slice)
    }
}

/// Cuts sorted items into shards; those taken over from `earlier` come without bytes.
///
/// A cut depends on what lies between it and the cut before, not on the whole, so a change in one
/// place leaves the shards elsewhere as they were.
pub(crate) fn cut<T: Item + Serialize>(
    items: Vec<T>,
    earlier: &Earlier<'_>,
) -> impl Iterator<Item = Result<(Slice, Option<Bytes>)>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = items.get(at..).filter(|rest| !rest.is_empty())?;
        let shard = match earlier.first_of(rest) {
            Some(slice) => Ok((slice.clone(), None)),
            None => first_shard(rest).map(|(slice, bytes)| (slice, Some(bytes))),
        };
        at += shard.as_ref().map_or(rest.len(), |(slice, _)| {
            usize::try_from(slice.count).unwrap_or(rest.len())
        });
        Some(shard)
    })
}

/// Encodes the shard that `items` begin with.
fn first_shard<T: Item + Serialize>(items: &[T]) -> Result<(Slice, Bytes)> {
    let mut bytes = OPENING.to_vec();
    let mut count = 0;
    for item in items {
        let encoded = canon::to_vec(item)?;
        if count > 0 {
            if bytes.len() + encoded.len() >= SHARD_BYTES {
                break;
            }
            bytes.push(b',');
        }
        bytes.extend_from_slice(&encoded);
        count += 1;
        if count == MAX_ITEMS || ends_shard(item.id()) {
            break;
        }
    }
    bytes.extend_from_slice(CLOSING);
    let slice = Slice {
        digest: Digest::of(&bytes),
        first: items.first().map_or("", Item::id).to_owned(),
        count,
    };
    Ok((slice, bytes.into()))
}

/// One item in 256 ends its shard, whatever stands around it.
fn ends_shard(id: &str) -> bool {
    Digest::of(id.as_bytes()).as_bytes()[0] == 0
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
    let Shard { items, .. } = seal::decode_plain::<Shard<T>>(&object, bytes)?;
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
