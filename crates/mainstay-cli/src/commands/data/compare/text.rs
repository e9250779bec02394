//! A comparison for people.

use std::io::{self, Write};

use anstyle::Style;
use mainstay::data::diff::{
    ComparedRows, Compatibility, DatasetDiff, Direction, Drift, FilesDiff, Verdict,
};
use mainstay::data::rows::{CellValue, Op};

use crate::commands::data::files::write_changes;
use crate::text::{BAD, CAUTION, Cell, DIM, GOOD, Line, Table, or_dash};

/// Writes a comparison for people.
pub(super) fn write(diff: &DatasetDiff, out: &mut dyn Write) -> io::Result<()> {
    write_size(diff, out)?;
    write_schema(diff, out)?;
    write_compatibility(&diff.compatibility, out)?;
    write_columns(diff, out)?;
    write_evidence(diff, out)?;
    match &diff.rows.compared {
        Some(rows) if !diff.same_rows => write_rows(rows, out)?,
        _ => {}
    }
    write_files(&diff.files, out)?;
    let style = style(diff.verdict);
    let why = match diff.verdict {
        Verdict::Unjudged => ": not both versions have a table",
        _ => "",
    };
    writeln!(out, "verdict {style}{}{style:#}{why}", diff.verdict.name())
}

fn write_size(diff: &DatasetDiff, out: &mut dyn Write) -> io::Result<()> {
    let (before, after) = (diff.rows.before, diff.rows.after);
    if diff.same_table {
        return writeln!(out, "the same table, rows {after}");
    }
    if before + after > 0 {
        writeln!(out, "rows {before} -> {after}")?;
    }
    if diff.same_rows {
        writeln!(out, "the same rows in another order")?;
    }
    Ok(())
}

fn write_schema(diff: &DatasetDiff, out: &mut dyn Write) -> io::Result<()> {
    let schema = &diff.schema;
    for column in &schema.added {
        let (name, kind) = (Line(&column.name), &column.logical_type);
        writeln!(out, "added    {name} {kind}")?;
    }
    for column in &schema.removed {
        let (name, kind) = (Line(&column.name), &column.logical_type);
        writeln!(out, "removed  {name} {kind}")?;
    }
    for change in &schema.changed {
        let name = Line(&change.name);
        let [before, after] = [&change.before, &change.after].map(|column| {
            let nullable = if column.nullable { ", nullable" } else { "" };
            format!("{}{nullable}", column.logical_type)
        });
        writeln!(out, "changed  {name} {before} -> {after}")?;
    }
    for renaming in &schema.renamed {
        let (from, to) = (Line(&renaming.from), Line(&renaming.to));
        writeln!(out, "renamed  {from} -> {to}")?;
    }
    Ok(())
}

fn write_columns(diff: &DatasetDiff, out: &mut dyn Write) -> io::Result<()> {
    let head = ["column", "verdict", "psi", "ks", "js", "shift", "missing"];
    let mut table = Table::new(head).numbers_in(&[2, 3, 4, 5, 6]);
    for column in diff.columns.iter().filter(|column| column.changed) {
        let shown = |measure: Option<f64>| or_dash(measure.map(|value| format!("{value:.3}")));
        let drift = &column.drift;
        table.row([
            (&column.name).into(),
            Cell::new(column.verdict.name(), style(column.verdict)),
            shown(drift.psi).into(),
            shown(drift.ks).into(),
            shown(drift.js).into(),
            shown(drift.shift).into(),
            Cell::new(format!("{:+.3}", drift.missing), DIM),
        ]);
    }
    table.write(out)
}

/// Says which readers fail, and on which columns.
fn write_compatibility(found: &Compatibility, out: &mut dyn Write) -> io::Result<()> {
    for (direction, style) in [(Direction::Forward, BAD), (Direction::Backward, CAUTION)] {
        let mut reasons = found.reasons_of(direction).peekable();
        if reasons.peek().is_some() {
            let (name, failure) = (direction.name(), direction.failure());
            writeln!(out, "{style}not {name} compatible{style:#}: {failure}")?;
        }
        for reason in reasons {
            writeln!(out, "  {}: {}", Line(&reason.column), Line(&reason.reason))?;
        }
    }
    Ok(())
}

