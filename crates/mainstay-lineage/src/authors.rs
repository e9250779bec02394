//! Who committed what the graph holds.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::{NodeRef, Result};
use mainstay_repo::{Repo, View};
use tracing::instrument;

use crate::graph::{Graph, Presence};

/// How many entries are read at once.
const READ_AHEAD: usize = 16;

impl Graph {
    /// Adds who committed each node that is in `view`, for exports to say; see [`author`](Self::author).
    ///
    /// # Errors
    /// Those of [`Repo::entry`].
    ///
    /// # Complexity
    /// A read for each log entry that committed one of them.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn with_authors(mut self, repo: &Repo, view: &View) -> Result<Self> {
        let by_entry = view.read(|view| self.committed_by_entry(view)).await?;
        let entries = stream::iter(by_entry).map(|(seq, nodes)| async move {
            let transactions = repo.entry(seq).await?;
            Ok::<_, mainstay_core::Error>((nodes, transactions))
        });
        let entries: Vec<_> = entries.buffered(READ_AHEAD).try_collect().await?;
        for (nodes, transactions) in entries {
            for node in nodes {
                let path = node.ref_path();
                let mut made = transactions.iter().filter(|transaction| {
                    let mut changes = transaction.changes.iter();
                    changes.any(|change| change.path == path)
                });
                if let Some(last) = made.next_back() {
                    self.attribute(node, last.actor.clone());
                }
            }
        }
        Ok(self)
    }

    /// Asks for all that it needs of the view before it gives up, so that it is loaded at once.
    fn committed_by_entry(&self, view: &View) -> Result<BTreeMap<u64, Vec<NodeRef>>> {
        let (mut found, mut missed) = (BTreeMap::new(), None);
        let present = self.nodes().filter(|(_, at)| *at == Presence::Present);
        for (node, _) in present {
            match view.get(&node.ref_path()) {
                Ok(Some(state)) => {
                    let nodes: &mut Vec<NodeRef> = found.entry(state.seq).or_default();
                    nodes.push(node.clone());
                }
                Ok(None) => {}
                Err(error) => missed = Some(error),
            }
        }
        missed.map_or(Ok(found), Err)
    }
}
