//! The commit loop; its normative description is in `docs/formats/log.md`.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Digest, Error, ErrorKind, RefPath, Result, WriteId};

use super::append::{Holder, append};
use super::entry::{Entry, Logged};
use super::plan::{Plan, plan};
use super::read::Stored;
use crate::backoff::back_off;
use crate::blobs::reliance::Unreliable;
use crate::repo::{Inner, Step};
use crate::seal::Format;
use crate::{CommitOutcome, Committed, Conflict, Transaction, View, checkpoint, gc};

/// Commits on the newest view, again and again while others commit to other refs.
pub(crate) async fn commit(inner: &Inner, transaction: &Transaction) -> Result<CommitOutcome> {
    let mut writer = Writer::new(inner)?;
    let mut lost = 0;
    while lost < inner.options.max_commit_attempts {
        let turn = inner.turn.lock().await;
        let view = inner.head();
        match writer.attempt(transaction, &view).await? {
            Attempt::Replayed(committed) => return Ok(CommitOutcome::Committed(committed)),
            Attempt::Committed(view) => {
                drop(turn);
                checkpoint::after_commit(inner, &view).await;
                return Ok(CommitOutcome::Committed(Committed::at(&view)));
            }
            Attempt::Conflict(conflict) => {
                // Only the newest view makes a conflict; this one is what the process knew.
                if inner.refresh().await?.seq == view.seq {
                    return Ok(CommitOutcome::Conflict(conflict));
                }
            }
            Attempt::Lost => {
                inner.refresh().await?;
                drop(turn);
                back_off(&*inner.options.timer, writer.write_id, lost).await;
                lost += 1;
            }
        }
    }
    Err(lost_every_race(inner))
}

/// Builds on the newest view and commits on exactly that view.
pub(crate) async fn transact<T: Send>(
    inner: &Inner,
    mut build: impl FnMut(&View) -> Result<Step<T>> + Send,
) -> Result<(Option<Committed>, T)> {
    let mut writer = Writer::new(inner)?;
    for attempt in 0..inner.options.max_commit_attempts {
        let turn = inner.turn.lock().await;
        let view = inner.refresh().await?;
        let (transaction, output) = match view.read(&mut build).await? {
            Step::Commit(transaction, output) => (transaction, output),
            Step::Done(output) => return Ok((None, output)),
        };
        match writer.attempt(&transaction, &view).await? {
            Attempt::Replayed(committed) => return Ok((Some(committed), output)),
            Attempt::Committed(view) => {
                drop(turn);
                checkpoint::after_commit(inner, &view).await;
                return Ok((Some(Committed::at(&view)), output));
            }
            Attempt::Conflict(conflict) => return Err(conflict.into_error()),
            Attempt::Lost => {}
        }
        drop(turn);
        back_off(&*inner.options.timer, writer.write_id, attempt).await;
    }
    Err(lost_every_race(inner))
}

enum Attempt {
    /// The view after the commit.
    Committed(View),
    Replayed(Committed),
    Conflict(Conflict),
    /// Another entry follows the view.
    Lost,
}

/// One call's attempts to commit.
struct Writer<'a> {
    inner: &'a Inner,
    write_id: WriteId,
    /// Blobs found already, so that repeated attempts do not look again.
    found: BTreeSet<Digest>,
    /// The run of collection they were found after.
    found_run: u64,
}

impl<'a> Writer<'a> {
    fn new(inner: &'a Inner) -> Result<Self> {
        Ok(Self {
            inner,
            write_id: inner.options.ids.write_id()?,
            found: BTreeSet::new(),
            found_run: 0,
        })
    }

    /// Tries to make `transaction` the entry that follows `view`.
    async fn attempt(&mut self, transaction: &Transaction, view: &View) -> Result<Attempt> {
        let request = transaction.validated_request()?;
        let planned = view.read(|view| plan(view, transaction, request)).await?;
        let (changes, blobs) = match planned {
            Plan::Replay(committed) => return Ok(Attempt::Replayed(committed)),
            Plan::Conflict(conflict) => return Ok(Attempt::Conflict(conflict)),
            Plan::Changes { changes, blobs } => (changes, blobs),
        };
        self.require_blobs(blobs, view).await?;
        let seq = view.seq + 1;
        let entry = Entry {
            format: Format,
            seq,
            prev: view.entry,
            time: self.inner.options.clock.now().max(view.time),
            write_id: self.write_id,
            transactions: vec![Logged {
                actor: transaction.actor.clone(),
                reason: transaction.reason.clone(),
                idempotency_key: transaction.idempotency_key.clone(),
                request,
                changes,
            }],
        };
        let bytes = entry.encode()?;
        // What is folded is what will be read: a value may be spelled otherwise in canonical JSON.
        let stored = Stored::decode(seq, &bytes).map_err(|cause| {
            Error::invalid("a record would not be readable once stored").with_source(cause)
        })?;
        let next = view.apply(stored)?;
        match append(self.inner, seq, self.write_id, &bytes).await? {
            Holder::Another => Ok(Attempt::Lost),
            Holder::Us => {
                self.inner.learn(next.clone());
                Ok(Attempt::Committed(next))
            }
        }
    }

    /// Checks that blobs are stored, as of this view in packs that no collection has condemned; each
    /// comes with a ref that names it.
    async fn require_blobs(
        &mut self,
        mut blobs: BTreeMap<Digest, RefPath>,
        view: &View,
    ) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let condemned = gc::condemned(&self.inner.blobs, view).await?;
        if self.found_run != condemned.run {
            self.found.clear();
            self.found_run = condemned.run;
        }
        blobs.retain(|digest, _| !self.found.contains(digest));
        let found = self
            .inner
            .blobs
            .unreliable(blobs.keys().copied(), &condemned);
        let (digest, error) = match found.await? {
            None => {
                self.found.extend(blobs.into_keys());
                return Ok(());
            }
            Some(Unreliable::Missing(digest)) => (
                digest,
                Error::invalid("blob is not stored; finish its ingest first"),
            ),
            Some(Unreliable::Condemned(digest)) => (
                digest,
                Error::new(
                    ErrorKind::Conflict,
                    "blob was condemned by a collection; store it again",
                ),
            ),
        };
        let error = error.context("blob", digest);
        Err(match blobs.remove(&digest) {
            Some(path) => error.context("ref", path),
            None => error,
        })
    }
}

fn lost_every_race(inner: &Inner) -> Error {
    Error::new(ErrorKind::Conflict, "other commits came first every time")
        .context("attempts", inner.options.max_commit_attempts)
}
