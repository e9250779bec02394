//! Deleting versions.

use std::collections::BTreeSet;

use mainstay_core::{Actor, Error, ErrorKind, Locator, NodeRef, Result};
use mainstay_repo::{Repo, Step, Transaction, View};

use crate::policy::StagePolicy;
use crate::refs::{self, Family};
use crate::resolve::resolve;
use crate::show;
use crate::standing::standing;

/// What to do about things that were made from the version, or hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dependents {
    Refuse,
    Leave,
}

/// Deletes a version; returns it and the log entry.
pub(crate) async fn delete(
    repo: &Repo,
    model: &Locator,
    actor: Actor,
    reason: String,
    dependents: Dependents,
) -> Result<(NodeRef, u64)> {
    let build = |view: &View| {
        let version = resolve(view, model)?;
        check_free(view, &version)?;
        if dependents == Dependents::Refuse {
            check_independent(view, &version)?;
        }
        plan(view, version, &actor, &reason)
    };
    let (committed, version) = repo.transact(build).await?;
    let committed = committed.ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "a deletion was planned and not committed",
        )
    })?;
    Ok((version, committed.seq))
}

fn plan(view: &View, version: NodeRef, actor: &Actor, reason: &str) -> Result<Step<NodeRef>> {
    let mut transaction = Transaction::new(actor.clone(), reason.to_owned());
    let beside = [
        Family::Status,
        Family::Annotation,
        Family::Approval,
        Family::Signing,
    ]
    .map(|family| refs::of(version.name(), family, version.version()));
    for path in [Ok(version.ref_path())].into_iter().chain(beside) {
        let path = path?;
        if refs::value(view, &path)?.is_some() {
            let expectation = refs::unchanged(view, &path)?;
            transaction.delete(path, expectation);
        }
    }
    Ok(Step::Commit(transaction, version))
}

/// Refuses while an alias points to the version or an exclusive stage is its.
fn check_free(view: &View, version: &NodeRef) -> Result<()> {
    let refused = |what: &'static str, name: String| {
        let why = "the version is in use; move the alias or the stage to another first";
        Err(Error::new(ErrorKind::Conflict, why)
            .context("model", version)
            .context(what, name))
    };
    let info = show(view, &version.clone().into())?;
    if let Some(alias) = info.aliases.first() {
        return refused("alias", alias.to_string());
    }
    let policy = StagePolicy::kept(view, version.name())?;
    let standing = standing(view, &policy, version, info.seq)?;
    if policy
        .find(&standing.stage)
        .is_some_and(|stage| stage.exclusive)
    {
        return refused("stage", standing.stage.to_string());
    }
    Ok(())
}

/// Refuses while a version of anything says that it was made from this one, or holds it.
fn check_independent(view: &View, version: &NodeRef) -> Result<()> {
    let mut users = BTreeSet::new();
    for dependent in view.dependents(version)? {
        let state = view.get(&dependent.from.ref_path())?;
        let value = state.and_then(|state| state.value.as_ref());
        // Some only depended on it once.
        if value.is_some_and(|value| value.edges.iter().any(|edge| edge.to == *version)) {
            users.insert(dependent.from);
        }
    }
    let Some(first) = users.first() else {
        return Ok(());
    };
    let why = "other things were made from the version, or hold it";
    Err(Error::new(ErrorKind::Conflict, why)
        .context("model", version)
        .context("used by", first)
        .context("others", users.len() - 1))
}
