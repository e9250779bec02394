//! Parquet read through a snapshot by its own asynchronous reader, as engines do.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use mainstay_core::{Actor, Digest};
use mainstay_data::arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, UInt64Array};
use mainstay_data::arrow::datatypes::UInt64Type;
use mainstay_data::parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection};
use mainstay_data::parquet::arrow::async_reader::AsyncFileReader;
use mainstay_data::parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use mainstay_data::parquet::errors::{ParquetError, Result};
use mainstay_data::parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use mainstay_data::{Datasets, Patches, SnapshotSpec};
use mainstay_data_object::SnapshotStore;
use mainstay_data_object::object_store::path::Path;
use mainstay_data_object::object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};

const ROWS: u64 = 40_000;

/// A reader of an object, after the example of the Parquet crate.
#[derive(Debug)]
struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    object: ObjectMeta,
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        let read = self.store.get_range(&self.object.location, range);
        read.map_err(external).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let read = self.store.get_ranges(&self.object.location, &ranges);
            read.await.map_err(external)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let policy = options.map_or(
                PageIndexPolicy::Skip,
                ArrowReaderOptions::offset_index_policy,
            );
            let reader = ParquetMetaDataReader::new().with_offset_index_policy(policy);
            let size = self.object.size;
            reader.load_and_finish(self, size).await.map(Arc::new)
        }
        .boxed()
    }
}

/// Numbers that do not compress, so that bytes read tell how much was read.
fn noise(row: u64) -> u64 {
    let mixed = row.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// A column that counts, and seven of numbers, of which one cell may be another.
fn wide(changed: Option<usize>) -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(
        0..i64::try_from(ROWS).unwrap(),
    ));
    let mut columns = vec![("id".to_owned(), id)];
    for column in 0..7 {
        let mut numbers: Vec<u64> = (0..ROWS).map(|row| noise(row * 7 + column)).collect();
        if let Some(row) = changed.filter(|_| column == 0) {
            numbers[row] = 0;
        }
        let numbers: ArrayRef = Arc::new(UInt64Array::from(numbers));
        columns.push((format!("c{column}"), numbers));
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

fn spec(rows: RecordBatch) -> SnapshotSpec {
    let spec = SnapshotSpec::new("wide".parse().unwrap(), Actor::new("ada").unwrap(), "test");
    spec.with_batches("t/wide.parquet".parse().unwrap(), vec![rows])
}

async fn opened(storage: &Arc<MeterStorage<MemoryStorage>>) -> (Datasets, SnapshotStore) {
    let shared = Arc::<MeterStorage<MemoryStorage>>::clone(storage);
    let repo = Repo::open(shared, RepoOptions::default()).await.unwrap();
    let datasets = Datasets::new(repo);
    let latest = "wide@latest".parse().unwrap();
    let snapshot = SnapshotStore::open(&datasets, &latest).await.unwrap();
    (datasets, snapshot)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_of_some_rows_reads_their_pages_and_no_others() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let shared = Arc::<MeterStorage<MemoryStorage>>::clone(&storage);
    let repo = Repo::create(shared, RepoOptions::default()).await.unwrap();
    let report = Datasets::new(repo)
        .snapshot(spec(wide(None)))
        .await
        .unwrap();
    let size = report.files[0].bytes;

    // Another process, which has nothing in memory.
    let (_, snapshot) = opened(&storage).await;
    let before = storage.reading().bytes_read;
    let store: Arc<dyn ObjectStore> = Arc::new(snapshot);
    let objects = store.list(Some(&"t".into()));
    let [object] = objects
        .try_collect::<Vec<_>>()
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(
        (object.location.as_ref(), object.size),
        ("t/wide.parquet", size)
    );
    let reader = ObjectReader { store, object };
    let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options);
    let builder = builder.await.unwrap();
    let chosen = ProjectionMask::columns(builder.parquet_schema(), ["c3"]);
    let rows = RowSelection::from_consecutive_ranges(std::iter::once(30_000..30_010), 40_000);
    let stream = builder
        .with_projection(chosen)
        .with_row_selection(rows)
        .build()
        .unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    let expected: Vec<u64> = (30_000..30_010).map(|row| noise(row * 7 + 3)).collect();
    assert_eq!(
        batches[0].column(0).as_primitive::<UInt64Type>().values(),
        &expected
    );
    let read = storage.reading().bytes_read - before;
    assert!(read * 8 < size, "{read} bytes of {size}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_patches_is_read_as_one() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let shared = Arc::<MeterStorage<MemoryStorage>>::clone(&storage);
    let repo = Repo::create(shared, RepoOptions::default()).await.unwrap();
    let datasets = Datasets::new(repo);
    datasets.snapshot(spec(wide(None))).await.unwrap();
    let edited = spec(wide(Some(7))).with_patches(Patches::WhereSmaller);
    let edited = datasets.snapshot(edited).await.unwrap();

    let (datasets, snapshot) = opened(&storage).await;
    let (path, directory) = (Path::from("t/wide.parquet"), Path::from("t"));
    let (head, listed, level) = tokio::join!(
        snapshot.head(&path),
        snapshot.list(None).try_collect::<Vec<_>>(),
        snapshot.list_with_delimiter(Some(&directory)),
    );
    let object = head.unwrap();
    assert_eq!(listed.unwrap(), std::slice::from_ref(&object));
    assert_eq!(level.unwrap().objects, std::slice::from_ref(&object));

    // The bytes are those of an export, and of a version without patches.
    let directory = tempfile::tempdir().unwrap();
    datasets
        .export(&edited.node, directory.path())
        .await
        .unwrap();
    let exported = std::fs::read(directory.path().join("t/wide.parquet")).unwrap();
    let tag = format!("\"{}\"", Digest::of(&exported));
    assert_eq!(
        (object.size, object.e_tag.clone()),
        (exported.len() as u64, Some(tag))
    );
    let before = storage.reading().bytes_read;
    let bytes = snapshot.get(&path).await.unwrap().bytes().await.unwrap();
    assert!(bytes == exported);
    let middle = snapshot.get_range(&path, 5_000..1_500_000).await.unwrap();
    assert!(middle == exported[5_000..1_500_000]);
    assert_eq!(storage.reading().bytes_read, before, "it is merged once");

    let by = Actor::new("ada").unwrap();
    let compacted = datasets.compact(&edited.node, None, by, "for engines");
    let node = compacted.await.unwrap().unwrap().node;
    let whole = SnapshotStore::of(&datasets, node).await.unwrap();
    assert_eq!(whole.url(), "mainstay://wide-3/");
    assert_eq!(whole.head(&path).await.unwrap().e_tag, object.e_tag);

    let reader = ObjectReader {
        store: Arc::new(snapshot),
        object,
    };
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.unwrap();
    let found: Vec<RecordBatch> = builder.build().unwrap().try_collect().await.unwrap();
    assert_eq!(
        found.iter().map(RecordBatch::num_rows).sum::<usize>() as u64,
        ROWS
    );
    assert_eq!(found[0].column(1).as_primitive::<UInt64Type>().value(7), 0);
}
