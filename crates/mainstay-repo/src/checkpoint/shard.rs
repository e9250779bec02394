//! The format of a shard, and how the state is cut into shards.

use std::iter::Peekable;

use bytes::Bytes;
use mainstay_core::{Digest, Error, Result, canon};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::root::{Root, Slice};
use super::shard_key;
use crate::seal::{self, Format};

/// The largest stored shard in bytes: one item may be as large as a log entry allows.
pub(crate) const MAX_SHARD_BYTES: u64 = 32 << 20;
/// A shard ends after so many items at the latest.
const MAX_ITEMS: u64 = 1_024;
/// A shard ends before an item that would make it larger than this.
const SHARD_BYTES: usize = 1 << 20;

/// A shard as it is stored, under the digest of its bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shard<T> {
    #[serde(rename = "format")]
    _format: Format,
    items: Vec<T>,
}

const OPENING: &[u8] = br#"{"format":1,"items":["#;
const CLOSING: &[u8] = b"]}";

/// Cuts sorted items into shards.
///
/// A cut depends on what lies between it and the cut before, not on the whole, so a change in one
/// place leaves the shards elsewhere as they were.
pub(crate) fn cut<T: Item + Serialize>(
    items: impl Iterator<Item = T>,
) -> impl Iterator<Item = Result<(Slice, Bytes)>> {
    let encoded = items.map(|item| Ok((item.id().to_owned(), canon::to_vec(&item)?)));
    let mut encoded = encoded.peekable();
    std::iter::from_fn(move || next_shard(&mut encoded).transpose())
}

fn next_shard(
    items: &mut Peekable<impl Iterator<Item = Result<(String, Vec<u8>)>>>,
) -> Result<Option<(Slice, Bytes)>> {
    let Some((first, encoded)) = items.next().transpose()? else {
        return Ok(None);
    };
    let mut ended = ends_shard(&first);
    let mut count = 1;
    let mut bytes = [OPENING, &encoded].concat();
    while !ended && count < MAX_ITEMS {
        let fits = |item: &Result<(String, Vec<u8>)>| {
            (item.as_ref()).is_ok_and(|(_, encoded)| bytes.len() + encoded.len() < SHARD_BYTES)
        };
        let Some((id, encoded)) = items.next_if(fits).transpose()? else {
            break;
        };
        ended = ends_shard(&id);
        count += 1;
        bytes.push(b',');
        bytes.extend_from_slice(&encoded);
    }
    bytes.extend_from_slice(CLOSING);
    let slice = Slice {
        digest: Digest::of(&bytes),
        first,
        count,
    };
    Ok(Some((slice, bytes.into())))
}

/// One item in 256 ends its shard, whatever stands around it.
fn ends_shard(id: &str) -> bool {
    Digest::of(id.as_bytes()).as_bytes()[0] == 0
}

/// Decodes the shard that `slice` of `root` names.
///
/// # Errors
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the bytes are not those that were
/// written.
pub(crate) fn decode<T: Item + DeserializeOwned>(
    root: &Root,
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
            .context("checkpoint", root.seq));
    }
    for item in &items {
        item.check(root).map_err(|cause| {
            Error::corrupt(&object, "item breaks a rule of the state")
                .context("item", item.id())
                .with_source(cause)
        })?;
    }
    Ok(items)
}
