//! A table of images, each 256 KiB in its row: stored in both layouts, read, stored again with changes, of which a
//! patch is looked for, and compared. The file is written by another profile, all of its rows in one row group.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::Actor;
use mainstay_data::arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use mainstay_data::diff::{CompareOptions, CompareRows};
use mainstay_data::parquet::arrow::ArrowWriter;
use mainstay_data::parquet::basic::{Compression, ZstdLevel};
use mainstay_data::parquet::file::properties::WriterProperties;
use mainstay_data::rows::Identity;
use mainstay_data::{Datasets, FileLayout, Patches, ReadOptions, SnapshotSpec};

use super::measure::{print_usage, text, timed_self};
use super::{open, tables};

pub(crate) const ROWS: u64 = 12_000;
const IMAGE_BYTES: usize = 256 * 1024;
/// An image repeats so much noise, so that it compresses.
const NOISE_BYTES: usize = 8 * 1024;
const BATCH_ROWS: u64 = 64;

pub(crate) fn measure(rows: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let repo = directory.path().join("repo");
    let path = |version: u64| directory.path().join(format!("{version}/images.parquet"));
    for version in [1, 2] {
        std::fs::create_dir(path(version).parent().unwrap()).unwrap();
        write(&path(version), rows, version);
    }
    let bytes = rows * IMAGE_BYTES as u64 / (1024 * 1024);
    println!("{rows} rows of 256 KiB, {bytes} MiB of values");
    let [first, second] = [1, 2].map(path);
    for (name, step, file) in [
        ("snapshot, verbatim", "verbatim", &first),
        ("snapshot, canonical", "canonical", &first),
        ("read", "read", &first),
        ("changed, a patch looked for", "canonical", &second),
        ("compared by key", "canonical@1", &second),
        ("the same, no page shared", "verbatim@1", &second),
    ] {
        print!("{name}:");
        timed_self(&["wide-step", step, text(&repo), text(file)]).print();
    }
}

/// One step, in a process of its own.
pub(crate) fn step(step: &str, repo: &Path, file: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let datasets = open(repo).await;
        match step {
            "verbatim" => store(&datasets, step, file, FileLayout::Verbatim).await,
            "canonical" => store(&datasets, step, file, FileLayout::Canonical).await,
            "read" => read(&datasets).await,
            before => compare(&datasets, before).await,
        }
    });
    print_usage();
}

async fn store(datasets: &Datasets, dataset: &str, file: &Path, layout: FileLayout) {
    let actor = Actor::new("bench").unwrap();
    let spec = SnapshotSpec::new(dataset.parse().unwrap(), actor, "measure")
        .with_path(file)
        .with_layout(layout)
        .with_patches(Patches::WhereSmaller);
    datasets.snapshot(spec).await.unwrap();
}

async fn read(datasets: &Datasets) {
    let node = datasets
        .resolve(&"canonical".parse().unwrap())
        .await
        .unwrap();
    let mut rows = datasets.read(&node, ReadOptions::default()).await.unwrap();
    while let Some(batch) = rows.try_next().await.unwrap() {
        std::hint::black_box(batch);
    }
}

async fn compare(datasets: &Datasets, before: &str) {
    let before = datasets.resolve(&before.parse().unwrap()).await.unwrap();
    let after = datasets
        .resolve(&"canonical@2".parse().unwrap())
        .await
        .unwrap();
    let rows = CompareRows::new(Identity::key(["id"]));
    let options = CompareOptions::default().with_rows(rows);
    let diff = datasets.compare_with(&before, &after, &options);
    let rows = diff.await.unwrap().rows.compared.unwrap();
    assert!(rows.changed > 0 && rows.added == 0 && rows.removed == 0);
}

fn write(path: &Path, rows: u64, version: u64) {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .build();
    let schema = batch(0..0, version).schema();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), schema, Some(properties)).unwrap();
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + BATCH_ROWS);
        writer.write(&batch(start..end, version)).unwrap();
        start = end;
    }
    writer.into_inner().unwrap().sync_all().unwrap();
}

/// One in a thousand images is another in the second version, and one in a hundred labels.
fn batch(ids: std::ops::Range<u64>, version: u64) -> RecordBatch {
    let of = |id: u64, each: u64| {
        if id.is_multiple_of(each) { version } else { 1 }
    };
    let labels = ids
        .clone()
        .map(|id| format!("label {} of {}", id % 10, of(id, 100)));
    let images = ids.clone().map(|id| image(id, of(id, 1_000)));
    let numbers = ids.map(|id| i64::try_from(id).unwrap());
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from_iter_values(numbers))),
        ("label", Arc::new(StringArray::from_iter_values(labels))),
        ("image", Arc::new(BinaryArray::from_iter_values(images))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn image(id: u64, version: u64) -> Vec<u8> {
    let words = (0..NOISE_BYTES as u64 / 8).map(|word| tables::mixed(id * 4 + version, word));
    let noise: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    noise.repeat(IMAGE_BYTES / NOISE_BYTES)
}
