//! Writing the merged rows of a file in the format that it has.

use std::fs::File;
use std::path::Path;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use mainstay_core::{Error, ErrorKind, FilePath, Result};
use mainstay_repo::Repo;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::merge_rows::{Sides, Way, way};
use crate::format::TableFormat;
use crate::merge::{Cells, Rewriter, behind};
use crate::{BatchStream, SnapshotInput, blocking};

/// How many merged batches wait for the encoder.
const WAITING_BATCHES: usize = 2;

/// The merged rows of a file, to be stored.
pub(super) struct Merged {
    pub(super) input: SnapshotInput,
    /// Holds the file until it is stored; `None` for rows that are stored as they come.
    pub(super) directory: Option<TempDir>,
}

/// How merged rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// By the writer profile, as rows are.
    Parquet,
    Ipc,
    Csv {
        delimiter: u8,
    },
}

impl Writer {
    /// Returns what writes files of this path; `None` where nothing does.
    pub(super) fn of(path: &FilePath) -> Option<Self> {
        match TableFormat::of(path)? {
            TableFormat::Parquet => (path.extension() == "parquet").then_some(Self::Parquet),
            TableFormat::Ipc => Some(Self::Ipc),
            TableFormat::Csv { delimiter } => Some(Self::Csv { delimiter }),
            TableFormat::JsonLines => None,
        }
    }
}

/// Merges the rows; `None` where they cannot be.
///
/// Memory: what both sides changed, and some batches.
pub(super) async fn write(repo: &Repo, sides: Sides) -> Result<Option<Merged>> {
    let Some(writer) = Writer::of(&sides.path) else {
        return Ok(None);
    };
    let (repo, runtime) = (repo.clone(), Handle::current());
    let compare = move || {
        let way = way(&repo, &runtime, &sides)?;
        Ok(way.map(|way| Merging {
            repo,
            runtime,
            sides,
            way,
        }))
    };
    let Some(merging) = blocking::run_on_own_thread(compare).await? else {
        return Ok(None);
    };
    if writer == Writer::Parquet {
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
        let path = directory.path().join(merging.sides.path.as_str());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let named = merging.sides.path.clone();
        let written = match writer {
            Writer::Csv { delimiter } => merging.write_csv(&path, delimiter),
            Writer::Parquet | Writer::Ipc => merging.write_ipc(&path),
        };
        written.map_err(|error| error.context("file", named))?;
        Ok(Merged {
            input: SnapshotInput::Path(directory.path().to_owned()),
            directory: Some(directory),
        })
    };
    blocking::run_on_own_thread(write).await.map(Some)
}

struct Merging {
    repo: Repo,
    runtime: Handle,
    sides: Sides,
    way: Way,
}

impl Merging {
    /// Shows the merged rows, one batch at least: ours with what they changed, then what they added.
    fn each(self, mut show: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let open = || self.sides.open_spelled(&self.repo, &self.runtime);
        let [ours, theirs] = open()?;
        let schema = SchemaRef::clone(&ours.schema);
        show(RecordBatch::new_empty(SchemaRef::clone(&schema)))?;
        match self.way {
            Way::Keyed(edits) => {
                let is_text = TableFormat::of(&self.sides.path).is_some_and(TableFormat::is_text);
                let cells = if is_text {
                    let [_, again] = open()?;
                    Some(Cells::spelled(&edits, again.batches, &schema)?)
                } else {
                    None
                };
                let mut rewriter = Rewriter::new(edits, &self.sides.key, &schema, cells)?;
                if is_text {
                    let lost = || Error::new(ErrorKind::Internal, "a file of other columns");
                    let compared = self.sides.open(&self.repo, &self.runtime)?;
                    let compared = compared.ok_or_else(lost)?.ours.batches;
                    for (batch, spelled) in compared.zip(ours.batches) {
                        show(rewriter.rewrite(&batch?, &spelled?)?)?;
                    }
                } else {
                    for batch in ours.batches {
                        let batch = batch?;
                        show(rewriter.rewrite(&batch, &batch)?)?;
                    }
                }
                for batch in theirs.batches {
                    show(rewriter.added(&batch?)?)?;
                }
            }
            Way::Appended(appended) => {
                for batch in ours.batches {
                    show(batch?)?;
                }
                let mut first = 0;
                for batch in theirs.batches {
                    let batch = crate::merge::like(&batch?, &schema)?;
                    show(behind(&batch, first, appended.base))?;
                    first += batch.num_rows() as u64;
                }
            }
        }
        Ok(())
    }

    fn write_ipc(self, path: &Path) -> Result<()> {
        let file = File::create(path)?;
        let mut writer = None;
        self.each(|batch| {
            let writer = match &mut writer {
                Some(writer) => writer,
                None => writer.insert(
                    FileWriter::try_new_buffered(&file, &batch.schema()).map_err(unwritable)?,
                ),
            };
            writer.write(&batch).map_err(unwritable)
        })?;
        match writer {
            Some(mut writer) => writer.finish().map_err(unwritable),
            None => Ok(()),
        }
    }

    fn write_csv(self, path: &Path, delimiter: u8) -> Result<()> {
        let options = self.sides.csv_options();
        let writer = options.writer(delimiter).from_path(path);
        let mut writer = writer.map_err(unwritten)?;
        let mut has_header = options.headerless;
        self.each(|batch| {
            if !has_header {
                let schema = batch.schema();
                let names = schema.fields().iter().map(|field| field.name());
                writer.write_record(names).map_err(unwritten)?;
                has_header = true;
            }
            let columns = batch.columns().iter();
            let columns: Vec<_> = columns
                .map(|column| column.as_string_opt::<i32>())
                .collect::<Option<_>>()
                .ok_or_else(|| Error::new(ErrorKind::Internal, "a field that is no text"))?;
            for row in 0..batch.num_rows() {
                let fields = columns.iter();
                let fields = fields.map(|column| {
                    if column.is_null(row) {
                        options.null(columns.len())
                    } else {
                        Some(column.value(row))
                    }
                });
                let fields = fields.collect::<Option<Vec<_>>>().ok_or_else(|| {
                    let message = "a row of one null has no spelling in CSV without quotes";
                    Error::new(ErrorKind::Unsupported, message)
                })?;
                writer.write_record(fields).map_err(unwritten)?;
            }
            Ok(())
        })?;
        writer.flush().map_err(Error::from)
    }
}

fn unwritable(error: ArrowError) -> Error {
    let message = "cannot write these rows as Arrow IPC";
    Error::new(ErrorKind::Unsupported, message).with_source(error)
}

fn unwritten(error: csv::Error) -> Error {
    Error::new(ErrorKind::Internal, "cannot write CSV").with_source(error)
}
