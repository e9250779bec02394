//! `mainstay model diff`

mod tensors;

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::Args;
use mainstay::registry::signature::CompatOptions;
use mainstay::registry::tensor::TensorDiff;
use mainstay::registry::{
    Level, MetricChange, ModelVersion, Reason, differences, metric_changes, show,
};
use mainstay::repo::View;
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use super::show::made_from;
use crate::args;
use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;
use crate::text::{BAD, GOOD, Line, Table, or_dash};

/// Values of a reason that together take more characters are left to --json.
const MAX_VALUES: usize = 72;

/// Show how two versions differ: what asks for a new version, metrics, parents and tensors
///
/// Metrics are the latest of each version, those of evaluation reports and promotions included.
///
/// Tensors of safetensors files that are stored in the same chunks are equal and not read; the others
/// are read side by side. The norm of the difference is Euclidean, over the elements that are finite on
/// both sides.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model diff fraud@1.1.0 fraud@1.2.0
  mainstay model diff fraud@production fraud@latest --json")]
pub(crate) struct Diff {
    /// The version before, as name@selector
    #[arg(value_name = "A", value_parser = args::model)]
    before: Locator,
    /// The version after, as name@selector
    #[arg(value_name = "B", value_parser = args::model)]
    after: Locator,
    /// The serving code refuses inputs that it does not know, so that to drop one is a major change
    #[arg(long)]
    strict_inputs: bool,
    #[command(flatten)]
    moment: At,
}

#[derive(Serialize)]
struct Document {
    a: NodeRef,
    b: NodeRef,
    /// The level that the differences ask for.
    bump: Option<Level>,
    reasons: Vec<Reason>,
    metrics: Vec<MetricChange>,
    parents: Parents,
    tensors: TensorDiff,
}

/// What only one of the versions was made from, or otherwise.
#[derive(Serialize)]
struct Parents {
    a: Vec<String>,
    b: Vec<String>,
}

impl Diff {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = self.moment.view(&workspace).await?;
        let both = |view: &View| Ok((show(view, &self.before)?, show(view, &self.after)?));
        let (before, after) = view.read(both).await?;
        let models = workspace.models();
        let tensors = models.tensor_diff(&view, &self.before, &self.after).await?;
        let options = CompatOptions::default().with_strict_inputs(self.strict_inputs);
        let reasons = differences(&before.record, &after.record, options);
        let document = Document {
            a: before.node.clone(),
            b: after.node.clone(),
            bump: reasons.first().map(|reason| reason.level),
            reasons,
            metrics: metric_changes(&before.metrics, &after.metrics),
            parents: Parents::of(&before.record, &after.record),
            tensors,
        };
        let output = global.output();
        output.result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
    }
}

impl Parents {
    fn of(before: &ModelVersion, after: &ModelVersion) -> Self {
        let [a, b] = [before, after].map(|version| -> BTreeSet<String> {
            let parents = version.parents.iter();
            parents
                .map(|parent| made_from(parent, &version.weights))
                .collect()
        });
        Self {
            a: a.difference(&b).cloned().collect(),
            b: b.difference(&a).cloned().collect(),
        }
    }
}

impl Document {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { a, b, .. } = self;
        match self.bump {
            Some(level) => writeln!(out, "{a} -> {b}: {level}")?,
            None => writeln!(out, "{a} -> {b}: nothing that asks for a new version")?,
        }
        for reason in &self.reasons {
            let Reason {
                level, rule, path, ..
            } = reason;
            writeln!(out, "  {level} {rule}: {}{}", Line(path), values(reason))?;
        }
        for parent in &self.parents.a {
            writeln!(out, "  {BAD}-{BAD:#} parent {parent}")?;
        }
        for parent in &self.parents.b {
            writeln!(out, "  {GOOD}+{GOOD:#} parent {parent}")?;
        }
        if !self.metrics.is_empty() {
            writeln!(out)?;
            self.metrics().write(out)?;
        }
        tensors::write(&self.tensors, a, out)
    }

    fn metrics(&self) -> Table<4> {
        let mut table = Table::new(["metric", "a", "b", "change"]).numbers_in(&[1, 2, 3]);
        for metric in &self.metrics {
            let MetricChange { name, a, b, .. } = metric;
            let delta = metric.delta().map(|delta| format!("{delta:+.4e}"));
            table.row([
                name.into(),
                or_dash(*a).into(),
                or_dash(*b).into(),
                or_dash(delta).into(),
            ]);
        }
        table
    }
}

/// What was there and what is, where both are short.
fn values(reason: &Reason) -> String {
    let (before, after) = (reason.before.to_string(), reason.after.to_string());
    if before.len() + after.len() > MAX_VALUES {
        return String::new();
    }
    format!(" ({} -> {})", Line(&before), Line(&after))
}
