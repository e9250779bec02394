//! Group commit: the concurrent callers of one process share log entries.
//!
//! Callers take turns. A caller with the turn plans its transaction on the view as the callers before
//! it left it, adds it to the entry in the making, and gives the turn away. It comes round again when
//! all that waited meanwhile have had theirs; the first of an entry's callers to which it comes
//! appends the entry, and everybody learns what became of it. So an entry holds what gathered while
//! the one before was written, and nobody waits for company.
//!
//! Nothing but an append and a look at the head of the log happens within a turn: a caller that has to
//! read parts of the view or look up blobs gives the turn away first.
//!
//! A caller may be dropped at any point. The entry in the making stays, with its transaction, as long
//! as another caller waits for it; whoever has the turn next goes on where it was left, with the same
//! bytes.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{Either, select};
use mainstay_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

use super::batch::{Batch, Landing};
use super::entry::Logged;
use super::lookups::{Lookups, Verdict};
use super::plan::{Named, Planned};
use crate::repo::Inner;
use crate::view::Miss;
use crate::{Committed, View, gc};

/// What the callers of one process share.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    forming: Option<Batch>,
    /// How many entries in a row lost against those of other processes.
    losses: u32,
}

/// What a call comes to on one view.
pub(super) enum Decision<A, T> {
    /// Nothing is to be committed.
    Answer(A),
    /// As `Answer`, on the newest view only.
    AnswerIfNewest(A),
    /// A transaction is to be committed, and what then to go on with.
    Commit(Planned, T),
}

/// What became of a call.
pub(super) enum Outcome<A, T> {
    Answer(A),
    Committed(Committed, T),
}

/// How new the view is that a call begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// What the process knows.
    Known,
    /// The newest.
    Newest,
}

/// Takes part in group commit until `decide` has its answer or its transaction is in the log.
///
/// What `decide` says without committing anything counts on whole, committed views only.
pub(super) async fn settle<A: Send, T: Send>(
    inner: &Arc<Inner>,
    begin: Begin,
    mut decide: impl FnMut(&View) -> Result<Decision<A, T>> + Send,
) -> Result<Outcome<A, T>> {
    let mut lookups = Lookups::default();
    // Losses count entries that this call only waited for, too.
    let (mut lost, mut attempts) = (0_u32, 0_u32);
    while lost < inner.options.max_commit_attempts {
        match take_turn(inner, begin, &mut lookups, &mut decide).await? {
            Taken::Answered(answer) => return Ok(Outcome::Answer(answer)),
            Taken::Needs(needs) => needs.fetch(inner, &mut lookups).await?,
            Taken::Provisional(waiting) => match landed(inner, waiting).await {
                Landing::Committed(view) => {
                    let answer = answer_on(inner, &view, &mut lookups, &mut decide).await?;
                    if let Some(answer) = answer {
                        return Ok(Outcome::Answer(answer));
                    }
                }
                Landing::Lost => lost += 1,
                // Not this call's: it tries by itself.
                Landing::Failed(_) => {}
            },
            Taken::Joined(waiting, then) => match landed(inner, waiting).await {
                Landing::Committed(view) => {
                    inner.told.attempted(attempts + 1);
                    return Ok(Outcome::Committed(Committed::at(&view), then));
                }
                Landing::Lost => (lost, attempts) = (lost + 1, attempts + 1),
                Landing::Failed(error) => {
                    inner.told.attempted(attempts + 1);
                    return Err(error);
                }
            },
        }
    }
    inner.told.attempted(attempts);
    Err(
        Error::new(ErrorKind::Conflict, "other commits came first every time")
            .context("attempts", inner.options.max_commit_attempts),
    )
}

type Waiting = watch::Receiver<Option<Landing>>;

/// What a caller did with its turn.
enum Taken<A, T> {
    Answered(A),
    /// It cannot decide before it has fetched something.
    Needs(Needs),
    /// It would answer, if what it saw were committed.
    Provisional(Waiting),
    Joined(Waiting, T),
}

async fn take_turn<A: Send, T: Send>(
    inner: &Arc<Inner>,
    begin: Begin,
    lookups: &mut Lookups,
    decide: &mut (impl FnMut(&View) -> Result<Decision<A, T>> + Send),
) -> Result<Taken<A, T>> {
    let mut turn = inner.turn.lock().await;
    let mut newest = false;
    loop {
        turn.make_room(inner).await;
        let Some(batch) = &mut turn.forming else {
            let view = if begin == Begin::Newest && !newest {
                newest = true;
                inner.refresh().await?
            } else {
                inner.head()
            };
            match evaluate(inner, &view, lookups, decide)? {
                Evaluated::Answer(answer) => return Ok(Taken::Answered(answer)),
                Evaluated::AnswerIfNewest(answer) => {
                    if newest || inner.refresh().await?.seq == view.seq {
                        return Ok(Taken::Answered(answer));
                    }
                    newest = true;
                }
                Evaluated::Needs(needs) => return Ok(Taken::Needs(needs)),
                Evaluated::Commit(logged, then) => {
                    let batch = Batch::open(inner, &view, &logged)?;
                    let waiting = batch.join_waiting();
                    turn.forming = Some(batch);
                    turn.make_room(inner).await;
                    return Ok(Taken::Joined(waiting, then));
                }
            }
            continue;
        };
        match evaluate(inner, batch.view(), lookups, decide) {
            Ok(Evaluated::Needs(needs)) => return Ok(Taken::Needs(needs)),
            Ok(Evaluated::Commit(logged, then)) => {
                if batch.join(&logged)? {
                    let waiting = batch.join_waiting();
                    turn.make_room(inner).await;
                    return Ok(Taken::Joined(waiting, then));
                }
                turn.land(inner).await;
                newest = false;
            }
            Ok(Evaluated::Answer(_) | Evaluated::AnswerIfNewest(_)) | Err(_) => {
                return Ok(Taken::Provisional(batch.join_waiting()));
            }
        }
    }
}

