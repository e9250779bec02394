//! The bytes of a patch.

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt8Array, UInt64Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema, SchemaRef, UInt8Type, UInt64Type};
use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result, canon};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::{Edits, MAX_ROWS, Patch, Run};
use crate::format::parquet::write;
use crate::format::{TableFormat, TableReader, TextTypes};
use crate::source::Source;

pub(super) const MAGIC: &[u8; 16] = b"mainstay patch\r\n";
const FORMAT: u64 = 1;
const WHAT: &str = "data patch";
/// The largest patch that is read.
const MAX_BYTES: usize = 256 * 1024 * 1024;
/// The most memory that a section takes, decoded.
const MAX_DECODED_BYTES: usize = 1024 * 1024 * 1024;

/// Tells where the sections lie, one behind the other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u64,
    /// Bytes of the section of runs.
    runs: u64,
    /// Bytes of the section of inserted rows; 0 without any.
    inserted: u64,
    edits: Vec<EditsHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EditsHeader {
    column: String,
    bytes: u64,
}

/// Encodes a patch.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when Parquet does not hold its values.
pub(crate) fn encode(patch: &Patch) -> Result<Bytes> {
    let kinds = patch.runs.iter().map(|run| match run {
        Run::Keep(_) => 0,
        Run::Delete(_) => 1,
        Run::Insert(_) => 2,
    });
    let kinds: ArrayRef = Arc::new(UInt8Array::from_iter_values(kinds));
    let rows = patch.runs.iter().map(|run| match run {
        Run::Keep(rows) | Run::Delete(rows) | Run::Insert(rows) => *rows,
    });
    let rows: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows));
    let runs = RecordBatch::try_from_iter([("kind", kinds), ("rows", rows)]);
    let runs = section(&runs.map_err(unencodable)?, &["rows"])?;
    let inserted = patch.inserted.as_ref();
    let inserted = inserted.map(|rows| section(rows, &[])).transpose()?;
    let inserted = inserted.unwrap_or_default();
    let edits = patch
        .edits
        .iter()
        .map(encode_edits)
        .collect::<Result<Vec<_>>>()?;
    let header = canon::to_vec(&Header {
        format: FORMAT,
        runs: runs.len() as u64,
        inserted: inserted.len() as u64,
        edits: patch
            .edits
            .iter()
            .zip(&edits)
            .map(|(edits, bytes)| EditsHeader {
                column: edits.column.clone(),
                bytes: bytes.len() as u64,
            })
            .collect(),
    })?;
    let length = u32::try_from(header.len())
        .map_err(|_| Error::new(ErrorKind::Unsupported, "a patch of too many columns"))?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&header);
    for section in [&runs, &inserted].into_iter().chain(&edits) {
        bytes.extend_from_slice(section);
    }
    Ok(bytes.into())
}

fn encode_edits(edits: &Edits) -> Result<Bytes> {
    let rows: ArrayRef = Arc::new(UInt64Array::from(edits.rows.clone()));
    let values = ("value", Arc::clone(&edits.values), true);
    let batch = RecordBatch::try_from_iter_with_nullable([("row", rows, false), values]);
    section(&batch.map_err(unencodable)?, &["row"])
}

/// Encodes a section, which is a Parquet file; `numbers` are the columns that number or count rows.
fn section(batch: &RecordBatch, numbers: &[&str]) -> Result<Bytes> {
    let source = write::encode_numbered(batch, numbers)?.open()?;
    let length = usize::try_from(source.size()).unwrap_or(usize::MAX);
    Ok(source.read_at(0, length)?)
}

/// Decodes a patch of a table of `schema`.
///
/// # Errors
/// [`ErrorKind::Incompatible`] when a newer Mainstay wrote it; [`ErrorKind::Corrupt`] when it is not one.
pub(crate) fn decode(bytes: &Bytes, schema: &SchemaRef) -> Result<Patch> {
    if bytes.len() > MAX_BYTES {
        return Err(corrupt("it is too large"));
    }
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| corrupt("no patch"))?;
    let (length, rest) = rest.split_at_checked(4).ok_or_else(|| corrupt("cut off"))?;
    let length = length.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b));
    let (header, _) = rest
        .split_at_checked(length)
        .ok_or_else(|| corrupt("cut off"))?;
    let header = read_header(header)?;
    let mut sections = Sections(bytes.slice(MAGIC.len() + 4 + length..));
    let runs = read_runs(&sections.take(header.runs)?)?;
    let inserted = match header.inserted {
        0 => None,
        length => {
            let rows = read_section(sections.take(length)?)?;
            let rows = rows.with_schema(SchemaRef::clone(schema));
            Some(rows.map_err(|error| corrupt("rows of another table").with_source(error))?)
        }
    };
    let mut edits = Vec::new();
    for told in header.edits {
        edits.push(read_edits(told.column, sections.take(told.bytes)?, schema)?);
    }
    let patch = Patch {
        runs,
        edits,
        inserted,
    };
    if !sections.0.is_empty() {
        return Err(corrupt("bytes behind its end"));
    }
    check(&patch).map_err(corrupt)?;
    Ok(patch)
}

