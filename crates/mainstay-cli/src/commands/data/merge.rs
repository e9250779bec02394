//! `mainstay data merge`

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use mainstay::data::merge::{FileAction, MergeOutcome, MergePlan, MergeSpec, Strategy};
use mainstay::data::{BranchTarget, SnapshotReport};
use mainstay::{FilePath, Locator, Name, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;

/// Merge a version into another: by path, tables with a key by row and cell
///
/// Both are compared with what they began from. What only one side changed is taken; what both changed
/// differently is a conflict, which ends the command, unless --prefer decides. Rows that both sides added
/// behind the others need no key.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data merge penguins@main penguins@cleaning --branch main --plan
  mainstay data merge penguins@main penguins@cleaning --branch main --prefer theirs")]
pub(crate) struct Merge {
    /// The version that is merged into, as name@selector
    #[arg(value_name = "OURS", value_parser = args::data)]
    ours: Locator,
    /// The version that is merged
    #[arg(value_name = "THEIRS", value_parser = args::data)]
    theirs: Locator,
    /// The branch that moves to the result; it must point to OURS
    #[arg(long)]
    branch: Option<Name>,
    /// What both began from, where they have no common ancestor, or several
    #[arg(long, value_name = "REF", value_parser = args::data)]
    base: Option<Locator>,
    /// The columns that tell rows apart; those that the versions record unless given
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
    /// Who wins where both changed the same thing
    #[arg(long, value_name = "SIDE")]
    prefer: Option<Side>,
    /// Show what merging would do, and do nothing; says no when there are conflicts
    #[arg(long)]
    plan: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Side {
    Ours,
    Theirs,
}

#[derive(Serialize)]
struct Document {
    plan: MergePlan,
    /// The version that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<SnapshotReport>,
    /// Where the branch points now.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<NodeRef>,
}

impl Merge {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let datasets = global.telling(workspace.data());
        let mut spec = MergeSpec::new(
            resolve(&view, &self.ours).await?,
            resolve(&view, &self.theirs).await?,
        )
        .with_key(self.key);
        spec.branch = self.branch;
        if let Some(base) = &self.base {
            spec = spec.with_base(resolve(&view, base).await?);
        }
        if let Some(side) = self.prefer {
            let strategy = match side {
                Side::Ours => Strategy::Ours,
                Side::Theirs => Strategy::Theirs,
            };
            spec = spec.with_strategy("", strategy);
        }
        let reason = global.reason(format!("merge {} into {}", spec.theirs, spec.ours));
        let mut document = Document {
            plan: datasets.plan_merge(&spec).await?,
            merged: None,
            head: None,
        };
        if self.plan {
            drop(datasets);
            global
                .output()
                .result(&document, |out| show(out, &document.plan))?;
            return Ok(Answer::of(document.plan.conflicts.is_empty()));
        }
        match (document.plan.outcome, &spec.branch) {
            (MergeOutcome::Merge, _) => {
                let merging = datasets.apply_merge(&document.plan, global.actor()?, reason);
                let merged = merging.await?;
                document.head = spec.branch.is_some().then(|| merged.node.clone());
                document.merged = Some(merged);
            }
            (MergeOutcome::FastForward, Some(branch)) => {
                let target = BranchTarget::new(branch.clone()).at(spec.ours.clone());
                let (theirs, actor) = (&spec.theirs, global.actor()?);
                datasets
                    .advance_branch(&target, theirs, actor, reason)
                    .await?;
                document.head = Some(theirs.clone());
            }
            _ => {}
        }
        // The line of progress makes room for the report.
        drop(datasets);
        global.output().result(&document, |out| {
            show(out, &document.plan)?;
            if let Some(merged) = &document.merged {
                writeln!(out, "{}: merged", merged.node)?;
            }
            Ok(())
        })?;
        Ok(Answer::Yes)
    }
}

fn show(out: &mut dyn Write, plan: &MergePlan) -> io::Result<()> {
    let MergeSpec { ours, theirs, .. } = &plan.spec;
    match plan.outcome {
        MergeOutcome::UpToDate => writeln!(out, "{ours} has all of {theirs}")?,
        MergeOutcome::FastForward => writeln!(out, "{theirs} continues {ours}")?,
        _ => {}
    }
    for file in &plan.files {
        let action = match file.action {
            FileAction::Take => "theirs",
            FileAction::Remove => "removed",
            FileAction::Keep => "stays ours",
            _ => "rows of both",
        };
        write!(out, "{}: {action}", file.path)?;
        if let Some(rows) = &file.rows {
            let (added, removed, changed) = (rows.added, rows.removed, rows.changed);
            write!(out, ", {added} added, {removed} removed, {changed} changed")?;
        }
        writeln!(out)?;
    }
    for conflict in &plan.conflicts {
        let path = conflict.path.as_ref().map(FilePath::as_str);
        let what = path.or(conflict.metadata.as_deref()).unwrap_or_default();
        writeln!(out, "conflict: {what}: {}", conflict.why)?;
    }
    for cell in &plan.cells {
        let key: Vec<String> = cell.key.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let column = cell.column.as_deref().unwrap_or("the row");
        let (base, ours, theirs) = (side(&cell.base), side(&cell.ours), side(&cell.theirs));
        let (path, key) = (&cell.path, key.join(" "));
        writeln!(
            out,
            "  {path} {key} {column}: {base} -> ours {ours}, theirs {theirs}"
        )?;
    }
    Ok(())
}
