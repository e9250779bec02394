//! What changed, said by the crates that know the kinds.

mod data;
mod environment;
mod model;
mod prompt;

use std::sync::Arc;

use mainstay_core::{Error, NodeKind, NodeRef, Result};
use mainstay_lineage::Graph;
use mainstay_lineage::change::{self, Change, Describers};
use serde::Serialize;

use crate::Workspace;

impl Workspace {
    /// Says what changed from `a` to `b`, two versions of one kind, the most telling part first.
    ///
    /// Two deployment units are compared slot by slot. Data is told by schema and drift, prompts by
    /// variables and text, models by what asks for a new version, environments by the serving policy;
    /// a model that changed is followed to what it was made from. No table is read: statistics are
    /// stored with each snapshot.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when `a` or `b` is not in the workspace,
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when they are of two kinds.
    pub async fn changed(&self, a: &NodeRef, b: &NodeRef) -> Result<Change> {
        let view = self.repo().view().await?;
        let describers = Describers::new()
            .with(NodeKind::Data, Arc::new(data::DescribeData(self.data())))
            .with(
                NodeKind::Prompt,
                Arc::new(prompt::DescribePrompt(self.clone(), view.clone())),
            )
            .with(
                NodeKind::Model,
                Arc::new(model::DescribeModel(view.clone())),
            )
            .with(
                NodeKind::Env,
                Arc::new(environment::DescribeEnvironment(view.clone())),
            );
        change::changed(self.repo(), &view, a, b, &describers).await
    }

    /// Returns the lineage of everything in the newest view.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn graph(&self) -> Result<Graph> {
        self.repo().read(Graph::from_view).await
    }
}

fn json<T: Serialize>(detail: &T) -> Result<serde_json::Value> {
    serde_json::to_value(detail)
        .map_err(|cause| Error::invalid("a detail is not JSON").with_source(cause))
}
