//! The versions of a model while others are placed beside them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use mainstay_core::{Digest, Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{RefState, Series, Value, View};
use semver::Version;

use crate::record::{ModelVersion, version_name};
use crate::refs;

/// The versions of a model, the one registered first first; decoded only where needed.
pub(crate) struct Shelf<'v> {
    versions: Vec<(Version, Cow<'v, Value>)>,
    /// Their places, by number.
    by_version: BTreeMap<Version, usize>,
    /// Their places, by reproducibility digest; made when first asked for.
    by_inputs: Option<HashMap<String, Vec<usize>>>,
    /// How many there ever were.
    ever: u64,
}

impl<'v> Shelf<'v> {
    /// Complexity: O(n log n) in the versions of the model.
    pub(crate) fn of(view: &'v View, model: &Name) -> Result<Self> {
        let series = Series::new(NodeKind::Model, model.clone());
        let read = |(node, state): (NodeRef, &'v RefState)| {
            let version = Version::parse(node.version().as_str())
                .map_err(|error| Error::corrupt(&node, "not a version").with_source(error))?;
            Ok((version, Cow::Borrowed(refs::held(&node.ref_path(), state)?)))
        };
        let prefix = format!("{}/{model}/version", NodeKind::Model);
        let versions: Vec<_> = series
            .versions(view)?
            .into_iter()
            .map(read)
            .collect::<Result<_>>()?;
        let places = versions.iter().zip(0..);
        Ok(Self {
            by_version: places
                .map(|((version, _), place)| (version.clone(), place))
                .collect(),
            versions,
            by_inputs: None,
            ever: view.states_below(&prefix)?.count() as u64,
        })
    }

    /// Puts a version behind the others.
    pub(crate) fn push(&mut self, version: Version, value: Value) {
        let place = self.versions.len();
        self.by_version.insert(version.clone(), place);
        if let (Some(by_inputs), Some(inputs)) = (&mut self.by_inputs, inputs(&value)) {
            by_inputs.entry(inputs.to_owned()).or_default().push(place);
        }
        self.versions.push((version, Cow::Owned(value)));
        self.ever += 1;
    }

    /// Returns the ordinal of the next version: deleted ones leave their refs, and count.
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.ever + 1
    }

    /// Returns the version that was registered last.
    pub(crate) fn latest(&self) -> Result<Option<ModelVersion>> {
        self.decode(self.versions.len().checked_sub(1))
    }

    /// Returns the highest version, or the highest below one.
    pub(crate) fn highest(&self, below: Option<&Version>) -> Result<Option<ModelVersion>> {
        let last = match below {
            Some(limit) => self.by_version.range(..limit).next_back(),
            None => self.by_version.last_key_value(),
        };
        self.decode(last.map(|(_, place)| *place))
    }

    fn decode(&self, place: Option<usize>) -> Result<Option<ModelVersion>> {
        let held = place.and_then(|place| self.versions.get(place));
        held.map(|(_, value)| ModelVersion::from_value(value))
            .transpose()
    }

    /// Lists the versions that state these inputs, with the digests of their artifacts.
    pub(crate) fn with_inputs(&mut self, wanted: &Digest) -> Vec<(Version, Option<Digest>)> {
        let versions = &self.versions;
        let by_inputs = self.by_inputs.get_or_insert_with(|| {
            let mut by_inputs: HashMap<String, Vec<usize>> = HashMap::new();
            for (place, (_, value)) in versions.iter().enumerate() {
                if let Some(inputs) = inputs(value) {
                    by_inputs.entry(inputs.to_owned()).or_default().push(place);
                }
            }
            by_inputs
        });
        let places = by_inputs.get(&wanted.to_string());
        let held = places.into_iter().flatten().map(|place| &versions[*place]);
        held.map(|(version, value)| (version.clone(), artifact(value)))
            .collect()
    }

    /// Reports whether a version exists or existed: a deleted number is not used again.
    pub(crate) fn is_taken(&self, view: &View, model: &Name, version: &Version) -> Result<bool> {
        if self.by_version.contains_key(version) {
            return Ok(true);
        }
        let Ok(version) = version_name(version) else {
            return Ok(false);
        };
        let node = NodeRef::new(NodeKind::Model, model.clone(), version);
        Ok(view.state(&node.ref_path())?.is_some())
    }
}

fn inputs(value: &Value) -> Option<&str> {
    value.record.get("reproducibility")?.as_str()
}

fn artifact(value: &Value) -> Option<Digest> {
    let artifact = value.record.get("artifact")?;
    artifact.get("digest")?.as_str()?.parse().ok()
}