impl Turn {
    /// Sees to it that an entry in the making can be joined: one that is whole is appended, and one
    /// that nobody waits for any more is given up.
    async fn make_room(&mut self, inner: &Arc<Inner>) {
        match &self.forming {
            Some(batch) if batch.is_abandoned() => self.forming = None,
            Some(batch) if batch.is_closed() => self.land(inner).await,
            _ => {}
        }
    }

    /// Appends the entry in the making. May be dropped: the next turn goes on.
    async fn land(&mut self, inner: &Arc<Inner>) {
        let Some(batch) = &mut self.forming else {
            return;
        };
        let landing = batch.append(inner, self.losses).await;
        self.losses = match landing {
            Landing::Lost => self.losses.saturating_add(1),
            Landing::Committed(_) | Landing::Failed(_) => 0,
        };
        if let Some(batch) = self.forming.take() {
            batch.landed(landing);
        }
    }
}

/// Waits until an entry has landed, or the turn comes round to append it.
async fn landed(inner: &Arc<Inner>, waiting: Waiting) -> Landing {
    // Who was woken by the entry before comes along if it is here by now.
    tokio::task::yield_now().await;
    let mut own = waiting.clone();
    let landed = pin!(async move { own.wait_for(Option::is_some).await.is_ok() });
    let turn = pin!(inner.turn.lock());
    if let Either::Right((mut turn, _)) = select(landed, turn).await
        && waiting.borrow().is_none()
    {
        // As long as this caller waits, the entry in the making is the one it waits for.
        turn.land(inner).await;
    }
    let landing = waiting.borrow().clone();
    // An entry is given up only when nobody waits for it.
    landing.unwrap_or(Landing::Lost)
}

/// What a caller has to fetch before it can decide.
enum Needs {
    Shards(Box<View>, BTreeSet<Miss>),
    Blobs(Box<View>, Named),
}

impl Needs {
    async fn fetch(self, inner: &Inner, lookups: &mut Lookups) -> Result<()> {
        match self {
            Self::Shards(view, missed) => view.load_missed(missed).await,
            Self::Blobs(view, named) => lookups.look_up(inner, &view, &named).boxed().await,
        }
    }
}

enum Evaluated<A, T> {
    Answer(A),
    AnswerIfNewest(A),
    Needs(Needs),
    Commit(Logged, T),
}

/// Decides on one view, without I/O.
fn evaluate<A, T>(
    inner: &Inner,
    view: &View,
    lookups: &mut Lookups,
    decide: &mut impl FnMut(&View) -> Result<Decision<A, T>>,
) -> Result<Evaluated<A, T>> {
    let decided = view.try_read(|view| {
        let decision = decide(view)?;
        let runs = match &decision {
            Decision::Commit(planned, _) if !planned.named.is_empty() => gc::runs(view)?,
            _ => 0,
        };
        Ok((decision, runs))
    });
    let (decision, runs) = match decided {
        Ok(decided) => decided?,
        Err(missed) => {
            return Ok(Evaluated::Needs(Needs::Shards(
                Box::new(view.clone()),
                missed,
            )));
        }
    };
    let (planned, then) = match decision {
        Decision::Answer(answer) => return Ok(Evaluated::Answer(answer)),
        Decision::AnswerIfNewest(answer) => return Ok(Evaluated::AnswerIfNewest(answer)),
        Decision::Commit(planned, then) => (planned, then),
    };
    let Planned { logged, named } = planned;
    if matches!(lookups.verdict(runs, &named), Verdict::Unknown) {
        // Seldom more than memory is needed.
        lookups
            .look_up(inner, view, &named)
            .now_or_never()
            .transpose()?;
    }
    match lookups.verdict(runs, &named) {
        Verdict::Found => Ok(Evaluated::Commit(logged, then)),
        Verdict::Refused(error) => Err(error),
        Verdict::Unknown => Ok(Evaluated::Needs(Needs::Blobs(
            Box::new(view.clone()),
            named,
        ))),
    }
}

/// Decides on a committed view; `None` when there is something to commit.
async fn answer_on<A: Send, T: Send>(
    inner: &Inner,
    view: &View,
    lookups: &mut Lookups,
    decide: &mut (impl FnMut(&View) -> Result<Decision<A, T>> + Send),
) -> Result<Option<A>> {
    loop {
        match evaluate(inner, view, lookups, decide)? {
            Evaluated::Answer(answer) | Evaluated::AnswerIfNewest(answer) => {
                return Ok(Some(answer));
            }
            Evaluated::Commit(..) => return Ok(None),
            Evaluated::Needs(needs) => needs.fetch(inner, lookups).await?,
        }
    }
}
