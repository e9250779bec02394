//! Renaming models: another name leads to what is kept under the id.

use mainstay_core::{Actor, Error, ErrorKind, Name, NodeKind, Result};
use mainstay_repo::{Repo, Step, Transaction, View};
use serde::Serialize;

use crate::names::{call, is_model, model_id, model_name};
use crate::shelf::Versions;

/// A model that was renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Renamed {
    /// The id of the model: what its versions are called in the lineage, for ever.
    pub id: Name,
    /// What it was called.
    pub from: Name,
    /// What it is called.
    pub to: Name,
    /// The log entry; `None` when it was called so already.
    pub seq: Option<u64>,
}

pub(crate) async fn rename(
    repo: &Repo,
    model: &Name,
    to: &Name,
    actor: Actor,
    reason: String,
) -> Result<Renamed> {
    let build = |view: &View| {
        let id = model_id(view, model)?;
        if !is_model(view, &id)? {
            return Err(Error::not_found("model", model));
        }
        let called = model_name(view, &id)?;
        if called == *to {
            return Ok(Step::Done(id));
        }
        if called != *model {
            let why = "the model has been renamed meanwhile";
            let error = Error::new(ErrorKind::Conflict, why).context("model", model);
            return Err(error.context("called", called));
        }
        check_free(view, &id, to)?;
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        call(view, &id, to, &mut transaction)?;
        Ok(Step::Commit(transaction, id))
    };
    let (committed, id) = repo.transact(build).await?;
    Ok(Renamed {
        id,
        from: model.clone(),
        to: to.clone(),
        seq: committed.map(|committed| committed.seq),
    })
}

/// Refuses a name that another model has, and one under which another model's versions are known that
/// have the numbers of this one's.
fn check_free(view: &View, id: &Name, name: &Name) -> Result<()> {
    let refuse = |kind: ErrorKind, why: &str| Err(Error::new(kind, why).context("name", name));
    let owner = model_id(view, name)?;
    if owner != *id {
        let has_it = model_name(view, &owner)? == *name;
        if has_it && is_model(view, &owner)? {
            return refuse(ErrorKind::AlreadyExists, "another model has the name");
        }
        // A policy, or an upload, of a model that is to come.
        let kept = format!("{}/{owner}", NodeKind::Model);
        if has_it && view.below(&kept)?.next().is_some() {
            let why = "something is kept under the name for a model that is to come";
            return refuse(ErrorKind::AlreadyExists, why);
        }
    }
    if *name != *id && is_model(view, name)? {
        let (ours, theirs) = (Versions::of(view, id)?, Versions::of(view, name)?);
        if let Some(number) = ours.common(&theirs) {
            let called = model_name(view, name)?;
            let why = "the lineage knows another model's version of this number by this name";
            let error = Error::new(ErrorKind::Conflict, why).context("name", name);
            return Err(error.context("version", number).context("model", called));
        }
    }
    Ok(())
}
