//! A comparison as Markdown, for a review or a report.

use std::fmt::{self, Write as _};

use super::{ComparedRows, DatasetDiff, Direction, Drift, FilesDiff};
use crate::rows::{CellValue, ChangedRow};

impl DatasetDiff {
    /// Spells the comparison as Markdown: schema, drift of the columns that changed, rows, files.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _infallible = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, out: &mut String) -> fmt::Result {
        let (before, after) = (self.rows.before, self.rows.after);
        if before + after > 0 {
            writeln!(out, "**{}**, rows {before} → {after}", self.verdict.name())?;
        } else {
            writeln!(out, "**{}**, no table", self.verdict.name())?;
        }
        if self.same_table {
            out.push_str("\nThe same table.\n");
        }
        self.write_schema(out)?;
        let changed = self.columns.iter().filter(|column| column.changed);
        let mut changed = changed.peekable();
        if changed.peek().is_some() {
            out.push_str("\n| column | verdict | PSI | KS | JS | shift | missing |\n");
            out.push_str("|---|---|---:|---:|---:|---:|---:|\n");
        }
        for column in changed {
            let drift = &column.drift;
            write!(
                out,
                "| {} | {} |",
                escaped(&column.name),
                column.verdict.name()
            )?;
            for measure in [drift.psi, drift.ks, drift.js, drift.shift] {
                match measure {
                    Some(measure) => write!(out, " {measure:.3} |")?,
                    None => out.push_str(" |"),
                }
            }
            writeln!(out, " {:+.3} |", drift.missing)?;
        }
        self.write_evidence(out)?;
        match &self.rows.compared {
            Some(rows) if !self.same_table => write_rows(rows, out)?,
            _ => {}
        }
        write_files(&self.files, out)
    }

    fn write_schema(&self, out: &mut String) -> fmt::Result {
        let schema = &self.schema;
        if !schema.is_empty() {
            out.push('\n');
        }
        for column in &schema.added {
            writeln!(
                out,
                "- added {} {}",
                code(&column.name),
                column.logical_type
            )?;
        }
        for column in &schema.removed {
            writeln!(
                out,
                "- removed {} {}",
                code(&column.name),
                column.logical_type
            )?;
        }
        for change in &schema.changed {
            let [before, after] = [&change.before, &change.after].map(|column| {
                let nullable = if column.nullable { ", nullable" } else { "" };
                format!("{}{nullable}", column.logical_type)
            });
            writeln!(out, "- changed {}: {before} → {after}", code(&change.name))?;
        }
        for renaming in &schema.renamed {
            writeln!(
                out,
                "- renamed {} → {}",
                code(&renaming.from),
                code(&renaming.to)
            )?;
        }
        self.write_compatibility(out)
    }

    fn write_compatibility(&self, out: &mut String) -> fmt::Result {
        for direction in [Direction::Forward, Direction::Backward] {
            let reasons = self.compatibility.reasons_of(direction);
            let reasons = reasons
                .map(|found| format!("{} ({})", code(&found.column), escaped(&found.reason)))
                .collect::<Vec<_>>()
                .join(", ");
            if !reasons.is_empty() {
                let (name, failure) = (direction.name(), direction.failure());
                writeln!(out, "- **not {name} compatible**: {failure}: {reasons}")?;
            }
        }
        Ok(())
    }

    fn write_evidence(&self, out: &mut String) -> fmt::Result {
        let changed = self.columns.iter().filter(|column| column.changed);
        let told = changed.filter_map(|column| Some((&column.name, column.drift.evidence()?)));
        let mut told = told.peekable();
        if told.peek().is_some() {
            writeln!(out, "\n| column | {} |", Drift::EVIDENCE.join(" | "))?;
            out.push_str("|---|---:|---:|---:|---:|---|---|\n");
        }
        for (column, evidence) in told {
            let cells = evidence.map(|text| escaped(&text)).join(" | ");
            writeln!(out, "| {} | {cells} |", escaped(column))?;
        }
        Ok(())
    }
}

fn write_rows(rows: &ComparedRows, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "\n{} added, {} removed, {} changed, {} unchanged",
        rows.added, rows.removed, rows.changed, rows.unchanged
    )?;
    if rows.duplicates.keys > 0 {
        writeln!(
            out,
            "\n{} keys are there more than once",
            rows.duplicates.keys
        )?;
    }
    if !rows.duplicates_complete && rows.added + rows.removed > 0 {
        writeln!(
            out,
            "\nNot looked for among {} rows that are alike: keys that are there more than once",
            rows.skipped
        )?;
    }
    if rows.order_only {
        writeln!(out, "\nThe same rows in another order.")?;
    }
    if rows.sample.is_empty() {
        return Ok(());
    }
    out.push_str("\n| row | key | before | after |\n|---|---|---|---|\n");
    for row in &rows.sample {
        let [before, after] = [&row.before, &row.after].map(|side| shown(row, side.as_deref()));
        let key = cells(row.key.iter());
        writeln!(out, "| {} | {key} | {before} | {after} |", row.op.name())?;
    }
    Ok(())
}

fn write_files(files: &FilesDiff, out: &mut String) -> fmt::Result {
    let (before, after) = (files.before, files.after);
    let Some(summary) = files.summary() else {
        return Ok(());
    };
    writeln!(out, "\nFiles {before} → {after}: {summary}\n")?;
    out.push_str("| file | path | before | after |\n|---|---|---:|---:|\n");
    for file in &files.sample {
        let path = match &file.before {
            Some(before) if before.path != file.path => format!(
                "{} → {}",
                escaped(before.path.as_str()),
                escaped(file.path.as_str())
            ),
            _ => escaped(file.path.as_str()),
        };
        let [before, after] = [&file.before, &file.after].map(|file| {
            let bytes = file.as_ref().map(|file| format!("{} bytes", file.bytes));
            bytes.unwrap_or_default()
        });
        writeln!(out, "| {} | {path} | {before} | {after} |", file.op.name())?;
    }
    match files.differing() - files.sample.len() as u64 {
        0 => Ok(()),
        more => writeln!(out, "\nand {more} more"),
    }
}

/// Spells a side of a row: of a changed one, the cells that changed.
fn shown(row: &ChangedRow, side: Option<&[(String, CellValue)]>) -> String {
    let all = row.changed.is_empty();
    let side = side.into_iter().flatten();
    cells(side.filter(|(name, _)| all || row.changed.contains(name)))
}

fn cells<'a>(cells: impl Iterator<Item = &'a (String, CellValue)>) -> String {
    let spelled = cells.map(|(name, value)| match value {
        Some(value) => format!("{}: {}", escaped(name), escaped(&value.to_string())),
        None => format!("{}: *null*", escaped(name)),
    });
    spelled.collect::<Vec<_>>().join(", ")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").escape_debug())
}

/// Keeps a text within its cell, and from being markup.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '<' | '[' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
