//! An entry in the making: the transactions of this process that are committed together.

use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Digest, Error, Result, WriteId};
use tokio::sync::watch;

use super::append::{Holder, append};
use super::draft::{Draft, Encoded};
use super::entry::Logged;
use crate::backoff::back_off;
use crate::repo::Inner;
use crate::{View, checkpoint, gc};

/// The most transactions in one entry: so many callers at most share one fate.
const MAX_TRANSACTIONS: u32 = 1_024;

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
    seq: u64,
    write_id: WriteId,
    draft: Draft,
    /// The view after these transactions, as if they were the whole entry.
    view: View,
    transactions: u32,
    /// No other may follow.
    closed: bool,
    /// What is written; once it is there the entry may be in the log and stays what it is.
    begun: Option<(Bytes, Digest)>,
    landing: watch::Sender<Option<Landing>>,
}

impl Batch {
    /// Begins the entry that follows `base` with a transaction.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when it cannot be an entry.
    pub(super) fn open(inner: &Inner, base: &View, first: &Logged) -> Result<Self> {
        let (seq, time) = (base.seq + 1, inner.options.clock.now().max(base.time));
        let write_id = inner.options.ids.write_id()?;
        let draft = Draft::new(seq, base.entry, time, write_id)?;
        let first = draft.encode(first)?;
        let mut batch = Self {
            seq,
            write_id,
            draft,
            view: base.begin(time),
            transactions: 0,
            closed: false,
            begun: None,
            landing: watch::Sender::new(None),
        };
        batch.push(first)?;
        Ok(batch)
    }

    /// Adds a transaction that was planned on [`view`](Self::view); returns whether there was room.
    ///
    /// # Errors
    /// As [`open`](Self::open); the others are not concerned.
    pub(super) fn join(&mut self, next: &Logged) -> Result<bool> {
        if self.is_closed() || self.transactions >= MAX_TRANSACTIONS {
            return Ok(false);
        }
        let next = self.draft.encode(next)?;
        let has_room = self.draft.has_room(&next);
        if has_room {
            self.push(next)?;
        }
        Ok(has_room)
    }

    fn push(&mut self, next: Encoded) -> Result<()> {
        let Encoded { logged, bytes } = next;
        let (changes, closed) = (logged.changes.len(), closes(&logged));
        let format = logged.format();
        let mut view = self.view.clone();
        view.apply_transaction(logged)?;
        self.draft.push(&bytes, changes, format);
        self.view = view;
        self.transactions += 1;
        self.closed = closed;
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
        let (seq, write_id) = (self.seq, self.write_id);
        let resumed = self.begun.is_some();
        let (bytes, digest) = if let Some(begun) = &self.begun {
            begun.clone()
        } else {
            if inner.head().seq >= seq {
                return Ok(Landing::Lost);
            }
            let bytes = self.draft.seal();
            let digest = Digest::of(&bytes);
            self.begun.insert((bytes, digest)).clone()
        };
        match append(inner, seq, write_id, &bytes, resumed).await? {
            Holder::Us => {
                let mut view = self.view.clone();
                view.entry = Some(digest);
                inner.learn(view.clone());
                inner.told.appended(self.transactions);
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

/// Whether no transaction may follow in the same entry: what is condemned is told from committed
/// views alone.
fn closes(transaction: &Logged) -> bool {
    transaction
        .changes
        .iter()
        .any(|change| gc::is_own(&change.path))
}
