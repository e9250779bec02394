//! References between things of different kinds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, Name, RefPath, Result};

/// What kind of thing a [`NodeRef`] names; printed in lower case, the first segment of its ref path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NodeKind {
    /// A dataset snapshot.
    Data,
    /// A model version.
    Model,
    /// A prompt version with its inference configuration.
    Prompt,
    /// An environment manifest.
    Env,
    /// A code commit; lives outside the workspace.
    Code,
    /// A training or evaluation run.
    Run,
    /// A deployment unit: model, prompt, data and environment as one.
    Unit,
    /// A channel that serves one unit.
    Channel,
    /// One rollout of a unit into a channel.
    Rollout,
    /// An experiment.
    Experiment,
    /// What an evaluation found.
    Eval,
    /// A part of a dataset: its training rows, its held-out rows.
    Split,
    /// What a service was seen to serve.
    Deployment,
    /// A person or a service; lives outside the workspace.
    Agent,
}

impl NodeKind {
    /// Every kind, in order.
    pub const ALL: [Self; 14] = [
        Self::Data,
        Self::Model,
        Self::Prompt,
        Self::Env,
        Self::Code,
        Self::Run,
        Self::Unit,
        Self::Channel,
        Self::Rollout,
        Self::Experiment,
        Self::Eval,
        Self::Split,
        Self::Deployment,
        Self::Agent,
    ];

    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Model => "model",
            Self::Prompt => "prompt",
            Self::Env => "env",
            Self::Code => "code",
            Self::Run => "run",
            Self::Unit => "unit",
            Self::Channel => "channel",
            Self::Rollout => "rollout",
            Self::Experiment => "experiment",
            Self::Eval => "eval",
            Self::Split => "split",
            Self::Deployment => "deployment",
            Self::Agent => "agent",
        }
    }

    /// Reports whether things of the kind live outside of the workspace, so that nothing is missing
    /// where a reference to one finds no ref.
    #[must_use]
    pub const fn is_external(self) -> bool {
        matches!(self, Self::Code | Self::Agent)
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NodeKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                Error::invalid(format!("unknown kind; one of {known}"))
                    .context("kind", text.escape_debug())
            })
    }
}

/// One immutable thing: `kind:name@version`, as `model:fraud@1.2.0` or `data:penguins@3`.
///
/// A version is never reused, so within one workspace a `NodeRef` always means the same bytes. The
/// crates of different kinds know each other's things by this value only.
///
/// ```
/// use mainstay_core::NodeRef;
///
/// let model: NodeRef = "model:fraud@1.2.0".parse()?;
/// assert_eq!(model.ref_path().as_str(), "model/fraud/version/1.2.0");
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeRef {
    kind: NodeKind,
    name: Name,
    version: Name,
}

impl NodeRef {
    /// Names version `version` of the thing `name`.
    #[must_use]
    pub fn new(kind: NodeKind, name: Name, version: Name) -> Self {
        Self {
            kind,
            name,
            version,
        }
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> NodeKind {
        self.kind
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the version.
    #[must_use]
    pub fn version(&self) -> &Name {
        &self.version
    }

    /// Returns the ref that holds the thing: `<kind>/<name>/version/<version>`.
    #[must_use]
    pub fn ref_path(&self) -> RefPath {
        RefPath::from_trusted(format!(
            "{}/{}/version/{}",
            self.kind, self.name, self.version
        ))
    }

    /// Reads a node back from its [`ref_path`](Self::ref_path); `None` for any other path.
    #[must_use]
    pub fn from_ref_path(path: &RefPath) -> Option<Self> {
        let segments: Vec<&str> = path.segments().collect();
        let [kind, name, "version", version] = segments[..] else {
            return None;
        };
        Some(Self::new(
            kind.parse().ok()?,
            name.parse().ok()?,
            version.parse().ok()?,
        ))
    }
}

impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}@{}", self.kind, self.name, self.version)
    }
}

