//! `mainstay verify`

use std::io::{self, Write};

use clap::Args;
use mainstay::Result;
use mainstay::repo::{Fault, VerifyLevel};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, GOOD, Line};

/// Check everything stored and report every fault
///
/// Looks at the log's chain, the checkpoints, and that everything named is there with the right size;
/// with --full also at every byte. Exit code 1 when a fault was found. Nothing is repaired.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay verify --full")]
pub(crate) struct Verify {
    /// Read every byte, not only the structure
    #[arg(long)]
    full: bool,
}

#[derive(Serialize)]
struct Document {
    ok: bool,
    checked: u64,
    faults: Vec<Fault>,
}

impl Verify {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let level = if self.full {
            VerifyLevel::Full
        } else {
            VerifyLevel::Quick
        };
        let report = mainstay::verify(&global.repo, level).await?;
        let document = Document {
            ok: report.faults.is_empty(),
            checked: report.checked,
            faults: report.faults,
        };
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::of(document.ok))
    }
}

impl Document {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for fault in &self.faults {
            let (object, detail) = (Line(&fault.object), Line(&fault.detail));
            writeln!(out, "{BAD}{}{BAD:#} {object}: {detail}", fault.kind)?;
        }
        if self.ok {
            writeln!(out, "{GOOD}ok{GOOD:#}, {} checked", self.checked)
        } else {
            writeln!(
                out,
                "faults {}, {} checked",
                self.faults.len(),
                self.checked
            )
        }
    }
}
