//! Who serves now what came from something.

use std::collections::BTreeSet;

use mainstay_core::{Name, NodeKind, NodeRef, Result, Timestamp};
use mainstay_lineage::{Presence, Walk};
use mainstay_registry::serving::Of;
use serde::Serialize;

use crate::Workspace;

/// An instance that serves something a walk reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Live {
    /// What it serves, as a node of the lineage.
    pub deployment: NodeRef,
    /// The service.
    pub service: Name,
    /// The instance of it.
    pub instance: Name,
    /// The version that it serves.
    pub model: NodeRef,
    /// Since when.
    pub since: Timestamp,
    /// When it last said so.
    pub seen: Timestamp,
    /// How it came from where the walk began: a shortest way, both ends included.
    pub path: Vec<NodeRef>,
}

impl Workspace {
    /// Lists the instances of services that serve now, by their heartbeats, what a walk down reached or
    /// began from; in order of service and number.
    ///
    /// The walk says how far: one that stops at models reaches no instance. An instance that ended is not
    /// live; one that fell silent is until it says that it ended, and [`seen`](Live::seen) tells.
    ///
    /// ```
    /// use mainstay::lineage::WalkOptions;
    /// use mainstay::registry::serving::HeartbeatSpec;
    /// use mainstay::registry::{FileSpec, ModelSpec};
    /// use mainstay::{Actor, Workspace};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let workspace = Workspace::create("mem:").await?;
    /// let ada = Actor::new("ada")?;
    /// let model = ModelSpec::new("fraud".parse()?, ada.clone(), "weekly training")
    ///     .with_file(FileSpec::from_bytes("model.bin".parse()?, "weights"));
    /// let model = workspace.models().register(model).await?.node;
    /// let beat = HeartbeatSpec::new("checkout".parse()?, "pod-7".parse()?, ada);
    /// workspace.models().heartbeat(beat.with_model(model.clone())).await?;
    ///
    /// let impact = workspace.graph().await?.impact(&model, &WalkOptions::default())?;
    /// let live = workspace.live(&impact.walk).await?;
    /// assert_eq!(live[0].instance.as_str(), "pod-7");
    /// # Ok::<(), mainstay::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Those of [`Registry::serving`](mainstay_registry::Registry::serving).
    ///
    /// # Complexity
    /// A read for each instance that serves any of it.
    pub async fn live(&self, walk: &Walk) -> Result<Vec<Live>> {
        let reached = walk.reached.iter();
        let deployments = reached.filter(|reached| {
            reached.node.kind() == NodeKind::Deployment && reached.presence == Presence::Present
        });
        let served: BTreeSet<&NodeRef> = deployments.map(|reached| &reached.from).collect();
        let mut live = Vec::new();
        for model in served {
            for serving in self.models().serving(&Of::Version(model.clone())).await? {
                let Some(path) = walk.path(&serving.node) else {
                    continue;
                };
                let number = serving.deployment.number;
                live.push((
                    number,
                    Live {
                        deployment: serving.node,
                        service: serving.deployment.service,
                        instance: serving.deployment.instance,
                        model: serving.deployment.model,
                        since: serving.since,
                        seen: serving.seen,
                        path,
                    },
                ));
            }
        }
        live.sort_by(|(a, left), (b, right)| (&left.service, a).cmp(&(&right.service, b)));
        Ok(live.into_iter().map(|(_, live)| live).collect())
    }
}
