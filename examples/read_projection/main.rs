//! Reads some columns and rows of a table in an object store, and no more: `cargo run --example read_projection`.
//!
//! The storage is in memory and counts what is read; with a bucket's URL the code is the same.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _, TryStreamExt as _};
use mainstay::data::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use mainstay::data::parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection};
use mainstay::data::parquet::arrow::async_reader::AsyncFileReader;
use mainstay::data::parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use mainstay::data::parquet::errors::{ParquetError, Result as ParquetResult};
use mainstay::data::parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use mainstay::data::{ReadOptions, SnapshotSpec};
use mainstay::repo::RepoOptions;
use mainstay::store::{MemoryStorage, MeterStorage};
use mainstay::{Actor, Workspace};
use mainstay_data_object::SnapshotStore;
use mainstay_data_object::object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const ROWS: i32 = 50_000;
/// Columns of the table.
const COLUMNS: u32 = 12;

#[tokio::main]
async fn main() -> Result {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let workspace = Workspace::create_on(Arc::clone(&storage) as _, RepoOptions::default()).await?;
    let spec = SnapshotSpec::new("sensors".parse()?, Actor::new("ada")?, "a day of readings")
        .with_batches("readings.parquet".parse()?, vec![readings()?]);
    let version = workspace.data().snapshot(spec).await?;
    let size = version.files[0].bytes;
    anstream::println!("stored {ROWS} rows of {COLUMNS} columns in {size} bytes");

    // Another process, which has nothing in memory, sees the version as an object store, as an engine does.
    let workspace = Workspace::open_on(Arc::clone(&storage) as _, RepoOptions::default()).await?;
    let datasets = workspace.data();
    let before = storage.reading().bytes_read;
    let store = SnapshotStore::open(&datasets, &"sensors@latest".parse()?).await?;
    anstream::println!("reading {}readings.parquet", store.url());
    let object = store.head(&"readings.parquet".into()).await?;
    let batches = noon(Object {
        store: Arc::new(store),
        meta: object,
    });
    let rows: usize = batches.await?.iter().map(RecordBatch::num_rows).sum();
    let read = storage.reading().bytes_read - before;
    anstream::println!("two columns of {rows} rows: {read} bytes read");

    // Without an engine, whole columns come as batches, and a condition spares the rest.
    let node = datasets.resolve(&"sensors@latest".parse()?).await?;
    let before = storage.reading().bytes_read;
    let wanted = ReadOptions::default()
        .with_columns(["sensor_5"])
        .with_filter("second between 25000 and 25999".parse()?);
    let batches: Vec<RecordBatch> = datasets.read(&node, wanted).await?.try_collect().await?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let read = storage.reading().bytes_read - before;
    anstream::println!("a column of {rows} rows by a condition: {read} bytes read");
    Ok(())
}

/// Reads two columns of the thousand rows from the middle of the day on.
async fn noon(object: Object) -> Result<Vec<RecordBatch>> {
    // The index of the file tells in which pages the rows are.
    let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(object, options).await?;
    let columns = ProjectionMask::columns(builder.parquet_schema(), ["second", "sensor_3"]);
    let middle = usize::try_from(ROWS)? / 2;
    let rows = RowSelection::from_consecutive_ranges(
        std::iter::once(middle..middle + 1_000),
        usize::try_from(ROWS)?,
    );
    let stream = builder
        .with_projection(columns)
        .with_row_selection(rows)
        .build()?;
    Ok(stream.try_collect().await?)
}

/// An object of a store that the Parquet crate reads, as engines have one of their own.
struct Object {
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
}

impl AsyncFileReader for Object {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let read = self.store.get_range(&self.meta.location, range);
        read.map_err(|error| ParquetError::External(Box::new(error)))
            .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let policy = options.map_or(
            PageIndexPolicy::Skip,
            ArrowReaderOptions::offset_index_policy,
        );
        let size = self.meta.size;
        let reader = ParquetMetaDataReader::new().with_offset_index_policy(policy);
        reader.load_and_finish(self, size).map_ok(Arc::new).boxed()
    }
}

/// A column that counts, and columns of numbers that do not compress.
fn readings() -> Result<RecordBatch> {
    let seconds: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS).map(i64::from)));
    let mut columns = vec![("second".to_owned(), seconds)];
    for sensor in 1..COLUMNS {
        let readings = (0..ROWS).map(|row| (f64::from(row) * f64::from(sensor)).sin());
        let readings: ArrayRef = Arc::new(Float64Array::from_iter_values(readings));
        columns.push((format!("sensor_{sensor}"), readings));
    }
    Ok(RecordBatch::try_from_iter(columns)?)
}
