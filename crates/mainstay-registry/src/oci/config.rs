//! What a model is, as `application/vnd.cncf.model.config.v1+json` says it: only what is known.

use mainstay_core::{Digest, ErrorKind, Result, Timestamp};
use mainstay_repo::Repo;
use serde::Serialize;

use super::layer::{Layer, Role};
use crate::artifact::ArtifactFile;
use crate::info::ModelInfo;
use crate::tensor::{ElementType, tensors};

/// The document. It follows from the record of the version and the time of its registration, so that it
/// is always the same.
#[derive(Debug, Serialize)]
pub(super) struct Configuration {
    descriptor: Descriptor,
    config: Technical,
    modelfs: ModelFs,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

#[derive(Debug, Serialize)]
struct Technical {
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantization: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelFs {
    r#type: &'static str,
    /// The digests of the layers without compression, which they do not have.
    diff_ids: Vec<Digest>,
}

impl Configuration {
    /// Describes a version; reads the headers of its weights where they are safetensors.
    pub(super) async fn of(repo: &Repo, model: &ModelInfo) -> Result<Self> {
        let record = &model.record;
        let files = &record.artifact.files;
        let format = format(files);
        let precision = match format {
            Some("safetensors") => precision(repo, model).await?,
            _ => None,
        };
        let tag = |key: &str| record.tags.get(key).cloned();
        // A changed working tree is no revision that anybody could check out.
        let clean = record.code.as_ref().filter(|code| !code.dirty);
        Ok(Self {
            descriptor: Descriptor {
                created_at: model.registered,
                authors: model.owner.iter().cloned().collect(),
                family: tag("family"),
                name: record.model.to_string(),
                version: record.version.to_string(),
                revision: clean.map(|code| code.commit.to_string()),
                licenses: tag("license").into_iter().collect(),
                description: Some(record.description.clone()).filter(|text| !text.is_empty()),
            },
            config: Technical {
                architecture: tag("architecture"),
                format,
                precision,
                quantization: tag("quantization"),
            },
            modelfs: ModelFs {
                r#type: "layers",
                diff_ids: files.iter().map(|file| file.digest).collect(),
            },
        })
    }
}

/// The one format of all weights.
fn format(files: &[ArtifactFile]) -> Option<&'static str> {
    let weights = files
        .iter()
        .filter(|file| Layer::of(file, files.len()).role == Role::Weight);
    let mut formats = weights.map(format_of);
    let first = formats.next()??;
    formats.all(|format| format == Some(first)).then_some(first)
}

fn format_of(file: &ArtifactFile) -> Option<&'static str> {
    match file.media_type.as_str() {
        "application/vnd.safetensors" => Some("safetensors"),
        "application/vnd.gguf" => Some("gguf"),
        "application/vnd.onnx" => Some("onnx"),
        "application/vnd.python.pickle" => Some("pickle"),
        _ => match file.path.extension().to_ascii_lowercase().as_str() {
            "pt" | "pth" => Some("pytorch"),
            "tflite" => Some("tflite"),
            _ => None,
        },
    }
}

/// The one type of all tensors, else `mixed`; `None` where the files are not what they are called.
async fn precision(repo: &Repo, model: &ModelInfo) -> Result<Option<String>> {
    let tensors = match tensors(repo, &model.record.artifact).await {
        Ok(tensors) => tensors,
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Some(first) = tensors.first() else {
        return Ok(None);
    };
    let alike = tensors.iter().all(|tensor| tensor.dtype == first.dtype);
    Ok(Some(if alike {
        spelled(first.dtype)
    } else {
        "mixed".to_owned()
    }))
}

/// Spells a type as ModelPack does: `bf16`, `fp16`, `int8`.
fn spelled(dtype: ElementType) -> String {
    let name = dtype.as_str().to_ascii_lowercase();
    match name.split_at(1) {
        ("f", bits) => format!("fp{bits}"),
        ("i", bits) => format!("int{bits}"),
        ("u", bits) => format!("uint{bits}"),
        _ => name,
    }
}
