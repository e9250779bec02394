//! What is accepted as a snapshot and what is refused, and how.

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use mainstay_core::ErrorKind;
use mainstay_data::{Manifest, SnapshotReport};

use crate::support::{check_error, column, datasets, directory, rows, spec, table};

async fn of_files(files: &[(&str, &[u8])]) -> mainstay_core::Result<SnapshotReport> {
    let directory = directory(files);
    datasets()
        .await
        .snapshot(spec("d").with_path(directory.path()))
        .await
}

async fn manifest_of(files: &[(&str, &[u8])]) -> Manifest {
    let directory = directory(files);
    let datasets = datasets().await;
    let report = datasets
        .snapshot(spec("d").with_path(directory.path()))
        .await
        .unwrap();
    datasets.manifest(&report.node).await.unwrap()
}

fn types(manifest: &Manifest) -> Vec<(&str, &str)> {
    let columns = manifest.columns().iter();
    columns
        .map(|column| (column.name.as_str(), column.logical_type.as_str()))
        .collect()
}

#[tokio::test]
async fn csv_types_are_found_over_all_files_together() {
    let manifest = manifest_of(&[
        (
            "a.csv",
            b"n,x,when,id,ok,void\n1,1,2024-02-29,007,true,\n,2,,8,,\n",
        ),
        (
            "b.csv",
            b"ok,n,x,when,void,id\nFALSE,-3,2.5,2024-03-01,,x\n",
        ),
    ])
    .await;
    assert_eq!(
        types(&manifest),
        [
            ("n", "int64"),
            ("x", "float64"),
            ("when", "date32"),
            ("id", "utf8"),
            ("ok", "bool"),
            ("void", "utf8"),
        ]
    );
    let table = manifest.table.as_ref().unwrap();
    assert_eq!(table.rows, 3);
    assert_eq!(manifest.files.listed().unwrap()[0].rows, Some(2));
    assert_eq!(manifest.column("n").unwrap().stats.nulls, 1);
    assert_eq!(manifest.column("void").unwrap().stats.nulls, 3);
}

#[tokio::test]
async fn tab_separated_files_are_tables_too() {
    let manifest = manifest_of(&[("a.tsv", b"a\tb\n1,5\t2\n")]).await;
    assert_eq!(types(&manifest), [("a", "utf8"), ("b", "int64")]);
}

#[tokio::test]
async fn other_files_are_stored_and_the_table_is_that_of_the_table_files() {
    let manifest = manifest_of(&[
        ("README.md", b"# d"),
        ("images/1.png", b"\x89PNG"),
        ("part-1.csv", b"a\n1\n"),
    ])
    .await;
    let files: Vec<_> = manifest
        .files
        .listed()
        .unwrap()
        .iter()
        .map(|file| (file.path.as_str(), file.media_type.as_str(), file.rows))
        .collect();
    assert_eq!(
        files,
        [
            ("README.md", "text/markdown", None),
            ("images/1.png", "image/png", None),
            ("part-1.csv", "text/csv", Some(1)),
        ]
    );
    assert_eq!(manifest.table.unwrap().rows, 1);
}

#[tokio::test]
async fn a_dataset_may_have_no_table() {
    let report = of_files(&[("a.txt", b"hello")]).await.unwrap();
    assert_eq!((report.rows, report.table_digest), (None, None));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["columns"], serde_json::json!([]));
}

#[tokio::test]
async fn bad_csv_is_refused_by_file_and_line() {
    for (bytes, named) in [
        (
            &b"a,b\n1,2\n1\n"[..],
            &["bad.csv", "line: 3", "1 fields"][..],
        ),
        (b"a,b\n1,2,3\n", &["bad.csv", "line: 2", "3 fields"]),
        (
            b"a,b\n1,\xff\n",
            &["bad.csv", "line: 2", "column: b", "UTF-8"],
        ),
        (b"a,\xff\n1,2\n", &["bad.csv", "line: 1", "UTF-8"]),
        (b"a,b,a\n1,2,3\n", &["bad.csv", "column: a", "one name"]),
        (b"", &["bad.csv", "header"]),
    ] {
        check_error(
            of_files(&[("bad.csv", bytes)]).await,
            ErrorKind::Invalid,
            named,
        );
    }
}

#[tokio::test]
async fn files_that_are_not_what_their_name_says_are_refused_by_what_was_found() {
    let stream = [0xff_u8; 64];
    for (name, bytes, named) in [
        (
            "x.parquet",
            &b"species,island\nAdelie,Torgersen\n"[..],
            "instead of PAR1",
        ),
        ("x.parquet", b"PAR1", "4 bytes"),
        (
            "x.parquet",
            b"PAR1....\xff\xff\xff\x7fPAR1",
            "claims 2147483647 bytes",
        ),
        ("x.parquet", b"PAR1........\0\0\0\0PARE", "encrypted"),
        (
            "x.arrow",
            b"PAR1............................",
            "a Parquet file",
        ),
        ("x.arrow", &stream, "IPC stream"),
        (
            "x.feather",
            b"FEA1............................",
            "Feather V1",
        ),
        ("x.arrow", b"", "0 bytes"),
    ] {
        let outcome = of_files(&[(name, bytes)]).await;
        check_error(outcome, ErrorKind::Invalid, &[name, named]);
    }
}

