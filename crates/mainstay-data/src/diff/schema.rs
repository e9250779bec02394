//! Differences of schemas.

use super::{ColumnType, Renaming, SchemaDiff, TypeChange};
use crate::Column;

/// Finds what was added, removed, changed and renamed, and pairs the columns that both sides have,
/// in the later order.
///
/// A column counts as renamed when one side lacks its name and the values are the same; of several
/// with the same values, the first in column order are paired.
pub(super) fn pair<'a>(
    before: &'a [Column],
    after: &'a [Column],
) -> (SchemaDiff, Vec<(&'a Column, &'a Column)>) {
    let named = |columns: &'a [Column], name: &str| columns.iter().find(|c| c.name == name);
    let mut diff = SchemaDiff::default();
    let mut pairs = Vec::new();
    let mut gone: Vec<&Column> = before
        .iter()
        .filter(|column| named(after, &column.name).is_none())
        .collect();
    for column in after {
        if let Some(earlier) = named(before, &column.name) {
            let (before, after) = column_types(earlier, column);
            if before != after {
                diff.changed.push(TypeChange {
                    name: column.name.clone(),
                    before,
                    after,
                });
            }
            pairs.push((earlier, column));
        } else if let Some(index) = gone.iter().position(|g| g.digest == column.digest) {
            let earlier = gone.remove(index);
            diff.renamed.push(Renaming {
                from: earlier.name.clone(),
                to: column.name.clone(),
            });
            pairs.push((earlier, column));
        } else {
            diff.added.push(column_type(column));
        }
    }
    diff.removed = gone.into_iter().map(column_type).collect();
    (diff, pairs)
}

fn column_type(column: &Column) -> ColumnType {
    ColumnType {
        name: column.name.clone(),
        logical_type: column.logical_type.clone(),
        nullable: column.nullable,
    }
}

/// Returns the types of a column in two versions.
fn column_types(before: &Column, after: &Column) -> (ColumnType, ColumnType) {
    let mut found = (column_type(before), column_type(after));
    (found.0.logical_type, found.1.logical_type) = types(before, after);
    found
}

/// Spells the types of a column in two versions, so that text and JSON text of one logical type differ.
pub(super) fn types(before: &Column, after: &Column) -> (String, String) {
    match (&before.json, &after.json) {
        (Some(json_before), Some(json_after))
            if before.logical_type == after.logical_type && json_before != json_after =>
        {
            (json_before.spelled(), json_after.spelled())
        }
        _ => (before.logical_type.clone(), after.logical_type.clone()),
    }
}

impl SchemaDiff {
    /// Compares the columns of two tables.
    #[must_use]
    pub fn between(before: &[Column], after: &[Column]) -> Self {
        pair(before, after).0
    }

    /// Reports whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.renamed.is_empty()
    }

    /// Returns what a later column was called before.
    pub(crate) fn earlier_name<'a>(&'a self, later: &'a str) -> &'a str {
        let mut renamed = self.renamed.iter();
        let renaming = renamed.find(|renaming| renaming.to == later);
        renaming.map_or(later, |renaming| &renaming.from)
    }

    /// Returns what an earlier column is called now.
    pub(crate) fn later_name<'a>(&'a self, earlier: &'a str) -> &'a str {
        let mut renamed = self.renamed.iter();
        let renaming = renamed.find(|renaming| renaming.from == earlier);
        renaming.map_or(earlier, |renaming| &renaming.to)
    }
}
