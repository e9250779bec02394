//! Which rows of ours change so that they hold the changes of theirs too.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray as _, RecordBatch, StructArray};
use arrow::datatypes::UInt64Type;
use mainstay_core::{Error, ErrorKind, FilePath, Result};

use super::{CellConflict, RowMerge, Strategy};
use crate::digest::Profile;
use crate::slots::{slots, write_cell};
use crate::text::{text, texts};

/// A row of a batch of changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) batch: usize,
    pub(super) row: usize,
}

/// What happens to a row of ours.
#[derive(Debug, Default)]
pub(super) struct Edit {
    pub(super) remove: bool,
    /// The columns that take the cell of their change.
    pub(super) cells: BTreeMap<String, Place>,
}

/// The edits of a file, by the key of the row.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    pub(super) by_key: BTreeMap<Vec<u8>, Edit>,
    /// The rows of theirs that come behind ours.
    pub(super) added: BTreeSet<u64>,
    /// Their changes.
    pub(super) theirs: Vec<RecordBatch>,
    pub(crate) counts: RowMerge,
    pub(crate) conflicts: Vec<CellConflict>,
    /// Whether a key names several rows, so that there is no saying which is meant.
    pub(crate) ambiguous: bool,
}

/// The batches of changes of one side, by their columns.
struct Changes<'b>(Vec<Columns<'b>>);

struct Columns<'b> {
    ops: &'b arrow::array::StringArray,
    key: &'b StructArray,
    before: &'b StructArray,
    after: &'b StructArray,
    changed: &'b arrow::array::ListArray,
    after_row: &'b arrow::array::UInt64Array,
}

impl<'b> Changes<'b> {
    fn of(batches: &'b [RecordBatch]) -> Result<Self> {
        let columns = batches.iter().map(|batch| {
            let column = |name| {
                let lost = || Error::new(ErrorKind::Internal, "a change without its columns");
                batch.column_by_name(name).ok_or_else(lost)
            };
            Ok(Columns {
                ops: column("op")?.as_string(),
                key: column("key")?.as_struct(),
                before: column("before")?.as_struct(),
                after: column("after")?.as_struct(),
                changed: column("changed")?.as_list(),
                after_row: column("after_row")?.as_primitive::<UInt64Type>(),
            })
        });
        columns.collect::<Result<_>>().map(Self)
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let batches = self.0.iter().enumerate();
        batches.flat_map(|(batch, columns)| {
            (0..columns.ops.len()).map(move |row| Place { batch, row })
        })
    }
}

impl Columns<'_> {
    fn changed(&self, row: usize) -> Vec<String> {
        let names = self.changed.value(row);
        let names = names.as_string::<i32>();
        names.iter().flatten().map(str::to_owned).collect()
    }

    fn key(&self, row: usize, key: &[String]) -> Result<Vec<u8>> {
        let columns = key.iter().map(|name| column(self.key, name));
        key_of(&columns.collect::<Result<Vec<_>>>()?, row)
    }
}

/// Spells the key of a row, free of its encoding.
pub(super) fn key_of(columns: &[&dyn Array], row: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for array in columns {
        write_cell(slots(*array, Profile::Strict)?.as_ref(), row, &mut bytes);
    }
    Ok(bytes)
}

fn column<'a>(of: &'a StructArray, name: &str) -> Result<&'a dyn Array> {
    let lost = || Error::new(ErrorKind::Internal, "a change without a column");
    of.column_by_name(name).map(AsRef::as_ref).ok_or_else(lost)
}

fn cell(of: &StructArray, name: &str, row: usize) -> Result<Vec<u8>> {
    if of.is_null(row) {
        return Ok(Vec::new());
    }
    key_of(&[column(of, name)?], row)
}

fn shown(of: &StructArray, name: &str, row: usize) -> Result<Option<String>> {
    if of.is_null(row) {
        return Ok(None);
    }
    let array = column(of, name)?;
    (!array.is_null(row)).then(|| text(array, row)).transpose()
}

