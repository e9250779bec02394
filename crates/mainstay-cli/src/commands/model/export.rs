//! `mainstay model export`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mainstay::{Locator, Result};

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::bytes;

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    Oci(Oci),
}

/// Add a version to an OCI image layout, as a ModelPack artifact
///
/// The layout is made where there is none. In it the version has the name of its number, and each file is
/// one layer as it is. The same version again changes nothing. Other tools copy it to a registry, as skopeo
/// or oras do.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model export oci fraud@production ./layout")]
pub(crate) struct Oci {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// The layout
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Export {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Oci(command) => command.run(global).await,
        }
    }
}

impl Oci {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let models = workspace.models();
        let report = models
            .export_oci(&view, &self.reference, &self.directory)
            .await?;
        let output = global.output();
        output.result(&report, |out| {
            let (files, size) = (report.files.len(), bytes(report.bytes));
            writeln!(out, "{}: files {files}, {size}", report.model)?;
            writeln!(out, "{} {}", report.reference, report.manifest)
        })?;
        if !report.added {
            output.note("the layout had it already");
        }
        Ok(Answer::Yes)
    }
}
