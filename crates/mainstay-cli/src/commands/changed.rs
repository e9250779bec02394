//! `mainstay changed`

use crate::commands::resolve;
use std::io::{self, Write};

use anstyle::Style;
use clap::Args;
use mainstay::lineage::change::{Change, Component, Severity};
use mainstay::{Locator, NodeKind, Result};

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, BOLD, CAUTION, DIM, Line, PLAIN, or_dash, when};

/// Say what changed between two things, the most telling first
///
/// Two deployment units are compared component by component, and what a changed component was made
/// from as well. Data is compared by its statistics, models by signature and metrics, prompts by their
/// text, environments by what results can depend on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay changed support@1 support@2
  mainstay changed model:fraud@1.0.0 model:fraud@production
  mainstay changed channel:prod unit:support@3")]
pub(crate) struct Changed {
    /// The one thing, as kind:name@selector [default kind: unit]
    #[arg(value_name = "A")]
    a: Locator,
    /// The other thing
    #[arg(value_name = "B")]
    b: Locator,
}

impl Changed {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let find = async |mut locator: Locator| {
            locator.kind.get_or_insert(NodeKind::Unit);
            resolve(&view, &locator).await
        };
        let (a, b) = (find(self.a).await?, find(self.b).await?);
        let change = workspace.changed(&a, &b).await?;
        global.output().result(&change, |out| write(&change, out))?;
        Ok(Answer::Yes)
    }
}

fn write(change: &Change, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{BOLD}{} -> {}{BOLD:#}\n", change.a, change.b)?;
    let slots = change.components.iter().map(|part| part.slot.len());
    let width = slots.max().unwrap_or_default();
    for part in &change.components {
        let (slot, style) = (Line(&part.slot), style(part.severity));
        let pad = " ".repeat(width - part.slot.len());
        let versions = versions(part);
        if part.changed {
            writeln!(out, "{style}{slot}{style:#}{pad}  {versions}")?;
            for clause in part.summary.split("; ") {
                writeln!(out, "{:width$}    {}", "", Line(clause))?;
            }
        } else {
            writeln!(out, "{style}{slot}{style:#}{pad}  {versions}, unchanged")?;
        }
    }
    if !change.events.is_empty() {
        writeln!(out, "\n{BOLD}in between{BOLD:#}")?;
    }
    if change.events_omitted > 0 {
        writeln!(out, "  {DIM}{} older{DIM:#}", change.events_omitted)?;
    }
    for event in &change.events {
        let (seq, time, actor) = (event.seq, when(event.time), &event.actor);
        let reason = Line(&event.reason);
        writeln!(out, "  {seq} {DIM}{time} {actor}{DIM:#} {reason}")?;
    }
    Ok(())
}

/// Versions alone where both sides are of one name.
fn versions(part: &Component) -> String {
    match (&part.a, &part.b) {
        (Some(a), Some(b)) if a == b => format!("{} {}", a.name(), a.version()),
        (Some(a), Some(b)) if a.name() == b.name() => {
            format!("{} {} -> {}", a.name(), a.version(), b.version())
        }
        (a, b) => {
            let [a, b] = [a, b].map(|node| or_dash(node.as_ref()));
            format!("{a} -> {b}")
        }
    }
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::High => BAD,
        Severity::Medium => CAUTION,
        Severity::Low => PLAIN,
        Severity::None => DIM,
    }
}
