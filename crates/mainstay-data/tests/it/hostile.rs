//! Damaged and hostile files: refused or read, never a panic that reaches the caller.

use std::sync::LazyLock;

use arrow::array::{Float64Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use mainstay_core::ErrorKind;
use mainstay_data::{Datasets, ReadOptions};
use proptest::prelude::*;

use crate::model::build::batch;
use crate::model::{Column, Random, Table, Type, every_type, random_value};
use crate::support::{column, datasets, directory, rows, spec, table};

fn sample() -> RecordBatch {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        (0..50).map(|i| (i % 3 > 0).then(|| (0..i % 4).map(Some).collect::<Vec<_>>())),
    );
    table([
        (
            "n",
            column(
                (0..50)
                    .map(|i| (i % 7 > 0).then_some(i))
                    .collect::<Int64Array>(),
            ),
        ),
        (
            "x",
            column(Float64Array::from_iter_values((0..50).map(f64::from))),
        ),
        (
            "s",
            column(StringArray::from_iter_values(
                (0..50).map(|i| format!("value {}", i % 5)),
            )),
        ),
        ("l", column(lists)),
    ])
}

/// Unions, views, maps, dictionaries and runs.
fn nested() -> RecordBatch {
    let mut random = Random(3);
    let mut columns = Vec::new();
    for of in every_type()
        .into_iter()
        .rev()
        .take(4)
        .chain(vec![Type::Utf8; 4])
    {
        columns.push(Column {
            name: format!("c{}", columns.len()),
            values: (0..50).map(|_| random_value(&of, &mut random)).collect(),
            of,
        });
    }
    batch(&Table { rows: 50, columns }, &mut random)
}

fn ipc(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options).unwrap();
    writer.write(&batch.slice(0, 30)).unwrap();
    writer.write(&batch.slice(30, 20)).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// Valid files to damage.
static FILES: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(|| {
    let parquet = runtime().block_on(async {
        let datasets = datasets().await;
        let report = datasets.snapshot(rows("d", sample())).await.unwrap();
        let out = tempfile::tempdir().unwrap();
        datasets.export(&report.node, out.path()).await.unwrap();
        std::fs::read(out.path().join("rows.parquet")).unwrap()
    });
    let csv = "n,x,s\n1,2.5,\"a \"\"quoted\"\" one\"\n,,\n3,-1e3,plain\n".repeat(4);
    let csv = csv.replacen("\nn,x,s", "", 3);
    let lines = "{\"n\":1,\"s\":\"a \\\"quoted\\\" \\u00e9\",\"l\":[{\"x\":1.5},null]}\n{\"m\":[1,\"x\"]}\n";
    vec![
        ("f.parquet", parquet),
        ("f.arrow", ipc(&sample(), None)),
        ("f.arrow", ipc(&sample(), Some(CompressionType::ZSTD))),
        ("f.arrow", ipc(&sample(), Some(CompressionType::LZ4_FRAME))),
        ("f.arrow", ipc(&nested(), None)),
        ("f.csv", csv.into_bytes()),
        ("f.jsonl", lines.repeat(4).into_bytes()),
    ]
});

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// Takes a snapshot of a file; a failure must be one that tells the user to mend the file.
async fn check_file(datasets: &Datasets, name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let files = directory(&[(name, bytes)]);
    match datasets.snapshot(spec("d").with_path(files.path())).await {
        Ok(report) => {
            // What was readable once is readable again.
            let stream = datasets
                .read(&report.node, ReadOptions::default())
                .await
                .unwrap();
            let batches: Vec<_> = futures::TryStreamExt::try_collect(stream).await.unwrap();
            let rows: u64 = batches
                .iter()
                .map(|b: &RecordBatch| b.num_rows() as u64)
                .sum();
            prop_assert_eq!(Some(rows), report.rows);
        }
        Err(error) => prop_assert!(
            matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported),
            "{error:?}"
        ),
    }
    Ok(())
}

#[test]
fn the_files_are_valid_before_they_are_damaged() {
    let valid = FILES.clone();
    runtime().block_on(async {
        let datasets = datasets().await;
        for (name, bytes) in &valid {
            let files = directory(&[(name, bytes)]);
            datasets
                .snapshot(spec("d").with_path(files.path()))
                .await
                .unwrap();
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damaged_files_are_read_or_refused(
        file in 0_usize..7,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let (name, bytes) = &FILES[file];
        let mut bytes = bytes.clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        runtime().block_on(async { check_file(&datasets().await, name, &bytes).await })?;
    }

    #[test]
    fn damaged_footers_are_read_or_refused(
        file in 0_usize..5,
        damage in proptest::collection::vec((0_usize..600, any::<u8>()), 1..6),
    ) {
        let (name, bytes) = &FILES[file];
        let mut bytes = bytes.clone();
        for (from_end, byte) in damage {
            let at = bytes.len().saturating_sub(1 + from_end);
            bytes[at] = byte;
        }
        runtime().block_on(async { check_file(&datasets().await, name, &bytes).await })?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        name in prop::sample::select(vec!["f.parquet", "f.arrow", "f.csv", "f.tsv", "f.jsonl"]),
        mut bytes: Vec<u8>,
    ) {
        match name {
            "f.parquet" => bytes.extend_from_slice(b"\x10\0\0\0PAR1"),
            "f.arrow" => {
                bytes.splice(0..0, *b"ARROW1\0\0");
                bytes.extend_from_slice(b"\x10\0\0\0ARROW1");
            }
            "f.jsonl" => {
                bytes.splice(0..0, *b"{\"a\":");
                bytes.push(b'}');
            }
            _ => {}
        }
        runtime().block_on(async { check_file(&datasets().await, name, &bytes).await })?;
    }
}

#[tokio::test]
async fn a_quote_that_is_never_closed_does_not_fill_memory() {
    let mut bytes = b"a,b\n1,\"".to_vec();
    bytes.resize(70 * 1024 * 1024, b'x');
    let files = directory(&[("f.csv", &bytes)]);
    let outcome = datasets()
        .await
        .snapshot(spec("d").with_path(files.path()))
        .await;
    crate::support::check_error(outcome, ErrorKind::Invalid, &["f.csv"]);
}
