//! Reading and exporting what was stored.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int32Type};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_data::{Datasets, ReadOptions};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, Prefix, PutMode, PutOutcome, Storage, StorageExt as _};

use crate::support::{
    check_error, column, datasets, digests, directory, penguins, rows, spec, table,
};

async fn read(datasets: &Datasets, node: &NodeRef, options: ReadOptions) -> RecordBatch {
    let batches: Vec<_> = datasets
        .read(node, options)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn sample() -> RecordBatch {
    let words: DictionaryArray<Int32Type> = [Some("a"), None, Some("b"), Some("a")]
        .into_iter()
        .collect();
    table([
        ("word", column(words)),
        (
            "x",
            column(Float64Array::from(vec![
                Some(1.5),
                None,
                Some(f64::NAN),
                Some(-0.0),
            ])),
        ),
        ("n", column(Int64Array::from(vec![1, 2, 3, 4]))),
    ])
}

#[tokio::test]
async fn rows_in_memory_come_back_as_they_were() {
    let datasets = datasets().await;
    let report = datasets.snapshot(rows("d", sample())).await.unwrap();
    let back = read(&datasets, &report.node, ReadOptions::default()).await;
    assert_eq!(back.schema().fields(), sample().schema().fields());
    assert_eq!(back.columns()[0].as_ref(), sample().columns()[0].as_ref());
    assert_eq!(back.column(2), sample().column(2));
}

#[tokio::test]
async fn columns_come_in_the_order_asked_for() {
    let datasets = datasets().await;
    let csv = directory(&[("a.csv", b"x,y,z\n1,2,a\n3,4,b\n")]);
    let from_csv = datasets
        .snapshot(spec("csv").with_path(csv.path()))
        .await
        .unwrap();
    let from_rows = datasets.snapshot(rows("rows", sample())).await.unwrap();
    for (node, asked) in [(from_csv.node, ["z", "x"]), (from_rows.node, ["n", "word"])] {
        let options = ReadOptions::default().with_columns(asked);
        let back = read(&datasets, &node, options).await;
        let names: Vec<_> = back
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        assert_eq!(names, asked);
        for (asked, kind) in [
            (vec!["no"], ErrorKind::NotFound),
            (vec!["n", "n"], ErrorKind::Invalid),
        ] {
            let options = ReadOptions::default().with_columns(asked);
            let outcome = datasets.read(&node, options).await.map(drop);
            assert!(outcome.is_err_and(|e| e.kind() == kind || e.kind() == ErrorKind::NotFound));
        }
    }
}

#[tokio::test]
async fn parts_of_any_column_order_read_as_one_table() {
    let datasets = datasets().await;
    let files = directory(&[("1.csv", b"a,b\n1,x\n"), ("2.csv", b"b,a\ny,2\n")]);
    let report = datasets
        .snapshot(spec("d").with_path(files.path()))
        .await
        .unwrap();
    let back = read(&datasets, &report.node, ReadOptions::default()).await;
    assert_eq!(
        back.column(0).as_ref(),
        &Int64Array::from(vec![1, 2]) as &dyn Array
    );
    assert_eq!(
        back.column(1).as_ref(),
        &StringArray::from(vec!["x", "y"]) as &dyn Array
    );
}

#[tokio::test]
async fn the_stored_table_has_the_digests_that_were_reported() {
    let datasets = datasets().await;
    let report = datasets
        .snapshot(spec("d").with_path(penguins()))
        .await
        .unwrap();
    let back = read(&datasets, &report.node, ReadOptions::default()).await;
    let digests = digests(std::slice::from_ref(&back));
    assert_eq!(Some(digests.table), report.table_digest);
    assert_eq!(Some(digests.unordered), report.rows_digest);
    assert_eq!(back.num_rows(), 344);
}

fn ipc(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options).unwrap();
    for start in 0..batch.num_rows() {
        writer.write(&batch.slice(start, 1)).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    bytes
}

#[tokio::test]
async fn one_table_has_one_digest_in_every_format() {
    let datasets = datasets().await;
    let batch = table([
        ("n", column(Int64Array::from(vec![Some(1), None, Some(3)]))),
        (
            "s",
            column(StringArray::from(vec![Some("a"), Some("b"), None])),
        ),
    ]);
    let mut digests = vec![
        datasets
            .snapshot(rows("memory", batch.clone()))
            .await
            .unwrap()
            .table_digest,
    ];
    for (name, bytes) in [
        ("a.csv", b"s,n\na,1\nb,\n,3\n".to_vec()),
        ("a.arrow", ipc(&batch, None)),
        ("a.feather", ipc(&batch, Some(CompressionType::LZ4_FRAME))),
        ("a.ipc", ipc(&batch, Some(CompressionType::ZSTD))),
    ] {
        let files = directory(&[(name, &bytes)]);
        let report = datasets
            .snapshot(spec("d").with_path(files.path()))
            .await
            .unwrap();
        let back = read(&datasets, &report.node, ReadOptions::default()).await;
        assert_eq!(back.num_rows(), 3);
        digests.push(report.table_digest);
    }
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "{digests:?}"
    );
}

