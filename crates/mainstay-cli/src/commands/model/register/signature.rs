//! Where the signature of a model comes from.

use std::path::{Path, PathBuf};

use clap::Args;
use mainstay::registry::ModelSpec;
use mainstay::registry::signature::{MAX_SIGNATURE_BYTES, Signature};
use mainstay::repo::View;
use mainstay::{Locator, NodeRef, Result, SignatureColumns, Workspace};
use serde::Serialize;

use crate::args;
use crate::commands::resolve;

/// What it takes and gives: a file or a dataset says so, else the `MLmodel` among its files.
#[derive(Debug, Default, Args)]
pub(super) struct Stated {
    #[arg(
        long = "signature",
        value_name = "FILE",
        help = "A JSON file that says what it takes and gives, as MLflow writes it [default: MLmodel, if it \
                is among its files]"
    )]
    file: Option<PathBuf>,
    /// It takes the columns of this dataset
    #[arg(long = "signature-from", value_name = "REF", value_parser = args::data,
          conflicts_with = "file")]
    columns_of: Option<Locator>,
    /// Of the columns of that dataset it takes these [default: all that it does not give]
    #[arg(
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        requires = "columns_of"
    )]
    inputs: Vec<String>,
    /// It gives these columns of that dataset
    #[arg(
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        requires = "columns_of"
    )]
    outputs: Vec<String>,
}

/// Where a signature came from.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Origin {
    /// A file on the disk.
    File(PathBuf),
    /// The schema of a dataset.
    Data(NodeRef),
    /// The `MLmodel` among the files.
    Mlmodel,
}

impl Stated {
    /// Sets the signature of a spec whose files are known.
    pub(super) async fn set(
        self,
        spec: &mut ModelSpec,
        workspace: &Workspace,
        view: &View,
    ) -> Result<Option<Origin>> {
        let (signature, origin) = match (self.file, self.columns_of) {
            (Some(path), _) => (Some(read(&path)?), Origin::File(path)),
            (None, Some(data)) => {
                let data = resolve(view, &data).await?;
                let columns = SignatureColumns::default()
                    .with_inputs(self.inputs)
                    .with_outputs(self.outputs);
                let derived = workspace.signature_of(&data, &columns).await?;
                (Some(derived), Origin::Data(data))
            }
            (None, None) => {
                let stated = workspace.models().mlmodel_signature(spec).await?;
                (stated, Origin::Mlmodel)
            }
        };
        let origin = signature.is_some().then_some(origin);
        spec.signature = signature;
        Ok(origin)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "of {}", path.display()),
            Self::Data(data) => write!(f, "of the columns of {data}"),
            Self::Mlmodel => f.write_str("of MLmodel"),
        }
    }
}

fn read(path: &Path) -> Result<Signature> {
    let text = args::read_text(path, MAX_SIGNATURE_BYTES)?;
    let parsed: Result<Signature> = text.parse();
    parsed.map_err(|error| error.context("path", path.display()))
}
