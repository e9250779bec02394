//! Listing prompts and their versions.

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use mainstay_core::{Actor, Digest, Error, Name, NodeKind, NodeRef, Result, Timestamp};
use mainstay_repo::{RefChange, Series, Value, View};

use super::{Prompts, series};

/// One prompt of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PromptSummary {
    /// Its name.
    pub name: Name,
    /// The version published last.
    pub latest: NodeRef,
    /// When that was.
    pub published_at: Timestamp,
    /// How many versions there are.
    pub versions: usize,
    /// Its labels and their versions, in label order.
    pub labels: Vec<(Name, NodeRef)>,
}

/// One version of a prompt's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// Which version.
    pub node: NodeRef,
    /// The digest of its content.
    pub digest: Digest,
    /// When it was published.
    pub time: Timestamp,
    /// Who published it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The labels that point to it in the view, in order.
    pub labels: Vec<Name>,
}

impl Prompts {
    /// Lists the prompts of `view` in name order.
    ///
    /// # Errors
    /// Those of [`View::get`].
    pub fn list(view: &View) -> Result<Vec<PromptSummary>> {
        let mut prompts = Vec::new();
        for name in Series::names(view, NodeKind::Prompt)? {
            let versions = series(&name).versions(view)?;
            let Some((latest, state)) = versions.last() else {
                continue;
            };
            prompts.push(PromptSummary {
                latest: latest.clone(),
                published_at: state.time,
                versions: versions.len(),
                labels: Self::labels(view, &name)?,
                name,
            });
        }
        Ok(prompts)
    }

    /// Walks the versions of `name` in `view`, newest first; empty when there is no such prompt.
    ///
    /// The stream yields errors of the repository, and
    /// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) for a damaged version.
    pub fn log(&self, view: &View, name: &Name) -> BoxStream<'static, Result<LogLine>> {
        let (view, name, repo) = (view.clone(), name.clone(), self.repo.clone());
        let lines = async move {
            let versions = view.read(|view| labeled_versions(view, &name)).await?;
            let lines = stream::iter(versions).then(move |(node, value, labels)| {
                // A version is written once, so its newest change is its publication.
                let mut history = repo.history(&node.ref_path());
                async move {
                    let change = history.next().await.ok_or_else(|| no_history(&node))??;
                    line(node, value, change, labels)
                }
            });
            Ok::<_, Error>(lines)
        };
        stream::once(lines).try_flatten().boxed()
    }
}

/// A version, what it holds, and the labels that point to it.
type Labeled = (NodeRef, Option<Value>, Vec<Name>);

/// The versions of a prompt, newest first.
fn labeled_versions(view: &View, name: &Name) -> Result<Vec<Labeled>> {
    let labels = Prompts::labels(view, name)?;
    let newest_first = series(name).versions(view)?.into_iter().rev();
    Ok(newest_first
        .map(|(node, state)| {
            let labels = labels_at(&labels, &node);
            (node, state.value.clone(), labels)
        })
        .collect())
}

fn labels_at(labels: &[(Name, NodeRef)], node: &NodeRef) -> Vec<Name> {
    labels
        .iter()
        .filter(|(_, target)| target == node)
        .map(|(label, _)| label.clone())
        .collect()
}

fn line(
    node: NodeRef,
    value: Option<Value>,
    change: RefChange,
    labels: Vec<Name>,
) -> Result<LogLine> {
    let value = value.ok_or_else(|| no_history(&node))?;
    Ok(LogLine {
        digest: value.record_digest()?,
        node,
        time: change.time,
        actor: change.actor,
        reason: change.reason,
        labels,
    })
}

fn no_history(node: &NodeRef) -> Error {
    Error::corrupt(node, "a version without a history")
}
