//! The highlighter format of daff.
//!
//! Source: <https://paulfitz.github.io/daff-doc/spec.html>.

use mainstay_core::{Error, ErrorKind, Result};

use super::{ComparedRows, DatasetDiff, FilesDiff};
use crate::FileEntry;
use crate::rows::{CellValue, ChangedRow, Op};
use crate::stats::ScalarValue;

impl DatasetDiff {
    /// Spells the sample of rows as a table in the highlighter format of daff, as CSV; that of files where
    /// neither snapshot has a table; `None` when rows were not compared.
    ///
    /// Columns are those of the key, then the other later ones, then those that were removed. A schema
    /// row tells added, removed and renamed columns. Rows that are not in the sample are a row of `...`.
    /// The format has no word for keys that are none: they are left out.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when it is no text; it always is.
    pub fn to_daff(&self) -> Result<Option<String>> {
        let Some(rows) = &self.rows.compared else {
            let has_table = self.rows.before + self.rows.after > 0;
            return (!has_table).then(|| csv(&self.files.daff())).transpose();
        };
        let columns = self.daff_columns(rows);
        let mut table = Vec::new();
        if !self.schema.is_empty() {
            let actions = columns.iter().map(|column| column.action.clone());
            table.push(["!".to_owned()].into_iter().chain(actions).collect());
        }
        let names = columns.iter().map(|column| column.name.clone());
        table.push(["@@".to_owned()].into_iter().chain(names).collect());
        let sample = rows.sample.iter().filter(|row| row.op != Op::Duplicate);
        table.extend(sample.map(|row| row_of(row, &columns)));
        if rows.differing() > rows.sample.len() as u64 {
            table.push(vec!["...".to_owned(); columns.len() + 1]);
        }
        csv(&table).map(Some)
    }

    fn daff_columns(&self, rows: &ComparedRows) -> Vec<Column> {
        let (mut columns, mut removed): (Vec<Column>, Vec<Column>) = Default::default();
        let mut add = |name: &str| {
            if columns.iter().any(|column| column.name == name) {
                return;
            }
            let renamed = self
                .schema
                .renamed
                .iter()
                .find(|renaming| renaming.to == name);
            let added = self.schema.added.iter().any(|column| column.name == name);
            columns.push(Column {
                earlier: renamed.map_or(name, |renaming| &renaming.from).to_owned(),
                action: match renamed {
                    Some(renaming) => format!("({})", renaming.from),
                    None if added => "+++".to_owned(),
                    None => String::new(),
                },
                name: name.to_owned(),
            });
        };
        for row in &rows.sample {
            let after = row.after.iter().flatten();
            row.key.iter().chain(after).for_each(|(name, _)| add(name));
        }
        // A sample without later rows still has the columns that both sides have.
        for row in &rows.sample {
            for (name, _) in row.before.iter().flatten() {
                let is_gone = self
                    .schema
                    .removed
                    .iter()
                    .any(|column| column.name == *name);
                let renamed = self
                    .schema
                    .renamed
                    .iter()
                    .find(|renaming| renaming.from == *name);
                if !is_gone {
                    add(renamed.map_or(name, |renaming| &renaming.to));
                } else if !removed.iter().any(|column| column.name == *name) {
                    removed.push(Column {
                        earlier: name.clone(),
                        action: "---".to_owned(),
                        name: name.clone(),
                    });
                }
            }
        }
        columns.extend(removed);
        columns
    }
}

struct Column {
    name: String,
    earlier: String,
    /// What the schema row says of it.
    action: String,
}

fn row_of(row: &ChangedRow, columns: &[Column]) -> Vec<String> {
    let find = |cells: Option<&Vec<(String, CellValue)>>, name: &str| {
        let cells = row.key.iter().chain(cells.into_iter().flatten());
        let mut cells = cells.filter(|(column, _)| column == name);
        cells.next().map(|(_, value)| spelled(value.as_ref()))
    };
    let cells: Vec<(String, Option<String>)> = columns
        .iter()
        .map(|column| {
            let before = find(row.before.as_ref(), &column.earlier);
            let after = find(row.after.as_ref(), &column.name);
            if row.changed.contains(&column.name) {
                (before.unwrap_or_default(), after)
            } else {
                (after.or(before).unwrap_or_default(), None)
            }
        })
        .collect();
    let action = match row.op {
        Op::Added => "+++".to_owned(),
        Op::Removed => "---".to_owned(),
        Op::Changed | Op::Duplicate => arrow(&cells),
    };
    with_action(&action, cells)
}

impl FilesDiff {
    fn daff(&self) -> Vec<Vec<String>> {
        let mut table = vec![
            ["@@", "path", "bytes", "sha256"]
                .map(str::to_owned)
                .to_vec(),
        ];
        let cells = |file: &FileEntry| {
            [
                file.path.to_string(),
                file.bytes.to_string(),
                file.digest.to_hex(),
            ]
        };
        for file in &self.sample {
            table.push(match (&file.before, &file.after) {
                (Some(before), Some(after)) => {
                    let pairs = cells(before).into_iter().zip(cells(after));
                    let changed = pairs.map(|(a, b)| if a == b { (a, None) } else { (a, Some(b)) });
                    let changed: Vec<_> = changed.collect();
                    with_action(&arrow(&changed), changed)
                }
                (None, Some(only)) => with_action("+++", cells(only).map(|cell| (cell, None))),
                (Some(only), None) => with_action("---", cells(only).map(|cell| (cell, None))),
                (None, None) => continue,
            });
        }
        if self.differing() > self.sample.len() as u64 {
            table.push(vec!["...".to_owned(); 4]);
        }
        table
    }
}

/// Spells a row: its action, then its cells, of which some are changed.
fn with_action(
    action: &str,
    cells: impl IntoIterator<Item = (String, Option<String>)>,
) -> Vec<String> {
    let spelled = cells.into_iter().map(|(cell, changed)| match changed {
        Some(changed) => format!("{cell}{action}{changed}"),
        None => cell,
    });
    [action.to_owned()].into_iter().chain(spelled).collect()
}

/// Returns the shortest arrow that is in no cell.
fn arrow(cells: &[(String, Option<String>)]) -> String {
    let mut arrow = "->".to_owned();
    let taken = |arrow: &str| {
        let texts = cells
            .iter()
            .flat_map(|(cell, changed)| [Some(cell), changed.as_ref()]);
        texts.flatten().any(|text| text.contains(arrow))
    };
    while taken(&arrow) {
        arrow.insert(0, '-');
    }
    arrow
}

/// Spells a value so that null and the text `NULL` stay apart.
fn spelled(value: Option<&ScalarValue>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(ScalarValue::Text(text)) if text.trim_start_matches('_') == "NULL" => {
            format!("_{text}")
        }
        Some(value) => value.to_string(),
    }
}

fn csv(table: &[Vec<String>]) -> Result<String> {
    let internal = |error: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::Internal,
            format!("a table that is no CSV: {error}"),
        )
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in table {
        writer.write_record(row).map_err(|error| internal(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| internal(&error))?;
    String::from_utf8(bytes).map_err(|error| internal(&error))
}
