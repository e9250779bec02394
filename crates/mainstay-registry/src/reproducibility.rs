//! The digest of everything that determines a model, so that equal inputs are seen to be equal.
//!
//! Normative description: `docs/formats/reproducibility.md`.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Digest, Error, NodeRef, Result, canon};
use mainstay_repo::{Repo, Value, View};
use semver::Version;
use serde::Serialize;

use crate::artifact::Artifact;
use crate::record::{CodeUse, DataUse, FORMAT, ModelVersion};
use crate::spec::ModelSpec;
use crate::tensor::{self, TensorSummary};

/// Whether the inputs of a new version had already been used, and to what effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reproduced {
    /// No earlier version of the model had these inputs, or too few are stated to tell.
    New,
    /// An earlier version had the same inputs and the same bytes: the result was reproduced.
    Reused {
        /// That version.
        of: Version,
    },
    /// An earlier version had the same inputs and other bytes: the training is not deterministic, or
    /// something that determines it is not recorded.
    Differs {
        /// That version.
        of: Version,
        /// Which tensors differ, as far as headers and stored chunks tell. `None` when both hold the same
        /// safetensors files, or none, or such as
        /// [`tensor_summary`](crate::Registry::tensor_summary) fails on.
        #[serde(skip_serializing_if = "Option::is_none")]
        tensors: Option<Box<TensorSummary>>,
    },
}

#[derive(Serialize)]
struct Inputs<'s> {
    format: u32,
    data: BTreeSet<DataInput<'s>>,
    code: Option<CodeInput<'s>>,
    parameters: &'s BTreeMap<String, serde_json::Value>,
    seeds: BTreeMap<&'s str, String>,
    environment: Option<Digest>,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct DataInput<'s> {
    role: &'s str,
    record: Digest,
}

#[derive(Serialize)]
struct CodeInput<'s> {
    commit: &'s str,
    dirty: bool,
}

/// Computes the digest of the inputs that `spec` states.
pub(crate) fn digest(view: &View, spec: &ModelSpec, data: &[DataUse]) -> Result<Digest> {
    let environment = match &spec.environment {
        Some(environment) => Some(identity(stored(view, environment)?)?),
        None => None,
    };
    canon::digest(&Inputs {
        format: FORMAT,
        data: data
            .iter()
            .map(|used| DataInput {
                role: used.role.as_str(),
                record: used.record,
            })
            .collect(),
        code: spec.code.as_ref().map(|code| CodeInput {
            commit: code.commit.as_str(),
            dirty: code.dirty,
        }),
        parameters: &spec.parameters,
        seeds: spec
            .seeds
            .iter()
            .map(|(name, seed)| (name.as_str(), seed.to_string()))
            .collect(),
        environment,
    })
}

/// Says what became of inputs that were used before.
///
/// `earlier` gives the versions with these inputs, and the digests of their artifacts.
pub(crate) fn compare(new: &ModelVersion, earlier: Vec<(Version, Option<Digest>)>) -> Reproduced {
    let same = |(_, artifact): &&(Version, Option<Digest>)| *artifact == Some(new.artifact.digest);
    if let Some((version, _)) = earlier.iter().find(same) {
        return Reproduced::Reused {
            of: version.clone(),
        };
    }
    let first = earlier.into_iter().next();
    first.map_or(Reproduced::New, |(of, _)| Reproduced::Differs {
        of,
        tensors: None,
    })
}

/// Says which tensors differ where the bytes do.
pub(crate) async fn name_tensors(
    repo: &Repo,
    reproduced: &mut Reproduced,
    (before, after): &(Artifact, Artifact),
) {
    if let Reproduced::Differs { tensors, .. } = reproduced {
        let found = tensor::summary(repo, before, after, tensor::MAX_SUMMARY_CHUNKS).await;
        // The version is registered, whatever its files are; comparing the two again says what is wrong.
        *tensors = found.ok().flatten().map(Box::new);
    }
}

/// Reports whether the inputs are stated well enough that equal digests mean equal inputs.
pub(crate) fn is_telling(version: &ModelVersion) -> bool {
    let clean = !version
        .code
        .as_ref()
        .is_some_and(|code: &CodeUse| code.dirty);
    clean && (version.code.is_some() || !version.data.is_empty())
}

/// Returns the identity of an environment: its record's member `digest`, because a record also holds
/// what does not matter, such as the host's name. A record without one is its own identity.
fn identity(environment: &Value) -> Result<Digest> {
    let stated = environment.record.get("digest");
    match stated.and_then(|digest| digest.as_str()?.parse().ok()) {
        Some(identity) => Ok(identity),
        None => environment.record_digest(),
    }
}

/// Returns what a reference holds.
pub(crate) fn stored<'v>(view: &'v View, node: &NodeRef) -> Result<&'v Value> {
    view.get(&node.ref_path())?
        .and_then(|state| state.value.as_ref())
        .ok_or_else(|| Error::not_found(node.kind().as_str(), node))
}
