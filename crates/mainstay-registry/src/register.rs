//! Registering a version.

use mainstay_core::{Digest, Error, ErrorKind, Name, NodeKind, NodeRef, Result, canon};
use mainstay_repo::{Expectation, RefState, Repo, Series, Step, Transaction, Value, View};
use semver::Version;
use serde::Serialize;

use crate::artifact::{Artifact, ingest};
use crate::bump::{choose, differences};
use crate::level::{Level, Reason};
use crate::record::{DataUse, FORMAT, Increment, ModelVersion, version_name};
use crate::refs;
use crate::reproducibility::{self, Reproduced, stored};
use crate::spec::{Bump, ModelSpec};

/// A version that was registered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Registered {
    /// The version as a node of the lineage.
    pub node: NodeRef,
    /// The model.
    pub model: Name,
    /// The version.
    pub version: Version,
    /// Its place among the versions of the model, from 1.
    pub ordinal: u64,
    /// How far it is above the version before it; `None` when there is none.
    pub bump: Option<Level>,
    /// The differences to that version, the heaviest first; at most 256.
    pub reasons: Vec<Reason>,
    /// The identity of its files.
    pub artifact: Digest,
    /// The digest of everything that determines the artifact.
    pub reproducibility_digest: Digest,
    /// Whether these inputs had been used before.
    pub reproduced: Reproduced,
    /// The digest of its record: what `sha256:…` pins.
    pub digest: Digest,
    /// The log entry.
    pub seq: u64,
}

/// The most reasons that a record keeps.
const MAX_REASONS: usize = 256;

pub(crate) async fn register(repo: &Repo, spec: ModelSpec) -> Result<Registered> {
    spec.check()?;
    // Before the bytes are stored, so that a mistyped reference costs nothing.
    repo.read(|view| check_references(view, &spec)).await?;
    let artifact = ingest(repo, &spec.files).await?;
    let (committed, mut registered) = repo.transact(|view| plan(view, &spec, &artifact)).await?;
    registered.seq = committed.map_or(registered.seq, |committed| committed.seq);
    Ok(registered)
}

fn check_references(view: &View, spec: &ModelSpec) -> Result<()> {
    let data = spec.data.iter().map(|(_, data)| data);
    let measured_on = spec
        .metrics
        .values()
        .filter_map(|metric| metric.data.as_ref());
    let parents = spec.parents.iter().map(|parent| &parent.model);
    data.chain(&spec.environment)
        .chain(measured_on)
        .chain(parents)
        .try_for_each(|node| stored(view, node).map(drop))
}

fn plan(view: &View, spec: &ModelSpec, artifact: &Artifact) -> Result<Step<Registered>> {
    check_references(view, spec)?;
    let shelf = Shelf::of(view, &spec.model)?;
    let mut record = draft(view, spec, artifact, &shelf)?;
    if let Bump::Exact(version) = &spec.bump
        && is_taken(view, &spec.model, version)?
    {
        return Err(already_exists(version));
    }
    place(view, spec, &shelf, &mut record)?;

    let node = record.node()?;
    let value = record.to_value()?;
    let digest = value.record_digest()?;
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    transaction.set(node.ref_path(), value, Expectation::Absent);
    let increment = record.bump.as_ref();
    let registered = Registered {
        node,
        model: record.model.clone(),
        version: record.version.clone(),
        ordinal: record.ordinal,
        bump: increment.map(|increment| distance(&increment.previous, &record.version)),
        reasons: increment
            .map(|increment| increment.reasons.clone())
            .unwrap_or_default(),
        artifact: record.artifact.digest,
        reproducibility_digest: record.reproducibility,
        reproduced: reproducibility::compare(&record, shelf.inputs()),
        digest,
        seq: view.seq(),
    };
    Ok(Step::Commit(transaction, registered))
}

/// The versions of a model, the one registered first first; decoded only where needed.
struct Shelf<'v> {
    versions: Vec<(Version, &'v Value)>,
    /// How many there ever were.
    ever: u64,
}

impl<'v> Shelf<'v> {
    fn of(view: &'v View, model: &Name) -> Result<Self> {
        let series = Series::new(NodeKind::Model, model.clone());
        let read = |(node, state): (NodeRef, &'v RefState)| {
            let version = Version::parse(node.version().as_str())
                .map_err(|error| Error::corrupt(&node, "not a version").with_source(error))?;
            Ok((version, refs::held(&node.ref_path(), state)?))
        };
        let prefix = format!("{}/{model}/version", NodeKind::Model);
        Ok(Self {
            versions: series
                .versions(view)?
                .into_iter()
                .map(read)
                .collect::<Result<_>>()?,
            ever: view.states_below(&prefix)?.count() as u64,
        })
    }

    fn latest(&self) -> Result<Option<ModelVersion>> {
        let latest = self.versions.last();
        latest
            .map(|(_, value)| ModelVersion::from_value(value))
            .transpose()
    }

