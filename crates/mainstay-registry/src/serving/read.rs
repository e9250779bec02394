//! Asking what is served where.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Name, NodeKind, NodeRef, Result, Timestamp};
use mainstay_repo::{RefState, Repo, View};
use serde::Serialize;

use super::record::Deployment;
use crate::names::model_id;

/// How many beats are read at once.
const READ_AHEAD: usize = 16;

/// What to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Of {
    /// Everything that any service serves.
    Everything,
    /// What one service serves.
    Service(Name),
    /// Who serves any version of one model, by its name.
    Model(Name),
    /// Who serves one version.
    Version(NodeRef),
}

/// What one instance of a service serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Serving {
    /// Its node in the lineage.
    pub node: NodeRef,
    /// Which instance serves which version.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// Since when.
    pub since: Timestamp,
    /// The log entry that says so.
    pub seq: u64,
    /// When the instance last said so.
    pub seen: Timestamp,
}

impl Serving {
    /// Reports whether the instance was not heard of for longer than `after` at `now`.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp, after: Duration) -> bool {
        now.saturating_since(self.seen) > after
    }
}

/// Lists what is served in a view, in order of service and number; of each what the log says, so that
/// [`seen`](Serving::seen) is when it began.
///
/// # Errors
/// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a ref of a deployment holds something else.
///
/// # Complexity
/// O(log n + k) for one version with k instances that serve or served it; otherwise linear in what is
/// served.
pub fn deployments(view: &View, of: &Of) -> Result<Vec<Serving>> {
    let below = |prefix: &str| -> Result<Vec<Serving>> {
        let states = view.below(prefix)?;
        states
            .filter_map(|(path, state)| read(NodeRef::from_ref_path(path)?, state).transpose())
            .collect()
    };
    let kind = NodeKind::Deployment;
    match of {
        Of::Everything => below(kind.as_str()).map(sorted),
        Of::Service(service) => below(&format!("{kind}/{service}")).map(sorted),
        Of::Model(model) => {
            let id = model_id(view, model)?;
            let mut served = below(kind.as_str())?;
            served.retain(|serving| *serving.deployment.model.name() == id);
            Ok(sorted(served))
        }
        Of::Version(version) => {
            let mut served = Vec::new();
            for dependent in view.dependents(version)? {
                if dependent.from.kind() == kind {
                    let state = view.get(&dependent.from.ref_path())?;
                    let found = state.map(|state| read(dependent.from, state)).transpose()?;
                    served.extend(found.flatten());
                }
            }
            Ok(sorted(served))
        }
    }
}

/// Lists what is served now, with when each instance was last heard of.
pub(crate) async fn serving(repo: &Repo, of: &Of) -> Result<Vec<Serving>> {
    let served = repo.read(|view| deployments(view, of)).await?;
    let heard = served.into_iter().map(|mut serving| async move {
        if let Some(beat) = repo.last_beat(&serving.node).await? {
            serving.seen = serving.seen.max(beat);
        }
        Ok(serving)
    });
    stream::iter(heard).buffered(READ_AHEAD).try_collect().await
}

/// Reads one deployment; `None` when the ref holds no value.
fn read(node: NodeRef, state: &RefState) -> Result<Option<Serving>> {
    let Some(value) = &state.value else {
        return Ok(None);
    };
    Ok(Some(Serving {
        deployment: Deployment::from_value(value)?,
        node,
        since: state.time,
        seq: state.seq,
        seen: state.time,
    }))
}

fn sorted(mut served: Vec<Serving>) -> Vec<Serving> {
    fn key(serving: &Serving) -> (&Name, u64) {
        (&serving.deployment.service, serving.deployment.number)
    }
    served.sort_by(|a, b| key(a).cmp(&key(b)));
    served
}
