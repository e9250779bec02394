//! Setting a stage policy on a model that may have versions.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Actor, Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Repo, Series, Step, Transaction, Value, View};

use crate::format::Formatted as _;
use crate::names::model_id;
use crate::policy::StagePolicy;
use crate::refs::{self, Family};
use crate::standing::standing;

/// Sets the policy of a model.
pub(crate) async fn set_policy(
    repo: &Repo,
    model: &Name,
    policy: StagePolicy,
    actor: Actor,
    roles: &BTreeSet<Name>,
    reason: String,
) -> Result<Option<u64>> {
    policy.check()?;
    let policy = policy.normal();
    let build = |view: &View| {
        let id = model_id(view, model)?;
        let before = StagePolicy::kept(view, &id)?;
        if before == policy {
            return Ok(Step::Done(()));
        }
        before
            .check_setter(roles)
            .map_err(|error| error.context("model", model))?;
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        let value = Value::new(StagePolicy::KIND, &policy)?;
        let path = refs::policy(&id)?;
        let expectation = refs::unchanged(view, &path)?;
        transaction.set(path, value, expectation);
        adopt(view, &id, &policy, &mut transaction)?;
        Ok(Step::Commit(transaction, ()))
    };
    let (committed, ()) = repo.transact(build).await?;
    Ok(committed.map(|committed| committed.seq))
}

/// Makes the pointers of exclusive stages fit a new policy.
fn adopt(
    view: &View,
    id: &Name,
    policy: &StagePolicy,
    transaction: &mut Transaction,
) -> Result<()> {
    let before = StagePolicy::kept(view, id)?;
    let mut holders: BTreeMap<Name, Vec<NodeRef>> = BTreeMap::new();
    for (version, state) in Series::new(NodeKind::Model, id.clone()).versions(view)? {
        let standing = standing(view, &before, &version, state.seq)?;
        // A version that never moved begins where the policy says.
        let stage = if standing.since == state.seq {
            policy.initial.clone()
        } else {
            standing.stage
        };
        holders.entry(stage).or_default().push(version);
    }
    for stage in &policy.stages {
        if refs::is_alias(view, id, &stage.name)? {
            return Err(
                Error::invalid("a stage has the name of an alias").context("stage", &stage.name)
            );
        }
    }
    for (name, versions) in &holders {
        let stage = policy
            .stage(name)
            .map_err(|error| error.context("held by", &versions[0]))?;
        if stage.exclusive && versions.len() > 1 {
            return Err(
                Error::invalid("several versions are in a stage that is to be exclusive")
                    .context("stage", name)
                    .context("versions", versions.len()),
            );
        }
    }
    let names: BTreeSet<&Name> = before
        .stages
        .iter()
        .chain(&policy.stages)
        .map(|stage| &stage.name)
        .collect();
    for name in names {
        let exclusive = policy.find(name).is_some_and(|stage| stage.exclusive);
        let wanted = holders
            .get(name)
            .filter(|_| exclusive)
            .and_then(|versions| versions.first());
        let path = refs::of(id, Family::Stage, name)?;
        let held = refs::target(view, &path)?;
        let expectation = refs::unchanged(view, &path)?;
        match (held, wanted) {
            (held, Some(wanted)) if held.as_ref() != Some(wanted) => {
                transaction.set(path, Value::pointer(wanted), expectation);
            }
            (Some(_), None) => {
                transaction.delete(path, expectation);
            }
            _ => {}
        }
    }
    Ok(())
}
