//! Walks along the log: forwards, backwards, and along one ref.

use std::sync::Arc;

use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Actor, Error, RefPath, Result, Timestamp};

use super::entry::{self, LoggedChange};
use super::read::{self, READ_AHEAD, Stored};
use crate::repo::Inner;
use crate::{LogEntry, RefChange};

/// Walks the changes of a ref, newest first.
pub(crate) fn history(inner: Arc<Inner>, path: RefPath) -> BoxStream<'static, Result<RefChange>> {
    let walk = async move {
        let view = inner.refresh().await?;
        let start = view.state(&path).map(|state| (state.seq, state.generation));
        Ok::<_, Error>(stream::try_unfold(start, move |next| {
            let (inner, path) = (Arc::clone(&inner), path.clone());
            async move {
                let Some((seq, generation)) = next else {
                    return Ok(None);
                };
                let change = find_change(&inner, &path, seq, generation).await?;
                let before = change.previous.map(|previous| (previous, generation - 1));
                Ok(Some((change, before)))
            }
        }))
    };
    stream::once(walk).try_flatten().boxed()
}

/// Finds in entry `seq` the change that gave the ref `generation`.
async fn find_change(
    inner: &Inner,
    path: &RefPath,
    seq: u64,
    generation: u64,
) -> Result<RefChange> {
    let entry = read::read_existing(&*inner.storage, seq).await?.entry;
    for transaction in entry.transactions {
        let found = transaction
            .changes
            .into_iter()
            .find(|change| change.path == *path && change.generation == generation);
        if let Some(change) = found {
            let (actor, reason) = (transaction.actor, transaction.reason);
            return Ok(ref_change(change, seq, entry.time, actor, reason));
        }
    }
    Err(Error::corrupt(
        entry::key(seq),
        "entry lacks a change that a later one names",
    )
    .context("ref", path)
    .context("generation", generation))
}

/// Walks the log from the entry after `after` to the head.
pub(crate) fn forwards(inner: Arc<Inner>, after: u64) -> BoxStream<'static, Result<LogEntry>> {
    let walk = async move {
        let head = inner.refresh().await?;
        let entries = read_many(inner, after.saturating_add(1)..=head.seq);
        let mut before = None;
        Ok::<_, Error>(checked(entries, move |stored| {
            let follows = before.is_none_or(|digest| stored.entry.prev == Some(digest));
            before = Some(stored.digest);
            follows && (stored.entry.seq < head.seq || head.entry == before)
        }))
    };
    stream::once(walk).try_flatten().boxed()
}

/// Walks the log from the head to the first entry.
pub(crate) fn backwards(inner: Arc<Inner>) -> BoxStream<'static, Result<LogEntry>> {
    let walk = async move {
        let head = inner.refresh().await?;
        let entries = read_many(inner, (1..=head.seq).rev());
        let mut expected = head.entry;
        Ok::<_, Error>(checked(entries, move |stored| {
            let follows = expected == Some(stored.digest);
            expected = stored.entry.prev;
            follows
        }))
    };
    stream::once(walk).try_flatten().boxed()
}

fn read_many(
    inner: Arc<Inner>,
    numbers: impl Iterator<Item = u64> + Send + 'static,
) -> BoxStream<'static, Result<Stored>> {
    stream::iter(numbers)
        .map(move |seq| {
            let inner = Arc::clone(&inner);
            async move { read::read_existing(&*inner.storage, seq).await }
        })
        .buffered(READ_AHEAD)
        .boxed()
}

/// Passes on the transactions of entries while `in_chain` holds; ends at the first error.
fn checked(
    entries: BoxStream<'static, Result<Stored>>,
    in_chain: impl FnMut(&Stored) -> bool + Send + 'static,
) -> impl Stream<Item = Result<LogEntry>> + Send {
    stream::try_unfold(
        (entries, in_chain),
        |(mut entries, mut in_chain)| async move {
            match entries.try_next().await? {
                None => Ok(None),
                Some(stored) if in_chain(&stored) => Ok(Some((stored, (entries, in_chain)))),
                Some(stored) => Err(Error::corrupt(
                    entry::key(stored.entry.seq),
                    "the hash chain of the log is broken here",
                )),
            }
        },
    )
    .map_ok(|stored| stream::iter(log_entries(stored)).map(Ok))
    .try_flatten()
}

/// One [`LogEntry`] for each transaction.
fn log_entries(stored: Stored) -> Vec<LogEntry> {
    let Stored { entry, digest } = stored;
    let (seq, time) = (entry.seq, entry.time);
    entry
        .transactions
        .into_iter()
        .map(|transaction| {
            let (actor, reason) = (transaction.actor, transaction.reason);
            let changes = transaction
                .changes
                .into_iter()
                .map(|change| ref_change(change, seq, time, actor.clone(), reason.clone()))
                .collect();
            LogEntry {
                seq,
                digest,
                time,
                actor,
                reason,
                changes,
            }
        })
        .collect()
}

fn ref_change(
    change: LoggedChange,
    seq: u64,
    time: Timestamp,
    actor: Actor,
    reason: String,
) -> RefChange {
    RefChange {
        path: change.path,
        seq,
        time,
        actor,
        reason,
        generation: change.generation,
        value: change.value,
        previous: change.previous,
    }
}
