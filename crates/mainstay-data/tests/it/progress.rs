//! Long calls tell how far they have come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{Int64Array, RecordBatch, StringArray, UInt64Array};
use futures::TryStreamExt as _;
use mainstay_core::{NodeRef, Progress, Result};
use mainstay_data::diff::{CompareOptions, CompareRows};
use mainstay_data::merge::MergeSpec;
use mainstay_data::rows::{Identity, RowDiffOptions};
use mainstay_data::split::{SplitRule, SplitSpec};
use mainstay_data::{
    Datasets, FileLayout, PartSpec, Patches, ReadOptions, SampleSize, SampleSpec, SnapshotSpec,
};

use crate::model::Random;
use crate::support::{ada, column, datasets, directory, penguins, rows, spec, table};

/// By unit, how many are done, and of how many.
type Told = BTreeMap<&'static str, (u64, Option<u64>)>;

#[derive(Debug, Default)]
struct Seen(Mutex<Told>);

impl Progress for Seen {
    fn advance(&self, unit: &'static str, done: u64, total: Option<u64>) {
        let mut seen = self.0.lock().unwrap();
        let before = seen.insert(unit, (done, total));
        assert!(before.is_none_or(|(before, _)| before <= done), "{unit}");
        assert!(total.is_none_or(|total| done <= total), "{unit}");
    }
}

