//! Rows that wait on disk.

use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use mainstay_core::{Error, Result};

use super::failure::immovable;

/// A temporary file of batches, which the system deletes with the last handle, also when the process
/// is killed.
pub(super) struct Spill(StreamWriter<File>);

impl std::fmt::Debug for Spill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Spill").field(self.0.get_ref()).finish()
    }
}

impl Spill {
    /// Creates a file in `directory`, or where temporary files go.
    pub(super) fn create(directory: Option<&Path>, schema: &Schema) -> Result<Self> {
        let file = match directory {
            Some(directory) => tempfile::tempfile_in(directory)
                .map_err(|error| Error::from(error).context("path", directory.display())),
            None => tempfile::tempfile()
                .map_err(|error| Error::from(error).context("path", "temporary file")),
        };
        let writer = StreamWriter::try_new(file?, schema).map_err(immovable)?;
        Ok(Self(writer))
    }

    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.write(batch).map_err(immovable)
    }

    /// Reads the batches back, in order.
    pub(super) fn read(self) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let mut file = self.0.into_inner().map_err(immovable)?;
        file.seek(SeekFrom::Start(0))?;
        let reader = StreamReader::try_new(BufReader::new(file), None).map_err(immovable)?;
        Ok(reader.map(|batch| batch.map_err(immovable)))
    }
}
