//! Finding the patch between two tables.

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take, take_record_batch};
use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, ErrorKind, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::align::{Step, align};
use super::{Edits, MAX_ROWS, Patch, Run};
use crate::digest::Profile;
use crate::slots::{Slots, slots, write_cell};
use crate::value_bytes;

/// A patch of more than one row in so many is not looked for.
const MIN_SHARE: usize = 4;
/// The most bytes that the values of changed rows take on either side, and those of inserted rows.
const MAX_PICKED_BYTES: u64 = 256 * 1024 * 1024;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Finds what turns the rows of `base` into those of `new`, both of `schema`; each is read twice.
/// `None` when they differ so much that a patch is no use, or are too long to be compared.
///
/// Memory: 32 bytes for every row of both, and the changed rows: at most 256 MiB on either side, and as much of
/// inserted rows, beside what they become as bytes of the patch. That two rows of one 64-bit hash are
/// the same is taken for granted: the caller checks what the patch makes.
pub(crate) fn find(
    base: &dyn Fn() -> Result<Batches>,
    new: &dyn Fn() -> Result<Batches>,
    schema: &SchemaRef,
) -> Result<Option<Patch>> {
    let (Some(old), Some(fresh)) = (hashes(base()?)?, hashes(new()?)?) else {
        return Ok(None);
    };
    let steps = align(&old, &fresh);
    let most = fresh.len() / MIN_SHARE;
    drop((old, fresh));
    let places = Places::of(&steps);
    if places.before.len() + places.inserted.len() > most {
        return Ok(None);
    }
    let Some(after) = pick(new()?, &places.after, schema)? else {
        return Ok(None);
    };
    let Some(before) = pick(base()?, &places.before, schema)? else {
        return Ok(None);
    };
    let inserted = match places.inserted.len() {
        0 => None,
        _ => match pick(new()?, &places.inserted, schema)? {
            None => return Ok(None),
            inserted => inserted,
        },
    };
    Ok(Some(Patch {
        runs: runs(&steps),
        edits: edits(&before, &after, &places.after)?,
        inserted,
    }))
}

/// Hashes every row; `None` when there are too many.
fn hashes(batches: Batches) -> Result<Option<Vec<u64>>> {
    let (mut found, mut row_bytes) = (Vec::new(), Vec::new());
    for batch in batches {
        let batch = batch?;
        if (found.len() + batch.num_rows()) as u64 > MAX_ROWS {
            return Ok(None);
        }
        let columns = open(&batch)?;
        for row in 0..batch.num_rows() {
            row_bytes.clear();
            for column in &columns {
                write_cell(column.as_ref(), row, &mut row_bytes);
            }
            found.push(xxh3_64(&row_bytes));
        }
    }
    Ok(Some(found))
}

fn open(batch: &RecordBatch) -> Result<Vec<Box<dyn Slots + '_>>> {
    let columns = batch.columns().iter();
    columns
        .map(|column| slots(column.as_ref(), Profile::Strict))
        .collect()
}

/// Where the rows lie that differ, ascending.
#[derive(Default)]
struct Places {
    /// Changed rows in the base.
    before: Vec<u64>,
    /// The same rows in the new table.
    after: Vec<u64>,
    inserted: Vec<u64>,
}

impl Places {
    fn of(steps: &[Step]) -> Self {
        let mut places = Self::default();
        let (mut base, mut new) = (0, 0);
        for step in steps {
            match *step {
                Step::Same(count) => {
                    base += count as u64;
                    new += count as u64;
                }
                Step::Change(count) => {
                    places.before.extend(base..base + count as u64);
                    places.after.extend(new..new + count as u64);
                    base += count as u64;
                    new += count as u64;
                }
                Step::Delete(count) => base += count as u64,
                Step::Insert(count) => {
                    places.inserted.extend(new..new + count as u64);
                    new += count as u64;
                }
            }
        }
        places
    }
}

fn runs(steps: &[Step]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for step in steps {
        match (runs.last_mut(), *step) {
            (Some(Run::Keep(rows)), Step::Same(count) | Step::Change(count)) => {
                *rows += count as u64;
            }
            (_, Step::Same(count) | Step::Change(count)) => runs.push(Run::Keep(count as u64)),
            (_, Step::Delete(count)) => runs.push(Run::Delete(count as u64)),
            (_, Step::Insert(count)) => runs.push(Run::Insert(count as u64)),
        }
    }
    runs
}

/// Reads the rows at these places, ascending; `None` when their values take too much memory.
fn pick(batches: Batches, places: &[u64], schema: &SchemaRef) -> Result<Option<RecordBatch>> {
    let (mut parts, mut start, mut next) = (Vec::new(), 0_u64, 0_usize);
    let mut bytes = 0_u64;
    for batch in batches {
        if next == places.len() {
            break;
        }
        let batch = batch?;
        let end = start + batch.num_rows() as u64;
        let last = next + places[next..].partition_point(|&place| place < end);
        let wanted = places[next..last].iter().map(|place| place - start);
        let wanted = UInt64Array::from_iter_values(wanted);
        let part = take_record_batch(&batch, &wanted).map_err(unpicked)?;
        bytes = bytes.saturating_add(value_bytes::of_rows(&part, 0..part.num_rows()));
        if bytes > MAX_PICKED_BYTES {
            return Ok(None);
        }
        parts.push(part);
        (start, next) = (end, last);
    }
    concat_batches(schema, &parts).map(Some).map_err(unpicked)
}

/// Compares rows one for one; `places` are theirs in the new table.
fn edits(before: &RecordBatch, after: &RecordBatch, places: &[u64]) -> Result<Vec<Edits>> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    let mut found = Vec::new();
    let schema = after.schema();
    for (index, field) in schema.fields().iter().enumerate() {
        let values: &ArrayRef = after.column(index);
        let before = slots(before.column(index).as_ref(), Profile::Strict)?;
        let after = slots(values.as_ref(), Profile::Strict)?;
        let mut changed: Vec<u64> = Vec::new();
        for row in 0..places.len() {
            old.clear();
            new.clear();
            write_cell(before.as_ref(), row, &mut old);
            write_cell(after.as_ref(), row, &mut new);
            if old != new {
                changed.push(row as u64);
            }
        }
        if !changed.is_empty() {
            // Places of places, which fit a usize.
            let at = |row: &u64| usize::try_from(*row).ok().and_then(|row| places.get(row));
            let rows = changed.iter().filter_map(at).copied().collect();
            let values = take(values, &UInt64Array::from(changed), None).map_err(unpicked)?;
            found.push(Edits {
                column: field.name().clone(),
                rows,
                values,
            });
        }
    }
    Ok(found)
}

fn unpicked(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Unsupported, "cannot take rows of these types").with_source(error)
}