/// Writes what tests say beside the measures.
fn write_evidence(diff: &DatasetDiff, out: &mut dyn Write) -> io::Result<()> {
    let [test, p, v, missing, new, vanished] = Drift::EVIDENCE;
    let head = ["column", test, p, v, missing, new, vanished];
    let mut table = Table::new(head).numbers_in(&[1, 2, 3, 4]);
    for column in diff.columns.iter().filter(|column| column.changed) {
        if let Some([test, p, v, missing, new, vanished]) = column.drift.evidence() {
            let name: Cell = (&column.name).into();
            let [test, p, v, missing] =
                [test, p, v, missing].map(|text| or_dash(filled(text)).into());
            let new = Cell::new(or_dash(filled(new)), CAUTION);
            table.row([
                name,
                test,
                p,
                v,
                missing,
                new,
                or_dash(filled(vanished)).into(),
            ]);
        }
    }
    table.write(out)
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn write_rows(rows: &ComparedRows, out: &mut dyn Write) -> io::Result<()> {
    let (added, removed, changed) = (rows.added, rows.removed, rows.changed);
    let alike = rows.unchanged;
    let by = match &rows.key {
        Some(key) => format!("by {}", Line(&key.join(", "))),
        None => "as a whole".to_owned(),
    };
    writeln!(
        out,
        "rows {by}: added {added}, removed {removed}, changed {changed}, alike {alike}"
    )?;
    let duplicates = &rows.duplicates;
    if duplicates.keys > 0 {
        let (keys, before, after) = (duplicates.keys, duplicates.before, duplicates.after);
        writeln!(
            out,
            "{CAUTION}{keys} keys are no keys{CAUTION:#}: rows {before} -> {after}"
        )?;
    }
    if !rows.duplicates_complete && added + removed > 0 {
        let skipped = rows.skipped;
        writeln!(
            out,
            "keys of {skipped} rows that were not read were not looked at: --key of a snapshot has them counted"
        )?;
    }
    for name in &rows.incomparable {
        let name = Line(name);
        writeln!(
            out,
            "not compared {name}: its types have no values in common"
        )?;
    }
    let mut table = Table::new(["row", "key", "before", "after"]);
    for row in &rows.sample {
        let all = row.changed.is_empty();
        let side = |side: &Option<Vec<(String, CellValue)>>| {
            let cells = side.iter().flatten();
            cells_of(cells.filter(|(name, _)| all || row.changed.contains(name)))
        };
        let style = match row.op {
            Op::Added => GOOD,
            Op::Removed => BAD,
            Op::Changed | Op::Duplicate => CAUTION,
        };
        table.row([
            Cell::new(row.op.name(), style),
            cells_of(row.key.iter()).into(),
            side(&row.before).into(),
            side(&row.after).into(),
        ]);
    }
    table.write(out)
}

fn write_files(files: &FilesDiff, out: &mut dyn Write) -> io::Result<()> {
    let (before, after) = (files.before, files.after);
    let Some(summary) = files.summary() else {
        return writeln!(out, "the same files, {after}");
    };
    writeln!(out, "files {before} -> {after}: {summary}")?;
    let sides = files.sample.iter();
    let sides = sides.map(|file| (file.before.as_ref(), file.after.as_ref()));
    write_changes(sides, out)?;
    match files.differing() - files.sample.len() as u64 {
        0 => Ok(()),
        more => writeln!(out, "and {more} more; see data files --since"),
    }
}

fn cells_of<'a>(cells: impl Iterator<Item = &'a (String, CellValue)>) -> String {
    let spelled = cells.map(|(name, value)| match value {
        Some(value) => format!("{name}={value}"),
        None => format!("{name} is null"),
    });
    spelled.collect::<Vec<_>>().join(" ")
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Warn | Verdict::Unjudged => CAUTION,
        _ => BAD,
    }
}
