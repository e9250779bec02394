//! How much is read to compare the rows of versions, of columns as coarse and as fine as tables have them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use mainstay_data::diff::{CompareOptions, CompareRows, ComparedRows};
use mainstay_data::rows::Identity;
use mainstay_data::{Datasets, FileLayout};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::properties::{CdcOptions, WriterProperties, WriterPropertiesBuilder};

use crate::model::Random;
use crate::support::{column, spec, table};

/// The most that the storage hands out beside the bytes of the files: of manifests, the index of chunks, and
/// chunks of which a part is needed.
const BESIDE: u64 = 2 * 1024 * 1024;

/// A row has the same values in every table, but for the noise of some.
fn rows(ids: impl Iterator<Item = u64>, edited: impl Fn(u64) -> bool) -> RecordBatch {
    let ids: Vec<u64> = ids.collect();
    let words = |random: u64| {
        let mut random = Random(random);
        let words = std::iter::repeat_with(|| random.next().to_le_bytes());
        words.take(64).flatten().collect::<Vec<u8>>()
    };
    let keys = ids.iter().map(|id| words(id << 8));
    let noise = ids
        .iter()
        .map(|&id| words(id << 8 | if edited(id) { 2 } else { 1 }));
    let bits = |seed: u64| ids.iter().map(move |id| Random(id << 8 | seed).next());
    let categories = bits(3).map(|bits| format!("category-{}", bits.leading_zeros()));
    let flags = bits(4).map(|bits| (bits % 20 > 0).then_some(bits % 10 < 3));
    table([
        ("key", column(BinaryArray::from_iter_values(keys))),
        ("noise", column(BinaryArray::from_iter_values(noise))),
        (
            "category",
            column(StringArray::from_iter_values(categories)),
        ),
        ("flag", column(flags.collect::<BooleanArray>())),
    ])
}

fn never(_: u64) -> bool {
    false
}

/// Versions of which 1 % of the rows are others.
fn versions(count: u64) -> [(&'static str, RecordBatch); 3] {
    let (more, middle) = (count..count + count / 100, count / 2);
    let inserted = (0..middle).chain(more.clone()).chain(middle..count);
    let edited = middle..middle + count / 100;
    [
        ("append", rows((0..count).chain(more), never)),
        ("insert", rows(inserted, never)),
        ("range", rows(0..count, |id| edited.contains(&id))),
    ]
}

fn write(path: &Path, rows: &RecordBatch, properties: WriterPropertiesBuilder) {
    let properties = properties
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

/// Several groups of rows, pages of every size.
fn several_groups() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_content_defined_chunking(Some(CdcOptions {
            min_chunk_size: 16 * 1024,
            max_chunk_size: 64 * 1024,
            norm_level: 0,
        }))
        .set_data_page_row_count_limit(1_024)
        .set_max_row_group_row_count(Some(4_096))
}

struct Metered {
    datasets: Datasets,
    storage: Arc<MeterStorage<MemoryStorage>>,
}

impl Metered {
    async fn new() -> Self {
        let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
        let repo = Repo::create(Arc::clone(&storage) as _, RepoOptions::default());
        Self {
            datasets: Datasets::new(repo.await.unwrap()),
            storage,
        }
    }

    async fn store(&self, dataset: &str, path: &Path, layout: FileLayout) -> (Version, u64) {
        let spec = spec(dataset).with_path(path).with_layout(layout);
        let report = self.datasets.snapshot(spec).await.unwrap();
        let bytes = report.files.iter().map(|file| file.bytes).sum();
        (report.node, bytes)
    }

    /// Compares by key; returns also how many bytes of the files that took.
    async fn compare(&self, before: &Version, after: &Version) -> (ComparedRows, u64) {
        let options = CompareRows::new(Identity::key(["key"]));
        let options = CompareOptions::default().with_rows(options);
        let so_far = self.storage.reading().bytes_read;
        let diff = self.datasets.compare_with(before, after, &options);
        let diff = diff.await.unwrap();
        let handed_out = self.storage.reading().bytes_read - so_far;
        assert!(diff.bytes_read <= handed_out);
        assert!(
            handed_out < diff.bytes_read + BESIDE,
            "{handed_out} bytes for {}",
            diff.bytes_read
        );
        (diff.rows.compared.unwrap(), diff.bytes_read)
    }
}

type Version = mainstay_core::NodeRef;

async fn check(layout: FileLayout, count: u64, most: [u64; 3]) {
    let metered = Metered::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.parquet");
    write(&path, &rows(0..count, never), several_groups());
    let (before, bytes) = metered.store("first", &path, layout).await;
    for ((name, after), most) in versions(count).into_iter().zip(most) {
        write(&path, &after, several_groups());
        let (after, more) = metered.store(name, &path, layout).await;
        let (found, read) = metered.compare(&before, &after).await;
        let expected = if name == "range" {
            (0, count / 100)
        } else {
            (count / 100, 0)
        };
        assert_eq!((found.added, found.changed), expected, "{name}");
        assert_eq!((found.removed, found.unchanged), (0, count - expected.1));
        let both = bytes + more;
        assert!(read * 100 <= both * most, "{name}: {read} of {both}");
    }
}

/// Behind an insertion it takes a column some pages, by chance a dozen, until they end where they did. That is
/// so in a table of any size; in one as small as this it is more than 5 per cent of it.
#[tokio::test(flavor = "multi_thread")]
async fn canonical_versions_read_the_pages_around_what_differs() {
    check(FileLayout::Canonical, 25_000, [5, 15, 5]).await;
}

/// Behind an insertion the groups of rows hold other rows besides, and where they meet no page is the same.
#[tokio::test(flavor = "multi_thread")]
async fn verbatim_versions_read_the_pages_around_what_differs() {
    check(FileLayout::Verbatim, 12_000, [5, 15, 5]).await;
}

/// A page that ends where its content says, just when it was full, leaves an empty one behind.
#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_hide_no_others() {
    let properties = || {
        WriterProperties::builder()
            .set_content_defined_chunking(Some(CdcOptions {
                min_chunk_size: 4_096,
                max_chunk_size: 8_192,
                norm_level: 0,
            }))
            .set_data_page_row_count_limit(1_024)
    };
    let constant = |rows: RecordBatch| {
        let schema = rows.schema();
        let same = column(Int64Array::from(vec![7; rows.num_rows()]));
        let columns = schema.fields().iter().zip(rows.columns());
        let columns = columns.map(|(field, array)| (field.name().clone(), Arc::clone(array), true));
        let more = ("constant".to_owned(), same, false);
        RecordBatch::try_from_iter_with_nullable(columns.chain([more])).unwrap()
    };
    let metered = Metered::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.parquet");
    let first = constant(rows(0..2_500, never));
    write(&path, &first, properties());
    let metadata = ParquetMetaDataReader::new()
        .with_offset_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&File::open(&path).unwrap())
        .unwrap();
    let index = metadata.page_index_for_row_group(0);
    let pages = index.offset_index(4).unwrap().page_locations();
    let mut pages = pages.windows(2);
    assert!(pages.any(|two| two[0].first_row_index == two[1].first_row_index));
    let (before, _) = metered.store("d", &path, FileLayout::Verbatim).await;
    let second = constant(rows(0..2_500, |id| id == 2_499));
    write(&path, &second, properties());
    let (after, _) = metered.store("d", &path, FileLayout::Verbatim).await;
    let (found, _) = metered.compare(&before, &after).await;
    assert_eq!((found.changed, found.unchanged), (1, 2_499));
    assert!(found.skipped > 2_400, "{}", found.skipped);
}
