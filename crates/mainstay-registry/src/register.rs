//! Registering a version.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mainstay_core::{Digest, Error, ErrorKind, Name, NodeRef, Result, canon};
use mainstay_repo::{Expectation, Repo, Step, Transaction, View};
use semver::Version;
use serde::Serialize;

use crate::artifact::{Artifact, ArtifactFile, ingest};
use crate::bump::{choose, differences};
use crate::home::{Home, Homes};
use crate::level::{Level, Reason};
use crate::record::{DataUse, FORMAT, Increment, ModelVersion};
use crate::reproducibility::{self, Reproduced, stored};
use crate::run;
use crate::shelf::Shelf;
use crate::spec::{Bump, ModelSpec};
use crate::upload;

/// A version that was registered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Registered {
    /// The version as a node of the lineage.
    pub node: NodeRef,
    /// What the model is called.
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

/// Registers one version.
pub(crate) async fn register(repo: &Repo, spec: ModelSpec) -> Result<Registered> {
    let registered = register_many(repo, &[spec]).await?;
    let lost = || {
        Error::new(
            ErrorKind::Internal,
            "one version was registered and none told",
        )
    };
    registered.into_iter().next().ok_or_else(lost)
}

/// Registers versions in one session of storing and one log entry.
pub(crate) async fn register_many(repo: &Repo, specs: &[ModelSpec]) -> Result<Vec<Registered>> {
    let Some(first) = specs.first() else {
        return Ok(Vec::new());
    };
    for spec in specs {
        spec.check()?;
        if (&spec.actor, &spec.reason) != (&first.actor, &first.reason) {
            let why = "versions that are registered together have one actor and one reason";
            return Err(Error::invalid(why).context("model", &spec.model));
        }
    }
    // Before the bytes are stored, so that a mistyped reference costs nothing.
    let check = |view: &View| {
        specs
            .iter()
            .try_for_each(|spec| check_references(view, spec))
    };
    repo.read(check).await?;
    let stored = ingest(repo, specs.iter().map(|spec| &spec.files[..])).await?;
    let build = |view: &View| {
        let mut transaction = Transaction::new(first.actor.clone(), first.reason.clone());
        let mut homes = Homes::default();
        let mut shelves = BTreeMap::new();
        let mut registered = Vec::with_capacity(specs.len());
        for (spec, files) in specs.iter().zip(&stored) {
            let home = homes.of(view, spec, &mut transaction)?;
            let shelf = match shelves.entry(home.id.clone()) {
                Entry::Occupied(shelf) => shelf.into_mut(),
                Entry::Vacant(place) => place.insert(Shelf::of(view, &home)?),
            };
            registered.push(plan(view, spec, &home, files, shelf, &mut transaction)?);
        }
        Ok(Step::Commit(transaction, registered))
    };
    let (committed, planned) = repo.transact(build).await?;
    let mut registered = Vec::with_capacity(planned.len());
    for mut one in planned {
        if let Some(committed) = &committed {
            one.registered.seq = committed.seq;
        }
        if let Some(files) = &one.differing {
            let reproduced = &mut one.registered.reproduced;
            Box::pin(reproducibility::name_tensors(repo, reproduced, files)).await;
        }
        registered.push(one.registered);
    }
    Ok(registered)
}

/// A version that is about to be registered.
struct Planned {
    registered: Registered,
    /// The files of the version that had the same inputs and other bytes, and its own.
    differing: Option<Box<(Artifact, Artifact)>>,
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
        .chain(spec.run.iter().map(|made| &made.run))
        .try_for_each(|node| stored(view, node).map(drop))
}

/// Adds a version to the transaction and puts it on the shelf.
fn plan(
    view: &View,
    spec: &ModelSpec,
    home: &Home,
    files: &[ArtifactFile],
    shelf: &mut Shelf<'_>,
    transaction: &mut Transaction,
) -> Result<Planned> {
    check_references(view, spec)?;
    let mut files = files.to_vec();
    if let Some(id) = &spec.upload {
        files.extend(upload::take(view, &spec.model, id, transaction)?);
    }
    let mut record = draft(view, spec, home, Artifact::of(files)?, shelf)?;
    if let Bump::Exact(version) = &spec.bump
        && shelf.is_taken(version)
    {
        return Err(already_exists(version));
    }
    place(spec, shelf, &mut record)?;

    let node = record.node()?;
    let value = record.to_value()?;
    let digest = value.record_digest()?;
    transaction.set(node.ref_path(), value.clone(), Expectation::Absent);
    if let Some(made) = &record.run {
        let (path, output) = run::output(made, &node)?;
        transaction.set(path, output, Expectation::Absent);
    }
    let earlier = if reproducibility::is_telling(&record) {
        shelf.with_inputs(&record.reproducibility)?
    } else {
        Vec::new()
    };
    let reproduced = reproducibility::compare(&record, earlier);
    let differing = match &reproduced {
        Reproduced::Differs { of, .. } => {
            let files = (shelf.artifact(of)?, record.artifact.clone());
            Some(Box::new(files))
        }
        Reproduced::New | Reproduced::Reused { .. } => None,
    };
    shelf.push(record.version.clone(), value);
    let increment = record.bump.as_ref();
    let registered = Registered {
        node,
        model: home.name.clone(),
        version: record.version.clone(),
        ordinal: record.ordinal,
        bump: increment.map(|increment| distance(&increment.previous, &record.version)),
        reasons: increment
            .map(|increment| increment.reasons.clone())
            .unwrap_or_default(),
        artifact: record.artifact.digest,
        reproducibility_digest: record.reproducibility,
        reproduced,
        digest,
        seq: view.seq(),
    };
    Ok(Planned {
        registered,
        differing,
    })
}

/// Builds the record, with the version number of a first version.
fn draft(
    view: &View,
    spec: &ModelSpec,
    home: &Home,
    artifact: Artifact,
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
    let mut record = ModelVersion {
        format: FORMAT,
        model: home.id.clone(),
        version: Version::new(1, 0, 0),
        ordinal: shelf.next_ordinal(),
        bump: None,
        artifact,
        reproducibility: reproducibility::digest(view, spec, &data)?,
        data,
        code: spec.code.clone(),
        parameters: spec.parameters.clone(),
        seeds: spec.seeds.clone(),
        environment: spec.environment.clone(),
        metrics: spec.metrics.clone(),
        parents: spec.parents.iter().cloned().collect(),
        weights: spec.weights.clone(),
        run: spec.run.clone(),
        author: Some(spec.actor.clone()),
        owner: spec.owner.clone(),
        purpose: spec.purpose.clone(),
        expires: spec.expires,
        signature: spec.signature.clone(),
        tags: spec.tags.clone(),
        description: spec.description.clone(),
    };
    record.format = record.least_format();
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
fn place(spec: &ModelSpec, shelf: &Shelf<'_>, record: &mut ModelVersion) -> Result<()> {
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
            Bump::Auto | Bump::Declared(_) => free(shelf, Version::new(1, 0, 0))?,
        };
        return Ok(());
    };
    let mut reasons = differences(&previous, record, spec.compat);
    let taken = |version: &Version| shelf.is_taken(version);
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
fn free(shelf: &Shelf<'_>, mut version: Version) -> Result<Version> {
    while shelf.is_taken(&version) {
        let next = Level::Major.next(&version);
        if next == version {
            return Err(Error::invalid("no higher version number is left"));
        }
        version = next;
    }
    Ok(version)
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
