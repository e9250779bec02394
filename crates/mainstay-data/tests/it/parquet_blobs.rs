//! Parquet read in parts, out of stored bytes.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, UInt64Array};
use arrow::compute::concat_batches;
use futures::TryStreamExt as _;
use mainstay_data::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector,
};
use mainstay_data::parquet::arrow::async_reader::AsyncFileReader as _;
use mainstay_data::parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use mainstay_data::parquet::file::metadata::PageIndexPolicy;
use mainstay_data::{Datasets, ParquetBlobReader};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};

use crate::support::{column, rows, table};

const ROWS: u64 = 80_000;

/// Numbers that do not compress, so that bytes read tell how much was read.
fn noise(row: u64, column: u64) -> u64 {
    let mixed = (row ^ (column << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn wide() -> RecordBatch {
    table([
        ("id", column(Int64Array::from_iter_values(0..80_000))),
        (
            "a",
            column(UInt64Array::from_iter_values(
                (0..ROWS).map(|row| noise(row, 1)),
            )),
        ),
        (
            "b",
            column(UInt64Array::from_iter_values(
                (0..ROWS).map(|row| noise(row, 2)),
            )),
        ),
        (
            "c",
            column(UInt64Array::from_iter_values(
                (0..ROWS).map(|row| noise(row, 3)),
            )),
        ),
        (
            "d",
            column(Float64Array::from_iter_values((0..80_000).map(f64::from))),
        ),
    ])
}

struct Stored {
    meter: Arc<MeterStorage<MemoryStorage>>,
    reader: ParquetBlobReader,
    bytes: u64,
}

/// Stores the table and opens it as another process would, with nothing in memory.
async fn stored() -> Stored {
    let meter = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let storage = Arc::clone(&meter);
    let repo = Repo::create(storage, RepoOptions::default()).await.unwrap();
    let spec = rows("noise", wide());
    let node = Datasets::new(repo).snapshot(spec).await.unwrap().node;

    let storage = Arc::clone(&meter);
    let repo = Repo::open(storage, RepoOptions::default()).await.unwrap();
    let datasets = Datasets::new(repo);
    let file = datasets
        .files(&node)
        .await
        .unwrap()
        .try_next()
        .await
        .unwrap()
        .unwrap();
    let blob = datasets.file(&file).await.unwrap();
    Stored {
        meter,
        reader: ParquetBlobReader::new(blob),
        bytes: file.bytes,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_is_read_without_the_others() {
    let Stored {
        meter,
        reader,
        bytes,
    } = stored().await;
    let before = meter.reading().bytes_read;
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.unwrap();
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["id"]);
    let stream = builder.with_projection(mask).build().unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();

    let found = concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(found.column(0).as_ref(), wide().column(0).as_ref());
    let read = meter.reading().bytes_read - before;
    assert!(
        read * 5 < bytes,
        "{read} bytes of {bytes} for one column of five"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_rows_are_read_with_the_pages_they_are_on() {
    let Stored {
        meter,
        mut reader,
        bytes,
    } = stored().await;
    let before = meter.reading().bytes_read;
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = reader.get_metadata(Some(&options)).await.unwrap();
    let metadata = ArrowReaderMetadata::try_new(metadata, options).unwrap();
    let selection = vec![RowSelector::skip(50_000), RowSelector::select(10)];
    let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata)
        .with_row_selection(RowSelection::from(selection))
        .build()
        .unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();

    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].columns(), wide().slice(50_000, 10).columns());
    let read = meter.reading().bytes_read - before;
    assert!(read * 2 < bytes, "{read} bytes of {bytes} for 10 rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_come_in_the_order_asked_for_and_a_wrong_one_is_refused() {
    let Stored {
        mut reader, bytes, ..
    } = stored().await;
    let whole = reader.get_bytes(0..bytes).await.unwrap();
    let ranges = vec![900_000..900_100, 0..4, bytes - 4..bytes, 2..900_050, 7..7];
    let parts = reader.get_byte_ranges(ranges.clone()).await.unwrap();
    for (range, part) in ranges.into_iter().zip(parts) {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        assert_eq!(part, whole.slice(start..end));
    }
    assert!(reader.get_bytes(bytes..bytes + 1).await.is_err());
    assert!(
        reader
            .get_byte_ranges(vec![0..1, bytes..bytes + 1])
            .await
            .is_err()
    );
}
