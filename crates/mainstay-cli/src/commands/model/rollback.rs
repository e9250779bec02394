//! `mainstay model rollback`

use clap::Args;
use mainstay::registry::RollbackSpec;
use mainstay::{Name, Result};

use super::expectation;
use crate::args::Expected;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::or_dash;

/// Give a stage back to the version that held it before
///
/// Gates are not asked; the version that holds the stage is archived in the same log entry.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model rollback fraud --reason 'too many false alarms'")]
pub(crate) struct Rollback {
    /// The model
    model: Name,
    /// The exclusive stage
    #[arg(long, default_value = "production")]
    stage: Name,
    /// Refuse unless this version, or none, holds the stage
    #[arg(long, value_name = "VERSION|none")]
    incumbent: Option<Expected>,
}

impl Rollback {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("roll back {}", self.stage));
        let spec = RollbackSpec::new(self.model, self.stage, global.actor()?, reason)
            .with_incumbent(expectation(self.incumbent.as_ref())?);
        let report = global.open().await?.models().rollback(spec).await?;
        global.output().result(&report, |out| {
            let from = or_dash(report.from.as_ref());
            writeln!(out, "{}: {from} -> {}", report.stage, report.to)
        })?;
        Ok(Answer::Yes)
    }
}
