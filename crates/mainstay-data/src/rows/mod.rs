//! Which rows of two tables differ: by key, or as whole rows.
//!
//! By key, a row is added, removed or changed, and of changed rows it is told which cells. Without a
//! key, equal rows are counted on both sides: there are rows added and removed, and none changed.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_data::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
//! use mainstay_data::rows::{Identity, RowDiff, RowDiffOptions, Side};
//!
//! let people = |ids: Vec<i64>, names: Vec<&str>| {
//!     let (ids, names): (ArrayRef, ArrayRef) =
//!         (Arc::new(Int64Array::from(ids)), Arc::new(StringArray::from(names)));
//!     RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap()
//! };
//! let before = people(vec![1, 2, 3], vec!["Ada", "Bob", "Cy"]);
//! let after = people(vec![4, 3, 1], vec!["Dee", "Cyd", "Ada"]);
//!
//! let key = Identity::key(["id"]);
//! let options = RowDiffOptions::default();
//! let mut diff = RowDiff::new(&before.schema(), &after.schema(), &key, options)?;
//! diff.add(Side::Before, &before)?;
//! diff.add(Side::After, &after)?;
//! let counts = diff.finish().into_counts()?;
//! assert_eq!((counts.added, counts.removed, counts.changed), (1, 1, 1));
//! assert_eq!(counts.cells, [("name".to_owned(), 1)]);
//! # Ok::<(), mainstay_core::Error>(())
//! ```
//!
//! Values are equal when the strict profile of [`digest`](crate::digest) says so, whatever their
//! encoding; where a column's logical type changed, when the semantic profile does. A null equals a
//! null, in keys as well. Columns of one side only are part of the rows that are shown and make no row
//! a changed one.
//!
//! # Memory
//! Rows are divided by a hash of their keys into parts, of which those that do not fit into memory wait
//! in temporary files, deleted by the system whatever happens; each part is then joined by itself. Parts
//! that are still too large are divided again. Source: Kitsuregawa, Tanaka and Moto-oka, *Application of
//! hash to data base machine and its architecture*, New Generation Computing 1, 1983; `DeWitt` et al.,
//! *Implementation techniques for main memory database systems*, SIGMOD 1984.

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use mainstay_core::Result;

mod adder;
mod changes;
mod columns;
mod counts;
mod failure;
mod join;
mod output;
mod parts;
mod plain;
mod sample;
mod shared;
mod side;
mod spill;
pub(crate) mod stored;

pub use changes::RowChanges;
pub use counts::{Duplicates, Op, RowCounts};
pub use sample::{CellValue, ChangedRow, cells_of};
pub use side::Side;

use adder::Adder;
use columns::Columns;
use parts::Parts;
pub(crate) use plain::{plain_type, recast, to_plain};
pub(crate) use sample::Sample;
use shared::Shared;
pub(crate) use side::Both;

use crate::cuts::cut;
use crate::digest::Profile;
use crate::pieces::PIECE_BYTES;

/// What tells the rows of a table apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Identity {
    /// These columns, by their later names.
    Key(Vec<String>),
    /// All columns that both tables have and that can be compared.
    WholeRow,
}

impl Identity {
    /// Tells rows apart by these columns.
    pub fn key<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self::Key(columns.into_iter().map(Into::into).collect())
    }
}

/// How rows are compared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RowDiffOptions {
    /// How much memory rows take before they wait on disk; 512 MiB unless set. The batch that is added
    /// and the one that is handed out come on top.
    pub memory_bytes: usize,
    /// Where temporary files go; `None` is where the system has them.
    pub directory: Option<PathBuf>,
    /// Earlier and later names of columns that were renamed.
    pub renamed: Vec<(String, String)>,
}

impl Default for RowDiffOptions {
    fn default() -> Self {
        Self {
            memory_bytes: 512 * 1024 * 1024,
            directory: None,
            renamed: Vec::new(),
        }
    }
}

impl RowDiffOptions {
    /// Sets [`memory_bytes`](Self::memory_bytes).
    #[must_use]
    pub fn with_memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Sets [`directory`](Self::directory).
    #[must_use]
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Says that the earlier column `from` is the later column `to`.
    #[must_use]
    pub fn with_renamed(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.renamed.push((from.into(), to.into()));
        self
    }

    fn earlier_name<'a>(&'a self, later: &'a str) -> &'a str {
        let mut renamed = self.renamed.iter();
        let renaming = renamed.find(|(_, to)| to == later);
        renaming.map_or(later, |(from, _)| from)
    }
}

/// A comparison of two tables while their rows are added, in any order of sides.
#[derive(Debug)]
pub struct RowDiff {
    columns: Columns,
    options: RowDiffOptions,
    parts: Both<Parts>,
    /// The number of the row that comes next.
    next: Both<u64>,
    counts: RowCounts,
    /// How much memory the rows of either side take, as their adders know.
    buffered: Both<AtomicUsize>,
}

/// A column that is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    names: Both<String>,
    /// What counts as equal.
    profile: Profile,
    /// Whether it tells rows apart; so does every column where whole rows are compared.
    is_key: bool,
}

