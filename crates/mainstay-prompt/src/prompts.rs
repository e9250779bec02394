//! The prompts of a repository.

use std::sync::Arc;

use mainstay_core::{
    Actor, Digest, Error, Locator, Name, NodeKind, NodeRef, RefPath, Result, Timestamp,
};
use mainstay_repo::{Repo, Series, View};

use crate::{Compiled, PromptContent};

mod cache;
mod labels;
mod log;
mod publish;

pub use labels::{LabelChange, LabelExpectation};
pub use log::{LogLine, PromptSummary};
pub use publish::Published;

use cache::Cache;

/// The family of prompt pointers: `prompt/<name>/label/<label>`.
const LABEL: &str = "label";

/// The prompts of a repository: versions `prompt/<name>/version/<n>` from 1, and labels.
///
/// A version never changes and its number is never used again. A label points to a version, moves
/// with an expectation, and keeps its history. `latest` is the version published last and is no
/// label. Clones share one cache of compiled versions.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mainstay_core::Error> {
/// use std::sync::Arc;
///
/// use mainstay_core::Actor;
/// use mainstay_prompt::{PromptContent, Prompts, RenderOptions};
/// use mainstay_repo::{Repo, RepoOptions};
/// use mainstay_store::MemoryStorage;
///
/// let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
/// let prompts = Prompts::new(repo);
/// let ada = Actor::new("ada")?;
///
/// let content = PromptContent::text("Hello {{name}}");
/// let labels = ["production".parse()?];
/// let published = prompts
///     .publish(&"greeting".parse()?, content, &labels, ada, "first words")
///     .await?;
/// assert_eq!(published.node.to_string(), "prompt:greeting@1");
///
/// let version = prompts.get(&"greeting@production".parse()?).await?;
/// let rendered = version.prompt.render([("name", "Bob")], &RenderOptions::default())?;
/// assert_eq!(rendered.output().as_text(), Some("Hello Bob"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Prompts {
    repo: Repo,
    cache: Arc<Cache>,
}

/// One published version, ready to render.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PromptVersion {
    /// Which version.
    pub node: NodeRef,
    /// The digest of its content: what `sha256:…` selects.
    pub digest: Digest,
    /// When it was published.
    pub published_at: Timestamp,
    /// The prompt.
    pub prompt: Arc<Compiled>,
}

impl Prompts {
    /// Creates the handle.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self {
            repo,
            cache: Arc::default(),
        }
    }

    /// Publishes a version of `name` and points `labels` to it, in one commit.
    ///
    /// Content equal to the latest version's is not published again: the latest is returned with
    /// `created: false`, and labels that point elsewhere are moved to it. Content equal to an older
    /// version's becomes a new version, so that `latest` is always what was published last.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) as [`Compiled::new`], or for a label
    /// that is `latest` or a number; nothing is written then.
    #[tracing::instrument(skip_all, fields(prompt = %name), err)]
    pub async fn publish(
        &self,
        name: &Name,
        content: PromptContent,
        labels: &[Name],
        actor: Actor,
        reason: &str,
    ) -> Result<Published> {
        publish::publish(self, name, content, labels, &actor, reason).await
    }

    /// Finds and compiles a version in the newest view.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    #[tracing::instrument(skip_all, fields(prompt = %locator), err)]
    pub async fn get(&self, locator: &Locator) -> Result<PromptVersion> {
        self.repo.read(|view| self.find(view, locator)).await
    }

    /// Finds and compiles a version in `view`, a view of this handle's repository.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when
    /// the record is damaged, [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible)
    /// when a newer Mainstay wrote it.
    pub fn find(&self, view: &View, locator: &Locator) -> Result<PromptVersion> {
        let (node, state) = lookup(view, locator)?;
        let prompt = self.cache.get_or_compile(&node, state)?;
        Ok(PromptVersion {
            digest: prompt.digest(),
            published_at: state.time,
            node,
            prompt,
        })
    }

    /// Finds which version `locator` means in `view`: a version number, then a label, a content
    /// digest, or `latest`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) naming the prompt and the selector;
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the locator is of another kind.
    pub fn resolve(view: &View, locator: &Locator) -> Result<NodeRef> {
        lookup(view, locator).map(|(node, _)| node)
    }
}

fn lookup<'v>(view: &'v View, locator: &Locator) -> Result<(NodeRef, &'v mainstay_repo::RefState)> {
    if locator.kind.is_some_and(|kind| kind != NodeKind::Prompt) {
        return Err(Error::invalid("not a prompt").context("reference", locator));
    }
    series(&locator.name).resolve(view, &locator.selector, &[LABEL])
}

fn series(name: &Name) -> Series {
    Series::new(NodeKind::Prompt, name.clone())
}

/// Names the ref of a label.
fn label_path(name: &Name, label: &Name) -> Result<RefPath> {
    // A selector that is a number always means a version.
    if label.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid("a label must not be a number").context("label", label));
    }
    series(name).pointer(LABEL, label)
}
