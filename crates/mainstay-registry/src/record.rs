//! The stored record of a model version. Normative description: `docs/formats/model-version.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use mainstay_core::{
    Actor, Digest, Edge, EdgeKind, Error, Name, NodeKind, NodeRef, Result, Timestamp,
};
use mainstay_repo::Value;
use semver::Version;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::level::{Level, Reason};
use crate::metric::Metric;
use crate::signature::Signature;

/// The format of every record of this crate but that of versions.
pub(crate) const FORMAT: u32 = 1;

/// The newest format of a version: the one that says who registered it.
const VERSION_FORMAT: u32 = 3;

/// A registered model version: immutable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelVersion {
    /// The format of this record.
    pub format: u32,
    /// The [id](crate::model_id) of the model: what it was called when its first version was registered.
    pub model: Name,
    /// The version.
    pub version: Version,
    /// Its place among the versions of the model, from 1; never used again.
    pub ordinal: u64,
    /// How it differs from the version before it; `None` when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bump: Option<Increment>,
    /// Its files.
    pub artifact: Artifact,
    /// The data it was made from, sorted by role.
    pub data: Vec<DataUse>,
    /// The code that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeUse>,
    /// Its hyperparameters: JSON scalars.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// The seeds of its random numbers; decimal text in JSON, because they use all 64 bits.
    #[serde(with = "decimal_text")]
    pub seeds: BTreeMap<String, u64>,
    /// The environment it was made in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<NodeRef>,
    /// What was measured.
    pub metrics: BTreeMap<String, Measured>,
    /// The models it was made from, sorted.
    pub parents: Vec<Parent>,
    /// How much each parent weighed, where it was merged of them. Since format 2, as what follows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<NodeRef, Metric>,
    /// The run that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunUse>,
    /// Who registered it; `None` when an older Mainstay wrote the record, and its log entry alone says so.
    /// Since format 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Actor>,
    /// Who answers for it. One that is a [`Name`] is an agent of the lineage, `agent:<owner>@1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// From when on it should not be used any more. Nothing enforces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// What it takes and gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The tags given at registration.
    pub tags: BTreeMap<String, String>,
    /// The description given at registration.
    pub description: String,
    /// The digest of everything that determines the artifact; see `docs/formats/reproducibility.md`.
    pub reproducibility: Digest,
}

/// How a version differs from the one before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Increment {
    /// The version it was compared with.
    pub previous: Version,
    /// What the differences ask for.
    pub inferred: Level,
    /// The differences, the heaviest first; at most 256.
    pub reasons: Vec<Reason>,
    /// How many more there were.
    pub omitted: u64,
}

/// Data a model was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DataUse {
    /// Its role, as `train`.
    pub role: Name,
    /// The dataset version.
    pub data: NodeRef,
    /// The digest of that version's record.
    pub record: Digest,
}

/// The run a model was made by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RunUse {
    /// The run.
    pub run: NodeRef,
    /// The step it had reached, of a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
}

impl RunUse {
    /// Names a run.
    #[must_use]
    pub fn new(run: NodeRef) -> Self {
        Self { run, step: None }
    }

    /// Says which step it had reached.
    #[must_use]
    pub fn at_step(mut self, step: i64) -> Self {
        self.step = Some(step);
        self
    }
}

/// The commit a model was made with; in the lineage it is `code:<repository>@<commit>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CodeUse {
    /// The repository.
    pub repository: Name,
    /// The commit.
    pub commit: Name,
    /// Whether the working tree had changes beyond the commit.
    pub dirty: bool,
}

impl CodeUse {
    /// Names a commit of a clean working tree.
    #[must_use]
    pub fn new(repository: Name, commit: Name) -> Self {
        Self {
            repository,
            commit,
            dirty: false,
        }
    }

    /// Marks that the working tree had changes beyond the commit.
    #[must_use]
    pub fn dirty(mut self) -> Self {
        self.dirty = true;
        self
    }

    /// Returns the commit as a node of the lineage.
    #[must_use]
    pub fn node(&self) -> NodeRef {
        NodeRef::new(NodeKind::Code, self.repository.clone(), self.commit.clone())
    }
}

/// A metric and what it was measured on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Measured {
    /// The value.
    pub value: Metric,
    /// The dataset version it was measured on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<NodeRef>,
}

impl Measured {
    /// Creates a metric without saying on what it was measured.
    #[must_use]
    pub fn new(value: impl Into<Metric>) -> Self {
        Self {
            value: value.into(),
            data: None,
        }
    }

    /// Says on what it was measured.
    #[must_use]
    pub fn on(mut self, data: NodeRef) -> Self {
        self.data = Some(data);
        self
    }
}

/// A model another was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Parent {
    /// The parent.
    pub model: NodeRef,
    /// How the child was made from it.
    pub relation: Relation,
}

impl Parent {
    /// Creates a parent.
    #[must_use]
    pub fn new(model: NodeRef, relation: Relation) -> Self {
        Self { model, relation }
    }
}