/// Rows that are known to have changed, and are not added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    pub(crate) rows: u64,
    /// How many of their cells changed, by the later names of compared columns.
    pub(crate) cells: Vec<(String, u64)>,
}

impl RowDiff {
    /// Begins a comparison.
    ///
    /// # Errors
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): a side has no column of the key.
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): the key is empty, names a column twice, or has
    ///   types on both sides that have no values in common, or none that holds those of both; two columns
    ///   have one name.
    /// * [`Unsupported`](mainstay_core::ErrorKind::Unsupported): a column's type has no logical form.
    pub fn new(
        before: &Schema,
        after: &Schema,
        identity: &Identity,
        options: RowDiffOptions,
    ) -> Result<Self> {
        let columns = Columns::pair(before, after, identity, &options)?;
        let names = columns.values.iter().map(|pair| (pair.name.clone(), 0));
        Ok(Self {
            parts: Both::of(|side| {
                let schema = SchemaRef::clone(columns.tables[side].kept());
                Parts::new(0, columns.key_of(side), schema)
            }),
            next: Both::default(),
            counts: RowCounts {
                cells: names.collect(),
                incomparable: columns.incomparable.clone(),
                ..RowCounts::default()
            },
            columns,
            options,
            buffered: Both::default(),
        })
    }

    /// Adds rows of one side, behind those that it has.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the batch is of another schema;
    /// [`Unsupported`](mainstay_core::ErrorKind::Unsupported) when its rows cannot be moved; those of
    /// writing to disk.
    pub fn add(&mut self, side: Side, batch: &RecordBatch) -> Result<()> {
        cut(batch, PIECE_BYTES).try_for_each(|part| self.add_part(side, &part))
    }

    fn add_part(&mut self, side: Side, batch: &RecordBatch) -> Result<()> {
        let first = self.next[side];
        self.next[side] = first + batch.num_rows() as u64;
        *self.counts.total(side) += batch.num_rows() as u64;
        let numbers = UInt64Array::from_iter_values(first..self.next[side]);
        let batch = self.columns.tables[side].keep(batch, numbers)?;
        self.parts[side].add(&batch)?;
        make_room(
            &mut self.parts,
            self.options.memory_bytes / 2,
            &self.options,
        )
    }

    /// Counts rows that both sides have alike, which are not added.
    pub(crate) fn skip(&mut self, shared: &Shared) {
        for side in Side::BOTH {
            *self.counts.total(side) += shared.rows;
        }
        self.counts.unchanged += shared.rows;
        self.counts.skipped += shared.rows;
        self.counts.moved |= shared.first.before != shared.first.after;
    }

    /// Counts rows that have changed, which are not added.
    pub(crate) fn count(&mut self, changed: &Counted) {
        for side in Side::BOTH {
            *self.counts.total(side) += changed.rows;
        }
        self.counts.changed += changed.rows;
        for (name, cells) in &changed.cells {
            let mut counts = self.counts.cells.iter_mut();
            if let Some((_, count)) = counts.find(|(column, _)| column == name) {
                *count += cells;
            }
        }
    }

    /// Returns the columns that are looked at.
    pub(crate) fn compared(&self) -> Vec<Compared> {
        let key = self.columns.key.iter().map(|pair| (pair, true));
        let values = self.columns.values.iter().map(|pair| (pair, false));
        key.chain(values)
            .map(|(pair, is_key)| Compared {
                is_key,
                names: Both {
                    before: self.options.earlier_name(&pair.name).to_owned(),
                    after: pair.name.clone(),
                },
                profile: pair.profile,
            })
            .collect()
    }

    /// Returns what adds rows to either side, also at the same time.
    pub(crate) fn adders(&mut self) -> Both<Adder<'_>> {
        let Self {
            columns,
            options,
            parts,
            counts,
            buffered,
            ..
        } = self;
        let (options, buffered) = (&*options, &*buffered);
        let Columns { tables, .. } = columns;
        Both {
            before: Adder {
                side: Side::Before,
                table: &tables.before,
                parts: &mut parts.before,
                rows: &mut counts.before,
                buffered,
                options,
            },
            after: Adder {
                side: Side::After,
                table: &tables.after,
                parts: &mut parts.after,
                rows: &mut counts.after,
                buffered,
                options,
            },
        }
    }

    /// Compares the rows.
    #[must_use]
    pub fn finish(self) -> RowChanges {
        RowChanges::new(self.columns, self.options, self.counts, self.parts)
    }
}

/// Moves parts to disk until the others take at most `allowed` bytes.
fn make_room(parts: &mut Both<Parts>, allowed: usize, options: &RowDiffOptions) -> Result<()> {
    while parts.iter().map(Parts::buffered).sum::<usize>() > allowed {
        let side = if parts.before.largest() > parts.after.largest() {
            Side::Before
        } else {
            Side::After
        };
        parts[side].spill_largest(options.directory.as_deref())?;
    }
    Ok(())
}
