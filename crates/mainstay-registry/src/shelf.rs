//! The versions of a model while others are placed beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::{Digest, Error, Name, NodeKind, NodeRef, RefPath, Result};
use mainstay_repo::{Projection, RefState, Series, Value, View};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use semver::Version;

use crate::artifact::Artifact;
use crate::home::Home;
use crate::names::model_id;
use crate::record::{ModelVersion, version_name};
use crate::refs;

/// The version numbers of one model, kept with the views.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions {
    held: RedBlackTreeMapSync<Version, Held>,
    /// By reproducibility digest, the one registered first first.
    by_inputs: RedBlackTreeMapSync<Digest, RedBlackTreeSetSync<(u64, Version)>>,
    deleted: RedBlackTreeSetSync<Version>,
}

/// What is kept of one version.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// The log entry that registered it.
    seq: u64,
    /// Its reproducibility digest.
    inputs: Option<Digest>,
}

impl Versions {
    /// Returns those of the model with an id.
    pub(crate) fn of(view: &View, id: &Name) -> Result<Arc<Self>> {
        view.project(&format!("{}/{id}/version", NodeKind::Model))
    }

    /// Reports whether a version exists or existed: a deleted number is not used again.
    fn is_taken(&self, version: &Version) -> bool {
        self.held.contains_key(version) || self.deleted.contains(version)
    }

    /// Returns a number that is taken here and there. Complexity: O(n log n) in the fewer.
    pub(crate) fn common<'v>(&'v self, other: &'v Self) -> Option<&'v Version> {
        let count = |versions: &Self| versions.held.size() + versions.deleted.size();
        let (fewer, more) = if count(self) <= count(other) {
            (self, other)
        } else {
            (other, self)
        };
        let mut numbers = fewer.held.keys().chain(fewer.deleted.iter());
        numbers.find(|number| more.is_taken(number))
    }

    /// Returns the highest version that is wanted. Complexity: O(versions above it).
    pub(crate) fn highest(&self, wanted: impl Fn(&Version) -> bool) -> Option<&Version> {
        self.held.keys().rev().find(|version| wanted(version))
    }

    fn hold(&mut self, version: Version, value: &Value, seq: u64) {
        self.forget(&version);
        self.deleted.remove_mut(&version);
        let inputs = inputs(value);
        if let Some(inputs) = inputs {
            let mut versions = self.by_inputs.get(&inputs).cloned().unwrap_or_default();
            versions.insert_mut((seq, version.clone()));
            self.by_inputs.insert_mut(inputs, versions);
        }
        self.held.insert_mut(version, Held { seq, inputs });
    }

    fn forget(&mut self, version: &Version) {
        let Some(held) = self.held.get(version).copied() else {
            return;
        };
        self.held.remove_mut(version);
        if let Some(inputs) = held.inputs
            && let Some(versions) = self.by_inputs.get(&inputs)
        {
            let rest = versions.remove(&(held.seq, version.clone()));
            if rest.is_empty() {
                self.by_inputs.remove_mut(&inputs);
            } else {
                self.by_inputs.insert_mut(inputs, rest);
            }
        }
    }
}

impl Projection for Versions {
    fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()> {
        let Some(node) = NodeRef::from_ref_path(path) else {
            return Ok(());
        };
        let version = Version::parse(node.version().as_str())
            .map_err(|error| Error::corrupt(&node, "not a version").with_source(error))?;
        if let Some(value) = &state.value {
            self.hold(version, value, state.seq);
        } else {
            self.forget(&version);
            self.deleted.insert_mut(version);
        }
        Ok(())
    }
}

/// The versions of one model, those included that a transaction is about to add.
pub(crate) struct Shelf<'v> {
    view: &'v View,
    series: Series,
    versions: Versions,
    /// Those of models that share a name with this one: together a name and a number mean one thing.
    rivals: Vec<Arc<Versions>>,
    added: BTreeMap<Version, Value>,
    newest: Option<Version>,
}

impl<'v> Shelf<'v> {
    pub(crate) fn of(view: &'v View, home: &Home) -> Result<Self> {
        let Home { id, name } = home;
        let called_as_we_were = model_id(view, id)?;
        let rivals = [&called_as_we_were, name];
        let rivals = rivals.into_iter().filter(|other| *other != id);
        Ok(Self {
            view,
            series: Series::new(NodeKind::Model, id.clone()),
            versions: Versions::clone(&*Versions::of(view, id)?),
            rivals: rivals
                .map(|other| Versions::of(view, other))
                .collect::<Result<_>>()?,
            added: BTreeMap::new(),
            newest: None,
        })
    }

    /// Puts a version behind the others.
    pub(crate) fn push(&mut self, version: Version, value: Value) {
        let seq = self.view.seq() + 1;
        self.versions.hold(version.clone(), &value, seq);
        self.newest = Some(version.clone());
        self.added.insert(version, value);
    }

    /// Returns the ordinal of the next version: deleted ones count.
    pub(crate) fn next_ordinal(&self) -> u64 {
        (self.versions.held.size() + self.versions.deleted.size()) as u64 + 1
    }

    /// Returns the version that was registered last.
    pub(crate) fn latest(&self) -> Result<Option<ModelVersion>> {
        if let Some(newest) = &self.newest {
            return self.decode(newest).map(Some);
        }
        let latest = self.series.latest(self.view)?;
        latest
            .map(|(node, state)| ModelVersion::from_value(refs::held(&node.ref_path(), state)?))
            .transpose()
    }

    /// Returns the highest version, or the highest below one.
    pub(crate) fn highest(&self, below: Option<&Version>) -> Result<Option<ModelVersion>> {
        let highest = match below {
            Some(limit) => self.versions.held.range(..limit).next_back(),
            None => self.versions.held.last(),
        };
        highest.map(|(version, _)| self.decode(version)).transpose()
    }

    fn decode(&self, version: &Version) -> Result<ModelVersion> {
        ModelVersion::from_value(self.value(version)?)
    }

    fn value(&self, version: &Version) -> Result<&Value> {
        if let Some(value) = self.added.get(version) {
            return Ok(value);
        }
        let node = self.series.node(version_name(version)?);
        refs::held(&node.ref_path(), refs::version(self.view, &node)?)
    }

    /// Lists the versions that state these inputs, with the digests of their artifacts.
    pub(crate) fn with_inputs(&self, wanted: &Digest) -> Result<Vec<(Version, Option<Digest>)>> {
        let versions = self.versions.by_inputs.get(wanted);
        let versions = versions.into_iter().flat_map(RedBlackTreeSetSync::iter);
        versions
            .map(|(_, version)| Ok((version.clone(), artifact(self.value(version)?))))
            .collect()
    }

    /// Returns the files of a version.
    pub(crate) fn artifact(&self, version: &Version) -> Result<Artifact> {
        Ok(self.decode(version)?.artifact)
    }

    /// Reports whether the number of a version is used, or was.
    pub(crate) fn is_taken(&self, version: &Version) -> bool {
        let rivals = self.rivals.iter().map(|rival| &**rival);
        [&self.versions]
            .into_iter()
            .chain(rivals)
            .any(|versions| versions.is_taken(version))
    }
}

fn inputs(value: &Value) -> Option<Digest> {
    value.record.get("reproducibility")?.as_str()?.parse().ok()
}

fn artifact(value: &Value) -> Option<Digest> {
    let artifact = value.record.get("artifact")?;
    artifact.get("digest")?.as_str()?.parse().ok()
}
