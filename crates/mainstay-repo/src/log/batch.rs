//! An entry in the making: the transactions of this process that are committed together.

use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Digest, Error, Result};
use tokio::sync::watch;

use super::append::{Holder, append};
use super::entry::{Entry, Logged, MAX_CHANGES, MAX_ENTRY_BYTES};
use crate::backoff::back_off;
use crate::repo::Inner;
use crate::seal::Format;
use crate::{View, checkpoint, gc};

/// The most transactions in one entry: so many callers at most share one fate.
const MAX_TRANSACTIONS: usize = 1_024;

/// What became of an entry.
#[derive(Debug, Clone)]
pub(super) enum Landing {
    /// It is in the log; the view after it.
    Committed(View),
    /// Another process's entry has the number.
    Lost,
    /// It is not in the log, or nobody can tell.
    Failed(Error),
}

/// Transactions that will be one entry, each planned on the view as the ones before it leave it.
#[derive(Debug)]
pub(super) struct Batch {
    entry: Entry,
    /// The view after these transactions, as if they were the whole entry.
    view: View,
    /// No less than the entry takes once it is encoded.
    bytes: u64,
    changes: usize,
    /// No other may follow.
    closed: bool,
    /// The entry of the first transaction alone.
    single: Bytes,
    /// What is written; once it is there the entry may be in the log and stays what it is.
    begun: Option<(Bytes, Digest)>,
    landing: watch::Sender<Option<Landing>>,
}

impl Batch {
    /// Begins the entry that follows `base` with a transaction.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when it cannot be an entry.
    pub(super) fn open(inner: &Inner, base: &View, first: Logged) -> Result<Self> {
        let entry = Entry {
            format: Format,
            seq: base.seq + 1,
            prev: base.entry,
            time: inner.options.clock.now().max(base.time),
            write_id: inner.options.ids.write_id()?,
            transactions: Vec::new(),
        };
        let view = base.begin(entry.time);
        let (first, single) = alone(&entry, first)?;
        let mut batch = Self {
            entry,
            view,
            bytes: 0,
            changes: 0,
            closed: false,
            single,
            begun: None,
            landing: watch::Sender::new(None),
        };
        batch.push(first, batch.single.len())?;
        Ok(batch)
    }

    /// Adds a transaction that was planned on [`view`](Self::view); gives it back when there is no
    /// room.
    ///
    /// # Errors
    /// As [`open`](Self::open); the others are not concerned.
    pub(super) fn join(&mut self, next: Logged) -> Result<Option<Logged>> {
        let room = !self.closed
            && self.begun.is_none()
            && self.entry.transactions.len() < MAX_TRANSACTIONS
            && self.changes + next.changes.len() <= MAX_CHANGES;
        if !room {
            return Ok(Some(next));
        }
        let (next, bytes) = alone(&self.entry, next)?;
        if self.bytes + bytes.len() as u64 > MAX_ENTRY_BYTES {
            return Ok(Some(next));
        }
        self.push(next, bytes.len())?;
        Ok(None)
    }

    fn push(&mut self, next: Logged, bytes: usize) -> Result<()> {
        let mut view = self.view.clone();
        view.apply_transaction(next.clone())?;
        self.view = view;
        self.bytes += bytes as u64;
        self.changes += next.changes.len();
        self.closed = closes(&next);
        self.entry.transactions.push(next);
        Ok(())
    }

    /// The view that the next transaction is planned on.
    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Whether nothing more may come into the entry.
    pub(super) fn is_closed(&self) -> bool {
        self.closed || self.begun.is_some()
    }

    /// Lets a caller know what becomes of the entry.
    pub(super) fn join_waiting(&self) -> watch::Receiver<Option<Landing>> {
        self.landing.subscribe()
    }

    /// Whether every caller that had to do with it has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.landing.receiver_count() == 0
    }

    /// Tells every caller.
    pub(super) fn landed(self, landing: Landing) {
        self.landing.send_replace(Some(landing));
    }

    /// Puts the entry into the log. May be dropped and called again: the same bytes are written.
    ///
    /// `losses` is how many entries of this process lost before this one, in a row.
    pub(super) async fn append(&mut self, inner: &Arc<Inner>, losses: u32) -> Landing {
        match self.try_append(inner, losses).await {
            Ok(landing) => landing,
            Err(error) => Landing::Failed(error),
        }
    }

    async fn try_append(&mut self, inner: &Arc<Inner>, losses: u32) -> Result<Landing> {
        let (seq, write_id) = (self.entry.seq, self.entry.write_id);
        let resumed = self.begun.is_some();
        let (bytes, digest) = if let Some(begun) = &self.begun {
            begun.clone()
        } else {
            if inner.head().seq >= seq {
                return Ok(Landing::Lost);
            }
            let bytes = match self.entry.transactions[..] {
                [_] => self.single.clone(),
                _ => self.entry.encode()?,
            };
            let digest = Digest::of(&bytes);
            self.begun.insert((bytes, digest)).clone()
        };
        match append(inner, seq, write_id, &bytes, resumed).await? {
            Holder::Us => {
                let mut view = self.view.clone();
                view.entry = Some(digest);
                inner.learn(view.clone());
                checkpoint::committed(inner, &view);
                Ok(Landing::Committed(view))
            }
            Holder::Another => {
                // The whole process waits, so that its callers stay together.
                back_off(&*inner.options.timer, write_id, losses).await;
                inner.refresh().await?;
                Ok(Landing::Lost)
            }
        }
    }
}

/// Returns a transaction as readers will see it, and the bytes of the entry if it held this one alone.
///
/// What is planned on is what will be read: a value may be spelled otherwise in canonical JSON.
fn alone(entry: &Entry, transaction: Logged) -> Result<(Logged, Bytes)> {
    let single = Entry {
        transactions: vec![transaction],
        ..*entry
    };
    let bytes = single.encode()?;
    let read = Entry::decode(entry.seq, &bytes).and_then(|mut read| {
        let transaction = read.transactions.pop();
        transaction.ok_or_else(|| Error::invalid("entry without transactions"))
    });
    let read = read.map_err(|cause| {
        Error::invalid("a record would not be readable once stored").with_source(cause)
    })?;
    Ok((read, bytes))
}

/// Whether no transaction may follow in the same entry: what is condemned is told from committed
/// views alone.
fn closes(transaction: &Logged) -> bool {
    transaction
        .changes
        .iter()
        .any(|change| gc::is_own(&change.path))
}
