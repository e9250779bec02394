//! Why a checkpoint is kept, and what it takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_core::{Digest, Result, Timestamp};
use serde::Serialize;

use super::names::Names;
use super::{Swept, roots, shards};
use crate::checkpoint::thin;
use crate::gc::CollectOptions;
use crate::repo::Inner;

/// Why a checkpoint is kept, or that it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckpointExplanation {
    /// The log entry that it is of.
    pub checkpoint: u64,
    /// Whether it is in the storage.
    pub stored: bool,
    /// Since when it is condemned.
    pub condemned_since: Option<Timestamp>,
    /// Whether newer ones supersede it, so that it is condemned, or would be.
    pub superseded: bool,
    /// The shards that it names.
    pub shards: u64,
    /// The stored bytes of it and its shards.
    pub stored_bytes: u64,
    /// The stored bytes that go with it: its own, and those of shards that no other names.
    pub exclusive_bytes: u64,
}

/// Explains the checkpoint of an entry.
pub(crate) async fn checkpoint(
    inner: &Arc<Inner>,
    seq: u64,
    options: &CollectOptions,
) -> Result<CheckpointExplanation> {
    let view = inner.refresh().await?;
    let swept = Swept::read(&view).await?;
    let storage = &*inner.storage;
    let (roots, shards) = (roots(storage).await?, shards(storage).await?);
    let mut names = Names::new(storage);
    let mut others: BTreeSet<Digest> = BTreeSet::new();
    for root in roots.keys().filter(|root| **root != seq) {
        others.extend(names.of(*root).await?.unwrap_or_default());
    }
    let named = match roots.get(&seq) {
        Some(_) => names.of(seq).await?.unwrap_or_default(),
        None => &[],
    };
    let size = |shard: &Digest| shards.get(shard).copied().unwrap_or(0);
    let exclusive = named.iter().filter(|shard| !others.contains(*shard));
    let own = roots.get(&seq).copied().unwrap_or(0);
    let is_condemned = swept.condemns(seq);
    let standing = roots.keys().copied().filter(|root| !swept.condemns(*root));
    let chosen = thin::kept(
        &standing.collect(),
        view.seq,
        options.checkpoint_spacing_percent,
    );
    Ok(CheckpointExplanation {
        checkpoint: seq,
        stored: roots.contains_key(&seq),
        condemned_since: swept.since.filter(|_| is_condemned),
        superseded: is_condemned || roots.contains_key(&seq) && !chosen.contains(&seq),
        shards: named.len() as u64,
        stored_bytes: own + named.iter().map(size).sum::<u64>(),
        exclusive_bytes: own + exclusive.map(size).sum::<u64>(),
    })
}
