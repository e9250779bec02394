//! `mainstay model approve`, `mainstay model withdraw`

use clap::Args;
use mainstay::registry::{ApprovalReport, ApproveSpec};
use mainstay::{Locator, Name, Result};

use crate::args;
use crate::cli::Global;
use crate::output::{Answer, Output};
use crate::text::{Cell, DIM, Table, joined, when};

/// Approve that a version enters a stage whose policy asks for approvals
///
/// An approval is of this version, for this stage, under the policy of this moment, by the actor. A
/// promotion to the stage uses it up. Roles are believed: Mainstay does not authenticate.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model approve fraud@1.2.0 --stage production --role risk --reason 'reviewed the report'")]
pub(crate) struct Approve {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// The stage it may enter
    #[arg(long, default_value = "production")]
    stage: Name,
    /// A role of the approver; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Name>,
}

/// Withdraw what the actor approved
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model withdraw fraud@1.2.0 --stage production --reason 'the report was of another model'")]
pub(crate) struct Withdraw {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// The stage
    #[arg(long, default_value = "production")]
    stage: Name,
}

impl Approve {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("approve for {}", self.stage));
        let mut spec = ApproveSpec::new(self.reference, self.stage, global.actor()?, reason);
        spec.roles = self.roles.into_iter().collect();
        let report = global.open().await?.models().approve(spec).await?;
        tell(global.output(), &report)
    }
}

impl Withdraw {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let (actor, reason) = (global.actor()?, global.reason("withdraw approval"));
        let models = global.open().await?.models();
        let withdrawn = models.withdraw(&self.reference, &self.stage, actor, reason);
        tell(global.output(), &withdrawn.await?)
    }
}

fn tell(output: Output, report: &ApprovalReport) -> Result<Answer> {
    output.result(report, |out| {
        writeln!(
            out,
            "{}: {} approvals",
            report.model,
            report.approvals.len()
        )?;
        let mut table = Table::new(["stage", "actor", "roles", "time", "reason"]);
        for approval in &report.approvals {
            table.row([
                (&approval.stage).into(),
                (&approval.actor).into(),
                joined(&approval.roles).into(),
                Cell::new(when(approval.time), DIM),
                (&approval.reason).into(),
            ]);
        }
        table.write(out)
    })?;
    if report.seq.is_none() {
        output.note("nothing had to change");
    }
    Ok(Answer::Yes)
}
