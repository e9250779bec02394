//! Reading a checkpoint.

use std::sync::Arc;

use bytes::Bytes;
use futures::future;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, Result};
use mainstay_store::Storage;
use serde::de::DeserializeOwned;

use super::item::{Item, KeyItem, RefItem};
use super::root::{MAX_ROOT_BYTES, Root, Slice};
use super::shard::{self, MAX_SHARD_BYTES};
use super::{root_key, shard_key};
use crate::log::read::{self, READ_AHEAD, Stored};
use crate::{View, seal};

/// Why a checkpoint cannot be used.
pub(crate) enum Unusable {
    /// It cannot be read.
    Checkpoint(Error),
    /// The log entry it is of is damaged, missing, or another one.
    Log(Error),
}

/// Reads the checkpoint of entry `seq` whole and checks that it is of this log.
pub(crate) async fn checkpoint(storage: &dyn Storage, seq: u64) -> Result<View, Unusable> {
    let root = root(storage, seq).await.map_err(Unusable::Checkpoint)?;
    let (anchored, view) = future::join(anchor(storage, &root), state(storage, &root)).await;
    anchored.map_err(Unusable::Log)?;
    view.map_err(Unusable::Checkpoint)
}

/// Reads a root.
pub(crate) async fn root(storage: &dyn Storage, seq: u64) -> Result<Root> {
    match seal::read(storage, &root_key(seq), MAX_ROOT_BYTES).await? {
        Some(bytes) => Root::decode(seq, &bytes),
        None => Err(Error::corrupt(root_key(seq), "checkpoint is missing")),
    }
}

/// Reads every shard of a root.
pub(crate) async fn state(storage: &dyn Storage, root: &Root) -> Result<View> {
    let mut view = View::empty();
    view.seq = root.seq;
    view.time = root.time;
    view.entry = Some(root.entry);
    let mut refs = shards(storage, root, &root.refs);
    while let Some(items) = refs.try_next().await? {
        for (path, state) in items.into_iter().map(RefItem::into_state) {
            view.refs.insert_mut(path, Arc::new(state));
        }
    }
    let mut keys = shards(storage, root, &root.keys);
    while let Some(items) = keys.try_next().await? {
        for (key, used) in items.into_iter().map(KeyItem::into_use) {
            view.keys.insert_mut(key, used);
        }
    }
    let named: u64 = root.slices().map(|slice| slice.count).sum();
    if (view.refs.size() + view.keys.size()) as u64 == named {
        Ok(view)
    } else {
        let why = "a ref or key is in two shards";
        Err(Error::corrupt(root_key(root.seq), why))
    }
}

/// Reads the bytes of a shard, unchecked but of bounded size.
pub(crate) async fn shard_bytes(storage: &dyn Storage, slice: &Slice) -> Result<Bytes> {
    let key = shard_key(&slice.digest);
    let bytes = seal::read(storage, &key, MAX_SHARD_BYTES).await?;
    bytes.ok_or_else(|| Error::corrupt(key, "shard is missing"))
}

fn shards<'a, T: Item + DeserializeOwned + Send + 'a>(
    storage: &'a dyn Storage,
    root: &'a Root,
    slices: &'a [Slice],
) -> BoxStream<'a, Result<Vec<T>>> {
    stream::iter(slices)
        .map(move |slice| async move {
            let bytes = shard_bytes(storage, slice).await?;
            shard::decode(root, slice, &bytes)
        })
        .buffered(READ_AHEAD)
        .boxed()
}

/// Checks that the log holds the entry the checkpoint is of.
async fn anchor(storage: &dyn Storage, root: &Root) -> Result<()> {
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
