//! What the log says happened between two things.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::{Actor, RefPath, Result, Timestamp};
use mainstay_repo::{LogEntry, RefChange, Repo, View};
use serde::Serialize;

use super::Severity;
use super::concern::{Concern, Span};

/// The most events that are listed: the newest.
pub const MAX_EVENTS: usize = 1_000;

/// How many entries are read at once.
const READ_AHEAD: usize = 16;

/// A log entry that touched what is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The log entry.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// Who committed it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The refs it changed that concern what is compared.
    pub refs: Vec<RefPath>,
    /// How much of the difference it may explain: the severity of the most telling part that changed to
    /// a version which it committed, or which it made a name point to. A name that was made to point to
    /// the whole of `b`, as a channel is, counts as the most telling of all parts.
    pub explains: Severity,
}

/// Reads the entries of a span that concern what is compared, and no others. Returns what they say, oldest
/// first, with how many older entries were left unread.
pub(super) async fn of(
    repo: &Repo,
    view: &View,
    span: Span,
    concern: &Concern,
) -> Result<(Vec<Event>, u64)> {
    // The view as of the end of the span saves reading back what came after it.
    let past = if span.upto < view.seq() {
        repo.view_at(span.upto).await?
    } else {
        view.clone()
    };
    let mut search = past.read(|view| Search::begin(view, span, concern)).await?;
    while let Some(newest) = search.next() {
        let entries = stream::iter(newest).map(|seq| repo.entry(seq));
        let entries: Vec<_> = entries.buffered(READ_AHEAD).try_collect().await?;
        for entry in entries {
            search.take(entry);
        }
    }
    Ok(search.finish())
}

/// A search backwards along the refs that concern what is compared: each change names the one before it.
struct Search<'c> {
    concern: &'c Concern,
    span: Span,
    /// The refs to follow.
    followed: BTreeSet<RefPath>,
    /// The entries to read.
    waiting: BTreeSet<u64>,
    read: BTreeSet<u64>,
    /// By entry and place in it.
    found: BTreeMap<(u64, usize), Event>,
}

impl<'c> Search<'c> {
    /// Asks for all that it needs of the view before it gives up, so that it is loaded at once.
    fn begin(view: &View, span: Span, concern: &'c Concern) -> Result<Self> {
        let mut search = Self {
            concern,
            span,
            followed: BTreeSet::new(),
            waiting: BTreeSet::new(),
            read: BTreeSet::new(),
            found: BTreeMap::new(),
        };
        let mut missed = None;
        if span.after >= span.upto {
            return Ok(search);
        }
        for prefix in concern.prefixes() {
            match view.states_below(&prefix) {
                Ok(states) => states.for_each(|(path, state)| {
                    // What was set once, and too late, never was of concern.
                    let is_late = state.seq > span.made && state.generation == 1;
                    if state.seq > span.after && !is_late {
                        search.follow(path, state.seq);
                    }
                }),
                Err(error) => missed = Some(error),
            }
        }
        for node in &concern.nodes {
            match view.mentions(node, span.after) {
                Ok(mentions) => mentions
                    .iter()
                    .filter(|mention| span.counts(mention))
                    .for_each(|mention| search.follow(&mention.path, mention.seq)),
                Err(error) => missed = Some(error),
            }
        }
        missed.map_or(Ok(search), Err)
    }

    fn follow(&mut self, path: &RefPath, seq: u64) {
        self.waiting.insert(seq);
        self.followed.insert(path.clone());
    }

    /// Returns the newest entries to read; `None` when enough has been found.
    fn next(&mut self) -> Option<Vec<u64>> {
        let newest = *self.waiting.last()?;
        // None that is not read yet is newer than these.
        let sure = self.found.range((newest + 1, 0)..).count();
        if sure >= MAX_EVENTS {
            return None;
        }
        let batch: Vec<u64> = std::iter::from_fn(|| self.waiting.pop_last())
            .take(READ_AHEAD)
            .collect();
        self.read.extend(&batch);
        Some(batch)
    }

    fn take(&mut self, entry: Vec<LogEntry>) {
        for (place, transaction) in entry.into_iter().enumerate() {
            let followed = transaction
                .changes
                .iter()
                .filter(|change| self.followed.contains(&change.path));
            let before = followed.filter_map(|change| change.previous);
            let wanted = before.filter(|seq| *seq > self.span.after && !self.read.contains(seq));
            self.waiting.extend(wanted);
            if let Some(event) = self.event(transaction) {
                self.found.insert((event.seq, place), event);
            }
        }
    }

    fn event(&self, entry: LogEntry) -> Option<Event> {
        let touching: Vec<RefChange> = entry
            .changes
            .into_iter()
            .filter(|change| self.concern.touches(change, &self.span))
            .collect();
        let explains = touching.iter().map(|change| self.concern.explains(change));
        let explains = explains.max()?;
        Some(Event {
            seq: entry.seq,
            time: entry.time,
            actor: entry.actor,
            reason: entry.reason,
            refs: touching.into_iter().map(|change| change.path).collect(),
            explains,
        })
    }

    fn finish(self) -> (Vec<Event>, u64) {
        let surplus = self.found.len().saturating_sub(MAX_EVENTS);
        let omitted = surplus + self.waiting.len();
        let events = self.found.into_values().skip(surplus).collect();
        (events, omitted as u64)
    }
}
