//! Going back: the version that held a stage before returns to it.

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Error, ErrorKind, Name, NodeRef, RefPath, Result};
use mainstay_repo::{RefChange, Repo, Step, Transaction, Value, View};
use serde::Serialize;

use crate::expect::Expect;
use crate::names::model_id;
use crate::policy::StagePolicy;
use crate::refs::{self, Family};
use crate::standing::{Move, standing};

/// A rollback to make.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RollbackSpec {
    /// The model.
    pub model: Name,
    /// The exclusive stage to roll back.
    pub stage: Name,
    /// Which version the caller believes holds it.
    pub incumbent: Expect,
    /// Who rolls back.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl RollbackSpec {
    /// Creates a rollback that expects nothing.
    #[must_use]
    pub fn new(model: Name, stage: Name, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            model,
            stage,
            incumbent: Expect::Any,
            actor,
            reason: reason.into(),
        }
    }

    /// Sets which version the caller believes holds the stage.
    #[must_use]
    pub fn with_incumbent(mut self, incumbent: Expect) -> Self {
        self.incumbent = incumbent;
        self
    }
}

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RollbackReport {
    /// The stage.
    pub stage: Name,
    /// The version that held it, now retired; `None` when nobody did.
    pub from: Option<NodeRef>,
    /// The version that holds it again.
    pub to: NodeRef,
    /// The log entry.
    pub seq: u64,
}

/// How often the stage may change hands between reading its history and going back.
const ATTEMPTS: u32 = 16;

pub(crate) async fn rollback(repo: &Repo, spec: RollbackSpec) -> Result<RollbackReport> {
    for _ in 0..ATTEMPTS {
        // The history below is as new as this view or newer.
        let id = repo.read(|view| model_id(view, &spec.model)).await?;
        let path = refs::of(&id, Family::Stage, &spec.stage)?;
        let history: Vec<RefChange> = repo.history(&path).try_collect().await?;
        let (committed, planned) = repo
            .transact(|view| plan(view, &spec, &id, &path, &history))
            .await?;
        if let (Some(committed), Some((from, to))) = (committed, planned) {
            return Ok(RollbackReport {
                stage: spec.stage,
                from,
                to,
                seq: committed.seq,
            });
        }
    }
    Err(
        Error::new(ErrorKind::Conflict, "the stage changes hands too fast")
            .context("stage", &spec.stage),
    )
}

type Planned = Option<(Option<NodeRef>, NodeRef)>;

/// Plans the way back; `None` when `history`, newest first, is not that of this view.
fn plan(
    view: &View,
    spec: &RollbackSpec,
    id: &Name,
    path: &RefPath,
    history: &[RefChange],
) -> Result<Step<Planned>> {
    let known = history.first().map_or(0, |change| change.generation);
    let is_same = model_id(view, &spec.model)? == *id;
    if !is_same || view.state(path)?.map_or(0, |state| state.generation) != known {
        return Ok(Step::Done(None));
    }
    let policy = StagePolicy::kept(view, id)?;
    let stage = policy.stage(&spec.stage)?;
    if !stage.exclusive {
        return Err(Error::invalid("only an exclusive stage can be rolled back")
            .context("stage", &spec.stage));
    }
    let holder = refs::target(view, path)?;
    spec.incumbent
        .check("stage", &spec.stage, holder.as_ref())?;
    let previous = previous_holder(history, holder.as_ref(), |version| {
        Ok(view.get(&version.ref_path())?.is_some())
    })?
    .ok_or_else(|| {
        Error::not_found("previous holder", &spec.stage).context("model", &spec.model)
    })?;

    let registered = refs::version(view, &previous)?.seq;
    let from = standing(view, &policy, &previous, registered)?;
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    Move {
        version: &previous,
        from: &from,
        to: stage,
        metrics: std::collections::BTreeMap::new(),
        gates: Vec::new(),
        overruled: None,
    }
    .write(view, &policy, &mut transaction)?;
    Ok(Step::Commit(transaction, Some((holder, previous))))
}

/// Finds whom to go back to.
///
/// Going back to a version discards those that held the stage after it, so that rolling back twice
/// goes back two versions and never returns to the one that was just left.
fn previous_holder(
    history: &[RefChange],
    holder: Option<&NodeRef>,
    exists: impl Fn(&NodeRef) -> Result<bool>,
) -> Result<Option<NodeRef>> {
    let mut past: Vec<NodeRef> = Vec::new();
    for change in history.iter().rev() {
        let Some(version) = change.value.as_ref().and_then(Value::pointee) else {
            continue;
        };
        match past.iter().position(|earlier| *earlier == version) {
            Some(index) => past.truncate(index + 1),
            None => past.push(version),
        }
    }
    for version in past.into_iter().rev() {
        if Some(&version) != holder && exists(&version)? {
            return Ok(Some(version));
        }
    }
    Ok(None)
}