#[tokio::test]
async fn table_files_must_agree_and_the_first_that_does_not_is_named() {
    for (other, named) in [(&b"a,b\nx,y\n"[..], "column: b"), (b"b\n1\n", "column: b")] {
        let outcome = of_files(&[("1.csv", b"a\n1\n"), ("2.csv", other)]).await;
        check_error(outcome, ErrorKind::Invalid, &["2.csv", named]);
    }
    let outcome = of_files(&[("1.csv", b"a,b\n1,2\n"), ("2.csv", b"a\n1\n")]).await;
    check_error(
        outcome,
        ErrorKind::Invalid,
        &["2.csv", "column: b", "missing", "--opaque", "--table"],
    );
}

#[tokio::test]
async fn an_empty_part_is_fine_when_another_has_rows() {
    let report = of_files(&[("1.csv", b"a\n"), ("2.csv", b"a\n5\n")])
        .await
        .unwrap();
    assert_eq!(report.rows, Some(1));
    assert_eq!(report.columns[0].logical_type, "int64");
}

#[tokio::test]
async fn missing_and_repeated_paths_are_refused_by_name() {
    let datasets = datasets().await;
    let outcome = datasets
        .snapshot(spec("d").with_path("/nowhere/x.csv"))
        .await;
    check_error(outcome, ErrorKind::NotFound, &["/nowhere/x.csv"]);

    let files = directory(&[("a/x.csv", b"a\n1\n"), ("b/x.csv", b"a\n2\n")]);
    let twice = spec("d")
        .with_path(files.path().join("a/x.csv"))
        .with_path(files.path().join("b/x.csv"));
    check_error(
        datasets.snapshot(twice).await,
        ErrorKind::Invalid,
        &["x.csv", "one path"],
    );

    check_error(
        datasets.snapshot(spec("d")).await,
        ErrorKind::Invalid,
        &["without files"],
    );
    let empty = tempfile::tempdir().unwrap();
    let outcome = datasets.snapshot(spec("d").with_path(empty.path())).await;
    check_error(outcome, ErrorKind::Invalid, &["without files"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_only_where_the_user_named_them() {
    let outside = directory(&[("secret.csv", b"a\n1\n")]);
    let files = directory(&[("x.csv", b"a\n1\n")]);
    let link = files.path().join("link.csv");
    std::os::unix::fs::symlink(outside.path().join("secret.csv"), &link).unwrap();

    let datasets = datasets().await;
    let outcome = datasets.snapshot(spec("d").with_path(files.path())).await;
    check_error(outcome, ErrorKind::Invalid, &["symbolic link", "link.csv"]);
    let named = datasets.snapshot(spec("d").with_path(&link)).await.unwrap();
    assert_eq!(named.files[0].path.as_str(), "link.csv");
}

#[tokio::test]
async fn batches_must_share_a_schema_and_hold_rows() {
    let datasets = datasets().await;
    let numbers = table([("a", column(Int64Array::from(vec![1])))]);
    let texts = table([("a", column(StringArray::from(vec!["1"])))]);
    let mixed = spec("d").with_batches("x.parquet".parse().unwrap(), vec![numbers.clone(), texts]);
    check_error(
        datasets.snapshot(mixed).await,
        ErrorKind::Invalid,
        &["x.parquet", "schema"],
    );

    let none = spec("d").with_batches("x.parquet".parse().unwrap(), vec![]);
    check_error(
        datasets.snapshot(none).await,
        ErrorKind::Invalid,
        &["x.parquet", "no batches"],
    );
    let no_columns = rows(
        "d",
        RecordBatch::new_empty(std::sync::Arc::new(arrow::datatypes::Schema::empty())),
    );
    assert_eq!(
        datasets.snapshot(no_columns).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let misnamed = spec("d").with_batches("x.csv".parse().unwrap(), vec![numbers]);
    check_error(
        datasets.snapshot(misnamed).await,
        ErrorKind::Invalid,
        &["x.csv"],
    );
}

#[tokio::test]
async fn a_type_that_cannot_be_hashed_is_named_with_its_column() {
    let deep = (0..32).fold(DataType::Int8, |inner, _| DataType::new_list(inner, true));
    let batch = table([
        ("fine", column(Int64Array::from(vec![1, 2]))),
        ("odd", arrow::array::new_null_array(&deep, 2)),
    ]);
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let outcome = of_files(&[("x.arrow", &bytes)]).await;
    check_error(
        outcome,
        ErrorKind::Unsupported,
        &["x.arrow", "column: odd", "32 levels"],
    );
}

#[tokio::test]
async fn a_header_of_very_many_columns_is_refused() {
    let header = "a,".repeat(20_000);
    let outcome = of_files(&[("wide.csv", header.as_bytes())]).await;
    check_error(outcome, ErrorKind::Unsupported, &["wide.csv", "20001"]);
}

#[tokio::test]
async fn refused_input_leaves_nothing_behind() {
    let repo = crate::support::repo().await;
    let datasets = mainstay_data::Datasets::new(repo.clone());
    let files = directory(&[("bad.csv", b"a,b\n1\n")]);
    let before = repo.stats().await.unwrap();
    assert!(
        datasets
            .snapshot(spec("d").with_path(files.path()))
            .await
            .is_err()
    );
    assert_eq!(repo.stats().await.unwrap(), before);
    assert!(datasets.list().await.unwrap().is_empty());
}