macro_rules! relations {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// How a model was made from another.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Relation {
            $($(#[$doc])* $variant,)*
        }

        impl Relation {
            /// Every relation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the printed form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

relations! {
    /// Trained further on other data or another task.
    FineTune = "fine_tune",
    /// Trained further on the same task.
    Continue = "continue",
    /// Taught by it.
    Distill = "distill",
    /// Its weights were combined with others'.
    Merge = "merge",
    /// Its weights were stored with fewer bits.
    Quantize = "quantize",
    /// Some of its weights were removed.
    Prune = "prune",
    /// The same model in another file format.
    Convert = "convert",
    /// A later state of the same training.
    Checkpoint = "checkpoint",
    /// The same bytes under another name.
    Copy = "copy",
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Relation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|relation| relation.as_str() == text)
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
                Error::invalid(format!("unknown relation; one of {}", known.join(", ")))
                    .context("relation", text.escape_debug())
            })
    }
}

impl ModelVersion {
    /// The kind of the [`Value`] that holds the record.
    pub const KIND: &'static str = "model.version";

    /// Reads the record from the value of a version's ref.
    ///
    /// # Errors
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer format wrote it, [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when it is not
    /// a model version.
    pub fn from_value(value: &Value) -> Result<Self> {
        let stated = value
            .record
            .get("format")
            .and_then(serde_json::Value::as_u64);
        let known = u64::from(FORMAT)..u64::from(VERSION_FORMAT);
        let format = stated.filter(|format| known.contains(format));
        value.check_format(Self::KIND, format.unwrap_or(u64::from(VERSION_FORMAT)))?;
        let version: Self = value.decode(Self::KIND)?;
        if version.least_format() > version.format {
            return Err(Error::corrupt(Self::KIND, "a member of a later format"));
        }
        Ok(version)
    }

    /// Reports whether a value says that it is a version in a format that is known.
    pub(crate) fn is_known(value: &Value) -> bool {
        let format = value
            .record
            .get("format")
            .and_then(serde_json::Value::as_u64);
        let known = u64::from(FORMAT)..=u64::from(VERSION_FORMAT);
        value.kind == Self::KIND && format.is_some_and(|format| known.contains(&format))
    }

    /// Returns the first format that can say what the version says.
    pub(crate) fn least_format(&self) -> u32 {
        let says_nothing_new = self.weights.is_empty()
            && self.run.is_none()
            && self.owner.is_none()
            && self.purpose.is_none()
            && self.expires.is_none();
        if self.author.is_some() {
            VERSION_FORMAT
        } else if says_nothing_new {
            FORMAT
        } else {
            2
        }
    }

    /// Returns the version as a node of the lineage.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the version is longer than a name.
    pub fn node(&self) -> Result<NodeRef> {
        Ok(NodeRef::new(
            NodeKind::Model,
            self.model.clone(),
            version_name(&self.version)?,
        ))
    }

    pub(crate) fn to_value(&self) -> Result<Value> {
        let blobs = self.artifact.files.iter().map(|file| file.digest);
        Ok(Value::new(Self::KIND, self)?
            .with_blobs(blobs)
            .with_edges(self.edges()?))
    }

    fn edges(&self) -> Result<Vec<Edge>> {
        let mut edges = Vec::new();
        for used in &self.data {
            edges.push(Edge::new(EdgeKind::Used, used.data.clone()).with_role(used.role.clone()));
        }
        if let Some(code) = &self.code {
            edges.push(Edge::new(EdgeKind::Used, code.node()).with_role("code".parse()?));
        }
        if let Some(environment) = &self.environment {
            let edge = Edge::new(EdgeKind::Used, environment.clone());
            edges.push(edge.with_role("environment".parse()?));
        }
        for parent in &self.parents {
            let edge = Edge::new(EdgeKind::DerivedFrom, parent.model.clone());
            edges.push(edge.with_role(parent.relation.as_str().parse()?));
        }
        if let Some(made) = &self.run {
            edges.push(Edge::new(EdgeKind::GeneratedBy, made.run.clone()));
        }
        for data in self
            .metrics
            .values()
            .filter_map(|metric| metric.data.as_ref())
        {
            let edge = Edge::new(EdgeKind::EvaluatedOn, data.clone());
            edges.push(edge.with_role("evaluation".parse()?));
        }
        if let Some(Ok(agent)) = self.owner.as_deref().map(str::parse) {
            let agent = NodeRef::new(NodeKind::Agent, agent, "1".parse()?);
            edges.push(Edge::new(EdgeKind::AttributedTo, agent));
        }
        Ok(edges)
    }
}

/// Returns a version as the last segment of its ref path.
pub(crate) fn version_name(version: &Version) -> Result<Name> {
    version.to_string().parse()
}

/// Decodes a record of this crate, whose format is the member `format`.
pub(crate) fn decode<T: DeserializeOwned>(value: &Value, kind: &str) -> Result<T> {
    value.check_format(kind, u64::from(FORMAT))?;
    value.decode(kind)
}

pub(crate) mod decimal_text {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        seeds: &BTreeMap<String, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text: BTreeMap<&String, String> = seeds
            .iter()
            .map(|(name, seed)| (name, seed.to_string()))
            .collect();
        text.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, u64>, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer)?
            .into_iter()
            .map(|(name, text)| match text.parse::<u64>() {
                Ok(seed) if seed.to_string() == text => Ok((name, seed)),
                _ => Err(de::Error::custom("a seed is decimal text of 64 bits")),
            })
            .collect()
    }
}
