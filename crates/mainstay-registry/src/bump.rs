//! Infers how far a version must be above the one before it.
//!
//! The policy looks at the interface first: what can break a caller is major, what changes behavior
//! behind the same interface is minor, what changes neither is a patch.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Digest, Error, NodeRef, Result};
use semver::Version;
use serde::Serialize;
use serde_json::{Value, json};

use crate::artifact::{Artifact, ArtifactFile};
use crate::level::{Level, Reason, Reasons};
use crate::metric::Metric;
use crate::record::{ModelVersion, Parent, Relation};
use crate::signature::{self, CompatOptions};
use crate::spec::Bump;

/// Lists every difference between two versions that asks for a new version, the heaviest first.
///
/// Empty when they differ in metrics, tags and description only. [`Reason::level`] of the first is
/// the level that the differences ask for.
///
/// Complexity: O(n log n) in the columns, files and parameters of both.
#[must_use]
pub fn differences(
    before: &ModelVersion,
    after: &ModelVersion,
    options: CompatOptions,
) -> Vec<Reason> {
    let mut reasons = Reasons::default();
    signature::compare(
        before.signature.as_ref(),
        after.signature.as_ref(),
        options,
        &mut reasons,
    );
    artifact(&before.artifact, &after.artifact, &mut reasons);
    inputs(before, after, &mut reasons);
    let mut reasons = reasons.0;
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.level));
    reasons
}

fn artifact(before: &Artifact, after: &Artifact, reasons: &mut Reasons) {
    format(before, after, reasons);
    let [old_weights, new_weights] = [before, after].map(|side| contents(side, false));
    let [old_paths, new_paths] = [before, after].map(|side| paths(side, false));
    let [old_documents, new_documents] = [before, after].map(|side| paths(side, true));
    let (old, new) = (json!(before.digest), json!(after.digest));
    if old_weights != new_weights {
        reasons.add(Level::Minor, "artifact.weights", "artifact", old, new);
    } else if old_paths != new_paths {
        reasons.add(Level::Patch, "artifact.layout", "artifact", old, new);
    } else if old_documents != new_documents {
        reasons.add(Level::Patch, "artifact.documentation", "artifact", old, new);
    }
}

/// Another format at the same place needs another loader.
fn format(before: &Artifact, after: &Artifact, reasons: &mut Reasons) {
    let mut compare = |old: &ArtifactFile, new: &ArtifactFile| {
        if old.media_type != new.media_type && !(old.is_documentation() && new.is_documentation()) {
            let path = format!("artifact.{}", new.path);
            let (old, new) = (json!(old.media_type), json!(new.media_type));
            reasons.add(Level::Major, "artifact.format", path, old, new);
        }
    };
    if let ([old], [new]) = (&before.files[..], &after.files[..]) {
        return compare(old, new);
    }
    let old_by_path: BTreeMap<_, _> = before.files.iter().map(|file| (&file.path, file)).collect();
    for new in &after.files {
        if let Some(old) = old_by_path.get(&new.path) {
            compare(old, new);
        }
    }
}

fn contents(artifact: &Artifact, documentation: bool) -> Vec<Digest> {
    let mut digests: Vec<Digest> = files(artifact, documentation)
        .map(|file| file.digest)
        .collect();
    digests.sort_unstable();
    digests
}

fn paths(artifact: &Artifact, documentation: bool) -> BTreeMap<&str, Digest> {
    files(artifact, documentation)
        .map(|file| (file.path.as_str(), file.digest))
        .collect()
}

fn files(artifact: &Artifact, documentation: bool) -> impl Iterator<Item = &ArtifactFile> {
    let wanted = move |file: &&ArtifactFile| file.is_documentation() == documentation;
    artifact.files.iter().filter(wanted)
}

fn inputs(before: &ModelVersion, after: &ModelVersion, reasons: &mut Reasons) {
    data(before, after, reasons);
    maps(
        "parameter.changed",
        "parameters",
        &before.parameters,
        &after.parameters,
        reasons,
    );
    let [old_seeds, new_seeds] = [before, after].map(|side| as_text(&side.seeds));
    maps("seed.changed", "seeds", &old_seeds, &new_seeds, reasons);
    if before.parents != after.parents {
        let (old, new) = (json!(before.parents), json!(after.parents));
        reasons.add(Level::Minor, "parents.changed", "parents", old, new);
    }
    let [old_weights, new_weights] = weights(before, after);
    maps(
        "parent_weight.changed",
        "weights",
        &old_weights,
        &new_weights,
        reasons,
    );
    // Neither changes what these bytes compute; where the bytes changed too, the weights say so.
    if before.code != after.code {
        let (old, new) = (json!(before.code), json!(after.code));
        reasons.add(Level::Patch, "code.changed", "code", old, new);
    }
    if before.environment != after.environment {
        let (old, new) = (json!(before.environment), json!(after.environment));
        reasons.add(Level::Patch, "environment.changed", "environment", old, new);
    }
}

