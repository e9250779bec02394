//! `mainstay changed`

use std::io::{self, Write};
use std::str::FromStr;

use anstyle::Style;
use clap::{Args, ValueEnum};
use mainstay::lineage::change::{Change, Component, Severity};
use mainstay::lineage::{Direction, Graph, WalkOptions};
use mainstay::{Error, Locator, Name, NodeKind, NodeRef, Result, Timestamp, Workspace};

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, BOLD, CAUTION, DIM, Line, PLAIN, or_dash, when};

/// Say what changed between two things, the most telling first
///
/// Two deployment units are compared component by component, and what a changed component was made
/// from as well. Data is compared by its statistics, models by signature, settings, code, tensors and metrics,
/// prompts by their text, environments by what results can depend on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay changed support@1 support@2
  mainstay changed model:fraud@1.0.0 model:fraud@production
  mainstay changed channel:prod unit:support@3
  mainstay changed channel:prod@2026-11-27T12:00:00Z channel:prod --format html > incident.html")]
pub(crate) struct Changed {
    /// The one thing, as kind:name@selector [default kind: unit], or channel:name@time
    #[arg(value_name = "A")]
    a: Side,
    /// The other thing
    #[arg(value_name = "B")]
    b: Side,
    /// How to write it [default: text]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Tell in text, too, each difference of a component: schema, columns, reasons, lines of a prompt
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// For an issue or a chat
    Markdown,
    /// One page that needs nothing else, with the lineage drawn
    Html,
}

/// One side of the comparison.
#[derive(Debug, Clone)]
enum Side {
    Thing(Locator),
    /// What a channel served at a time.
    Served(Name, Timestamp),
}

impl FromStr for Side {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((name, time)) = text
            .strip_prefix("channel:")
            .and_then(|rest| rest.split_once('@'))
        {
            return Ok(Self::Served(name.parse()?, time.parse()?));
        }
        let mut locator: Locator = text.parse()?;
        locator.kind.get_or_insert(NodeKind::Unit);
        Ok(Self::Thing(locator))
    }
}

impl Changed {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let output = global.output();
        if output.json && self.format.is_some() {
            return Err(Error::invalid("--json and --format exclude each other"));
        }
        let format = self.format.unwrap_or(Format::Text);
        if self.full && (output.json || format != Format::Text) {
            return Err(Error::invalid(
                "--full is for text: every other form has all of it",
            ));
        }
        let change = self.compare(&workspace).await?;
        match format {
            Format::Text => output.result(&change, |out| write(&change, self.full, out))?,
            Format::Markdown => output.verbatim(&change, &change.to_markdown())?,
            Format::Html => {
                let graph = lineage(&workspace, &change).await?;
                output.verbatim(&change, &change.to_html(&graph))?;
            }
        }
        Ok(Answer::Yes)
    }

    async fn compare(&self, workspace: &Workspace) -> Result<Change> {
        // A channel without a time is what it serves now.
        let time = async |side: &Side| match side {
            Side::Served(name, time) => Ok(Some((name.clone(), *time))),
            Side::Thing(locator) if locator.kind == Some(NodeKind::Channel) => {
                let view = workspace.repo().view().await?;
                Ok::<_, Error>(Some((locator.name.clone(), view.time())))
            }
            Side::Thing(_) => Ok(None),
        };
        if let (Some((a, from)), Some((b, to))) = (time(&self.a).await?, time(&self.b).await?)
            && a == b
        {
            return workspace.changed_between(&a, from, to).await;
        }
        let find = async |side: &Side| match side {
            Side::Served(name, time) => Ok(workspace.served_at(name, *time).await?.0),
            Side::Thing(locator) => workspace.resolve(locator).await,
        };
        let (a, b) = (find(&self.a).await?, find(&self.b).await?);
        workspace.changed(&a, &b).await
    }
}

/// What both came from, a few steps back.
async fn lineage(workspace: &Workspace, change: &Change) -> Result<Graph> {
    const STEPS: u32 = 2;
    let view = workspace.repo().view().await?;
    let options = WalkOptions::default().with_max_depth(STEPS);
    let of = async |node: &NodeRef| {
        Graph::near(workspace.repo(), &view, node, &[Direction::Up], &options).await
    };
    let both = of(&change.a).await?.joined(&of(&change.b).await?);
    workspace.named(both, &view).await
}

fn write(change: &Change, full: bool, out: &mut dyn Write) -> io::Result<()> {
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
        if full {
            details(part, width, out)?;
        }
    }
    if !change.events.is_empty() {
        writeln!(out, "\n{BOLD}what happened, the most telling first{BOLD:#}")?;
    }
    for event in change.ranked_events() {
        let (seq, time, actor) = (event.seq, when(event.time), &event.actor);
        let (style, explains) = (style(event.explains), event.explains.as_str());
        let reason = Line(&event.reason);
        writeln!(
            out,
            "  {style}{explains:6}{style:#} {seq} {DIM}{time} {actor}{DIM:#} {reason}"
        )?;
    }
    if change.events_omitted > 0 {
        let omitted = change.events_omitted;
        writeln!(
            out,
            "  {DIM}at least {omitted} older entries are left out{DIM:#}"
        )?;
    }
    Ok(())
}

fn details(part: &Component, width: usize, out: &mut dyn Write) -> io::Result<()> {
    for section in &part.sections {
        writeln!(out, "{:width$}    {DIM}{}{DIM:#}", "", section.title)?;
        for line in &section.lines {
            writeln!(out, "{:width$}      {}", "", Line(line))?;
        }
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
