//! `mainstay model tensors`

use clap::Args;
use mainstay::registry::tensor::Tensor;
use mainstay::{BulkDigest, Locator, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, bytes};

/// List the tensors in the safetensors files of a version
///
/// Reads the headers of the files only, unless digests are asked for.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model tensors fraud@production
  mainstay model tensors fraud@production --digests")]
pub(crate) struct Tensors {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// Read every tensor, and show the digest of its type, shape and bytes
    #[arg(long)]
    digests: bool,
    #[command(flatten)]
    moment: At,
}

#[derive(Serialize)]
struct Document {
    tensors: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    tensor: Tensor,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<BulkDigest>,
}

impl Tensors {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let (view, models) = (self.moment.view(&workspace).await?, workspace.models());
        let tensors = if self.digests {
            let digests = models.tensor_digests(&view, &self.reference).await?;
            let listed = digests.into_iter().map(|(tensor, digest)| Listed {
                tensor,
                digest: Some(digest),
            });
            listed.collect()
        } else {
            let tensors = models.tensors(&view, &self.reference).await?;
            let listed = tensors.into_iter().map(|tensor| Listed {
                tensor,
                digest: None,
            });
            listed.collect()
        };
        let document = Document { tensors };
        let output = global.output();
        output.result(&document, |out| {
            let mut table =
                Table::new(["tensor", "type", "shape", "size", "file", "digest"]).numbers_in(&[3]);
            for Listed { tensor, digest } in &document.tensors {
                let digest = digest.map(|digest| digest.to_hex()).unwrap_or_default();
                table.row([
                    (&tensor.name).into(),
                    tensor.dtype.into(),
                    shape(&tensor.shape).into(),
                    bytes(tensor.bytes).into(),
                    tensor.file.as_str().into(),
                    Cell::new(digest, DIM),
                ]);
            }
            table.write(out)
        })?;
        if document.tensors.is_empty() {
            output.note("no safetensors files, or none with a tensor");
        }
        Ok(Answer::Yes)
    }
}

/// Shows the lengths of a tensor.
pub(super) fn shape(shape: &[u64]) -> String {
    let lengths: Vec<String> = shape.iter().map(u64::to_string).collect();
    format!("[{}]", lengths.join(","))
}
