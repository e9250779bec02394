//! `mainstay repair`

use std::io::{self, Write};

use clap::Args;
use mainstay::Result;
use mainstay::repo::{RepairOptions, RepairReport};

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, CAUTION, GOOD, Line};

/// Show what can be repaired, and repair it with --apply
///
/// Makes the index again from the packs, writes again what is good in damaged packs, and drops
/// damaged checkpoints, which the log replaces. What can be read stays readable; what is lost is
/// listed. Nobody else should write meanwhile. Exit code 1 when something is lost, or damaged and not
/// repaired.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay repair
  mainstay repair --apply")]
pub(crate) struct Repair {
    /// Do it
    #[arg(long)]
    apply: bool,
}

impl Repair {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let mut options = RepairOptions::default().with_apply(self.apply);
        if let Some(progress) = global.output().progress() {
            options = options.with_progress(progress);
        }
        let report = mainstay::repair(&global.repo, &options).await?;
        // The line of progress makes room for the report.
        drop(options);
        global.output().result(&report, |out| write(&report, out))?;
        let mut actions = report.actions.iter();
        let unrepaired = actions.any(|action| !report.applied || action.action == "leave");
        Ok(Answer::of(report.lost.is_empty() && !unrepaired))
    }
}

fn write(report: &RepairReport, out: &mut dyn Write) -> io::Result<()> {
    for action in &report.actions {
        let (object, detail) = (Line(&action.object), Line(&action.detail));
        writeln!(
            out,
            "{CAUTION}{}{CAUTION:#} {object}: {detail}",
            action.action
        )?;
    }
    for lost in &report.lost {
        let (path, detail) = (Line(lost.path.as_str()), Line(&lost.detail));
        writeln!(out, "{BAD}lost{BAD:#} {} of {path}: {detail}", lost.blob)?;
    }
    if report.actions.is_empty() && report.lost.is_empty() {
        writeln!(out, "{GOOD}ok{GOOD:#}, nothing to repair")
    } else {
        let done = if report.applied {
            "done"
        } else {
            "to do, with --apply"
        };
        writeln!(
            out,
            "{} {done}, {} lost",
            report.actions.len(),
            report.lost.len()
        )
    }
}