impl Seen {
    fn take(&self) -> Told {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Checks that so many rows were told, and that this was known to be all.
    #[track_caller]
    fn check_rows(&self, rows: u64) {
        let told = self.take();
        assert_eq!(told["rows"], (rows, Some(rows)), "{told:?}");
        if let Some((done, total)) = told.get("parts") {
            assert_eq!(Some(*done), *total);
        }
    }
}

async fn watched() -> (Datasets, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let datasets = datasets().await.with_progress(Arc::clone(&seen) as _);
    (datasets, seen)
}

const ROWS: u64 = 20_000;

fn numbers(edited: i64) -> RecordBatch {
    let texts = (0..20_000).map(|n| format!("{}", n % 7 + i64::from(n == edited)));
    table([
        ("n", column(Int64Array::from_iter_values(0..20_000))),
        ("t", column(StringArray::from_iter_values(texts))),
    ])
}

fn keyed(edited: i64) -> SnapshotSpec {
    rows("n", numbers(edited)).with_key(["n"])
}

async fn stored(datasets: &Datasets, seen: &Seen, spec: SnapshotSpec) -> NodeRef {
    let node = datasets.snapshot(spec).await.unwrap().node;
    seen.take();
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_exports_and_parts_tell_rows_files_and_bytes() {
    let held = directory(&[("a.bin", &vec![1; 20_000]), ("b/c.bin", &vec![2; 30_000])]);
    std::fs::copy(penguins(), held.path().join("penguins.csv")).unwrap();
    let (datasets, seen) = watched().await;
    let report = datasets
        .snapshot(spec("d").with_path(held.path()))
        .await
        .unwrap();
    let told = seen.take();
    // Of text once for the types.
    assert_eq!(told["rows"], (2 * 344, Some(2 * 344)));
    assert_eq!(told["files"], (3, Some(3)));
    let bytes: u64 = report.files.iter().map(|file| file.bytes).sum();
    assert!(told["bytes"].0 >= bytes);

    let target = tempfile::tempdir().unwrap();
    datasets.export(&report.node, target.path()).await.unwrap();
    let told = seen.take();
    assert_eq!(told["files"], (3, Some(3)));
    assert_eq!(told["bytes"].0, bytes);

    let part = datasets
        .store_part(PartSpec::new().with_path(held.path()))
        .await
        .unwrap();
    assert_eq!(seen.take()["files"], (3, Some(3)));
    datasets.join(spec("joined"), &[part]).await.unwrap();
    let told = seen.take();
    assert_eq!(told["rows"], (2 * 344, Some(2 * 344)));
    assert_eq!(told["files"], (3, Some(3)));

    // Rows that are written anew are told as they are written, and as they are described.
    let canonical = spec("c")
        .with_path(penguins())
        .with_layout(FileLayout::Canonical);
    datasets.snapshot(canonical).await.unwrap();
    seen.check_rows(3 * 344);
    // And once more where the key is looked at.
    datasets.snapshot(keyed(-1)).await.unwrap();
    assert_eq!(seen.take()["rows"].0, 3 * ROWS);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_for_patches_tells_rows_and_so_does_merging_them() {
    // Of numbers that do not compress: for less nobody looks.
    let noise = |edited: usize| {
        let mut random = Random(7);
        let mut numbers: Vec<u64> = (0..ROWS).map(|_| random.next()).collect();
        numbers[edited] = 1;
        let numbers = table([("n", column(UInt64Array::from(numbers)))]);
        rows("noise", numbers).with_patches(Patches::WhereSmaller)
    };
    let (datasets, seen) = watched().await;
    stored(&datasets, &seen, noise(1)).await;
    let edited = datasets.snapshot(noise(9_000)).await.unwrap();
    let told = seen.take()["rows"].0;
    let mut files = datasets.files(&edited.node).await.unwrap();
    let file = files.try_next().await.unwrap().unwrap();
    assert_eq!(file.patches().len(), 1);
    assert!(told > 6 * ROWS, "{told}");

    let target = tempfile::tempdir().unwrap();
    datasets.export(&edited.node, target.path()).await.unwrap();
    seen.check_rows(ROWS);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_tells_the_rows_that_were_taken_and_those_that_were_spared() {
    let (datasets, seen) = watched().await;
    let node = stored(&datasets, &seen, keyed(-1)).await;
    for filter in [None, Some("n < 10"), Some("n < 0"), Some("t = '3'")] {
        let mut options = ReadOptions::default();
        options.filter = filter.map(|text| text.parse().unwrap());
        let read = datasets.read(&node, options).await.unwrap();
        let read: Result<Vec<RecordBatch>> = read.try_collect().await;
        read.unwrap();
        seen.check_rows(ROWS);
    }
    let read = datasets.read(&node, ReadOptions::default()).await.unwrap();
    drop(read);
    assert_eq!(seen.take(), Told::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn comparing_rows_tells_those_of_both_sides() {
    let (datasets, seen) = watched().await;
    let before = stored(&datasets, &seen, keyed(-1)).await;
    let after = stored(&datasets, &seen, keyed(9_000)).await;
    for identity in [Identity::key(["n"]), Identity::WholeRow] {
        let rows = CompareRows::new(identity.clone());
        let options = CompareOptions::default().with_rows(rows);
        let diff = datasets.compare_with(&before, &after, &options);
        let diff = diff.await.unwrap();
        assert!(!diff.rows.compared.unwrap().sample.is_empty());
        seen.check_rows(2 * ROWS);

        // Also where parts wait on disk and are divided again.
        let options = RowDiffOptions::default().with_memory_bytes(4_096);
        let changes = datasets.row_changes(&before, &after, identity, options);
        let changes: Vec<RecordBatch> = changes.await.unwrap().try_collect().await.unwrap();
        assert!(!changes.is_empty());
        seen.check_rows(2 * ROWS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn splits_samples_and_leaks_tell_the_rows_of_every_pass() {
    let (datasets, seen) = watched().await;
    let source = stored(&datasets, &seen, rows("n", numbers(-1))).await;
    let halves = |rule| {
        SplitSpec::new(source.clone(), rule, ada(), "test")
            .with_part("one".parse().unwrap(), 1)
            .with_part("two".parse().unwrap(), 1)
    };
    let split = datasets.split(halves(SplitRule::hash(["n"], 1))).await;
    let told = seen.take();
    assert_eq!(told["files"], (2, Some(2)));
    // Written and described.
    assert_eq!(told["rows"], (2 * ROWS, Some(2 * ROWS)));
    // Looked at before.
    let rule = SplitRule::stratified(["n"], 1, ["t"]);
    let stratified = halves(rule).with_name("stratified".parse().unwrap());
    datasets.split(stratified).await.unwrap();
    seen.check_rows(3 * ROWS);

    let sample = SampleSpec::new(source.clone(), SampleSize::Rows(100), 7, ada(), "test");
    datasets.sample(sample.clone()).await.unwrap();
    seen.check_rows(ROWS + 200);
    let filtered = sample.with_filter("n < 10000".parse().unwrap());
    datasets.sample(filtered).await.unwrap();
    seen.check_rows(2 * ROWS + 200);

    let parts = split.unwrap().parts.into_iter();
    let parts: Vec<NodeRef> = parts.map(|part| part.snapshot.node).collect();
    let report = datasets.check_leakage(&parts, &["n".to_owned()]).await;
    assert!(!report.unwrap().leaks);
    seen.check_rows(2 * ROWS);
    // What is shared is shown.
    let twice = [source.clone(), source];
    let report = datasets.check_leakage(&twice, &[]).await.unwrap();
    assert!(report.leaks);
    seen.check_rows(3 * ROWS);
}

#[tokio::test(flavor = "multi_thread")]
async fn merging_tells_what_is_compared_and_what_is_written() {
    for name in ["t.parquet", "t.csv", "t.jsonl"] {
        let (datasets, seen) = watched().await;
        let mut held = Vec::new();
        let mut version = |edited: i64| {
            if name == "t.parquet" {
                let rows = vec![numbers(edited)];
                return spec("d")
                    .with_batches(name.parse().unwrap(), rows)
                    .with_key(["n"]);
            }
            let lines = (0..20_000).map(|n| {
                let t = n % 7 + i64::from(n == edited);
                if name == "t.csv" {
                    format!("{n},{t}\n")
                } else {
                    format!("{{\"n\": {n}, \"t\": {t}}}\n")
                }
            });
            let head = if name == "t.csv" { "n,t\n" } else { "" };
            let text = head.to_owned() + &lines.collect::<String>();
            let directory = directory(&[(name, text.as_bytes())]);
            let spec = spec("d").with_path(directory.path()).with_key(["n"]);
            held.push(directory);
            spec
        };
        let base = stored(&datasets, &seen, version(-1)).await;
        let ours = stored(&datasets, &seen, version(100).with_parent(base.clone())).await;
        let theirs = stored(&datasets, &seen, version(200).with_parent(base)).await;
        let plan = datasets.plan_merge(&MergeSpec::new(ours, theirs)).await;
        let plan = plan.unwrap();
        assert_eq!(plan.files[0].rows.unwrap().changed, 1);
        seen.check_rows(4 * ROWS);
        let merged = datasets.apply_merge(&plan, ada(), "test").await.unwrap();
        assert_eq!(merged.rows, Some(ROWS));
        let passes = if name == "t.parquet" { 6 } else { 7 };
        seen.check_rows(passes * ROWS);
    }
}
