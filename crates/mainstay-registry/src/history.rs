//! The history of stages: who moved which version where, when and why.

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Name, NodeKind, NodeRef, RefPath, Result, Timestamp};
use mainstay_repo::{RefChange, Repo};
use serde::Serialize;

use crate::format::decode;
use crate::names::model_id;
use crate::refs::Family;
use crate::standing::Status;

/// One version entering one stage and leaving another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StageChange {
    /// The log entry; one entry holds a promotion and the retirement it causes.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The version.
    pub model: NodeRef,
    /// The stage it left.
    pub from: Name,
    /// The stage it entered.
    pub to: Name,
    /// Why it entered in spite of gates that said no; `None` when none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overruled: Option<String>,
}

/// Reads every change of stage of a model, or those that concern one stage; newest first.
pub(crate) async fn history(
    repo: &Repo,
    model: &Name,
    stage: Option<&Name>,
) -> Result<Vec<StageChange>> {
    let paths = repo.read(|view| {
        let id = model_id(view, model)?;
        let family = Family::Status.as_str();
        let states = view.states_below(&format!("{}/{id}/{family}", NodeKind::Model))?;
        let paths = states.map(|(path, _)| path.clone()).collect();
        Ok((id, paths))
    });
    let (id, paths): (Name, Vec<RefPath>) = paths.await?;
    let mut changes = Vec::new();
    for path in paths {
        let mut walk = repo.history(&path);
        while let Some(change) = walk.try_next().await? {
            changes.extend(read(&id, change)?);
        }
    }
    changes.retain(|change| stage.is_none_or(|stage| change.from == *stage || change.to == *stage));
    changes.sort_by(|a, b| (b.seq, &a.model).cmp(&(a.seq, &b.model)));
    Ok(changes)
}

fn read(id: &Name, change: RefChange) -> Result<Option<StageChange>> {
    let (Some(value), Some(version)) = (&change.value, change.path.segments().next_back()) else {
        return Ok(None);
    };
    let status: Status = decode(value)?;
    Ok(Some(StageChange {
        model: NodeRef::new(NodeKind::Model, id.clone(), version.parse()?),
        seq: change.seq,
        time: change.time,
        actor: change.actor,
        reason: change.reason,
        from: status.from,
        to: status.stage,
        overruled: status.overruled,
    }))
}