fn read_header(bytes: &[u8]) -> Result<Header> {
    #[derive(Deserialize)]
    struct Probe {
        format: u64,
    }
    let undecodable = |error| corrupt("its header is malformed").with_source(error);
    let Probe { format } = serde_json::from_slice(bytes).map_err(undecodable)?;
    if format > FORMAT {
        let newer =
            format!("written by a newer Mainstay: format {format}, this one reads {FORMAT}");
        return Err(Error::new(ErrorKind::Incompatible, newer).context("object", WHAT));
    }
    canon::from_slice(bytes).map_err(|error| error.context("object", WHAT))
}

struct Sections(Bytes);

impl Sections {
    fn take(&mut self, length: u64) -> Result<Bytes> {
        match usize::try_from(length) {
            Ok(length) if length <= self.0.len() => Ok(self.0.split_to(length)),
            _ => Err(corrupt("cut off")),
        }
    }
}

fn read_runs(bytes: &Bytes) -> Result<Vec<Run>> {
    let batch = read_section(bytes.clone())?;
    let [kinds, rows] = batch.columns() else {
        return Err(corrupt("its runs are none"));
    };
    let kinds = kinds.as_primitive_opt::<UInt8Type>();
    let rows = rows.as_primitive_opt::<UInt64Type>();
    let (Some(kinds), Some(rows)) = (kinds, rows) else {
        return Err(corrupt("its runs are none"));
    };
    let runs = kinds.values().iter().zip(rows.values());
    runs.map(|(kind, rows)| match kind {
        0 => Ok(Run::Keep(*rows)),
        1 => Ok(Run::Delete(*rows)),
        2 => Ok(Run::Insert(*rows)),
        _ => Err(corrupt("a run of no known kind")),
    })
    .collect()
}

fn read_edits(column: String, bytes: Bytes, schema: &Schema) -> Result<Edits> {
    let field = schema.field_with_name(&column);
    let field: &Field = field.map_err(|error| corrupt("cells of no column").with_source(error))?;
    let batch = read_section(bytes)?;
    let [rows, values] = batch.columns() else {
        return Err(corrupt("its cells are none"));
    };
    let rows = rows.as_primitive_opt::<UInt64Type>();
    match rows {
        Some(rows) if values.data_type() == field.data_type() => Ok(Edits {
            column,
            rows: rows.values().to_vec(),
            values: Arc::clone(values),
        }),
        _ => Err(corrupt("cells of another type")),
    }
}

/// Reads a section into memory.
fn read_section(bytes: Bytes) -> Result<RecordBatch> {
    let source = Source::memory(bytes);
    let undecodable = |error: Error| corrupt("a section cannot be decoded").with_source(error);
    let reader = TableReader::open(source, TableFormat::Parquet, &TextTypes::default(), None)
        .map_err(undecodable)?;
    let schema = SchemaRef::clone(reader.schema());
    let (mut batches, mut rows, mut memory) = (Vec::new(), 0, 0);
    for batch in reader {
        let batch = batch.map_err(undecodable)?;
        rows += batch.num_rows() as u64;
        memory += batch.get_array_memory_size();
        if rows > MAX_ROWS || memory > MAX_DECODED_BYTES {
            return Err(corrupt("a section is too large"));
        }
        batches.push(batch);
    }
    concat_batches(&schema, &batches)
        .map_err(|error| corrupt("a section cannot be decoded").with_source(error))
}

/// Checks what the types do not say.
fn check(patch: &Patch) -> std::result::Result<(), &'static str> {
    let mut rows = 0_u64;
    let mut inserts = 0_u64;
    for run in &patch.runs {
        let (kept, inserted) = match run {
            Run::Keep(rows) => (*rows, 0),
            Run::Insert(rows) => (*rows, *rows),
            Run::Delete(_) => (0, 0),
        };
        rows = rows.checked_add(kept).ok_or("more rows than can be")?;
        inserts = inserts
            .checked_add(inserted)
            .ok_or("more rows than can be")?;
    }
    let inserted = patch.inserted.as_ref();
    if inserted.map_or(0, |inserted| inserted.num_rows() as u64) != inserts {
        return Err("its runs and inserted rows do not agree");
    }
    for edits in &patch.edits {
        let rising = edits.rows.is_sorted_by(|a, b| a < b);
        if !rising || edits.rows.last().is_some_and(|&last| last >= rows) {
            return Err("cells of no row");
        }
    }
    Ok(())
}

fn corrupt(why: &'static str) -> Error {
    Error::corrupt(WHAT, why)
}

fn unencodable(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Unsupported, "values that no table holds").with_source(error)
}