#[tokio::test]
async fn a_stream_can_be_dropped_half_read() {
    let datasets = datasets().await;
    let many = Int64Array::from_iter_values(0..300_000);
    let report = datasets
        .snapshot(rows("d", table([("n", column(many))])))
        .await
        .unwrap();
    let mut stream = datasets
        .read(&report.node, ReadOptions::default())
        .await
        .unwrap();
    let first = stream.try_next().await.unwrap().unwrap();
    assert!(first.num_rows() <= 8_192);
    drop(stream);
}

#[tokio::test]
async fn damaged_storage_is_corrupt_and_never_data() {
    let storage = Arc::new(MemoryStorage::new());
    let open = || {
        Repo::create(
            Arc::clone(&storage) as Arc<dyn Storage>,
            RepoOptions::default(),
        )
    };
    let many = Int64Array::from_iter_values((0..300_000).map(|i| i * 7_919 % 300_007));
    let report = Datasets::new(open().await.unwrap())
        .snapshot(rows("d", table([("n", column(many))])))
        .await
        .unwrap();
    let packs: Vec<_> = storage
        .list(&Prefix::directory("pack").unwrap(), None)
        .try_collect()
        .await
        .unwrap();
    for pack in packs {
        let mut bytes = storage.get_all(&pack.key).await.unwrap().unwrap().to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let put = storage.put(&pack.key, bytes.into(), PutMode::Overwrite);
        assert_eq!(put.await.unwrap(), PutOutcome::Written);
    }
    let datasets = Datasets::new(open().await.unwrap());
    let outcome = match datasets.read(&report.node, ReadOptions::default()).await {
        Ok(stream) => stream.try_collect::<Vec<_>>().await.map(drop),
        Err(error) => Err(error),
    };
    check_error(outcome, ErrorKind::Corrupt, &[]);
}

#[tokio::test]
async fn a_snapshot_without_a_table_cannot_be_read_as_one() {
    let datasets = datasets().await;
    let files = directory(&[("a.txt", b"x")]);
    let report = datasets
        .snapshot(spec("d").with_path(files.path()))
        .await
        .unwrap();
    let outcome = datasets
        .read(&report.node, ReadOptions::default())
        .await
        .map(drop);
    check_error(outcome, ErrorKind::Invalid, &["no table", "data:d@1"]);
}

