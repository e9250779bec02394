//! Walks along the log: forwards, backwards, and along one ref.

use std::sync::Arc;

use futures::future;
use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Actor, Digest, Error, ErrorKind, RefPath, Result, Timestamp};

use super::entry::{self, LoggedChange};
use super::read::{self, READ_AHEAD, Stored};
use crate::repo::Inner;
use crate::{LogEntry, Position, RefChange};

/// Walks the changes of a ref, newest first.
pub(crate) fn history(inner: Arc<Inner>, path: RefPath) -> BoxStream<'static, Result<RefChange>> {
    let walk = async move {
        let view = inner.refresh().await?;
        let newest = view.read(|view| {
            let state = view.state(&path)?;
            Ok(state.map(|state| (state.seq, state.generation)))
        });
        let start = newest.await?;
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

/// Reads the transactions of one entry.
pub(crate) async fn one(inner: &Inner, seq: u64) -> Result<Vec<LogEntry>> {
    if let Some(stored) = read::read(&*inner.storage, seq).await? {
        return Ok(log_entries(stored));
    }
    let head = inner.refresh().await?;
    if (1..=head.seq).contains(&seq) {
        return Err(read::missing(seq));
    }
    let why = Error::new(ErrorKind::NotFound, "no such log entry");
    Err(why.context("seq", seq).context("head", head.seq))
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

/// Walks the log from what lies behind `after` to the head.
///
/// An entry is passed on once the next one, or the head of the view, has confirmed it.
pub(crate) fn forwards(inner: Arc<Inner>, after: Position) -> BoxStream<'static, Result<LogEntry>> {
    let walk = async move {
        let head = inner.refresh().await?;
        let mut entries = read_many(inner, after.next_seq()..=head.seq);
        let first = entries.try_next().await?;
        Ok::<_, Error>(stream::try_unfold(
            (entries, first),
            move |state| async move {
                let (mut entries, Some(entry)) = state else {
                    return Ok(None);
                };
                let next = entries.try_next().await?;
                let confirmed = next.as_ref().map_or(head.entry, |next| next.entry.prev);
                in_chain(&entry, confirmed)?;
                Ok(Some((entry, (entries, next))))
            },
        ))
    };
    transactions(stream::once(walk).try_flatten())
        .try_filter(move |entry| future::ready(after < entry.position))
        .boxed()
}

/// Walks the log from the head to the first entry.
pub(crate) fn backwards(inner: Arc<Inner>) -> BoxStream<'static, Result<LogEntry>> {
    let walk = async move {
        let head = inner.refresh().await?;
        let entries = read_many(inner, (1..=head.seq).rev());
        Ok::<_, Error>(stream::try_unfold(
            (entries, head.entry),
            |state| async move {
                let (mut entries, confirmed) = state;
                let Some(entry) = entries.try_next().await? else {
                    return Ok(None);
                };
                in_chain(&entry, confirmed)?;
                let before = entry.entry.prev;
                Ok(Some((entry, (entries, before))))
            },
        ))
    };
    transactions(stream::once(walk).try_flatten())
}

fn in_chain(stored: &Stored, confirmed: Option<Digest>) -> Result<()> {
    if confirmed == Some(stored.digest) {
        Ok(())
    } else {
        let why = "the hash chain of the log is broken after this entry";
        Err(Error::corrupt(entry::key(stored.entry.seq), why))
    }
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

fn transactions(
    entries: impl Stream<Item = Result<Stored>> + Send + 'static,
) -> BoxStream<'static, Result<LogEntry>> {
    entries
        .map_ok(|stored| stream::iter(log_entries(stored)).map(Ok))
        .try_flatten()
        .boxed()
}

/// One [`LogEntry`] for each transaction.
fn log_entries(stored: Stored) -> Vec<LogEntry> {
    let Stored { entry, digest } = stored;
    let (seq, time) = (entry.seq, entry.time);
    let count = entry.transactions.len();
    (1..)
        .zip(entry.transactions)
        .map(|(number, transaction)| {
            let (actor, reason) = (transaction.actor, transaction.reason);
            let changes = transaction
                .changes
                .into_iter()
                .map(|change| ref_change(change, seq, time, actor.clone(), reason.clone()))
                .collect();
            LogEntry {
                seq,
                position: Position::within(seq, number, count),
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
