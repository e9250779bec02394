//! Tags, description, owner, purpose and expiry set after registration. The record stays as it was registered.

use std::collections::BTreeMap;

use mainstay_core::{Actor, Locator, NodeRef, Result, Timestamp};
use mainstay_repo::{Repo, Step, Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::format::{self, Formatted};
use crate::record::{FORMAT, ModelVersion};
use crate::refs::{self, Family};
use crate::resolve::resolve;
use crate::text;

/// What is made of something that the record of a version says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Restated<T> {
    /// Nothing: it is as registered.
    #[default]
    #[serde(skip)]
    AsRegistered,
    /// It has another value.
    As(T),
    /// It has none.
    Absent,
}

impl<T> Restated<T> {
    /// Lays this over what the record says.
    pub(crate) fn over<'t>(&'t self, record: Option<&'t T>) -> Option<&'t T> {
        match self {
            Self::AsRegistered => record,
            Self::As(value) => Some(value),
            Self::Absent => None,
        }
    }

    fn is_as_registered(&self) -> bool {
        matches!(self, Self::AsRegistered)
    }
}

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
    /// Who answers for it from now on; `AsRegistered` keeps what it has, as of the two that follow.
    pub owner: Restated<String>,
    /// What it is for from now on.
    pub purpose: Restated<String>,
    /// From when on it should not be used any more.
    pub expires: Restated<Timestamp>,
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
            owner: Restated::AsRegistered,
            purpose: Restated::AsRegistered,
            expires: Restated::AsRegistered,
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

    /// Sets who answers for it. The lineage goes on leading from the owner of the registration to it.
    #[must_use]
    pub fn with_owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Restated::As(owner.into());
        self
    }

    /// Sets what it is for.
    #[must_use]
    pub fn with_purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = Restated::As(purpose.into());
        self
    }

    /// Sets from when on it should not be used any more. Nothing enforces it.
    #[must_use]
    pub fn with_expiry(mut self, expires: Timestamp) -> Self {
        self.expires = Restated::As(expires);
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
    /// Since format 2, as what follows.
    #[serde(default, skip_serializing_if = "Restated::is_as_registered")]
    pub(crate) owner: Restated<String>,
    #[serde(default, skip_serializing_if = "Restated::is_as_registered")]
    pub(crate) purpose: Restated<String>,
    #[serde(default, skip_serializing_if = "Restated::is_as_registered")]
    pub(crate) expires: Restated<Timestamp>,
}

impl Formatted for Annotation {
    const KIND: &'static str = "model.annotation";
    const NEWEST: u32 = 2;

    fn format(&self) -> u32 {
        self.format
    }

    fn least_format(&self) -> u32 {
        let is_first = self.owner.is_as_registered()
            && self.purpose.is_as_registered()
            && self.expires.is_as_registered();
        if is_first { FORMAT } else { Self::NEWEST }
    }
}

impl Annotation {
    pub(crate) fn of(view: &View, version: &NodeRef) -> Result<Self> {
        let path = refs::of(version.name(), Family::Annotation, version.version())?;
        match refs::value(view, &path)? {
            Some(value) => format::decode(value),
            None => Ok(Self {
                format: FORMAT,
                tags: BTreeMap::new(),
                description: None,
                owner: Restated::AsRegistered,
                purpose: Restated::AsRegistered,
                expires: Restated::AsRegistered,
            }),
        }
    }

    /// Adds what a spec sets.
    fn extend(&mut self, spec: &AnnotateSpec) {
        self.tags.extend(spec.tags.clone());
        if spec.description.is_some() {
            self.description.clone_from(&spec.description);
        }
        if !spec.owner.is_as_registered() {
            self.owner.clone_from(&spec.owner);
        }
        if !spec.purpose.is_as_registered() {
            self.purpose.clone_from(&spec.purpose);
        }
        if !spec.expires.is_as_registered() {
            self.expires.clone_from(&spec.expires);
        }
        self.format = self.least_format();
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
    let people = [&spec.owner, &spec.purpose].map(|restated| restated.over(None));
    let texts = spec.tags.values().flatten().chain(&spec.description);
    for value in texts.chain(people.into_iter().flatten()) {
        text::check_value("text", value)?;
    }
    let build = |view: &View| {
        let version = resolve(view, &spec.model)?;
        let before = Annotation::of(view, &version)?;
        let mut after = before.clone();
        after.extend(&spec);
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
