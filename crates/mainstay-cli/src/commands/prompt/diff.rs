//! `mainstay prompt diff`

use mainstay::repo::View;
use std::io::{self, Write};

use clap::Args;
use mainstay::prompt::{Change, ChangeClass, PromptDiff};
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, BOLD, DIM, GOOD, Line, joined, or_dash};

/// Say what changed between two versions, and what that means for callers
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay prompt diff support@production support")]
pub(crate) struct Diff {
    /// The one version, as key@selector
    #[arg(value_name = "A", value_parser = args::prompt)]
    a: Locator,
    /// The other version
    #[arg(value_name = "B", value_parser = args::prompt)]
    b: Locator,
}

#[derive(Serialize)]
struct Document<'a> {
    a: &'a NodeRef,
    b: &'a NodeRef,
    #[serde(flatten)]
    diff: &'a PromptDiff,
}

impl Diff {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let prompts = workspace.prompts();
        let both = |view: &View| Ok((prompts.find(view, &self.a)?, prompts.find(view, &self.b)?));
        let (a, b) = view.read(both).await?;
        let document = Document {
            a: &a.node,
            b: &b.node,
            diff: &PromptDiff::between(&a.prompt, &b.prompt),
        };
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
    }
}

impl Document<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (a, b) = (self.a, self.b);
        let class = match self.diff.class {
            None => "equal",
            Some(ChangeClass::Config) => "configuration only",
            Some(ChangeClass::Wording) => "other words",
            Some(ChangeClass::Additive) => "callers may pass more",
            Some(_) => "breaking: callers must change",
        };
        writeln!(out, "{BOLD}{a} -> {b}{BOLD:#}  {class}")?;
        let variables = &self.diff.variables;
        for (what, names) in [
            ("variables added", &variables.added),
            ("variables removed", &variables.removed),
            ("now required", &variables.now_required),
            ("now optional", &variables.now_optional),
        ] {
            if !names.is_empty() {
                writeln!(out, "{what}: {}", Line(&joined(names)))?;
            }
        }
        for change in &self.diff.config {
            let (path, a, b) = (Line(&change.path), &change.a, &change.b);
            writeln!(
                out,
                "{path}: {} -> {}",
                or_dash(a.as_ref()),
                or_dash(b.as_ref())
            )?;
        }
        for hunk in &self.diff.body {
            writeln!(out, "{DIM}@@ {} {} @@{DIM:#}", hunk.a_line, hunk.b_line)?;
            for line in &hunk.lines {
                let text = Line(line.text.trim_end_matches(['\r', '\n']));
                match line.change {
                    Change::Same => writeln!(out, " {text}")?,
                    Change::Removed => writeln!(out, "{BAD}-{text}{BAD:#}")?,
                    Change::Added => writeln!(out, "{GOOD}+{text}{GOOD:#}")?,
                }
            }
        }
        Ok(())
    }
}
