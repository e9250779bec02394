//! Whether a key tells the rows of a table apart.

use std::sync::Arc;

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{Schema, SchemaRef, UInt64Type};
use mainstay_core::{Error, Result, Telling};

use crate::format::TextTypes;
use crate::one_type;
use crate::passing::{ROWS, told};
use crate::report::RepeatedKeys;
use crate::rows::{Identity, RowChanges, RowDiff, RowDiffOptions, Side};
use crate::scan::TableFile;
use crate::text::texts;
use crate::{Column, Table};

/// How much memory keys take before they wait on disk.
const MEMORY_BYTES: usize = 128 * 1024 * 1024;

/// Checks that the columns of a key are there, each once.
pub(super) fn check(table: Option<&Table>, key: &[String]) -> Result<()> {
    let columns: &[Column] = table.map_or(&[], |table| &table.columns);
    for (index, name) in key.iter().enumerate() {
        if !columns.iter().any(|column| column.name == *name) {
            return Err(Error::invalid("the table has no such key column")
                .context("column", name.escape_debug()));
        }
        if key[..index].contains(name) {
            return Err(
                Error::invalid("a key with a column twice").context("column", name.escape_debug())
            );
        }
    }
    Ok(())
}

/// Counts the keys that several rows have; `None` when there are none. Reads the columns of the key. Blocks.
///
/// # Errors
/// Those of reading; [`Unsupported`](mainstay_core::ErrorKind::Unsupported) when values of a column cannot be
/// compared.
pub(super) fn repeated(
    files: &[TableFile<'_>],
    table: &Table,
    key: &[String],
    telling: &Telling,
) -> Result<Option<RepeatedKeys>> {
    let types = TextTypes::of(table);
    let all = || {
        telling.expect(ROWS, table.rows);
        changes(files, (table, &types), key, telling)
    };
    let counts = all()?.into_counts()?;
    let repeated = counts.duplicates;
    if repeated.keys == 0 {
        return Ok(None);
    }
    let mut first: Option<(u64, RepeatedKeys)> = None;
    for batch in all()? {
        let batch = batch?;
        let (ops, numbers) = (
            batch["op"].as_string::<i32>(),
            batch["after_row"].as_primitive::<UInt64Type>(),
        );
        for row in (0..batch.num_rows()).filter(|&row| ops.value(row) == "duplicate") {
            let number = numbers.value(row);
            if first.as_ref().is_none_or(|(before, _)| number < *before) {
                let cells = batch["key"].as_struct();
                let cells = cells.column_names().into_iter().zip(cells.columns());
                let cells = cells.map(|(name, array)| (name, array.as_ref() as &dyn Array));
                let found = RepeatedKeys {
                    keys: repeated.keys,
                    rows: repeated.after,
                    first: texts(cells, row)?,
                };
                first = Some((number, found));
            }
        }
    }
    Ok(first.map(|(_, found)| found))
}

/// Compares the keys of a table with those of a table without rows.
fn changes(
    files: &[TableFile<'_>],
    (table, types): (&Table, &TextTypes),
    key: &[String],
    telling: &Telling,
) -> Result<RowChanges> {
    let mut compared: Option<(SchemaRef, RowDiff)> = None;
    for file in files {
        let mut add = || {
            let found = file.table(types, Some(key))?;
            let (schema, diff) = match &mut compared {
                Some(compared) => compared,
                None => compared.insert(begin(&found.schema, table, key)?),
            };
            for batch in told(found.batches, telling) {
                for part in one_type::as_of_table(&batch?, schema)? {
                    diff.add(Side::After, &part?)?;
                }
            }
            Ok(())
        };
        add().map_err(|error: Error| error.context("file", file.path))?;
    }
    let (_, diff) = compared.ok_or_else(|| Error::invalid("a key of no table"))?;
    Ok(diff.finish())
}

/// Begins to compare the columns of a key, of a table of which a file has `schema`.
fn begin(schema: &Schema, table: &Table, key: &[String]) -> Result<(SchemaRef, RowDiff)> {
    let schema = one_type::of_table(schema, &table.columns);
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| key.contains(field.name()));
    let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
    let options = RowDiffOptions::default().with_memory_bytes(MEMORY_BYTES);
    let identity = Identity::key(key.iter().cloned());
    let diff = RowDiff::new(&schema, &schema, &identity, options)?;
    Ok((schema, diff))
}
