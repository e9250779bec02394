//! The tensors in which two versions differ.

use std::fmt::Display;
use std::io::{self, Write};

use mainstay::registry::tensor::{ChangedTensor, Difference, Tensor, TensorDiff};

use super::super::tensors::shape;
use crate::text::{BAD, CAUTION, Cell, GOOD, PLAIN, Table, bytes};

/// Writes a table of them, and how much is the same; nothing when neither version has tensors.
pub(super) fn write(
    diff: &TensorDiff,
    before: impl Display,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sizes = &diff.bytes;
    if sizes.before == 0 && sizes.after == 0 {
        return Ok(());
    }
    writeln!(out)?;
    table(diff).write(out)?;
    writeln!(
        out,
        "{} tensors unchanged ({} of {}); of {} stored, {} were stored for {before} already",
        diff.unchanged,
        bytes(sizes.unchanged),
        bytes(sizes.after),
        bytes(sizes.chunks),
        bytes(sizes.shared_chunks),
    )
}

fn table(diff: &TensorDiff) -> Table<7> {
    let head = ["", "tensor", "type", "shape", "changed", "norm", "relative"];
    let mut table = Table::new(head).numbers_in(&[4, 5, 6]);
    let mut row = |style, sign: &str, tensor: &Tensor, shape: String, moved: [String; 3]| {
        let [changed, norm, relative] = moved.map(Cell::from);
        let (name, dtype) = ((&tensor.name).into(), tensor.dtype.into());
        let sign = Cell::new(sign, style);
        table.row([sign, name, dtype, shape.into(), changed, norm, relative]);
    };
    for tensor in &diff.removed {
        row(BAD, "-", tensor, shape(&tensor.shape), Default::default());
    }
    for tensor in &diff.added {
        row(GOOD, "+", tensor, shape(&tensor.shape), Default::default());
    }
    for reshaped in &diff.reshaped {
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
    } in &diff.changed
    {
        let moved = difference.as_ref().map(moved).unwrap_or_default();
        row(PLAIN, "~", tensor, shape(&tensor.shape), moved);
    }
    table
}

fn moved(difference: &Difference) -> [String; 3] {
    let percent = format!("{:.2} %", difference.fraction * 100.0);
    let norm = format!("{:.4e}", difference.norm.value());
    let relative = difference.relative();
    let relative = relative.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.4e}"));
    [percent, norm, relative]
}
