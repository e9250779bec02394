//! `mainstay verify`

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
struct Document<'a> {
    ok: bool,
    checked: u64,
    faults: &'a [Fault],
}

impl Verify {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let level = if self.full {
            VerifyLevel::Full
        } else {
            VerifyLevel::Quick
        };
        let report = mainstay::verify(&global.repo, level).await?;
        let ok = report.faults.is_empty();
        let document = Document {
            ok,
            checked: report.checked,
            faults: &report.faults,
        };
        global.output().result(&document, |out| {
            for fault in &report.faults {
                let (object, detail) = (Line(&fault.object), Line(&fault.detail));
                writeln!(out, "{BAD}{}{BAD:#} {object}: {detail}", fault.kind)?;
            }
            if ok {
                writeln!(out, "{GOOD}ok{GOOD:#}, {} checked", report.checked)
            } else {
                let faults = report.faults.len();
                writeln!(out, "faults {faults}, {} checked", report.checked)
            }
        })?;
        Ok(Answer::of(ok))
    }
}
