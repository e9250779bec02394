//! A run: window by window through the source's log.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_core::{Digest, Error, ErrorKind, Result};

use super::apply::Outcome;
use super::clock::OriginalTime;
use super::cursor::{Position, Stream};
use super::read::{Window, window};
use super::standing::Past;
use super::{ReplicateOptions, ReplicateReport};
use crate::blobs::copy::Copied;
use crate::repo::Step;
use crate::{Expectation, Repo, Transaction, gc};

/// How often in a row others may come between before a run gives up.
const MAX_FAILURES: u32 = 8;
/// The cursor is moved by itself when so many transactions behind it need not be replicated.
pub(super) const MAX_BEHIND: u64 = 256;

/// One call.
pub(super) struct Run<'a> {
    pub(super) source: &'a Repo,
    pub(super) target: Repo,
    /// That of the target.
    pub(super) clock: Arc<OriginalTime>,
    pub(super) stream: Stream,
    pub(super) options: &'a ReplicateOptions,
    /// How far this run has come; the cursor may be behind.
    passed: Option<Position>,
    /// How many transactions the cursor is behind.
    behind: u64,
    /// Blobs that the target holds, as of one run of collection there.
    pub(super) sound: BTreeSet<Digest>,
    pub(super) sound_as_of: u64,
    /// Blobs that are no more.
    pub(super) collected: BTreeSet<Digest>,
    pub(super) past: Past,
    pub(super) copied: Copied,
    pub(super) report: ReplicateReport,
}

/// How a window went.
enum Flow {
    /// There may be more.
    More,
    /// All of the source is in the target.
    Ended,
    /// The target is no replica any more.
    Differs(Error),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        source: &'a Repo,
        target: &Repo,
        stream: Stream,
        options: &'a ReplicateOptions,
    ) -> Self {
        let now = Arc::clone(&target.inner.options.clock);
        let clock = Arc::new(OriginalTime::new(now));
        Self {
            source,
            target: target.with_clock(Arc::clone(&clock) as _),
            clock,
            report: ReplicateReport::of(stream.source),
            stream,
            options,
            passed: None,
            behind: 0,
            sound: BTreeSet::new(),
            sound_as_of: 0,
            collected: BTreeSet::new(),
            past: Past::default(),
            copied: Copied::default(),
        }
    }

    /// Goes on to where the source's log ends now.
    pub(super) async fn finish(mut self) -> Result<ReplicateReport> {
        let head = self.source.view().await?.seq();
        let mut failures = 0;
        loop {
            let error = match self.window(head).await {
                Ok(Flow::More) => {
                    failures = 0;
                    continue;
                }
                Ok(Flow::Ended) => break,
                Ok(Flow::Differs(error)) => return Err(error),
                Err(error) => self.told_apart(error).await?,
            };
            // A collection condemned what was copied, or others committed all the while.
            if error.kind() != ErrorKind::Conflict || failures == MAX_FAILURES {
                return Err(error);
            }
            failures += 1;
            self.sound.clear();
        }
        // Nobody else has this handle.
        self.target.settle().await;
        let (copied, report) = (self.copied, &mut self.report);
        report.seq = self.passed.map_or(0, |passed| passed.seq);
        report.blobs = copied.blobs;
        report.blobs_collected = self.collected.len() as u64;
        report.chunks = copied.chunks;
        report.chunks_already_there = copied.held_chunks;
        report.read_bytes = copied.read_bytes;
        report.written_bytes = copied.written_bytes;
        report.write_requests = copied.write_requests;
        Ok(self.report)
    }

    /// Tells what a collection deleted at once, after it was copied, from what was never there.
    async fn told_apart(&self, error: Error) -> Result<Error> {
        if error.kind() != ErrorKind::Invalid {
            return Ok(error);
        }
        let runs = self.target.view().await?.read(gc::runs).await?;
        if runs == self.sound_as_of {
            return Ok(error);
        }
        let why = "a collection deleted what was copied";
        Ok(Error::new(ErrorKind::Conflict, why).with_source(error))
    }

    /// Replicates what follows in the source's log.
    async fn window(&mut self, head: u64) -> Result<Flow> {
        let view = self.target.view().await?;
        let cursor = view.read(|view| self.stream.position(view)).await?;
        let order = |at: &Option<Position>| at.map(|at| (at.seq, at.transactions));
        if order(&cursor) >= order(&self.passed) {
            self.passed = cursor;
            self.behind = 0;
        }
        let window = window(self.source, &self.stream.scope, self.passed, head).await?;
        self.provide(&window.incoming, &view).await?;
        let mut committed = cursor;
        for incoming in &window.incoming {
            let outcome = self.commit(incoming, committed).await;
            match outcome.map_err(|error| error.context("source seq", incoming.at.seq))? {
                Outcome::Committed {
                    changes,
                    there,
                    moved,
                } => {
                    self.report.transactions += 1;
                    self.report.changes += changes;
                    self.report.changes_already_there += there;
                    if moved {
                        committed = Some(incoming.at);
                    }
                }
                Outcome::IsThere(changes) => self.report.changes_already_there += changes,
                Outcome::Overtaken => return Ok(Flow::More),
                Outcome::Differs(error) => {
                    return Ok(Flow::Differs(error.context("source seq", incoming.at.seq)));
                }
                Outcome::Past => {
                    let why = "the past of a ref changed while it was read";
                    return Err(Error::new(ErrorKind::Internal, why));
                }
            }
            self.passed = Some(incoming.at);
        }
        self.pass(&window, committed, head).await?;
        Ok(if window.is_last {
            Flow::Ended
        } else {
            Flow::More
        })
    }

    /// Takes note of the end of a window, in the target if there is much behind the cursor.
    async fn pass(
        &mut self,
        window: &Window,
        committed: Option<Position>,
        head: u64,
    ) -> Result<()> {
        self.report.entries += window.entries;
        let Some((end, time)) = window.end else {
            return Ok(());
        };
        self.passed = Some(end);
        if let Some(progress) = &self.options.progress {
            let done = self.report.entries;
            progress.advance("entries", done, Some(done + head.saturating_sub(end.seq)));
        }
        if committed == Some(end) {
            self.behind = 0;
            return Ok(());
        }
        self.behind += window.transactions;
        if self.behind < MAX_BEHIND {
            return Ok(());
        }
        self.clock.set(None);
        let (stream, reason) = (&self.stream, &self.options.reason);
        let moving = self.target.transact(|view| {
            if stream.position(view)? != committed {
                return Ok(Step::Done(()));
            }
            let mut transaction = Transaction::new(stream.by.clone(), reason.clone());
            let value = stream.value(&end, time, Vec::new())?;
            transaction.set(stream.path.clone(), value, Expectation::Any);
            Ok(Step::Commit(transaction, ()))
        });
        moving.await?;
        self.behind = 0;
        Ok(())
    }
}
