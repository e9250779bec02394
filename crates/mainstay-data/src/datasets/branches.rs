//! Branches: pointers to versions that move.

use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, ErrorKind, Name, NodeKind, NodeRef, RefPath, Result};
use mainstay_repo::{Expectation, RefState, Repo, Series, Step, Transaction, Value, View};

use super::ancestry::continues;
use super::by::By;
use super::names::check_pointer;
use super::{tags, version_state};
use crate::{BranchChange, BranchInfo, BranchTarget};

/// The family of pointers that branches are.
pub(super) const FAMILY: &str = "branch";

/// A branch and the version it pointed to when a change began.
#[derive(Debug, Clone)]
pub(super) struct Head {
    path: RefPath,
    branch: Name,
    /// `None` for a branch that the change begins.
    pub(super) version: Option<NodeRef>,
}

impl Head {
    /// Finds where a branch is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such branch, though the dataset has versions;
    /// [`ErrorKind::Conflict`] when it is not where `target` expects it.
    pub(super) fn find(view: &View, dataset: &Name, target: &BranchTarget) -> Result<Self> {
        let series = Series::new(NodeKind::Data, dataset.clone());
        let path = series.pointer(FAMILY, &target.branch)?;
        let version = current(view, &path)?;
        if version.is_none() && target.expected.is_none() {
            check_free(view, &series, &target.branch)?;
            if series.latest(view)?.is_some() {
                return Err(unknown(dataset, &target.branch));
            }
        }
        let head = Self {
            path,
            branch: target.branch.clone(),
            version: target.expected.clone().or(version),
        };
        head.check(view)?;
        Ok(head)
    }

    /// Checks that the branch has not moved.
    pub(super) fn check(&self, view: &View) -> Result<()> {
        let found = current(view, &self.path)?;
        if found == self.version {
            return Ok(());
        }
        let shown = |version: &Option<NodeRef>| match version {
            Some(node) => node.to_string(),
            None => "nothing".to_owned(),
        };
        Err(Error::new(ErrorKind::Conflict, "the branch has moved")
            .context("branch", &self.branch)
            .context("expected", shown(&self.version))
            .context("found", shown(&found)))
    }
}

/// Moves a branch.
pub(super) fn point(transaction: &mut Transaction, head: &Head, to: &NodeRef) -> Result<()> {
    check_pointer("branch", &head.branch)?;
    transaction.set(head.path.clone(), Value::pointer(to), Expectation::Any);
    Ok(())
}

/// Returns the version that a branch points to.
fn current(view: &View, path: &RefPath) -> Result<Option<NodeRef>> {
    view.get(path)?
        .map(|state| pointee(path, state))
        .transpose()
}

fn pointee(path: &RefPath, state: &RefState) -> Result<NodeRef> {
    let target = state.value.as_ref().and_then(Value::pointee);
    target.ok_or_else(|| Error::corrupt(path, "not a pointer"))
}

fn unknown(dataset: &Name, branch: &Name) -> Error {
    Error::not_found("branch", branch).context("dataset", dataset)
}

/// Checks that a branch may have this name: the names of tags are taken for good.
fn check_free(view: &View, series: &Series, branch: &Name) -> Result<()> {
    check_pointer("branch", branch)?;
    if view
        .state(&series.pointer(tags::FAMILY, branch)?)?
        .is_some()
    {
        return Err(
            Error::new(ErrorKind::AlreadyExists, "a tag has this name").context("branch", branch)
        );
    }
    Ok(())
}

pub(super) async fn create(repo: &Repo, branch: &Name, at: &NodeRef, by: By) -> Result<()> {
    let series = super::series_of(at)?;
    let path = series.pointer(FAMILY, branch)?;
    let build = |view: &View| {
        version_state(view, at)?;
        check_free(view, &series, branch)?;
        if let Some(head) = current(view, &path)? {
            return Err(
                Error::new(ErrorKind::AlreadyExists, "the branch is there already")
                    .context("branch", branch)
                    .context("version", head),
            );
        }
        let mut transaction = by.transaction();
        transaction.set(path.clone(), Value::pointer(at), Expectation::Absent);
        Ok(Step::Commit(transaction, ()))
    };
    repo.transact(build).await?;
    Ok(())
}

/// Moves a branch to a version that continues the one it points to; `false` when it is there.
pub(super) async fn advance(
    repo: &Repo,
    dataset: &Name,
    target: &BranchTarget,
    to: &NodeRef,
    by: By,
) -> Result<bool> {
    let build = |view: &View| {
        version_state(view, to)?;
        let head = existing(view, dataset, target)?;
        let Some(from) = &head.version else {
            return Err(unknown(dataset, &target.branch));
        };
        if from == to {
            return Ok(Step::Done(false));
        }
        if !continues(view, to, from)? {
            return Err(
                Error::new(ErrorKind::Conflict, "not a fast-forward: merge instead")
                    .context("branch", &target.branch)
                    .context("at", from)
                    .context("to", to),
            );
        }
        let mut transaction = by.transaction();
        point(&mut transaction, &head, to)?;
        Ok(Step::Commit(transaction, true))
    };
    Ok(repo.transact(build).await?.1)
}

pub(super) async fn delete(
    repo: &Repo,
    dataset: &Name,
    target: &BranchTarget,
    by: By,
) -> Result<NodeRef> {
    let build = |view: &View| {
        let head = existing(view, dataset, target)?;
        let Some(version) = head.version else {
            return Err(unknown(dataset, &target.branch));
        };
        let mut transaction = by.transaction();
        transaction.delete(head.path, Expectation::Any);
        Ok(Step::Commit(transaction, version))
    };
    Ok(repo.transact(build).await?.1)
}

/// Finds a branch that must be there.
pub(super) fn existing(view: &View, dataset: &Name, target: &BranchTarget) -> Result<Head> {
    let series = Series::new(NodeKind::Data, dataset.clone());
    let path = series.pointer(FAMILY, &target.branch)?;
    if view.get(&path)?.is_none() {
        return Err(unknown(dataset, &target.branch));
    }
    Head::find(view, dataset, target)
}

pub(super) fn list(view: &View, dataset: &Name) -> Result<Vec<BranchInfo>> {
    let series = Series::new(NodeKind::Data, dataset.clone());
    let branches = series.pointers(view, FAMILY)?;
    let info = |(branch, head, state): (Name, NodeRef, &RefState)| BranchInfo {
        branch,
        head,
        moves: state.generation,
        time: state.time,
    };
    Ok(branches.into_iter().map(info).collect())
}

/// Tells where a branch has been, newest first, as far as `view` knows.
pub(super) async fn moves(
    repo: &Repo,
    view: &View,
    dataset: &Name,
    branch: &Name,
) -> Result<Vec<BranchChange>> {
    let series = Series::new(NodeKind::Data, dataset.clone());
    let path = series.pointer(FAMILY, branch)?;
    let known = view.seq();
    let history = repo.history(&path);
    let changes = history.try_filter(move |change| std::future::ready(change.seq <= known));
    let changes = changes.map(|change| {
        let change = change?;
        Ok::<_, Error>(BranchChange {
            to: change.value.as_ref().and_then(Value::pointee),
            seq: change.seq,
            time: change.time,
            actor: change.actor,
            reason: change.reason,
        })
    });
    let changes: Vec<BranchChange> = changes.try_collect().await?;
    if changes.is_empty() {
        return Err(unknown(dataset, branch));
    }
    Ok(changes)
}