/// Data is compared by content: the same snapshot under another name is no change.
fn data(before: &ModelVersion, after: &ModelVersion, reasons: &mut Reasons) {
    let roles: BTreeSet<_> = [before, after]
        .iter()
        .flat_map(|side| side.data.iter().map(|used| &used.role))
        .collect();
    for role in roles {
        let of = |side: &ModelVersion| -> (BTreeSet<Digest>, Vec<String>) {
            let used = side.data.iter().filter(|used| used.role == *role);
            used.map(|used| (used.record, used.data.to_string()))
                .unzip()
        };
        let ((old, old_names), (new, new_names)) = (of(before), of(after));
        if old != new {
            let path = format!("data.{role}");
            let (old, new) = (json!(old_names), json!(new_names));
            reasons.add(Level::Minor, "data.changed", path, old, new);
        }
    }
}

/// The weights of what both were merged of; that one has another parent is a difference of its own.
fn weights(before: &ModelVersion, after: &ModelVersion) -> [BTreeMap<String, Metric>; 2] {
    let is_merged = |side: &ModelVersion, parent: &NodeRef| {
        let merged = Parent::new(parent.clone(), Relation::Merge);
        side.parents.binary_search(&merged).is_ok()
    };
    [before, after].map(|side| {
        let weights = side.weights.iter();
        weights
            .filter(|(parent, _)| is_merged(before, parent) && is_merged(after, parent))
            .map(|(parent, weight)| (parent.to_string(), *weight))
            .collect()
    })
}

/// A seed uses all 64 bits, more than a number in JSON has.
fn as_text(seeds: &BTreeMap<String, u64>) -> BTreeMap<String, String> {
    let seeds = seeds.iter();
    seeds
        .map(|(name, seed)| (name.clone(), seed.to_string()))
        .collect()
}

fn maps<T: PartialEq + Serialize>(
    rule: &str,
    path: &str,
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    reasons: &mut Reasons,
) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (old, new) = (before.get(key), after.get(key));
        if old != new {
            let json = |side: Option<&T>| side.map_or(Value::Null, |value| json!(value));
            reasons.add(
                Level::Minor,
                rule,
                format!("{path}.{key}"),
                json(old),
                json(new),
            );
        }
    }
}

/// Chooses the version that follows `previous`.
///
/// `taken` tells which versions have ever been used.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid), listing the reasons, when the declared
/// level or version is too low.
pub(crate) fn choose(
    bump: &Bump,
    previous: &Version,
    reasons: &[Reason],
    taken: impl Fn(&Version) -> bool,
) -> Result<Version> {
    let inferred = reasons.first().map_or(Level::Patch, |reason| reason.level);
    let level = match bump {
        Bump::Exact(version) if *version < inferred.next(previous) => {
            return Err(too_low(version, inferred, previous, reasons));
        }
        Bump::Exact(version) => return Ok(version.clone()),
        Bump::Declared(level) if *level < inferred => {
            return Err(too_low(level, inferred, previous, reasons));
        }
        Bump::Declared(level) => *level,
        Bump::Auto => inferred,
    };
    let mut version = level.next(previous);
    while taken(&version) {
        let next = level.next(&version);
        if next == version {
            return Err(Error::invalid("no higher version number is left"));
        }
        version = next;
    }
    Ok(version)
}

fn too_low(
    declared: impl std::fmt::Display,
    inferred: Level,
    previous: &Version,
    reasons: &[Reason],
) -> Error {
    const LISTED: usize = 16;
    let error = Error::invalid(format!(
        "the differences to {previous} ask for a {inferred} version"
    ))
    .context("declared", declared);
    let heaviest = reasons.iter().filter(|reason| reason.level == inferred);
    heaviest
        .take(LISTED)
        .fold(error, |error, reason| error.context("reason", reason))
}
