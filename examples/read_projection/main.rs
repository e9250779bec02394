//! Reads two columns of a stored table, and no more: `cargo run --example read_projection`.
//!
//! The storage is in memory and counts what is read; with a bucket's URL the code is the same.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay::data::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use mainstay::data::parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use mainstay::data::{ParquetBlobReader, ReadOptions, SnapshotSpec};
use mainstay::repo::RepoOptions;
use mainstay::store::{MemoryStorage, MeterStorage};
use mainstay::{Actor, Workspace};

/// Columns of the table.
const COLUMNS: u32 = 12;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let workspace = Workspace::create_on(Arc::clone(&storage) as _, RepoOptions::default()).await?;
    let spec = SnapshotSpec::new("sensors".parse()?, Actor::new("ada")?, "a day of readings")
        .with_batches("readings.parquet".parse()?, vec![readings()?]);
    let version = workspace.data().snapshot(spec).await?;
    anstream::println!("stored {} rows in {} bytes", 50_000, version.files[0].bytes);

    // Another process, which has nothing in memory, wants two columns.
    let workspace = Workspace::open_on(Arc::clone(&storage) as _, RepoOptions::default()).await?;
    let datasets = workspace.data();
    let node = datasets.resolve(&"sensors@latest".parse()?).await?;
    let before = storage.reading().bytes_read;
    let wanted = ReadOptions::default().with_columns(["sensor_3", "second"]);
    let batches: Vec<RecordBatch> = datasets.read(&node, wanted).await?.try_collect().await?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let read = storage.reading().bytes_read - before;
    anstream::println!("two columns, {rows} rows: {read} bytes read");

    // What knows the Parquet crate can choose row groups and rows, and filter as it reads.
    let file = datasets
        .files(&node)
        .await?
        .try_next()
        .await?
        .ok_or("no file")?;
    let reader = ParquetBlobReader::new(datasets.file(&file).await?);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    let seconds = ProjectionMask::columns(builder.parquet_schema(), ["second"]);
    let stream = builder.with_projection(seconds).with_limit(3).build()?;
    let first: Vec<RecordBatch> = stream.try_collect().await?;
    anstream::println!("the first seconds: {:?}", first[0].column(0));
    Ok(())
}

/// A column that counts, and columns of numbers that do not compress.
fn readings() -> Result<RecordBatch, Box<dyn std::error::Error>> {
    let seconds: ArrayRef = Arc::new(Int64Array::from_iter_values(0..50_000));
    let mut columns = vec![("second".to_owned(), seconds)];
    for sensor in 1..COLUMNS {
        let readings = (0..50_000).map(|row| (f64::from(row) * f64::from(sensor)).sin());
        let readings: ArrayRef = Arc::new(Float64Array::from_iter_values(readings));
        columns.push((format!("sensor_{sensor}"), readings));
    }
    Ok(RecordBatch::try_from_iter(columns)?)
}
