//! Writing our rows anew with the changes of theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{filter_record_batch, interleave};
use arrow::datatypes::{SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use mainstay_core::{Error, ErrorKind, Result};

use super::Edits;
use super::edits::{Edit, key_of};
use crate::cells::index_of;
use crate::pieces::PIECE_BYTES;
use crate::rows::recast;
use crate::value_bytes::{of_rows, of_slots};

/// Applies edits to the batches of our file, and picks what is added from theirs.
#[derive(Debug)]
pub(crate) struct Rewriter {
    edits: Edits,
    key: Vec<String>,
    schema: SchemaRef,
    after: Cells,
    next_of_theirs: u64,
}

/// The cells of their changed rows: by column of our schema, then by batch of their changes.
#[derive(Debug)]
pub(crate) struct Cells(Vec<Vec<Option<ArrayRef>>>);

impl Cells {
    /// Takes them from the changes.
    fn of(edits: &Edits, schema: &SchemaRef) -> Result<Self> {
        let columns = schema.fields().iter().map(|field| {
            let batches = edits.theirs.iter().map(|batch| {
                let after = batch.column_by_name("after").map(AsArray::as_struct);
                let cells = after.and_then(|after| after.column_by_name(field.name()));
                cells
                    .map(|cells| recast(cells, field.data_type()))
                    .transpose()
            });
            batches.collect::<Result<Vec<_>, ArrowError>>()
        });
        columns
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(immovable)
    }

    /// Takes them from the rows of their file, as they are spelled there.
    pub(crate) fn spelled(
        edits: &Edits,
        theirs: impl Iterator<Item = Result<RecordBatch>>,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let places = edits.theirs.iter().map(|batch| {
            let place = batch.column_by_name("after_row");
            let place = place.and_then(|place| place.as_primitive_opt::<UInt64Type>());
            place.ok_or_else(|| Error::new(ErrorKind::Internal, "a change without its place"))
        });
        let places = places.collect::<Result<Vec<_>>>()?;
        let wanted: BTreeSet<u64> = places
            .iter()
            .flat_map(|rows| rows.iter().flatten())
            .collect();
        let (mut first, mut picked) = (0, Vec::new());
        for batch in theirs {
            let batch = like(&batch?, schema)?;
            let rows = first..first + batch.num_rows() as u64;
            first = rows.end;
            picked.push(pick(&batch, rows.map(|row| wanted.contains(&row)))?);
        }
        let (mut at, mut left) = (BTreeMap::new(), wanted.iter().copied());
        for (index, batch) in picked.iter().enumerate() {
            let rows = (0..batch.num_rows()).zip(left.by_ref());
            at.extend(rows.map(|(row, number)| (number, (index, row))));
        }
        if left.next().is_some() {
            let message = "a change of a row that is not there";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let columns = schema.fields().iter().enumerate().map(|(column, field)| {
            let absent = new_null_array(field.data_type(), 1);
            let mut sources: Vec<&dyn Array> = Vec::with_capacity(picked.len() + 1);
            for batch in &picked {
                sources.push(batch.column(column).as_ref());
            }
            sources.push(absent.as_ref());
            let cells = places.iter().map(|rows| {
                let places = rows.iter().map(|row| row.and_then(|row| at.get(&row)));
                let places = places.map(|place| place.copied().unwrap_or((picked.len(), 0)));
                let places: Vec<(usize, usize)> = places.collect();
                interleave(&sources, &places).map(Some)
            });
            cells.collect::<Result<Vec<_>, ArrowError>>()
        });
        columns
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(immovable)
    }
}

impl Rewriter {
    /// Writes rows of `schema`, with the cells of their changes, or with `cells` where rows are spelled
    /// otherwise than compared.
    pub(crate) fn new(
        edits: Edits,
        key: &[String],
        schema: &SchemaRef,
        cells: Option<Cells>,
    ) -> Result<Self> {
        let after = match cells {
            Some(cells) => cells,
            None => Cells::of(&edits, schema)?,
        };
        Ok(Self {
            after,
            edits,
            key: key.to_vec(),
            schema: SchemaRef::clone(schema),
            next_of_theirs: 0,
        })
    }

    /// Shows the rows of a batch of ours as they will be: `spelled` as they are to be written, `batch` as
    /// they were compared. Where they take in many bytes of theirs they come in more than one batch.
    pub(crate) fn rewrite(
        &self,
        batch: &RecordBatch,
        spelled: &RecordBatch,
        mut show: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        if batch.num_rows() != spelled.num_rows() {
            let message = "a batch that is not the one that was compared";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let mut keys: Vec<&dyn Array> = Vec::with_capacity(self.key.len());
        for name in &self.key {
            keys.push(batch.column(index_of(&batch.schema(), name)?).as_ref());
        }
        let mut edits = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            edits.push(self.edits.by_key.get(&key_of(&keys, row)?));
        }
        for rows in self.cut(spelled, &edits) {
            let spelled = spelled.slice(rows.start, rows.len());
            show(self.edited(&spelled, &edits[rows])?)?;
        }
        Ok(())
    }

    /// Cuts rows where they and the cells that they take in have many bytes.
    fn cut(&self, spelled: &RecordBatch, edits: &[Option<&Edit>]) -> Vec<Range<usize>> {
        let is_large = of_rows(spelled, 0..spelled.num_rows()) > PIECE_BYTES;
        let (mut cut, mut start, mut bytes) = (Vec::new(), 0, 0_u64);
        for (row, edit) in edits.iter().enumerate() {
            let taken = edit.map_or(0, |edit| self.bytes_of(edit));
            let own = if is_large {
                of_rows(spelled, row..row + 1)
            } else {
                0
            };
            let both = taken.saturating_add(own);
            bytes = bytes.saturating_add(both);
            if bytes > PIECE_BYTES && row > start {
                cut.push(start..row);
                (start, bytes) = (row, both);
            }
        }
        cut.push(start..edits.len());
        cut
    }

    fn bytes_of(&self, edit: &Edit) -> u64 {
        let columns = self.schema.fields().iter().zip(&self.after.0);
        let bytes = columns.filter_map(|(field, after)| {
            let place = edit.cells.get(field.name())?;
            let cells = after.get(place.batch)?.as_ref()?;
            Some(of_slots(cells.as_ref(), place.row..place.row + 1))
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// Returns rows with their edits.
    fn edited(&self, spelled: &RecordBatch, edits: &[Option<&Edit>]) -> Result<RecordBatch> {
        let columns = self
            .schema
            .fields()
            .iter()
            .zip(spelled.columns())
            .zip(&self.after.0);
        let columns = columns.map(|((field, ours), after)| {
            let from = edits
                .iter()
                .map(|edit| edit.and_then(|edit| edit.cells.get(field.name())));
            let mut sources: Vec<&dyn Array> = vec![ours.as_ref()];
            // Where the cells of each batch of changes are among the sources.
            let mut number = vec![0; after.len()];
            for (index, cells) in after.iter().enumerate() {
                if let Some(cells) = cells {
                    number[index] = sources.len();
                    sources.push(cells.as_ref());
                }
            }
            let places = from.enumerate().map(|(row, place)| match place {
                Some(place) => (number[place.batch], place.row),
                None => (0, row),
            });
            let places: Vec<(usize, usize)> = places.collect();
            if places.iter().all(|(source, _)| *source == 0) {
                return Ok(Arc::clone(ours));
            }
            interleave(&sources, &places).map_err(immovable)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let batch =
            RecordBatch::try_new(SchemaRef::clone(&self.schema), columns).map_err(immovable)?;
        let kept = edits
            .iter()
            .map(|edit| !edit.is_some_and(|edit| edit.remove));
        pick(&batch, kept)
    }

    /// Returns those rows of the next batch of theirs that come behind ours.
    pub(crate) fn added(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let first = self.next_of_theirs;
        self.next_of_theirs += batch.num_rows() as u64;
        let rows = (first..self.next_of_theirs).map(|row| self.edits.added.contains(&row));
        like(&pick(batch, rows)?, &self.schema)
    }
}

/// Reports whether what theirs changed and added are values of the columns of ours.
pub(crate) fn fit(edits: &Edits, schema: &SchemaRef) -> bool {
    let Ok(Cells(columns)) = Cells::of(edits, schema) else {
        return false;
    };
    let added = |batch: &RecordBatch| -> Vec<usize> {
        let rows = batch.column_by_name("after_row");
        let rows = rows.and_then(|rows| rows.as_primitive_opt::<UInt64Type>());
        let rows = rows.into_iter().flatten().enumerate();
        rows.filter(|(_, row)| row.is_some_and(|row| edits.added.contains(&row)))
            .map(|(row, _)| row)
            .collect()
    };
    let added: Vec<Vec<usize>> = edits.theirs.iter().map(added).collect();
    schema.fields().iter().zip(&columns).all(|(field, after)| {
        let is_null = |batch: usize, row| {
            let cells = after.get(batch).and_then(Option::as_ref);
            cells.is_some_and(|cells| cells.is_null(row))
        };
        let cells = edits.by_key.values();
        let mut cells = cells.filter_map(|edit| edit.cells.get(field.name()));
        let mut rows = added.iter().enumerate();
        field.is_nullable()
            || !cells.any(|place| is_null(place.batch, place.row))
                && !rows.any(|(batch, rows)| rows.iter().any(|row| is_null(batch, *row)))
    })
}

/// Gives a batch the encodings and the order of columns of a schema with the same names.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when a value is none of the schema's.
pub(crate) fn like(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| {
        let array = batch.column(index_of(&batch.schema(), field.name())?);
        recast(array, field.data_type()).map_err(immovable)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(SchemaRef::clone(schema), columns).map_err(immovable)
}

fn pick(batch: &RecordBatch, rows: impl Iterator<Item = bool>) -> Result<RecordBatch> {
    let rows: BooleanArray = rows.collect::<Vec<_>>().into();
    filter_record_batch(batch, &rows).map_err(immovable)
}

fn immovable(error: ArrowError) -> Error {
    Error::new(ErrorKind::Unsupported, "rows of this type cannot be merged").with_source(error)
}
