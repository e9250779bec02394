//! What a file is to a model, which is the media type of its layer.

use oci_spec::image::MediaType;

use crate::artifact::ArtifactFile;

/// The kinds of layers that ModelPack has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Weight,
    WeightConfig,
    Doc,
    Code,
    Dataset,
}

/// What a file was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) role: Role,
    /// Whether nothing about the file says so.
    pub(super) guessed: bool,
}

impl Role {
    /// The media type of a file that is neither archived nor compressed.
    pub(super) fn media_type(self) -> MediaType {
        let name = match self {
            Self::Weight => "weight",
            Self::WeightConfig => "weight.config",
            Self::Doc => "doc",
            Self::Code => "code",
            Self::Dataset => "dataset",
        };
        MediaType::Other(format!("application/vnd.cncf.model.{name}.v1.raw"))
    }
}

impl Layer {
    /// Tells by its name what a file of a version of so many files is.
    pub(super) fn of(file: &ArtifactFile, files: usize) -> Self {
        let known = |role| Self {
            role,
            guessed: false,
        };
        let guessed = Self {
            role: Role::Weight,
            guessed: true,
        };
        match role(file) {
            Some(Role::Weight) => known(Role::Weight),
            // Whatever it is called: a model is more than a description of one.
            _ if files == 1 => guessed,
            Some(role) => known(role),
            None => guessed,
        }
    }
}

fn role(file: &ArtifactFile) -> Option<Role> {
    if file.is_documentation() {
        return Some(Role::Doc);
    }
    let path = file.path.as_str().to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    match file.path.extension().to_ascii_lowercase().as_str() {
        "safetensors" | "gguf" | "ggml" | "onnx" | "bin" | "pt" | "pth" | "ckpt" | "h5"
        | "hdf5" | "keras" | "tflite" | "pb" | "pkl" | "pickle" | "joblib" | "npz" | "npy"
        | "msgpack" | "engine" | "trt" | "ubj" | "cbm" => Some(Role::Weight),
        "json" | "yaml" | "yml" | "toml" | "ini" | "cfg" | "config" | "txt" | "vocab"
        | "tiktoken" | "jinja" => Some(Role::WeightConfig),
        "pdf" | "html" | "rst" | "jpg" | "jpeg" | "png" | "gif" | "svg" => Some(Role::Doc),
        "py" | "ipynb" | "sh" | "r" | "jl" | "rs" | "c" | "cpp" | "h" | "js" | "ts" | "go"
        | "java" | "patch" => Some(Role::Code),
        "csv" | "tsv" | "jsonl" | "parquet" | "arrow" => Some(Role::Dataset),
        "model" if name.ends_with("tokenizer.model") || name.ends_with("spiece.model") => {
            Some(Role::WeightConfig)
        }
        _ if name == "mlmodel" => Some(Role::WeightConfig),
        _ => match file.media_type.as_str() {
            "application/vnd.safetensors" | "application/vnd.gguf" | "application/vnd.onnx" => {
                Some(Role::Weight)
            }
            _ => None,
        },
    }
}
