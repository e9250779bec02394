//! `mainstay model diff`

use std::io::{self, Write};

use clap::Args;
use mainstay::registry::signature::CompatOptions;
use mainstay::registry::tensor::{ChangedTensor, Difference, Tensor, TensorDiff};
use mainstay::registry::{Level, Reason, differences, show};
use mainstay::repo::View;
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use super::tensors::shape;
use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, CAUTION, Cell, GOOD, Line, PLAIN, Table, bytes};

/// Show how two versions differ: what asks for a new version, and the tensors
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
}

#[derive(Serialize)]
struct Document {
    a: NodeRef,
    b: NodeRef,
    /// The level that the differences ask for.
    bump: Option<Level>,
    reasons: Vec<Reason>,
    tensors: TensorDiff,
}

impl Diff {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let both = |view: &View| Ok((show(view, &self.before)?, show(view, &self.after)?));
        let (before, after) = view.read(both).await?;
        let models = workspace.models();
        let tensors = models.tensor_diff(&view, &self.before, &self.after).await?;
        let reasons = differences(&before.record, &after.record, CompatOptions::default());
        let document = Document {
            a: before.node,
            b: after.node,
            bump: reasons.first().map(|reason| reason.level),
            reasons,
            tensors,
        };
        let output = global.output();
        output.result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
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
            writeln!(
                out,
                "  {} {}: {}",
                reason.level,
                reason.rule,
                Line(&reason.path)
            )?;
        }
        let TensorDiff { bytes: sizes, .. } = &self.tensors;
        if sizes.before == 0 && sizes.after == 0 {
            return Ok(());
        }
        writeln!(out)?;
        self.table().write(out)?;
        writeln!(
            out,
            "{} tensors unchanged ({} of {}); of {} stored, {} were stored for {a} already",
            self.tensors.unchanged,
            bytes(sizes.unchanged),
            bytes(sizes.after),
            bytes(sizes.chunks),
            bytes(sizes.shared_chunks),
        )
    }

    fn table(&self) -> Table<7> {
        let head = ["", "tensor", "type", "shape", "changed", "norm", "relative"];
        let mut table = Table::new(head).numbers_in(&[4, 5, 6]);
        let mut row = |style, sign: &str, tensor: &Tensor, shape: String, moved: [String; 3]| {
            let [changed, norm, relative] = moved.map(Cell::from);
            let (name, dtype) = ((&tensor.name).into(), tensor.dtype.into());
            let sign = Cell::new(sign, style);
            table.row([sign, name, dtype, shape.into(), changed, norm, relative]);
        };
        for tensor in &self.tensors.removed {
            row(BAD, "-", tensor, shape(&tensor.shape), Default::default());
        }
        for tensor in &self.tensors.added {
            row(GOOD, "+", tensor, shape(&tensor.shape), Default::default());
        }
        for reshaped in &self.tensors.reshaped {
            let (before, after) = (&reshaped.before, &reshaped.after);
            let was = format!(
                "{} (was {} {})",
                shape(&after.shape),
                before.dtype,
                shape(&before.shape)
            );
            row(CAUTION, "!", after, was, Default::default());
        }
        for ChangedTensor {
            tensor, difference, ..
        } in &self.tensors.changed
        {
            let moved = difference.as_ref().map(moved).unwrap_or_default();
            row(PLAIN, "~", tensor, shape(&tensor.shape), moved);
        }
        table
    }
}

fn moved(difference: &Difference) -> [String; 3] {
    let percent = format!("{:.2} %", difference.fraction * 100.0);
    let norm = format!("{:.4e}", difference.norm.value());
    let relative = difference.relative();
    let relative = relative.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.4e}"));
    [percent, norm, relative]
}
