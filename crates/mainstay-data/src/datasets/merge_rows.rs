//! Merging the rows of one file of three versions.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use mainstay_core::{FilePath, Result, Telling};
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use crate::digest::Profile;
use crate::format::{TableFormat, TextTypes, ipc_compression};
use crate::logical::logical_types;
use crate::merge::{
    Appends, CellConflict, Edits, RowMerge, Strategy, Unmerged, appends, fit, schema_without,
    without_dictionaries,
};
use crate::passing::{ROWS, told};
use crate::rows::{Identity, RowDiff, RowDiffOptions, Side};
use crate::source::Source;
use crate::stored::{self, StoredTable};
use crate::{CsvOptions, FileEntry, Manifest, blocking};

/// One table file in three versions, and how to merge it.
pub(super) struct Sides {
    /// The base, ours and theirs.
    files: [FileEntry; 3],
    types: [TextTypes; 3],
    pub(super) path: FilePath,
    pub(super) key: Vec<String>,
    strategy: Strategy,
}

/// What merging would do.
pub(super) struct Found {
    pub(super) counts: RowMerge,
    pub(super) conflicts: Vec<CellConflict>,
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
        let [base, ours, theirs] = manifests.map(entry);
        Some(Self {
            files: [base?, ours?, theirs?],
            types: manifests.map(TextTypes::recall),
            path: path.clone(),
            key: key.to_vec(),
            strategy,
        })
    }

    pub(super) fn open(&self, repo: &Repo, runtime: &Handle) -> Result<Option<Opened>> {
        let open =
            |side: usize| stored::open(repo, runtime, &self.files[side], &self.types[side], None);
        let opened = Opened {
            base: open(0)?,
            ours: open(1)?,
            theirs: open(2)?,
        };
        Ok(opened.alike()?.then_some(opened))
    }

    /// Reports whether texts of JSON lines mean the same in all versions.
    fn is_json_alike(&self) -> bool {
        let [base, ours, theirs] = &self.types;
        self.format() != Some(TableFormat::JsonLines)
            || ours.is_json_alike(base) && ours.is_json_alike(theirs)
    }

    pub(super) fn format(&self) -> Option<TableFormat> {
        TableFormat::of(&self.path)
    }

    /// Returns how many rows the base, ours and theirs have.
    fn rows(&self) -> [u64; 3] {
        [0, 1, 2].map(|side: usize| self.files[side].rows.unwrap_or(0))
    }

    /// Returns how many rows the file has, merged in this way.
    pub(super) fn merged_rows(&self, way: &Way) -> u64 {
        let [_, ours, _] = self.rows();
        let added = match way {
            Way::Keyed(edits) => edits.counts.added,
            Way::Appended(theirs) => theirs.behind,
        };
        let removed = match way {
            Way::Keyed(edits) => edits.counts.removed,
            Way::Appended(_) => 0,
        };
        (ours + added).saturating_sub(removed)
    }

    /// Returns how CSV is spelled in ours.
    pub(super) fn csv_options(&self) -> CsvOptions {
        let [_, ours, _] = &self.types;
        ours.csv_options().cloned().unwrap_or_default()
    }

    /// Returns the schema of the merged rows of a file whose columns are those of ours.
    fn merged_schema(&self, ours: &SchemaRef) -> SchemaRef {
        if self.format() == Some(TableFormat::Ipc) {
            schema_without(ours)
        } else {
            SchemaRef::clone(ours)
        }
    }

    /// Returns how Arrow IPC is compressed in ours.
    pub(super) fn compression(
        &self,
        repo: &Repo,
        runtime: &Handle,
    ) -> Result<Option<CompressionType>> {
        let [_, ours, _] = &self.files;
        let stored = runtime.block_on(stored::blob(repo, &ours.digest))?;
        ipc_compression(&Source::blob(stored, runtime.clone()))
    }

    /// Opens ours and theirs as they are merged: the values of text files as they are spelled, those of Arrow
    /// IPC without dictionaries.
    pub(super) fn open_spelled(&self, repo: &Repo, runtime: &Handle) -> Result<[StoredTable; 2]> {
        let open = |side: usize| {
            let types = self.types[side].as_text();
            let table = stored::open(repo, runtime, &self.files[side], &types, None)?;
            let is_ipc = self.format() == Some(TableFormat::Ipc);
            let table = if is_ipc {
                without_dictionaries(table)
            } else {
                table
            };
            Ok::<_, mainstay_core::Error>(table)
        };
        Ok([open(1)?, open(2)?])
    }
}