impl fmt::Debug for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NodeRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse()? {
            Locator {
                kind: Some(kind),
                name,
                selector: Selector::Named(version),
            } => Ok(Self::new(kind, name, version)),
            _ => Err(
                Error::invalid("not a reference: expected kind:name@version")
                    .context("reference", text.escape_debug()),
            ),
        }
    }
}

impl TryFrom<String> for NodeRef {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<NodeRef> for String {
    fn from(node: NodeRef) -> Self {
        node.to_string()
    }
}

/// Which version of a named thing a person means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Selector {
    /// The newest version: `latest`, or nothing said.
    #[default]
    Latest,
    /// A version, tag, label or alias; the crate that owns the kind looks in that order.
    Named(Name),
    /// The version with this record digest: `sha256:…`.
    Digest(Digest),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Named(name) => fmt::Display::fmt(name, f),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl FromStr for Selector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "latest" => Self::Latest,
            text if text.starts_with("sha256:") => Self::Digest(text.parse()?),
            text => Self::Named(text.parse()?),
        })
    }
}

/// What a person writes to name a thing: `[kind:]name[@selector]`.
///
/// Resolving it against a workspace gives a [`NodeRef`].
///
/// ```
/// use mainstay_core::{Locator, Selector};
///
/// let locator: Locator = "penguins".parse()?;
/// assert_eq!((locator.kind, locator.selector), (None, Selector::Latest));
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the grammar has these three parts"
)]
pub struct Locator {
    /// The kind, unless the context implies it.
    pub kind: Option<NodeKind>,
    /// The name.
    pub name: Name,
    /// Which version.
    pub selector: Selector,
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(f, "{kind}:")?;
        }
        write!(f, "{}@{}", self.name, self.selector)
    }
}

impl FromStr for Locator {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (thing, selector) = match text.split_once('@') {
            Some((thing, selector)) => (thing, selector.parse()?),
            None => (text, Selector::Latest),
        };
        let (kind, name) = match thing.split_once(':') {
            Some((kind, name)) => (Some(kind.parse()?), name),
            None => (None, thing),
        };
        Ok(Self {
            kind,
            name: name.parse()?,
            selector,
        })
    }
}

impl From<NodeRef> for Locator {
    fn from(node: NodeRef) -> Self {
        Self {
            kind: Some(node.kind),
            name: node.name,
            selector: Selector::Named(node.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_round_trips() {
        for kind in NodeKind::ALL {
            assert_eq!(kind.as_str().parse::<NodeKind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn a_locator_is_read_part_by_part() {
        let digest = Digest::of(b"x");
        let locator: Locator = format!("data:penguins@{digest}").parse().unwrap();
        assert_eq!(locator.kind, Some(NodeKind::Data));
        assert_eq!(locator.selector, Selector::Digest(digest));
        for bad in [
            "",
            "@1",
            "data:",
            "x@",
            "nothing:x@1",
            "data:a@b@c",
            "data:x@sha256:12",
            "data:a:b",
        ] {
            assert!(bad.parse::<Locator>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_node_needs_kind_and_version() {
        for bad in ["fraud@1", "model:fraud", "model:fraud@latest"] {
            assert!(bad.parse::<NodeRef>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_node_survives_text_and_path(name in "[a-z0-9_][a-z0-9_-]{0,20}", version in "[0-9]{1,3}") {
            let node = NodeRef::new(NodeKind::Model, name.parse().unwrap(), version.parse().unwrap());
            prop_assert_eq!(&node.to_string().parse::<NodeRef>().unwrap(), &node);
            prop_assert_eq!(NodeRef::from_ref_path(&node.ref_path()).unwrap(), node);
        }

        #[test]
        fn any_text_parses_or_is_refused(text in ".*") {
            drop(text.parse::<Locator>());
            drop(text.parse::<NodeRef>());
        }
    }
}
