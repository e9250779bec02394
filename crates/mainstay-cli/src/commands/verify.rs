//! `mainstay verify`

use std::io::{self, Write};

use clap::Args;
use mainstay::repo::{Fault, Note, VerifyLevel, VerifyOptions};
use mainstay::{Clock as _, Result, SystemClock};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, CAUTION, GOOD, Line, bytes};

/// Check everything stored and report every fault
///
/// Looks at the log's chain, the checkpoints, and that everything named is there with the right size;
/// with --full also at every byte, with --sample at those of some packs. Exit code 1 when a fault was found. Nothing is repaired.
/// A note tells of what is not wrong: checkpoints that are not there, so that opening takes longer.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay verify --full
  mainstay verify --sample 5")]
pub(crate) struct Verify {
    /// Read every byte, not only the structure
    #[arg(long, conflicts_with = "sample")]
    full: bool,
    /// Read every byte of so many of a hundred packs
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    sample: Option<u8>,
    /// Which packs a sample draws [default: others each time]
    #[arg(long, value_name = "NUMBER", requires = "sample")]
    seed: Option<u64>,
}

#[derive(Serialize)]
struct Document {
    ok: bool,
    checked: u64,
    read_bytes: u64,
    /// The seed of a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    faults: Vec<Fault>,
    notes: Vec<Note>,
}

impl Verify {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let seed = self.sample.map(|_| self.seed.unwrap_or_else(fresh_seed));
        let level = match (self.sample, seed) {
            (Some(percent), Some(seed)) => VerifyLevel::Sampled { percent, seed },
            _ if self.full => VerifyLevel::Full,
            _ => VerifyLevel::Quick,
        };
        let mut options = VerifyOptions::from(level);
        if let Some(progress) = global.output().progress() {
            options = options.with_progress(progress);
        }
        let report = mainstay::verify(&global.repo, options).await?;
        let document = Document {
            ok: report.faults.is_empty(),
            checked: report.checked,
            read_bytes: report.read_bytes,
            seed,
            faults: report.faults,
            notes: report.notes,
        };
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::of(document.ok))
    }
}

/// A number that is another each time.
fn fresh_seed() -> u64 {
    SystemClock::default().now().as_unix_micros().unsigned_abs()
}

impl Document {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for fault in &self.faults {
            let (object, detail) = (Line(&fault.object), Line(&fault.detail));
            writeln!(out, "{BAD}{}{BAD:#} {object}: {detail}", fault.kind)?;
        }
        for note in &self.notes {
            let (object, detail) = (Line(&note.object), Line(&note.detail));
            writeln!(out, "{CAUTION}note{CAUTION:#} {object}: {detail}")?;
        }
        if self.ok {
            writeln!(
                out,
                "{GOOD}ok{GOOD:#}, {} checked, {} read",
                self.checked,
                bytes(self.read_bytes)
            )
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
