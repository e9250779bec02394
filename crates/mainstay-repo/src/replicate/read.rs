//! Reading on in the source's log from where the target is.

use std::io;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Digest, Error, ErrorKind, RefPath, Result, Timestamp};

use super::cursor::Position;
use super::scope::Scope;
use crate::{LogEntry, RefChange, Repo, Value};

/// The most transactions of a window that are to be replicated.
const MAX_INCOMING: usize = 256;
/// The most transactions of a window in all.
const MAX_TRANSACTIONS: u64 = 4_096;
/// A window ends when its values take so many bytes.
const MAX_BYTES: u64 = 16 << 20;

/// A part of the source's log.
#[derive(Debug)]
pub(super) struct Window {
    /// What is to be replicated, in order.
    pub(super) incoming: Vec<Incoming>,
    /// Where the window ends, and the time there; `None` when there is nothing new.
    pub(super) end: Option<(Position, Timestamp)>,
    /// How many transactions it has, replicated or not.
    pub(super) transactions: u64,
    /// How many entries.
    pub(super) entries: u64,
    /// Whether it reaches to the head.
    pub(super) is_last: bool,
}

/// A transaction of the source, as far as it is selected.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The place behind it.
    pub(super) at: Position,
    pub(super) time: Timestamp,
    pub(super) actor: Actor,
    pub(super) reason: String,
    /// Not empty.
    pub(super) changes: Vec<Change>,
}

/// A change of a ref that is to be replicated.
#[derive(Debug)]
pub(super) struct Change {
    /// The ref in the source.
    pub(super) source: RefPath,
    /// The ref in the target.
    pub(super) target: RefPath,
    pub(super) generation: u64,
    pub(super) value: Option<Value>,
}

/// Reads the part of the source's log behind `from`, up to entry `head` at most.
///
/// # Errors
/// [`ErrorKind::Incompatible`] when the log is not the one that `from` is a place of.
pub(super) async fn window(
    source: &Repo,
    scope: &Scope,
    from: Option<Position>,
    head: u64,
) -> Result<Window> {
    // The entry of the place is read too: it tells whether this is still the same log.
    let mut entries = source.entries(from.map_or(0, |from| from.seq.saturating_sub(1)));
    let mut window = Window {
        incoming: Vec::new(),
        end: None,
        transactions: 0,
        entries: 0,
        is_last: false,
    };
    let (mut at, mut passed, mut bytes) = (None, 0, 0);
    while passed < MAX_TRANSACTIONS && window.incoming.len() < MAX_INCOMING && bytes < MAX_BYTES {
        let next = entries.try_next().await?;
        let Some(entry) = next.filter(|entry| entry.seq <= head) else {
            window.is_last = true;
            break;
        };
        let before: Option<Position> = at;
        let here = Position::after(before, entry.seq, entry.digest);
        at = Some(here);
        if let Some(from) = from.filter(|from| from.seq == here.seq) {
            same_log(&from, entry.digest)?;
            if here.transactions <= from.transactions {
                continue;
            }
        }
        passed += 1;
        window.entries += u64::from(before.is_none_or(|before| before.seq != here.seq));
        window.end = Some((here, entry.time));
        if let Some(incoming) = Incoming::of(entry, here, scope)? {
            bytes += incoming.bytes();
            window.incoming.push(incoming);
        }
    }
    window.transactions = passed;
    match from {
        Some(from) if at.is_none() => Err(other_log(&from, None)),
        _ => Ok(window),
    }
}

fn same_log(from: &Position, found: Digest) -> Result<()> {
    if from.entry == found {
        Ok(())
    } else {
        Err(other_log(from, Some(found)))
    }
}

fn other_log(from: &Position, found: Option<Digest>) -> Error {
    let found = found.map_or_else(|| "no such entry".to_owned(), |found| found.to_string());
    Error::new(
        ErrorKind::Incompatible,
        "the source's log is not the one that was replicated before: it was restored to an earlier \
         state and has gone on from there; replicate into another namespace",
    )
    .context("source seq", from.seq)
    .context("replicated", from.entry)
    .context("found", found)
}

impl Incoming {
    fn of(entry: LogEntry, at: Position, scope: &Scope) -> Result<Option<Self>> {
        let changes = entry.changes.into_iter();
        let changes = changes.filter_map(|change| Change::of(change, scope).transpose());
        let changes: Vec<Change> = changes.collect::<Result<_>>()?;
        Ok((!changes.is_empty()).then_some(Self {
            at,
            time: entry.time,
            actor: entry.actor,
            reason: entry.reason,
            changes,
        }))
    }

    /// About how much memory its values take.
    fn bytes(&self) -> u64 {
        let values = self
            .changes
            .iter()
            .filter_map(|change| change.value.as_ref());
        values.map(value_bytes).sum()
    }
}

impl Change {
    fn of(change: RefChange, scope: &Scope) -> Result<Option<Self>> {
        let target = scope.target_of(&change.path)?;
        Ok(target.map(|target| Self {
            source: change.path,
            target,
            generation: change.generation,
            value: change.value,
        }))
    }
}

fn value_bytes(value: &Value) -> u64 {
    struct Count(u64);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Writing to a counter cannot fail, and what was read from the log can be written as JSON.
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => MAX_BYTES,
    }
}
