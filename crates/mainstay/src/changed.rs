//! What changed, said by the crates that know the kinds.

mod data;
mod environment;
mod model;
mod prompt;

use std::sync::Arc;

use mainstay_core::{Error, Locator, Name, NodeKind, NodeRef, Result, Selector, Timestamp};
use mainstay_lineage::Graph;
use mainstay_lineage::change::{self, Change, Describers};
use mainstay_repo::View;
use serde::Serialize;

use crate::Workspace;

impl Workspace {
    /// Says what changed from `a` to `b`, two versions of one kind, the most telling part first.
    ///
    /// Two deployment units are compared slot by slot. Data is told by schema and drift, prompts by
    /// variables and text, models by what asks for a new version, parameters, seeds, code, tensors and
    /// metrics, environments by the serving policy; a model that changed is followed to what it was made
    /// from. No table and no tensor is read: statistics are stored with each snapshot, and of the
    /// safetensors files that changed the headers and stored chunks are compared.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when `a` or `b` is not in the workspace,
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when they are of two kinds.
    pub async fn changed(&self, a: &NodeRef, b: &NodeRef) -> Result<Change> {
        let view = self.repo().view().await?;
        change::changed(self.repo(), &view, a, b, &self.describers(&view)).await
    }

    /// Says what changed in what a channel served from the time `from` to the time `to`, with what
    /// happened between the two.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when the channel served nothing at one of the times,
    /// and as [`changed`](Self::changed).
    pub async fn changed_between(
        &self,
        channel: &Name,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Change> {
        let (a, after) = self.served_at(channel, from).await?;
        let (b, until) = self.served_at(channel, to).await?;
        let view = self.repo().view().await?;
        let span = (after.min(until), after.max(until));
        let describers = self.describers(&view);
        change::changed_within(self.repo(), &view, (&a, &b), span, &describers).await
    }

    /// Returns the unit that a channel served at a time, and the newest log entry then.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when it served nothing.
    pub async fn served_at(&self, channel: &Name, time: Timestamp) -> Result<(NodeRef, u64)> {
        let view = self.repo().view_as_of(time).await?;
        let locator = Locator {
            kind: Some(NodeKind::Channel),
            name: channel.clone(),
            selector: Selector::Latest,
        };
        let served = view.read(|view| crate::resolve(view, &locator)).await;
        let served = served.map_err(|error| error.context("time", time))?;
        Ok((served, view.seq()))
    }

    fn describers(&self, view: &View) -> Describers {
        Describers::new()
            .with(NodeKind::Data, Arc::new(data::DescribeData(self.data())))
            .with(
                NodeKind::Prompt,
                Arc::new(prompt::DescribePrompt(self.clone(), view.clone())),
            )
            .with(
                NodeKind::Model,
                Arc::new(model::DescribeModel(self.models(), view.clone())),
            )
            .with(
                NodeKind::Env,
                Arc::new(environment::DescribeEnvironment(view.clone())),
            )
    }

    /// Returns the lineage of everything in the newest view, with the names that renamed models have now.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn graph(&self) -> Result<Graph> {
        let view = self.repo().view().await?;
        let graph = view.read(Graph::from_view).await?;
        self.named(graph, &view).await
    }

    /// Adds to a graph what renamed models are called in `view`; see [`called`](crate::called).
    ///
    /// # Errors
    /// Those of [`called`](crate::called) and of the storage.
    pub async fn named(&self, graph: Graph, view: &View) -> Result<Graph> {
        let find = |view: &View| crate::called(view, graph.nodes().map(|(node, _)| node));
        let called = view.read(find).await?;
        Ok(graph.with_called(called))
    }
}

fn json<T: Serialize>(detail: &T) -> Result<serde_json::Value> {
    serde_json::to_value(detail)
        .map_err(|cause| Error::invalid("a detail is not JSON").with_source(cause))
}
