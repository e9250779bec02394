//! What runs of collection have deleted, as the log keeps it.

use std::pin::Pin;
use std::sync::Arc;

use futures::stream::{self, BoxStream, Peekable, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Actor, Error, Result, Timestamp};
use serde::Serialize;

use super::state::{run_path, run_record};
use crate::RefChange;
use crate::checkpoint::swept;
use crate::log::walk;
use crate::repo::Inner;

/// What one run of collection deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CollectionReceipt {
    /// The number of the run, from 1.
    pub run: u64,
    /// The log entry of the run.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// Who collected.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The keys of the packs and index objects that were gone when it was committed and that no receipt
    /// before names, unless they came again: what it deleted, and what a run did that was cut off.
    pub deleted: Vec<String>,
    /// The entries whose checkpoints it went on to delete.
    pub checkpoints: Vec<u64>,
}

/// The changes of `gc/run`, and those of `gc/checkpoints`.
type Changes = (
    BoxStream<'static, Result<RefChange>>,
    Peekable<BoxStream<'static, Result<RefChange>>>,
);

/// Walks the receipts, newest first.
pub(crate) fn receipts(inner: Arc<Inner>) -> BoxStream<'static, Result<CollectionReceipt>> {
    let walk = async move {
        let runs = walk::history(Arc::clone(&inner), run_path()?);
        let checkpoints = walk::history(inner, swept::path()?).peekable();
        Ok::<_, Error>(stream::try_unfold((runs, checkpoints), next))
    };
    stream::once(walk).try_flatten().boxed()
}

async fn next(
    (mut runs, mut checkpoints): Changes,
) -> Result<Option<(CollectionReceipt, Changes)>> {
    while let Some(run) = runs.try_next().await? {
        let Some(value) = run.value else {
            continue;
        };
        let receipt = CollectionReceipt {
            run: run.generation,
            seq: run.seq,
            time: run.time,
            actor: run.actor,
            reason: run.reason,
            deleted: run_record(&value)?.deleted,
            checkpoints: deletes(run.seq, &mut checkpoints).await?,
        };
        return Ok(Some((receipt, (runs, checkpoints))));
    }
    Ok(None)
}

/// The checkpoints that the run of an entry went on to delete; earlier runs are left to be asked for.
async fn deletes(
    seq: u64,
    checkpoints: &mut Peekable<BoxStream<'static, Result<RefChange>>>,
) -> Result<Vec<u64>> {
    let mut checkpoints = Pin::new(checkpoints);
    let is_due =
        |change: &Result<RefChange>| change.as_ref().map_or(true, |change| change.seq >= seq);
    while let Some(change) = checkpoints.as_mut().next_if(is_due).await {
        let change = change?;
        if let (true, Some(value)) = (change.seq == seq, &change.value) {
            return Ok(swept::deletes(value)?.into_iter().collect());
        }
    }
    Ok(Vec::new())
}
