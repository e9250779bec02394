//! The merged rows of a file, in the format that it has.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use mainstay_core::{Error, ErrorKind, Result, Telling};
use mainstay_repo::Repo;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::merge_formats;
use super::merge_rows::{Sides, Way, way};
use crate::format::TableFormat;
use crate::merge::{Cells, Edits, Rewriter, behind};
use crate::passing::ROWS;
use crate::pieces::Pieces;
use crate::stored::StoredTable;
use crate::{BatchStream, SnapshotInput, blocking};

/// How many merged batches wait for the encoder.
const WAITING_BATCHES: usize = 2;

/// The merged rows of a file, to be stored.
pub(super) struct Merged {
    pub(super) input: SnapshotInput,
    /// Holds the file until it is stored; `None` for rows that are stored as they come.
    pub(super) directory: Option<TempDir>,
}

/// Merges the rows; `None` where they cannot be.
///
/// Parquet is written by the writer profile, as rows are. Memory: what both sides changed, and some batches.
pub(super) async fn write(
    (repo, telling): (&Repo, &Telling),
    sides: Sides,
) -> Result<Option<Merged>> {
    let (repo, runtime, telling) = (repo.clone(), Handle::current(), telling.clone());
    let told = telling.clone();
    let compare = move || {
        let way = way((&repo, &runtime), &sides, &told)?;
        Ok(way.map(|way| Merging {
            repo,
            runtime,
            sides,
            way,
        }))
    };
    let Ok(merging) = blocking::run_on_own_thread(compare).await? else {
        return Ok(None);
    };
    // Each is written, then described; what follows on text is expected when its types are found.
    let rows = merging.sides.merged_rows(&merging.way);
    let is_text = merging.sides.format().is_some_and(TableFormat::is_text);
    telling.expect(ROWS, rows.saturating_mul(if is_text { 1 } else { 2 }));
    if merging.sides.format() == Some(TableFormat::Parquet) {
        let file = merging.sides.path.clone();
        let batches = blocking::produce(WAITING_BATCHES, move |sender| {
            merging.each(|batch| {
                let sent = sender.blocking_send(Ok(batch));
                sent.map_err(|_| Error::new(ErrorKind::Cancelled, "nobody waits for the rows"))
            })
        });
        let batches = BatchStream::new(batches);
        return Ok(Some(Merged {
            input: SnapshotInput::Stream { file, batches },
            directory: None,
        }));
    }
    let write = move || {
        let directory = TempDir::new()?;
        let named = merging.sides.path.clone();
        let path = directory.path().join(named.as_str());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let written = merge_formats::write(&path, merging, &telling);
        written.map_err(|error| error.context("file", named))?;
        Ok(Merged {
            input: SnapshotInput::Path(directory.path().to_owned()),
            directory: Some(directory),
        })
    };
    blocking::run_on_own_thread(write).await.map(Some)
}

/// A file whose rows are merged.
pub(super) struct Merging {
    repo: Repo,
    runtime: Handle,
    pub(super) sides: Sides,
    way: Way,
}

impl Merging {
    /// Returns how Arrow IPC is compressed.
    pub(super) fn compression(&self) -> Result<Option<CompressionType>> {
        self.sides.compression(&self.repo, &self.runtime)
    }

    /// Shows the merged rows as they are spelled, one batch at least: ours with what they changed, then what
    /// they added.
    pub(super) fn each(self, mut show: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let [ours, theirs] = self.sides.open_spelled(&self.repo, &self.runtime)?;
        show(RecordBatch::new_empty(SchemaRef::clone(&ours.schema)))?;
        match self.way {
            Way::Keyed(edits) => {
                let files = (&self.repo, &self.runtime);
                keyed(files, &self.sides, edits, [ours, theirs], show)
            }
            Way::Appended(appended) => {
                let schema = SchemaRef::clone(&ours.schema);
                for batch in ours.batches {
                    show(batch?)?;
                }
                let mut first = 0;
                for batch in theirs.batches {
                    let batch = crate::merge::like(&batch?, &schema)?;
                    show(behind(&batch, first, appended.base))?;
                    first += batch.num_rows() as u64;
                }
                Ok(())
            }
        }
    }
}

/// Shows the rows of ours with the edits, and those that are added.
fn keyed(
    (repo, runtime): (&Repo, &Handle),
    sides: &Sides,
    edits: Edits,
    [ours, theirs]: [StoredTable; 2],
    mut show: impl FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let schema = SchemaRef::clone(&ours.schema);
    let is_text = sides.format().is_some_and(TableFormat::is_text);
    let cells = if is_text {
        let [_, again] = sides.open_spelled(repo, runtime)?;
        Some(Cells::spelled(&edits, again.batches, &schema)?)
    } else {
        None
    };
    let mut rewriter = Rewriter::new(edits, &sides.key, &schema, cells)?;
    if is_text {
        let lost = || Error::new(ErrorKind::Internal, "a file of other columns");
        let compared = sides.open(repo, runtime)?;
        let compared = compared.ok_or_else(lost)?.ours.batches;
        let (mut spelled, mut waiting) = (ours.batches, Pieces::new(schema));
        for batch in compared {
            let batch = batch?;
            while waiting.rows() < batch.num_rows()
                && let Some(more) = spelled.next()
            {
                waiting.push(more?);
            }
            rewriter.rewrite(&batch, &waiting.take(batch.num_rows())?, &mut show)?;
        }
    } else {
        for batch in ours.batches {
            let batch = batch?;
            rewriter.rewrite(&batch, &batch, &mut show)?;
        }
    }
    for batch in theirs.batches {
        show(rewriter.added(&batch?)?)?;
    }
    Ok(())
}
