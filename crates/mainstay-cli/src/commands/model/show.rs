//! `mainstay model show`

use std::io::{self, Write};

use clap::Args;
use mainstay::registry::ModelInfo;
use mainstay::{Locator, Result};

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, DIM, Table, bytes, fields, joined, or_dash, when};

/// Show one version and everything known about it
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model show fraud@production")]
pub(crate) struct Show {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
}

impl Show {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let info = global.open().await?.models().show(&self.reference).await?;
        global.output().result(&info, |out| write(&info, out))?;
        Ok(Answer::Yes)
    }
}

fn write(info: &ModelInfo, out: &mut dyn Write) -> io::Result<()> {
    let record = &info.record;
    let pairs = |pairs: Vec<(&String, String)>| {
        joined(pairs.iter().map(|(key, value)| format!("{key}={value}")))
    };
    let code = record.code.as_ref().map(|code| {
        let dirty = if code.dirty { " (dirty)" } else { "" };
        format!("{}{dirty}", code.node())
    });
    fields(
        out,
        [
            ("version", Cell::new(&info.node, BOLD)),
            ("digest", info.digest.into()),
            ("stage", (&info.stage).into()),
            ("aliases", joined(&info.aliases).into()),
            ("made", when(info.registered).into()),
            ("about", (&info.description).into()),
            (
                "data",
                joined(
                    record
                        .data
                        .iter()
                        .map(|used| format!("{}={}", used.role, used.data)),
                )
                .into(),
            ),
            ("code", code.unwrap_or_default().into()),
            (
                "env",
                record
                    .environment
                    .as_ref()
                    .map_or_else(String::new, ToString::to_string)
                    .into(),
            ),
            (
                "parents",
                joined(
                    record
                        .parents
                        .iter()
                        .map(|p| format!("{} ({})", p.model, p.relation)),
                )
                .into(),
            ),
            (
                "params",
                pairs(
                    record
                        .parameters
                        .iter()
                        .map(|(k, v)| (k, v.to_string()))
                        .collect(),
                )
                .into(),
            ),
            (
                "seeds",
                pairs(
                    record
                        .seeds
                        .iter()
                        .map(|(k, v)| (k, v.to_string()))
                        .collect(),
                )
                .into(),
            ),
            (
                "metrics",
                pairs(
                    info.metrics
                        .iter()
                        .map(|(k, v)| (k, v.to_string()))
                        .collect(),
                )
                .into(),
            ),
            (
                "tags",
                pairs(info.tags.iter().map(|(k, v)| (k, v.clone())).collect()).into(),
            ),
            (
                "signature",
                record
                    .signature
                    .as_ref()
                    .map_or_else(String::new, |s| s.to_json().to_string())
                    .into(),
            ),
            (
                "bump",
                or_dash(
                    record
                        .bump
                        .as_ref()
                        .map(|bump| format!("{} above {}", bump.inferred, bump.previous)),
                )
                .into(),
            ),
            ("reproducibility", record.reproducibility.into()),
        ],
    )?;
    writeln!(out)?;
    let mut files = Table::new(["file", "size", "sha256"]).numbers_in(&[1]);
    for file in &record.artifact.files {
        files.row([
            (&file.path).into(),
            bytes(file.bytes).into(),
            Cell::new(file.digest.to_hex(), DIM),
        ]);
    }
    files.write(out)
}
