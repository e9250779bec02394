//! The two ways to commit; their normative description is in `docs/formats/log.md`.

use std::sync::Arc;

use mainstay_core::Result;

use super::group::{Begin, Decision, Outcome, settle};
use super::plan::{Plan, plan};
use crate::repo::{Inner, Step};
use crate::{CommitOutcome, Committed, Transaction, View};

/// Commits on the newest view, again and again while others commit to other refs.
pub(crate) async fn commit(inner: &Arc<Inner>, transaction: &Transaction) -> Result<CommitOutcome> {
    let request = transaction.validated_request()?;
    let decide = |view: &View| {
        Ok(match plan(view, transaction, request)? {
            Plan::Replay(earlier) => Decision::Answer(CommitOutcome::Committed(earlier)),
            Plan::Conflict(conflict) => Decision::AnswerIfNewest(CommitOutcome::Conflict(conflict)),
            Plan::Commit(planned) => Decision::Commit(planned, ()),
        })
    };
    Ok(match settle(inner, Begin::Known, decide).await? {
        Outcome::Answer(answer) => answer,
        Outcome::Committed(committed, ()) => CommitOutcome::Committed(committed),
    })
}

/// Builds on the newest view and commits on exactly that view.
pub(crate) async fn transact<T: Send>(
    inner: &Arc<Inner>,
    mut build: impl FnMut(&View) -> Result<Step<T>> + Send,
) -> Result<(Option<Committed>, T)> {
    let decide = |view: &View| {
        let (transaction, output) = match build(view)? {
            Step::Commit(transaction, output) => (transaction, output),
            Step::Done(output) => return Ok(Decision::Answer((None, output))),
        };
        let request = transaction.validated_request()?;
        match plan(view, &transaction, request)? {
            Plan::Replay(earlier) => Ok(Decision::Answer((Some(earlier), output))),
            Plan::Conflict(conflict) => Err(conflict.into_error()),
            Plan::Commit(planned) => Ok(Decision::Commit(planned, output)),
        }
    };
    Ok(match settle(inner, Begin::Newest, decide).await? {
        Outcome::Answer(answer) => answer,
        Outcome::Committed(committed, output) => (Some(committed), output),
    })
}
