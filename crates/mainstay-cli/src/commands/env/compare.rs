//! `mainstay env compare`

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use mainstay::env::{Environments, Finding, Policy, Severity, Verdict, compare};
use mainstay::repo::View;
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, BOLD, CAUTION, Cell, DIM, GOOD, Line, Table, or_dash};

/// Compare where something shall run with where it was made
///
/// The policy says what must be equal: bitwise, the same results to the bit; numeric, the same within
/// tolerance; serve, the model loads and runs. Exit code 1 when the verdict is fail.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay env compare trainer server --policy serve")]
pub(crate) struct Compare {
    /// Where it was made, as name@selector
    #[arg(value_name = "A", value_parser = args::env)]
    a: Locator,
    /// Where it shall run
    #[arg(value_name = "B", value_parser = args::env)]
    b: Locator,
    /// What must be equal
    #[arg(long, default_value = "numeric", value_parser = policy())]
    policy: Policy,
}

fn policy() -> impl TypedValueParser<Value = Policy> {
    let known = [Policy::Bitwise, Policy::Numeric, Policy::Serve].map(Policy::as_str);
    PossibleValuesParser::new(known).try_map(|text| text.parse())
}

#[derive(Serialize)]
struct Document<'a> {
    a: &'a NodeRef,
    b: &'a NodeRef,
    policy: &'static str,
    verdict: Verdict,
    findings: &'a [Finding],
}

impl Compare {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let view = global.open().await?.repo().view().await?;
        let both = |view: &View| {
            let a = Environments::find(view, &self.a)?;
            Ok((a, Environments::find(view, &self.b)?))
        };
        let (a, b) = view.read(both).await?;
        let report = compare(&a.manifest, &b.manifest, self.policy);
        let document = Document {
            a: &a.node,
            b: &b.node,
            policy: self.policy.as_str(),
            verdict: report.verdict,
            findings: &report.findings,
        };
        let output = global.output();
        output.result(&document, |out| document.write(out))?;
        Ok(Answer::of(report.verdict != Verdict::Fail))
    }
}

impl Document<'_> {
    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let (style, word) = match self.verdict {
            Verdict::Pass => (GOOD, "pass"),
            Verdict::Warn => (CAUTION, "warn"),
            Verdict::Fail => (BAD, "fail"),
        };
        let Self { a, b, policy, .. } = self;
        writeln!(
            out,
            "{BOLD}{a} -> {b}{BOLD:#}  {policy}: {style}{word}{style:#}"
        )?;
        let mut table = Table::new(["grade", "what", "a", "b"]);
        for finding in self.findings {
            let (style, word) = match finding.severity {
                Severity::Error => (BAD, "error"),
                Severity::Warning => (CAUTION, "warning"),
                Severity::Info => (DIM, "info"),
            };
            table.row([
                Cell::new(word, style),
                (&finding.path).into(),
                or_dash(finding.a.as_ref()).into(),
                or_dash(finding.b.as_ref()).into(),
            ]);
        }
        table.write(out)?;
        let serious = |finding: &&Finding| finding.severity == Severity::Error;
        for finding in self.findings.iter().filter(serious) {
            let (path, why) = (Line(&finding.path), finding.why);
            writeln!(out, "\n{path}: {why};\n  {}", Line(&finding.fix))?;
        }
        Ok(())
    }
}
