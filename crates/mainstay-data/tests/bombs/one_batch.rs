//! An Arrow file of one large batch.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use mainstay_data::arrow::array::{ArrayRef, FixedSizeBinaryArray, RecordBatch};
use mainstay_data::arrow::ipc::CompressionType;
use mainstay_data::arrow::ipc::writer::{FileWriter, IpcWriteOptions};

/// How many bytes its values have.
pub(super) const BYTES: usize = ROWS * COLUMNS * WIDTH;
/// How many rows it has.
pub(super) const ROWS: usize = 10_000;
const COLUMNS: usize = 16;
const WIDTH: usize = 2_048;

/// Writes an Arrow file of one batch, whose columns are alike, so that storing it takes little.
pub(super) fn write(path: &Path, compression: Option<CompressionType>) {
    let values = (0..ROWS).map(|row| {
        let mut value = vec![0; WIDTH];
        value[..8].copy_from_slice(&(row as u64).to_le_bytes());
        value
    });
    let column: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter(values).unwrap());
    let columns = (0..COLUMNS).map(|number| (format!("c{number}"), Arc::clone(&column)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let file = File::create(path).unwrap();
    let mut writer = FileWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
}
