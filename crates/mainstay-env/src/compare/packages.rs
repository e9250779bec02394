//! Python packages: how far apart versions are, and which packages compute numbers.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::differences::Differences;
use super::rules::RuleId;
use crate::{Identity, Package, Source};

/// The packages whose version decides numbers, beside everything that begins with `nvidia-`.
pub const NUMERIC_PACKAGES: &[&str] = &[
    "accelerate",
    "bitsandbytes",
    "catboost",
    "ctranslate2",
    "cupy",
    "deepspeed",
    "diffusers",
    "flash-attn",
    "flax",
    "intel-openmp",
    "jax",
    "jaxlib",
    "keras",
    "lightgbm",
    "llama-cpp-python",
    "mkl",
    "numba",
    "numexpr",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "optax",
    "pandas",
    "peft",
    "polars",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "sentence-transformers",
    "sentencepiece",
    "statsmodels",
    "tensorflow",
    "tensorflow-cpu",
    "tensorrt",
    "tiktoken",
    "tokenizers",
    "torch",
    "torchaudio",
    "torchvision",
    "transformers",
    "triton",
    "vllm",
    "xformers",
    "xgboost",
];

/// Reports whether a package's version decides numbers; `name` is normalized by PEP 503.
#[must_use]
pub fn is_numeric(name: &str) -> bool {
    name.starts_with("nvidia-") || name.starts_with("cupy-") || NUMERIC_PACKAGES.contains(&name)
}

/// How far apart two versions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Distance {
    /// They are equal.
    Same,
    /// Only the local version differs: the same release, built otherwise.
    Build,
    /// A later part of the release, or pre-, post- and development releases.
    Patch,
    /// The second part of the release.
    Minor,
    /// The first part of the release or the epoch; or one does not follow PEP 440.
    Major,
}

/// Measures how far apart two versions are by PEP 440.
pub(super) fn distance(a: &str, b: &str) -> Distance {
    if a == b {
        return Distance::Same;
    }
    let (Ok(a), Ok(b)) = (a.parse::<Version>(), b.parse::<Version>()) else {
        return Distance::Major;
    };
    let part = |version: &Version, at: usize| version.release().get(at).copied().unwrap_or(0);
    if a == b {
        Distance::Same
    } else if a.epoch() != b.epoch() || part(&a, 0) != part(&b, 0) {
        Distance::Major
    } else if part(&a, 1) != part(&b, 1) {
        Distance::Minor
    } else if a.clone().without_local() != b.clone().without_local() {
        Distance::Patch
    } else {
        Distance::Build
    }
}

pub(super) fn compare(found: &mut Differences, a: &Identity, b: &Identity) {
    let Some((a, b)) = found.established("packages", &a.packages, &b.packages) else {
        return;
    };
    let by_name = |packages: Option<&'_ Vec<Package>>| -> BTreeMap<String, Package> {
        let packages = packages.into_iter().flatten();
        packages
            .map(|package| (package.name.clone(), package.clone()))
            .collect()
    };
    let (a, b) = (by_name(a), by_name(b));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in names {
        let path = format!("packages.{name}");
        match (a.get(name), b.get(name)) {
            (Some(old), Some(new)) => package(found, &path, old, new),
            (Some(old), None) => {
                found.add(
                    RuleId::PackageMissing,
                    path,
                    Some(old.version.clone()),
                    None,
                );
                found.fix(format!("install {name}=={}", old.version));
            }
            (None, new) => {
                let version = new.map(|new| new.version.clone());
                found.add(RuleId::PackageExtra, path, None, version);
            }
        }
    }
}

fn package(found: &mut Differences, path: &str, a: &Package, b: &Package) {
    let numeric = is_numeric(&a.name);
    let rule = match distance(&a.version, &b.version) {
        Distance::Same => None,
        Distance::Build => Some(RuleId::Build),
        Distance::Major if numeric => Some(RuleId::NumericMajor),
        _ if numeric => Some(RuleId::Numeric),
        Distance::Major => Some(RuleId::PackageMajor),
        Distance::Minor | Distance::Patch => Some(RuleId::PackageVersion),
    };
    if let Some(rule) = rule {
        found.add(rule, path, Some(a.version.clone()), Some(b.version.clone()));
        found.fix(format!("install {}=={}", a.name, a.version));
        return;
    }
    if a.source != b.source || a.editable != b.editable {
        found.add(
            RuleId::PackageSource,
            path,
            Some(origin(a)),
            Some(origin(b)),
        );
    } else if let (Some(old), Some(new)) = (&a.content, &b.content)
        && old != new
    {
        found.equal(RuleId::Build, path, Some(old), Some(new));
    }
}

fn origin(package: &Package) -> String {
    let at = |url: &Option<String>| url.clone().unwrap_or_else(|| "a local path".into());
    let source = match &package.source {
        None => "index".into(),
        Some(Source::Vcs { vcs, url, commit }) => format!("{vcs} {} at {commit}", at(url)),
        Some(Source::Archive { url, sha256 }) => match sha256 {
            Some(digest) => format!("archive {} with {digest}", at(url)),
            None => format!("archive {}", at(url)),
        },
        Some(Source::Directory) => "directory".into(),
        Some(Source::Unknown) => "unknown".into(),
    };
    if package.editable {
        format!("{source}, editable")
    } else {
        source
    }
}
