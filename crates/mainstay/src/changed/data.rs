//! Datasets: schema and drift.

use async_trait::async_trait;
use mainstay_core::{NodeRef, Result};
use mainstay_data::Datasets;
use mainstay_data::diff::{ColumnDiff, DatasetDiff, SchemaDiff, Verdict};
use mainstay_lineage::change::{Describe, Description, Section, Severity};

/// How many drifted columns a summary names.
const NAMED: usize = 3;

#[derive(Debug)]
pub(super) struct DescribeData(pub(super) Datasets);

#[async_trait]
impl Describe for DescribeData {
    async fn describe(&self, a: &NodeRef, b: &NodeRef) -> Result<Option<Description>> {
        let diff = self.0.compare(a, b).await?;
        let severity = match diff.verdict {
            Verdict::Warn | Verdict::Unjudged => Severity::Medium,
            // Nothing says what they do.
            Verdict::Pass if diff.files.beside > 0 => Severity::Medium,
            Verdict::Pass if diff.same_table || diff.files.differing() == 0 => Severity::None,
            Verdict::Pass => Severity::Low,
            _ => Severity::High,
        };
        let drifted = drifted(&diff).map(|column| {
            let mut told = vec![column.verdict.name().to_owned()];
            told.extend(measures(column));
            told.extend(finer(column));
            format!("{}: {}", column.name, told.join(", "))
        });
        let description = Description::new(summary(&diff), severity)
            .with_detail(super::json(&diff)?)
            .with_section(Section::list("schema", schema(&diff.schema)))
            .with_section(Section::list("drifted columns", drifted));
        Ok(Some(description))
    }
}

fn summary(diff: &DatasetDiff) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(
        drifted(diff)
            .take(NAMED)
            .map(|column| match measures(column) {
                measures if measures.is_empty() => format!("{} drifted", column.name),
                measures => format!("{} drifted ({})", column.name, measures.join(", ")),
            }),
    );
    parts.extend(schema(&diff.schema));
    if diff.rows.before != diff.rows.after {
        parts.push(format!("{} → {} rows", diff.rows.before, diff.rows.after));
    }
    let tables = (diff.rows.before > 0, diff.rows.after > 0);
    match diff.files.summary() {
        Some(files) if tables != (true, true) => parts.push(format!("files: {files}")),
        Some(_) if diff.files.beside > 0 => {
            parts.push(format!(
                "{} files beside the table differ",
                diff.files.beside
            ));
        }
        _ => {}
    }
    match parts.is_empty() {
        true if tables == (false, false) => "same files".to_owned(),
        true if diff.same_table => "same table".to_owned(),
        true if diff.same_rows => "same rows in another order".to_owned(),
        true => "values changed, no drift".to_owned(),
        false => parts.join("; "),
    }
}

fn drifted(diff: &DatasetDiff) -> impl Iterator<Item = &ColumnDiff> {
    let columns = diff.columns.iter();
    columns.filter(|column| column.verdict > Verdict::Pass)
}

fn schema(schema: &SchemaDiff) -> Vec<String> {
    let removed = schema.removed.iter();
    let removed = removed.map(|column| format!("{} removed", column.name));
    let renamed = schema.renamed.iter();
    let renamed = renamed.map(|rename| format!("{} is now {}", rename.from, rename.to));
    let changed = schema.changed.iter().map(|change| {
        format!(
            "{}: {} → {}",
            change.name, change.before.logical_type, change.after.logical_type
        )
    });
    let added = schema.added.iter();
    let added = added.map(|column| format!("{} added", column.name));
    removed.chain(renamed).chain(changed).chain(added).collect()
}

fn measures(column: &ColumnDiff) -> Vec<String> {
    let mut measures = Vec::new();
    if let Some((before, after)) = mean(&column.stats.before).zip(mean(&column.stats.after)) {
        measures.push(format!("mean {before:.1} → {after:.1}"));
    }
    if let Some(shift) = column.drift.shift {
        measures.push(format!("shift {shift:.1} σ"));
    }
    if let Some(psi) = column.drift.psi {
        measures.push(format!("PSI {psi:.2}"));
    }
    measures
}

/// What only the details tell.
fn finer(column: &ColumnDiff) -> Vec<String> {
    let drift = &column.drift;
    let mut measures: Vec<String> = Vec::new();
    measures.extend(drift.ks.map(|ks| format!("distance {ks:.3}")));
    measures.extend(drift.js.map(|js| format!("divergence {js:.3}")));
    if drift.missing != 0.0 {
        measures.push(format!("missing {:+.1} %", drift.missing * 100.0));
    }
    measures
}

fn mean(stats: &mainstay_data::stats::ColumnStats) -> Option<f64> {
    stats.numeric.as_ref()?.mean
}