impl Edits {
    /// Finds the edits from what both sides changed since the base, as
    /// [`RowChanges`](crate::rows::RowChanges) tells it.
    pub(crate) fn find(
        path: &FilePath,
        key: &[String],
        strategy: Strategy,
        ours: &[RecordBatch],
        theirs: Vec<RecordBatch>,
    ) -> Result<Self> {
        let mut edits = Self::default();
        let (our_changes, their_changes) = (Changes::of(ours)?, Changes::of(&theirs)?);
        let mut by_key = BTreeMap::new();
        for place in our_changes.places() {
            let columns = &our_changes.0[place.batch];
            edits.ambiguous |= columns.ops.value(place.row) == "duplicate";
            by_key.insert(columns.key(place.row, key)?, place);
        }
        let merger = Merger {
            path,
            key,
            strategy,
        };
        for place in their_changes.places() {
            let columns = &their_changes.0[place.batch];
            edits.ambiguous |= columns.ops.value(place.row) == "duplicate";
            let name = columns.key(place.row, key)?;
            let ours = by_key
                .get(&name)
                .map(|at| (&our_changes.0[at.batch], at.row));
            merger.merge(&mut edits, name, ours, (columns, place))?;
        }
        edits.counts.added = edits.added.len() as u64;
        edits.counts.removed = edits.by_key.values().filter(|edit| edit.remove).count() as u64;
        edits.counts.changed = edits.by_key.len() as u64 - edits.counts.removed;
        edits.counts.conflicts = edits.conflicts.len() as u64;
        drop(their_changes);
        edits.theirs = theirs;
        Ok(edits)
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.by_key.entry(key).or_default().remove = true;
    }

    fn set(&mut self, key: &[u8], column: String, place: Place) {
        let edit = self.by_key.entry(key.to_vec()).or_default();
        edit.cells.insert(column, place);
    }

    fn add(&mut self, columns: &Columns<'_>, row: usize) {
        self.added.insert(columns.after_row.value(row));
    }
}

struct Merger<'a> {
    path: &'a FilePath,
    key: &'a [String],
    strategy: Strategy,
}

impl Merger<'_> {
    fn merge(
        &self,
        edits: &mut Edits,
        name: Vec<u8>,
        ours: Option<(&Columns<'_>, usize)>,
        (theirs, place): (&Columns<'_>, Place),
    ) -> Result<()> {
        let row = place.row;
        let wins = self.strategy == Strategy::Theirs;
        let our_op = ours.map(|(columns, row)| columns.ops.value(row));
        match (our_op, theirs.ops.value(row)) {
            (None, "added") => edits.add(theirs, row),
            (None, "removed") => edits.remove(name),
            (None, "changed") => {
                for column in theirs.changed(row) {
                    edits.set(&name, column, place);
                }
            }
            (Some("removed"), "changed") => {
                edits
                    .conflicts
                    .push(self.conflict(ours, (theirs, row), None)?);
                if wins {
                    edits.add(theirs, row);
                }
            }
            (Some("changed"), "removed") => {
                edits
                    .conflicts
                    .push(self.conflict(ours, (theirs, row), None)?);
                if wins {
                    edits.remove(name);
                }
            }
            (Some("changed" | "added"), "changed" | "added") => {
                let Some((our, our_row)) = ours else {
                    return Ok(());
                };
                let both_added = theirs.ops.value(row) == "added";
                let columns = if both_added {
                    theirs
                        .after
                        .column_names()
                        .into_iter()
                        .map(str::to_owned)
                        .collect()
                } else {
                    theirs.changed(row)
                };
                let changed_by_us = our.changed(our_row);
                for column in columns {
                    if !both_added && !changed_by_us.contains(&column) {
                        edits.set(&name, column, place);
                    } else if cell(our.after, &column, our_row)?
                        != cell(theirs.after, &column, row)?
                    {
                        edits
                            .conflicts
                            .push(self.conflict(ours, (theirs, row), Some(&column))?);
                        if wins {
                            edits.set(&name, column, place);
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn conflict(
        &self,
        ours: Option<(&Columns<'_>, usize)>,
        (theirs, row): (&Columns<'_>, usize),
        of: Option<&str>,
    ) -> Result<CellConflict> {
        let shown_in = |cells: &StructArray, row| match of {
            Some(name) => shown(cells, name, row),
            None => Ok((!cells.is_null(row)).then(|| "a row".to_owned())),
        };
        let names: Vec<&str> = self.key.iter().map(String::as_str).collect();
        let key = names
            .iter()
            .map(|name| Ok((*name, column(theirs.key, name)?)));
        Ok(CellConflict {
            path: self.path.clone(),
            key: texts(key.collect::<Result<Vec<_>>>()?, row)?,
            column: of.map(str::to_owned),
            base: shown_in(theirs.before, row)?,
            ours: match ours {
                Some((ours, row)) => shown_in(ours.after, row)?,
                None => None,
            },
            theirs: shown_in(theirs.after, row)?,
        })
    }
}
