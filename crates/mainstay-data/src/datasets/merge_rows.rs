//! Merging the rows of one file of three versions.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::{FilePath, Result};
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use crate::digest::Profile;
use crate::format::TextTypes;
use crate::logical::logical_types;
use crate::merge::{CellConflict, Edits, Rewriter, RowMerge, Strategy, appends};
use crate::rows::{Identity, RowDiff, RowDiffOptions, Side};
use crate::stored::{self, StoredTable};
use crate::{FileEntry, Manifest, blocking};

/// One Parquet file in three versions, and how to merge it.
pub(super) struct Sides {
    base: FileEntry,
    ours: FileEntry,
    theirs: FileEntry,
    path: FilePath,
    key: Vec<String>,
    strategy: Strategy,
}

/// What merging would do.
pub(super) struct Found {
    pub(super) counts: RowMerge,
    pub(super) conflicts: Vec<CellConflict>,
}

/// The rows of both.
pub(super) struct Merged {
    pub(super) batches: Vec<RecordBatch>,
}

impl Sides {
    /// Returns the file where all three versions have it; `None` where its rows are not merged.
    pub(super) fn of(
        manifests: [&Manifest; 3],
        path: &FilePath,
        key: &[String],
        strategy: Strategy,
    ) -> Option<Self> {
        let entry = |manifest: &Manifest| {
            let mut files = manifest.files.listed()?.iter();
            files
                .find(|file| file.path == *path && file.rows.is_some())
                .cloned()
        };
        let parquet = path.extension() == "parquet";
        let [base, ours, theirs] = manifests.map(entry);
        Some(Self {
            base: base.filter(|_| parquet)?,
            ours: ours?,
            theirs: theirs?,
            path: path.clone(),
            key: key.to_vec(),
            strategy,
        })
    }

    fn open(&self, repo: &Repo, runtime: &Handle) -> Result<Option<Opened>> {
        let open =
            |entry: &FileEntry| stored::open(repo, runtime, entry, &TextTypes::default(), None);
        let opened = Opened {
            base: open(&self.base)?,
            ours: open(&self.ours)?,
            theirs: open(&self.theirs)?,
        };
        Ok(opened.alike()?.then_some(opened))
    }
}

struct Opened {
    base: StoredTable,
    ours: StoredTable,
    theirs: StoredTable,
}

impl Opened {
    /// Reports whether all have the same columns, in any order and encoding.
    fn alike(&self) -> Result<bool> {
        let columns = |table: &StoredTable| {
            let schema = &table.schema;
            let types = logical_types(schema, Profile::Strict)?;
            let names = schema.fields().iter().map(|field| field.name().clone());
            let mut columns: Vec<(String, String)> = names.zip(types).collect();
            columns.sort();
            Ok::<_, mainstay_core::Error>(columns)
        };
        let ours = columns(&self.ours)?;
        Ok(columns(&self.base)? == ours && columns(&self.theirs)? == ours)
    }
}

/// How the rows of a file come together.
enum Way {
    Keyed(Edits),
    Appended { behind: Vec<RecordBatch>, rows: u64 },
}

/// Looks at what merging would do; `None` where rows cannot be merged.
pub(super) async fn find(repo: &Repo, sides: Sides) -> Result<Option<Found>> {
    let (repo, runtime) = (repo.clone(), Handle::current());
    let work = move || {
        let way = way(&repo, &runtime, &sides)?;
        Ok(way.map(|way| match way {
            Way::Keyed(edits) => Found {
                counts: edits.counts,
                conflicts: edits.conflicts,
            },
            Way::Appended { rows, .. } => Found {
                counts: RowMerge {
                    added: rows,
                    ..RowMerge::default()
                },
                conflicts: Vec::new(),
            },
        }))
    };
    blocking::run_on_own_thread(work).await
}

/// Merges the rows; `None` where they cannot be.
pub(super) async fn write(repo: &Repo, sides: Sides) -> Result<Option<Merged>> {
    let (repo, runtime) = (repo.clone(), Handle::current());
    let work = move || {
        let Some(way) = way(&repo, &runtime, &sides)? else {
            return Ok(None);
        };
        let Some(opened) = sides.open(&repo, &runtime)? else {
            return Ok(None);
        };
        let schema = SchemaRef::clone(&opened.ours.schema);
        let mut batches = Vec::new();
        match way {
            Way::Keyed(edits) => {
                let mut rewriter = Rewriter::new(edits, &sides.key, &schema)?;
                for batch in opened.ours.batches {
                    batches.push(rewriter.rewrite(&batch?)?);
                }
                for batch in opened.theirs.batches {
                    batches.push(rewriter.added(&batch?)?);
                }
            }
            Way::Appended { behind, .. } => {
                for batch in opened.ours.batches {
                    batches.push(crate::merge::like(&batch?, &schema)?);
                }
                batches.extend(behind);
            }
        }
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok(Some(Merged { batches }))
    };
    blocking::run_on_own_thread(work).await
}

fn way(repo: &Repo, runtime: &Handle, sides: &Sides) -> Result<Option<Way>> {
    let open = || sides.open(repo, runtime);
    let (Some(first), Some(second)) = (open()?, open()?) else {
        return Ok(None);
    };
    let schema = SchemaRef::clone(&first.ours.schema);
    if sides.key.is_empty() {
        let ours = appends(first.base.batches, first.ours.batches, &schema)?;
        let theirs = appends(second.base.batches, second.theirs.batches, &schema)?;
        return Ok(match (ours, theirs) {
            (Some(_), Some(theirs)) => Some(Way::Appended {
                rows: theirs
                    .rows
                    .iter()
                    .map(|batch| batch.num_rows() as u64)
                    .sum(),
                behind: theirs.rows,
            }),
            _ => None,
        });
    }
    let ours = changes(first.base, first.ours, &sides.key)?;
    let theirs = changes(second.base, second.theirs, &sides.key)?;
    let edits = Edits::find(&sides.path, &sides.key, sides.strategy, &ours, theirs)?;
    Ok((!edits.ambiguous).then_some(Way::Keyed(edits)))
}

/// Collects the rows that differ.
fn changes(before: StoredTable, after: StoredTable, key: &[String]) -> Result<Vec<RecordBatch>> {
    let identity = Identity::Key(key.to_vec());
    let options = RowDiffOptions::default();
    let mut diff = RowDiff::new(&before.schema, &after.schema, &identity, options)?;
    for batch in before.batches {
        diff.add(Side::Before, &batch?)?;
    }
    for batch in after.batches {
        diff.add(Side::After, &batch?)?;
    }
    diff.finish().collect()
}
