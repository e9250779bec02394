//! Writing a checkpoint: shards first, then the root that names them.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, ErrorKind, Result};
use mainstay_store::{Storage, StorageExt as _};
use tracing::{debug, warn};

use super::find::last_number_at_most;
use super::item::{KeyItem, RefItem};
use super::load;
use super::root::{Root, Slice};
use super::shard::cut;
use super::{root_key, shard_key};
use crate::View;
use crate::repo::Inner;
use crate::seal::Format;

/// How many shards are written at once.
const WRITES: usize = 8;

/// Writes the checkpoint that is due after the commit that made `view`. Never fails: the commit
/// stands, and the next checkpoint makes up for this one.
pub(crate) async fn after_commit(inner: &Inner, view: &View) {
    if !view.seq.is_multiple_of(inner.options.checkpoint_every) {
        return;
    }
    // Boxed, as it is seldom needed and would make every commit's future large.
    match write(&*inner.storage, view).boxed().await {
        Ok(()) => debug!(seq = view.seq, "checkpoint written"),
        Err(error) => warn!(seq = view.seq, %error, "checkpoint not written"),
    }
}

async fn write(storage: &dyn Storage, view: &View) -> Result<()> {
    let Some(entry) = view.entry else {
        return Ok(());
    };
    let written = shards_before(storage, view.seq).await?;
    let root = Root {
        format: Format,
        seq: view.seq,
        entry,
        time: view.time,
        refs: write_shards(storage, &written, ref_shards(view)).await?,
        keys: write_shards(storage, &written, key_shards(view)).await?,
    };
    // Exists: another process was first, with the same bytes.
    let created = storage.create(&root_key(view.seq), root.encode()?).await;
    created.map(drop)
}

/// The shards of the checkpoint before, which need not be written again.
async fn shards_before(storage: &dyn Storage, seq: u64) -> Result<BTreeSet<Digest>> {
    let Some(before) = last_number_at_most(storage, seq - 1).await? else {
        return Ok(BTreeSet::new());
    };
    match load::root(storage, before).await {
        Ok(root) => Ok(root.slices().map(|slice| slice.digest).collect()),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

type Shards<'a> = BoxStream<'a, Result<(Slice, Bytes)>>;

fn ref_shards(view: &View) -> Shards<'_> {
    let refs = view.refs.iter();
    stream::iter(cut(refs.map(|(path, state)| RefItem::new(path, state)))).boxed()
}

fn key_shards(view: &View) -> Shards<'_> {
    let keys = view.keys.iter();
    stream::iter(cut(keys.map(|(key, used)| KeyItem::new(key, used)))).boxed()
}

/// Stores the shards that are not in `written`; returns what names them.
async fn write_shards(
    storage: &dyn Storage,
    written: &BTreeSet<Digest>,
    shards: Shards<'_>,
) -> Result<Vec<Slice>> {
    let write = |(slice, bytes): (Slice, Bytes)| async move {
        if !written.contains(&slice.digest) {
            let created = storage.create(&shard_key(&slice.digest), bytes).await;
            created.map(drop)?;
        }
        Ok(slice)
    };
    shards
        .map_ok(write)
        .try_buffered(WRITES)
        .try_collect()
        .await
}
