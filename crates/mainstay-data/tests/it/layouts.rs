//! Verbatim and canonical files, rows in memory and rows that come as a stream.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::FileWriter;
use futures::{TryStreamExt as _, stream};
use mainstay_core::{Error, ErrorKind};
use mainstay_data::{FileLayout, ReadOptions};

use crate::support::{check_error, column, datasets, digests, directory, penguins, spec, table};

fn numbers(rows: i64) -> RecordBatch {
    table([
        ("n", column(Int64Array::from_iter_values(0..rows))),
        (
            "text",
            column(StringArray::from_iter_values(
                (0..rows).map(|n| format!("row {n}")),
            )),
        ),
    ])
}

fn ipc(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[tokio::test]
async fn a_canonical_file_is_the_same_whatever_wrote_the_table() {
    let datasets = datasets().await;
    let batch = numbers(20_000);
    let lines = (0..20_000).map(|n| format!("{n},row {n}\n"));
    let csv = std::iter::once("n,text\n".to_owned()).chain(lines);
    let csv: String = csv.collect();
    let csv = directory(&[("t.csv", csv.as_bytes())]);
    let arrow = directory(&[("t.arrow", &ipc(&batch))]);
    let file = || "t.parquet".parse().unwrap();
    let pieces: Vec<_> = (0..20).map(|n| Ok(batch.slice(n * 1_000, 1_000))).collect();
    let mut found = Vec::new();
    for spec in [
        spec("csv").with_path(csv.path()),
        spec("arrow").with_path(arrow.path()),
        spec("rows").with_batches(file(), vec![batch.clone()]),
        spec("stream").with_stream(file(), stream::iter(pieces)),
    ] {
        let spec = spec.with_layout(FileLayout::Canonical);
        let report = datasets.snapshot(spec).await.unwrap();
        assert_eq!(report.files[0].path.as_str(), "t.parquet");
        let manifest = datasets.manifest(&report.node).await.unwrap();
        let entry = &manifest.files.listed().unwrap()[0];
        assert_eq!(entry.canonical.as_ref().unwrap().profile, 3);
        assert_eq!(entry.rows, Some(20_000));
        let back = datasets.read(&report.node, ReadOptions::default()).await;
        let back: Vec<_> = back.unwrap().try_collect().await.unwrap();
        assert_eq!(Some(digests(&back).table), report.table_digest);
        found.push(report.snapshot);
    }
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
}

#[tokio::test]
async fn files_are_verbatim_unless_asked_for_and_those_that_are_no_tables_always() {
    let datasets = datasets().await;
    let files = directory(&[("t.csv", b"a\n1\n"), ("note.txt", b"a\n1\n")]);
    for (layout, paths) in [
        (FileLayout::Verbatim, ["note.txt", "t.csv"]),
        (FileLayout::Canonical, ["note.txt", "t.parquet"]),
    ] {
        let spec = spec("d").with_path(files.path()).with_layout(layout);
        let report = datasets.snapshot(spec).await.unwrap();
        let found: Vec<_> = report.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(found, paths);
        let manifest = datasets.manifest(&report.node).await.unwrap();
        let canonical = manifest.files.listed().unwrap().iter();
        let canonical: Vec<_> = canonical.map(|file| file.canonical.is_some()).collect();
        assert_eq!(canonical, [false, layout == FileLayout::Canonical]);
    }
}

#[tokio::test]
async fn two_files_of_one_canonical_path_are_refused() {
    let files = directory(&[("t.csv", b"a\n1\n"), ("t.tsv", b"a\n1\n")]);
    let spec = spec("d").with_path(files.path());
    let outcome = datasets()
        .await
        .snapshot(spec.with_layout(FileLayout::Canonical))
        .await;
    check_error(outcome, ErrorKind::Invalid, &["t.parquet", "one path"]);
}

#[tokio::test]
async fn the_error_of_a_stream_is_the_error_of_the_snapshot() {
    let datasets = datasets().await;
    let failing = || {
        stream::iter([
            Ok(numbers(3)),
            Err(Error::new(ErrorKind::Unavailable, "the source is away")),
        ])
    };
    let file = || "t.parquet".parse().unwrap();
    let outcome = datasets.snapshot(spec("d").with_stream(file(), failing()));
    check_error(
        outcome.await,
        ErrorKind::Unavailable,
        &["the source is away", "t.parquet"],
    );
    let empty = spec("d").with_stream(file(), stream::iter([]));
    check_error(
        datasets.snapshot(empty).await,
        ErrorKind::Invalid,
        &["no batches"],
    );
    let once = spec("d").with_stream(file(), stream::iter([Ok(numbers(3))]));
    assert!(datasets.snapshot(once.clone()).await.is_ok());
    let again = datasets.snapshot(once).await;
    check_error(again, ErrorKind::Invalid, &["read before"]);
    let other = table([("x", column(Float64Array::from(vec![1.0])))]);
    let mixed = spec("d").with_stream(file(), stream::iter([Ok(numbers(3)), Ok(other)]));
    let outcome = datasets.snapshot(mixed).await;
    check_error(outcome, ErrorKind::Invalid, &["different schemas"]);
}

#[tokio::test]
async fn a_stored_table_is_streamed_into_another_snapshot() {
    let datasets = Arc::new(datasets().await);
    let first = datasets.snapshot(spec("raw").with_path(penguins()));
    let first = first.await.unwrap();
    let read = datasets.read(&first.node, ReadOptions::default()).await;
    let spec = spec("copy").with_stream("t.parquet".parse().unwrap(), read.unwrap());
    let copy = datasets.snapshot(spec).await.unwrap();
    assert_eq!(copy.table_digest, first.table_digest);
    assert_eq!(copy.rows_digest, first.rows_digest);
}
