//! Writing a checkpoint: shards first, then the root that names them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

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
use super::shard::{Earlier, cut};
use super::{root_key, shard_key};
use crate::View;
use crate::repo::Inner;
use crate::seal::Format;

/// How many shards are written at once.
const WRITES: usize = 8;

/// The newest checkpoint that this handle or a clone has written, and what is to be written next.
#[derive(Debug, Default)]
pub(crate) struct LastWritten {
    last: Mutex<Option<Arc<Root>>>,
    due: Mutex<Option<View>>,
}

impl LastWritten {
    /// Takes note of a view that was committed.
    pub(crate) fn committed(&self, view: &View, every: u64) {
        if view.seq.is_multiple_of(every) {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            *due = Some(view.clone());
        }
    }

    fn take_due(&self) -> Option<View> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.take()
    }

    fn before(&self, seq: u64) -> Option<Arc<Root>> {
        let root = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        root.clone().filter(|root| root.seq < seq)
    }

    fn set(&self, root: Root) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|last| last.seq < root.seq) {
            *last = Some(Arc::new(root));
        }
    }
}

/// Writes the checkpoint that is due, if any. Never fails: the commits stand, and the next
/// checkpoint makes up for this one.
pub(crate) async fn write_due(inner: &Inner) {
    let Some(view) = inner.last_checkpoint.take_due() else {
        return;
    };
    // Boxed, as it is seldom needed and would make every commit's future large.
    match write(&*inner.storage, &inner.last_checkpoint, &view)
        .boxed()
        .await
    {
        Ok(()) => debug!(seq = view.seq, "checkpoint written"),
        Err(error) => warn!(seq = view.seq, %error, "checkpoint not written"),
    }
}

async fn write(storage: &dyn Storage, last: &LastWritten, view: &View) -> Result<()> {
    let Some(entry) = view.entry else {
        return Ok(());
    };
    view.read(|view| {
        view.states_below("").map(drop)?;
        view.all_keys().map(drop)
    })
    .await?;
    let own = last.before(view.seq);
    let (refs, keys) = own.as_deref().map(earlier).unwrap_or_default();
    let stored = match &own {
        Some(root) => named(root),
        None => named_before(storage, view.seq).await?,
    };
    let root = Root {
        format: Format,
        seq: view.seq,
        entry,
        time: view.time,
        refs: write_shards(storage, &stored, ref_shards(view, &refs)?).await?,
        keys: write_shards(storage, &stored, key_shards(view, &keys)?).await?,
    };
    // Exists: another process was first, with the same bytes.
    let created = storage.create(&root_key(view.seq), root.encode()?).await;
    created.map(drop)?;
    last.set(root);
    Ok(())
}

fn earlier(root: &Root) -> (Earlier<'_>, Earlier<'_>) {
    (
        Earlier::new(root.seq, &root.refs),
        Earlier::new(root.seq, &root.keys),
    )
}

fn named(root: &Root) -> BTreeSet<Digest> {
    root.slices().map(|slice| slice.digest).collect()
}

/// The shards of the checkpoint before, whoever wrote it.
async fn named_before(storage: &dyn Storage, seq: u64) -> Result<BTreeSet<Digest>> {
    let Some(before) = last_number_at_most(storage, seq - 1).await? else {
        return Ok(BTreeSet::new());
    };
    match load::root(storage, before).await {
        Ok(root) => Ok(named(&root)),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

type Shards<'a> = BoxStream<'a, Result<(Slice, Option<Bytes>)>>;

fn ref_shards<'a>(view: &'a View, earlier: &'a Earlier<'a>) -> Result<Shards<'a>> {
    let items = view.states_below("")?;
    let items = items.map(|(path, state)| RefItem::new(path, state));
    Ok(stream::iter(cut(items.collect(), earlier)).boxed())
}

fn key_shards<'a>(view: &'a View, earlier: &'a Earlier<'a>) -> Result<Shards<'a>> {
    let items = view.all_keys()?;
    let items = items.map(|(key, used)| KeyItem::new(key, used));
    Ok(stream::iter(cut(items.collect(), earlier)).boxed())
}

/// Stores the shards that are not in `stored`; returns what names them all.
async fn write_shards(
    storage: &dyn Storage,
    stored: &BTreeSet<Digest>,
    shards: Shards<'_>,
) -> Result<Vec<Slice>> {
    let write = |(slice, bytes): (Slice, Option<Bytes>)| async move {
        if let Some(bytes) = bytes
            && !stored.contains(&slice.digest)
        {
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
