//! Reading a checkpoint.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, ErrorKind, Result};
use mainstay_store::Storage;

use super::item::Held;
use super::root::{Anchor, MAX_ROOT_BYTES, Root, Slice};
use super::shard::{self, MAX_SHARD_BYTES};
use super::{root_key, shard_key};
use crate::log::read::{self, READ_AHEAD, Stored};
use crate::seal;

/// Whether a checkpoint that fails so is passed over for an older one and the log.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible)
}

/// Reads a root.
pub(crate) async fn root(storage: &dyn Storage, seq: u64) -> Result<Root> {
    let read = root_if_stored(storage, seq).await?;
    read.ok_or_else(|| Error::corrupt(root_key(seq), "checkpoint is missing"))
}

/// Reads a root that may have been deleted.
pub(crate) async fn root_if_stored(storage: &dyn Storage, seq: u64) -> Result<Option<Root>> {
    let bytes = seal::read(storage, &root_key(seq), MAX_ROOT_BYTES).await?;
    bytes.map(|bytes| Root::decode(seq, &bytes)).transpose()
}

/// Reads one shard of a checkpoint.
pub(crate) async fn shard<T: Held>(
    storage: &dyn Storage,
    anchor: &Anchor,
    slice: &Slice,
) -> Result<Vec<(T::Key, T::State)>> {
    let bytes = shard_bytes(storage, slice).await?;
    let items = shard::decode::<T::Item>(anchor, slice, &bytes)?;
    Ok(items.into_iter().map(T::held).collect())
}

/// Reads every shard of one layer of a root; none where its format has no such layer.
pub(crate) fn layer<'a, T: Held>(
    storage: &'a dyn Storage,
    root: &'a Root,
) -> BoxFuture<'a, Result<BTreeMap<T::Key, T::State>>> {
    let anchor = root.anchor();
    let read = async move {
        let slices = T::slices(root).unwrap_or_default();
        let mut shards = stream::iter(slices.to_vec())
            .map(|slice| async move { shard::<T>(storage, &anchor, &slice).await })
            .buffered(READ_AHEAD);
        let mut all = BTreeMap::new();
        while let Some(items) = shards.try_next().await? {
            all.extend(items);
        }
        let named: u64 = slices.iter().map(|slice| slice.count).sum();
        if all.len() as u64 == named {
            Ok(all)
        } else {
            let why = "an item is in two shards";
            Err(Error::corrupt(root_key(root.seq), why))
        }
    };
    read.boxed()
}

/// Checks that the log holds the entry the checkpoint is of.
pub(crate) async fn check_anchor(storage: &dyn Storage, root: &Root) -> Result<()> {
    let Some(bytes) = read::read_raw(storage, root.seq).await? else {
        return Err(read::missing(root.seq).context("checkpoint", root_key(root.seq)));
    };
    if Digest::of(&bytes) == root.entry {
        return Ok(());
    }
    // Damage of the entry explains the difference better than a checkpoint of another log.
    Stored::decode(root.seq, &bytes)?;
    Err(Error::corrupt(
        root_key(root.seq),
        "checkpoint is of another log entry than the one stored",
    ))
}

/// Reads the bytes of a shard, unchecked but of bounded size.
async fn shard_bytes(storage: &dyn Storage, slice: &Slice) -> Result<Bytes> {
    let key = shard_key(&slice.digest);
    let bytes = seal::read(storage, &key, MAX_SHARD_BYTES).await?;
    bytes.ok_or_else(|| Error::corrupt(key, "shard is missing"))
}
