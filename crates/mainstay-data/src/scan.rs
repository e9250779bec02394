//! One pass over the table files of a snapshot: digests, statistics and row counts.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, ErrorKind, FilePath, Result};

use crate::digest::{PROFILE, TableHasher};
use crate::format::csv::{CsvSchema, Inference};
use crate::format::{TableFormat, TableReader};
use crate::input::Origin;
use crate::slots::slots;
use crate::stats::ColumnCollector;
use crate::{Column, Table};

/// A table file to scan.
pub(crate) struct TableFile<'a> {
    pub(crate) path: &'a FilePath,
    pub(crate) format: TableFormat,
    pub(crate) origin: &'a Origin,
}

/// Scans files, in order, as one table; returns it with the rows of each file.
///
/// Blocks; memory is bounded by a batch and the number of columns.
///
/// # Errors
/// [`ErrorKind::Invalid`] naming the file when it cannot be decoded, when its columns differ from the
/// first file's, and when no file has a row; [`ErrorKind::Unsupported`] naming file and column whose
/// type has no logical form.
pub(crate) fn scan(files: &[TableFile<'_>]) -> Result<Option<(Table, Vec<u64>)>> {
    let Some(first) = files.first() else {
        return Ok(None);
    };
    let csv = infer(files)?;
    let mut scan: Option<Scan> = None;
    let mut rows = Vec::with_capacity(files.len());
    for file in files {
        let file_rows =
            scan_file(file, &csv, &mut scan).map_err(|e| e.context("file", file.path))?;
        rows.push(file_rows);
    }
    let table = scan.map(Scan::finish).filter(|table| table.rows > 0);
    let empty = || Error::invalid("a table without rows").context("file", first.path);
    Ok(Some((table.ok_or_else(empty)?, rows)))
}

/// Finds the types of the columns of all CSV files together.
fn infer(files: &[TableFile<'_>]) -> Result<CsvSchema> {
    let mut inference = Inference::default();
    for file in files {
        if let TableFormat::Csv { delimiter } = file.format {
            let source = file.origin.open()?;
            inference.add(&source, delimiter).map_err(|error| {
                let error = source.take_failure().unwrap_or(error);
                error.context("file", file.path)
            })?;
        }
    }
    Ok(inference.finish())
}

fn scan_file(file: &TableFile<'_>, csv: &CsvSchema, scan: &mut Option<Scan>) -> Result<u64> {
    let reader = TableReader::open(file.origin.open()?, file.format, csv, None)?;
    let scan = match scan {
        Some(scan) => {
            scan.admit(reader.schema())?;
            scan
        }
        None => scan.insert(Scan::new(reader.schema())?),
    };
    let mut rows = 0;
    for batch in reader {
        let batch = in_order(&batch?, &scan.schema)?;
        rows += batch.num_rows() as u64;
        scan.update(&batch)?;
    }
    Ok(rows)
}

/// Puts the columns of a batch into the order of `schema`, which has the same names.
pub(crate) fn in_order(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let found = batch.schema();
    let fields = found.fields().iter().zip(schema.fields());
    let in_place = fields.filter(|(a, b)| a.name() == b.name()).count();
    if in_place == schema.fields().len() && in_place == found.fields().len() {
        return Ok(batch.clone());
    }
    let internal = |error| {
        Error::new(
            ErrorKind::Internal,
            "a batch without the columns of its file",
        )
        .with_source(error)
    };
    let indices = schema
        .fields()
        .iter()
        .map(|field| found.index_of(field.name()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(internal)?;
    batch.project(&indices).map_err(internal)
}

struct Scan {
    schema: SchemaRef,
    /// Whether any file allows nulls, by column.
    nullable: Vec<bool>,
    hasher: TableHasher,
    collectors: Vec<ColumnCollector>,
}

impl Scan {
    fn new(schema: &SchemaRef) -> Result<Self> {
        let fields = schema.fields();
        Ok(Self {
            hasher: TableHasher::new(schema)?,
            nullable: fields.iter().map(|field| field.is_nullable()).collect(),
            collectors: fields
                .iter()
                .map(|field| ColumnCollector::new(field.data_type()))
                .collect(),
            schema: SchemaRef::clone(schema),
        })
    }

    /// Checks that a further file has the same columns, in any order.
    fn admit(&mut self, schema: &SchemaRef) -> Result<()> {
        let differs = |name: &str, how: &str| {
            Err(Error::invalid(format!(
                "columns differ from those of the first table file: {how}"
            ))
            .context("column", name.escape_debug()))
        };
        for (field, nullable) in self.schema.fields().iter().zip(&mut self.nullable) {
            let Ok(theirs) = schema.field_with_name(field.name()) else {
                return differs(field.name(), "one is missing");
            };
            if theirs.data_type() != field.data_type() {
                return differs(
                    field.name(),
                    &format!("{} instead of {}", theirs.data_type(), field.data_type()),
                );
            }
            *nullable |= theirs.is_nullable();
        }
        let mut fields = schema.fields().iter();
        match fields.find(|field| self.schema.field_with_name(field.name()).is_err()) {
            Some(field) => differs(field.name(), "one is new"),
            // Every name is known and none is missing, so a surplus is a repetition.
            None if schema.fields().len() > self.schema.fields().len() => {
                Err(Error::invalid("two columns of one name"))
            }
            None => Ok(()),
        }
    }

    fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch
            .columns()
            .iter()
            .map(|array| slots(array.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        self.hasher.update_slots(&columns, batch.num_rows());
        for (collector, column) in self.collectors.iter_mut().zip(&columns) {
            collector.update(column.as_ref(), batch.num_rows());
        }
        Ok(())
    }

    fn finish(self) -> Table {
        let types: Vec<String> = self.hasher.logical_types().map(str::to_owned).collect();
        let digests = self.hasher.finish();
        let mut columns = Vec::with_capacity(types.len());
        for (index, (logical_type, collector)) in types.into_iter().zip(self.collectors).enumerate()
        {
            columns.push(Column {
                name: self.schema.field(index).name().clone(),
                logical_type,
                nullable: self.nullable[index],
                digest: digests.columns[index],
                stats: collector.finish(),
            });
        }
        Table {
            profile: PROFILE.to_owned(),
            rows: digests.rows,
            table_digest: digests.table,
            rows_digest: digests.unordered,
            columns,
        }
    }
}
