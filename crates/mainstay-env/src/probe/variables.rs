//! Environment variables: asked by name from an allow-list, never listed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Scene, Variables};
use crate::Setting;
use crate::secrets::{clean, fingerprint, may_be_secret, names_secret};

/// Threads of numeric libraries.
pub(crate) const THREADS: [&str; 8] = [
    "BLIS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// Switches that decide how numbers are computed.
pub(crate) const DETERMINISM: [&str; 27] = [
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "MKL_CBWR",
    "MKL_DYNAMIC",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "NPY_DISABLE_CPU_FEATURES",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_DYNAMIC",
    "OMP_SCHEDULE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "ROCR_VISIBLE_DEVICES",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "VLLM_BATCH_INVARIANT",
    "VLLM_ENABLE_V1_MULTIPROCESSING",
    "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
];

/// Everything else that is allowed from the beginning.
const OTHER: [&str; 10] = [
    "CUDA_MODULE_LOADING",
    "LANG",
    "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_NUMERIC",
    "PYTHONHASHSEED",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TOKENIZERS_PARALLELISM",
    "TZ",
];

/// The longest value that is kept.
const MAX_VALUE_BYTES: usize = 1_024;

/// Returns the names that are allowed from the beginning.
pub(crate) fn default_allowed() -> BTreeSet<String> {
    let names = THREADS.iter().chain(&DETERMINISM).chain(&OTHER);
    names.map(|name| (*name).to_owned()).collect()
}

pub(crate) fn settings(
    scene: &Scene<'_>,
    allowed: &BTreeSet<String>,
) -> Found<BTreeMap<String, Setting>> {
    if matches!(scene.variables, Variables::Unknown) {
        return Found::not_collected("no variables were given for this tree");
    }
    let settings: BTreeMap<String, Setting> = allowed
        .iter()
        .filter_map(|name| Some((name.clone(), setting(name, &scene.variables.get(name)?))))
        .collect();
    let detail = format!(
        "{} of {} allowed names are set",
        settings.len(),
        allowed.len()
    );
    Found::known(settings, detail)
}

fn setting(name: &str, value: &str) -> Setting {
    if value.len() > MAX_VALUE_BYTES || names_secret(name) || may_be_secret(value) {
        Setting::Redacted {
            redacted: fingerprint(value),
        }
    } else {
        Setting::Plain(clean_value(value))
    }
}

/// Control characters would make the manifest hard to read; everything else is kept.
fn clean_value(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).collect()
}

/// Finds the locale the variables select, by the order POSIX gives.
pub(crate) fn locale(scene: &Scene<'_>) -> Found<String> {
    if matches!(scene.variables, Variables::Unknown) {
        return Found::not_collected("no variables were given for this tree");
    }
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| Some((name, scene.variables.get(name)?)))
        .map_or_else(Found::absent, |(name, value)| {
            Found::known(clean(&value), name)
        })
}