pub(super) struct Opened {
    base: StoredTable,
    pub(super) ours: StoredTable,
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
pub(super) enum Way {
    Keyed(Edits),
    /// What they added comes behind what we did.
    Appended(Appends),
}

/// What there is where rows can be merged, or why they cannot.
pub(super) type Mergeable<T> = std::result::Result<T, Unmerged>;

/// Looks at what merging would do.
pub(super) async fn find(
    (repo, telling): (&Repo, &Telling),
    sides: Sides,
) -> Result<Mergeable<Found>> {
    let (repo, runtime, telling) = (repo.clone(), Handle::current(), telling.clone());
    let work = move || {
        let way = way((&repo, &runtime), &sides, &telling)?;
        Ok(way.map(|way| match way {
            Way::Keyed(edits) => Found {
                counts: edits.counts,
                conflicts: edits.conflicts,
            },
            Way::Appended(theirs) => Found {
                counts: RowMerge {
                    added: theirs.behind,
                    ..RowMerge::default()
                },
                conflicts: Vec::new(),
            },
        }))
    };
    blocking::run_on_own_thread(work).await
}

/// Compares the versions. Blocks.
pub(super) fn way(
    (repo, runtime): (&Repo, &Handle),
    sides: &Sides,
    telling: &Telling,
) -> Result<Mergeable<Way>> {
    let open = || sides.open(repo, runtime);
    let (Some(first), Some(second)) = (open()?, open()?) else {
        return Ok(Err(Unmerged::Columns));
    };
    if !sides.is_json_alike() {
        return Ok(Err(Unmerged::Json));
    }
    let [base, ours, theirs] = sides.rows();
    telling.expect(ROWS, 2 * base + ours + theirs);
    let schema = sides.merged_schema(&first.ours.schema);
    if sides.key.is_empty() {
        let appends = |base: StoredTable, table: StoredTable| {
            let (base, table) = (told(base.batches, telling), told(table.batches, telling));
            appends(base, table, &schema)
        };
        let ours = appends(first.base, first.ours)?;
        let theirs = appends(second.base, second.theirs)?;
        return Ok(match (ours, theirs) {
            (Ok(_), Ok(theirs)) => Ok(Way::Appended(theirs)),
            (Err(why), _) | (_, Err(why)) => Err(why),
        });
    }
    let ours = changes(first.base, first.ours, &sides.key, telling)?;
    let theirs = changes(second.base, second.theirs, &sides.key, telling)?;
    let edits = Edits::find(&sides.path, &sides.key, sides.strategy, &ours, theirs)?;
    let is_text = sides.format().is_some_and(TableFormat::is_text);
    Ok(if edits.ambiguous {
        Err(Unmerged::Key)
    } else if !is_text && !fit(&edits, &schema) {
        Err(Unmerged::Values)
    } else {
        Ok(Way::Keyed(edits))
    })
}

/// Collects the rows that differ.
fn changes(
    before: StoredTable,
    after: StoredTable,
    key: &[String],
    telling: &Telling,
) -> Result<Vec<RecordBatch>> {
    let identity = Identity::Key(key.to_vec());
    let options = RowDiffOptions::default();
    let mut diff = RowDiff::new(&before.schema, &after.schema, &identity, options)?;
    for batch in told(before.batches, telling) {
        diff.add(Side::Before, &batch?)?;
    }
    for batch in told(after.batches, telling) {
        diff.add(Side::After, &batch?)?;
    }
    diff.finish().telling(telling.clone()).collect()
}