#[tokio::test]
async fn exported_files_are_the_stored_bytes_under_their_paths() {
    let datasets = datasets().await;
    let bytes = std::fs::read(penguins()).unwrap();
    let files = directory(&[
        ("a/b/p.csv", &bytes),
        ("note.txt", b"x"),
        ("empty.bin", b""),
    ]);
    let report = datasets
        .snapshot(spec("d").with_path(files.path()))
        .await
        .unwrap();

    let target = directory(&[("note.txt", b"older"), ("other.txt", b"mine")]);
    let out = target.path().join(".");
    let exported = datasets.export(&report.node, &out).await.unwrap();
    assert_eq!(exported.files, report.files);
    assert_eq!(
        std::fs::read(target.path().join("a/b/p.csv")).unwrap(),
        bytes
    );
    assert_eq!(std::fs::read(target.path().join("note.txt")).unwrap(), b"x");
    assert_eq!(std::fs::read(target.path().join("empty.bin")).unwrap(), b"");
    assert_eq!(
        std::fs::read(target.path().join("other.txt")).unwrap(),
        b"mine"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn an_export_does_not_follow_links_out_of_its_directory() {
    let datasets = datasets().await;
    let files = directory(&[("a/x.txt", b"x")]);
    let report = datasets
        .snapshot(spec("d").with_path(files.path()))
        .await
        .unwrap();
    let (outside, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(outside.path(), target.path().join("a")).unwrap();
    let outcome = datasets.export(&report.node, target.path()).await;
    check_error(outcome, ErrorKind::Invalid, &["link"]);
    assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn wide_text_and_types_of_every_kind_survive() {
    use arrow::array::{
        BinaryArray, BooleanArray, Date32Array, Decimal128Array, ListArray, StructArray,
        TimestampMicrosecondArray,
    };
    use arrow::datatypes::Field;
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let structure = StructArray::from(vec![(
        Arc::new(Field::new("inner", DataType::Boolean, true)),
        column(BooleanArray::from(vec![Some(true), None, Some(false)])) as ArrayRef,
    )]);
    let decimals = Decimal128Array::from(vec![Some(125), None, Some(-5)])
        .with_precision_and_scale(10, 2)
        .unwrap();
    let batch = table([
        ("list", column(list)),
        ("struct", column(structure)),
        ("decimal", column(decimals)),
        ("date", column(Date32Array::from(vec![0, 1, -1]))),
        (
            "time",
            column(TimestampMicrosecondArray::from(vec![0, 1, 2]).with_timezone("UTC")),
        ),
        (
            "bytes",
            column(BinaryArray::from(vec![&b"\x00"[..], b"", b"\xff\xfe"])),
        ),
        ("void", column(arrow::array::NullArray::new(3))),
    ]);
    let datasets = datasets().await;
    let report = datasets.snapshot(rows("d", batch.clone())).await.unwrap();
    let types: Vec<_> = report
        .columns
        .iter()
        .map(|c| c.logical_type.as_str())
        .collect();
    assert_eq!(
        types,
        [
            "list(int32)",
            r#"struct("inner":bool)"#,
            "decimal(2)",
            "date32",
            r#"timestamp(us,"UTC")"#,
            "binary",
            "null"
        ]
    );
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let bound = |name: &str| {
        let stats = &manifest.column(name).unwrap().stats;
        serde_json::json!([
            stats.min.as_ref().map(|b| &b.value),
            stats.max.as_ref().map(|b| &b.value)
        ])
    };
    assert_eq!(bound("decimal"), serde_json::json!(["-0.05", "1.25"]));
    assert_eq!(
        bound("date"),
        serde_json::json!(["1969-12-31", "1970-01-02"])
    );
    assert_eq!(bound("bytes"), serde_json::json!(["", "fffe"]));
    assert_eq!(bound("list"), serde_json::json!([null, null]));

    let back = read(&datasets, &report.node, ReadOptions::default()).await;
    assert_eq!(back.column(0).as_list::<i32>().len(), 3);
    assert_eq!(back.columns(), batch.columns());
}

#[tokio::test]
async fn a_large_stored_file_is_read_through_its_chunks() {
    // More than a chunk and than a read-ahead.
    let lines = (0..120_000).map(|n| format!("{n},row number {n}\n"));
    let csv = std::iter::once("n,text\n".to_owned())
        .chain(lines)
        .collect::<String>();
    let files = directory(&[("big.csv", csv.as_bytes())]);
    let datasets = datasets().await;
    let report = datasets
        .snapshot(spec("d").with_path(files.path()))
        .await
        .unwrap();
    let back = read(
        &datasets,
        &report.node,
        ReadOptions::default().with_columns(["n"]),
    )
    .await;
    assert_eq!(back.num_rows(), 120_000);
    let numbers = back.column(0).as_primitive::<arrow::datatypes::Int64Type>();
    assert!(numbers.values().iter().copied().eq(0..120_000));
}