    /// Returns the highest version, or the highest below one.
    fn highest(&self, below: Option<&Version>) -> Result<Option<ModelVersion>> {
        self.versions
            .iter()
            .filter(|(version, _)| below.is_none_or(|limit| version < limit))
            .max_by(|(a, _), (b, _)| a.cmp(b))
            .map(|(_, value)| ModelVersion::from_value(value))
            .transpose()
    }

    fn inputs(&self) -> impl Iterator<Item = (&Version, Option<Digest>, Option<Digest>)> {
        self.versions.iter().map(|(version, value)| {
            let digest = |text: Option<&serde_json::Value>| text?.as_str()?.parse().ok();
            let inputs = digest(value.record.get("reproducibility"));
            let artifact = value.record.get("artifact");
            (
                version,
                inputs,
                digest(artifact.and_then(|a| a.get("digest"))),
            )
        })
    }
}

/// Builds the record, with the version number of a first version.
fn draft(
    view: &View,
    spec: &ModelSpec,
    artifact: &Artifact,
    shelf: &Shelf<'_>,
) -> Result<ModelVersion> {
    let pin = |(role, data): &(Name, NodeRef)| {
        Ok(DataUse {
            role: role.clone(),
            data: data.clone(),
            record: stored(view, data)?.record_digest()?,
        })
    };
    let data: Vec<DataUse> = spec.data.iter().map(pin).collect::<Result<_>>()?;
    let record = ModelVersion {
        format: FORMAT,
        model: spec.model.clone(),
        version: Version::new(1, 0, 0),
        // Deleted versions leave their refs, so every version that ever was counts.
        ordinal: shelf.ever + 1,
        bump: None,
        artifact: artifact.clone(),
        reproducibility: reproducibility::digest(view, spec, &data)?,
        data,
        code: spec.code.clone(),
        parameters: spec.parameters.clone(),
        seeds: spec.seeds.clone(),
        environment: spec.environment.clone(),
        metrics: spec.metrics.clone(),
        parents: spec.parents.iter().cloned().collect(),
        signature: spec.signature.clone(),
        tags: spec.tags.clone(),
        description: spec.description.clone(),
    };
    as_stored(&record)
}

/// Gives the record as it will be read back: `1.0` is `1` in canonical JSON.
fn as_stored(record: &ModelVersion) -> Result<ModelVersion> {
    canon::from_slice(&canon::to_vec(record)?).map_err(|error| match error.kind() {
        ErrorKind::Corrupt | ErrorKind::Invalid => {
            Error::invalid("the record has no exact JSON").with_source(error)
        }
        _ => error,
    })
}

/// Gives the record its version number and the reasons for it.
fn place(
    view: &View,
    spec: &ModelSpec,
    shelf: &Shelf<'_>,
    record: &mut ModelVersion,
) -> Result<()> {
    let below = match &spec.bump {
        Bump::Exact(exact) => Some(exact),
        Bump::Auto | Bump::Declared(_) => None,
    };
    let previous = shelf.highest(below)?;
    for version in previous.iter().chain(&shelf.latest()?) {
        if differences(version, record, spec.compat).is_empty() {
            return Err(already_exists(&version.version)
                .context("why", "same files, same signature, same inputs"));
        }
    }
    let Some(previous) = previous else {
        record.version = match &spec.bump {
            Bump::Exact(version) => version.clone(),
            Bump::Auto | Bump::Declared(_) => free(view, spec, Version::new(1, 0, 0))?,
        };
        return Ok(());
    };
    let mut reasons = differences(&previous, record, spec.compat);
    let taken = |version: &Version| is_taken(view, &spec.model, version);
    record.version = choose(&spec.bump, &previous.version, &reasons, taken)?;
    let inferred = reasons.first().map_or(Level::Patch, |reason| reason.level);
    let omitted = reasons.len().saturating_sub(MAX_REASONS) as u64;
    reasons.truncate(MAX_REASONS);
    record.bump = Some(Increment {
        previous: previous.version,
        inferred,
        reasons,
        omitted,
    });
    Ok(())
}

/// Returns the first version from `version` on that was never used.
fn free(view: &View, spec: &ModelSpec, mut version: Version) -> Result<Version> {
    while is_taken(view, &spec.model, &version)? {
        let next = Level::Major.next(&version);
        if next == version {
            return Err(Error::invalid("no higher version number is left"));
        }
        version = next;
    }
    Ok(version)
}

/// Reports whether a version exists or existed: a deleted number is not used again.
fn is_taken(view: &View, model: &Name, version: &Version) -> Result<bool> {
    let Ok(version) = version_name(version) else {
        return Ok(false);
    };
    let node = NodeRef::new(NodeKind::Model, model.clone(), version);
    Ok(view.state(&node.ref_path())?.is_some())
}

fn already_exists(version: &Version) -> Error {
    Error::new(ErrorKind::AlreadyExists, "the version exists").context("version", version)
}

/// Returns how far one version is above another.
fn distance(previous: &Version, version: &Version) -> Level {
    if version.major != previous.major {
        Level::Major
    } else if version.minor != previous.minor {
        Level::Minor
    } else {
        Level::Patch
    }
}
