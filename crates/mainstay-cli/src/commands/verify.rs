//! `mainstay verify`

use std::io::{self, Write};

use clap::Args;
use mainstay::repo::{self, VerifyLevel, VerifyReport};
use mainstay::{Error, ErrorKind, Result};
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

#[derive(Serialize)]
struct Fault {
    object: String,
    kind: &'static str,
    detail: String,
}

impl Verify {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let level = if self.full {
            VerifyLevel::Full
        } else {
            VerifyLevel::Quick
        };
        let document = match mainstay::verify(&global.repo, level).await {
            Ok(report) => Document::from(report),
            Err(error) => Document::of_fatal(error)?,
        };
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::of(document.ok))
    }
}

impl Document {
    /// Reports damage that keeps the workspace from being read at all.
    ///
    /// # Errors
    /// Errors that say nothing about what is stored are returned.
    fn of_fatal(error: Error) -> Result<Self> {
        if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible) {
            return Err(error);
        }
        let object = error.contexts().find(|(key, _)| *key == "object");
        let fault = Fault {
            object: object.map_or("workspace", |(_, object)| object).to_owned(),
            kind: error.kind().as_str(),
            detail: error.to_string(),
        };
        Ok(Self {
            ok: false,
            checked: 1,
            faults: vec![fault],
        })
    }

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

impl From<VerifyReport> for Document {
    fn from(report: VerifyReport) -> Self {
        Self {
            ok: report.faults.is_empty(),
            checked: report.checked,
            faults: report.faults.into_iter().map(Fault::from).collect(),
        }
    }
}

impl From<repo::Fault> for Fault {
    fn from(fault: repo::Fault) -> Self {
        Self {
            object: fault.object,
            kind: fault.kind,
            detail: fault.detail,
        }
    }
}
