//! Ending a run.

use mainstay_core::{Actor, Error, NodeRef, Result, Timestamp};
use mainstay_repo::{Expectation, Repo, Step, Transaction, View};

use super::append::{Batch, Fold, Folded, attempts, crowded, fold, place};
use super::log::Logged;
use super::record::RunStatus;
use super::refs;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunEnd {
    /// The run.
    pub run: NodeRef,
    /// How: not [`Running`](RunStatus::Running).
    pub status: RunStatus,
    /// When.
    pub ended: Timestamp,
    /// Who says so.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl RunEnd {
    /// Says how and when a run ended.
    #[must_use]
    pub fn new(
        run: NodeRef,
        status: RunStatus,
        ended: Timestamp,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            run,
            status,
            ended,
            actor,
            reason: reason.into(),
        }
    }
}

pub(super) async fn end(repo: &Repo, spec: &RunEnd) -> Result<Logged> {
    if spec.status == RunStatus::Running {
        return Err(Error::invalid("a run does not end by running").context("run", &spec.run));
    }
    let mut folded = None;
    for _ in attempts() {
        let plan = |view: &View| plan(view, spec, folded.as_ref());
        let (committed, placed) = repo.transact(plan).await?;
        if placed {
            return Ok(Logged {
                run: spec.run.clone(),
                points: 0,
                seq: committed.map(|committed| committed.seq),
            });
        }
        folded = Some(fold(repo, &spec.run, &Batch::none()).await?);
    }
    Err(crowded(&spec.run))
}

fn plan(view: &View, spec: &RunEnd, folded: Option<&Folded>) -> Result<Step<bool>> {
    let (mut run, state) = refs::run(view, &spec.run)?;
    if run.status == spec.status {
        return Ok(Step::Done(true));
    }
    run.check_running()?;
    if spec.ended < run.started {
        return Err(Error::invalid("a run does not end before it began")
            .context("began", run.started)
            .context("ended", spec.ended));
    }
    run.status = spec.status;
    run.ended = Some(spec.ended);
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    let expectation = Expectation::Generation(state.generation);
    transaction.set(spec.run.ref_path(), run.to_value()?, expectation);
    if !place(
        view,
        &spec.run,
        &Batch::none(),
        Fold::AtEnd,
        folded,
        &mut transaction,
    )? {
        return Ok(Step::Done(false));
    }
    Ok(Step::Commit(transaction, true))
}
