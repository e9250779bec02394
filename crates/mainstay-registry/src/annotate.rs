//! Tags and description set after registration. The record stays as it was registered.

use std::collections::BTreeMap;

use mainstay_core::{Actor, Locator, NodeRef, Result};
use mainstay_repo::{Repo, Step, Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::record::{FORMAT, ModelVersion, decode};
use crate::refs::{self, Family};
use crate::resolve::resolve;
use crate::text;

/// What to set on a registered version. Its limits are those of a [`ModelSpec`](crate::ModelSpec), and hold
/// of all tags of the version together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AnnotateSpec {
    /// The version.
    pub model: Locator,
    /// Tags to set; `None` removes a tag.
    pub tags: BTreeMap<String, Option<String>>,
    /// The new description; `None` keeps the one it has.
    pub description: Option<String>,
    /// Who sets it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl AnnotateSpec {
    /// Creates a spec that sets nothing yet.
    #[must_use]
    pub fn new(model: Locator, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            model,
            tags: BTreeMap::new(),
            description: None,
            actor,
            reason: reason.into(),
        }
    }

    /// Sets a tag.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), Some(value.into()));
        self
    }

    /// Removes a tag.
    #[must_use]
    pub fn without_tag(mut self, key: impl Into<String>) -> Self {
        self.tags.insert(key.into(), None);
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

/// What was set on one version since its registration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Annotation {
    pub(crate) format: u32,
    /// `None` hides a tag of the record.
    pub(crate) tags: BTreeMap<String, Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
}

impl Annotation {
    pub(crate) const KIND: &'static str = "model.annotation";

    pub(crate) fn of(view: &View, version: &NodeRef) -> Result<Self> {
        let path = refs::of(version.name(), Family::Annotation, version.version())?;
        match refs::value(view, &path)? {
            Some(value) => decode(value, Self::KIND),
            None => Ok(Self {
                format: FORMAT,
                tags: BTreeMap::new(),
                description: None,
            }),
        }
    }

    /// Lays the annotation over the tags of a record.
    pub(crate) fn apply(&self, record: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut tags = record.clone();
        for (key, value) in &self.tags {
            match value {
                Some(value) => tags.insert(key.clone(), value.clone()),
                None => tags.remove(key),
            };
        }
        tags
    }
}

pub(crate) async fn annotate(repo: &Repo, spec: AnnotateSpec) -> Result<(NodeRef, Option<u64>)> {
    text::check_keys("tags", spec.tags.keys())?;
    for value in spec.tags.values().flatten().chain(&spec.description) {
        text::check_value("text", value)?;
    }
    let build = |view: &View| {
        let version = resolve(view, &spec.model)?;
        let before = Annotation::of(view, &version)?;
        let mut after = before.clone();
        after.tags.extend(spec.tags.clone());
        if spec.description.is_some() {
            after.description.clone_from(&spec.description);
        }
        let path = version.ref_path();
        let record = ModelVersion::from_value(refs::held(&path, refs::version(view, &version)?)?)?;
        text::check_tags(&after.apply(&record.tags))?;
        if after == before {
            return Ok(Step::Done(version));
        }
        let path = refs::of(version.name(), Family::Annotation, version.version())?;
        let expectation = refs::unchanged(view, &path)?;
        let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
        transaction.set(path, Value::new(Annotation::KIND, &after)?, expectation);
        Ok(Step::Commit(transaction, version))
    };
    let (committed, version) = repo.transact(build).await?;
    Ok((version, committed.map(|committed| committed.seq)))
}
