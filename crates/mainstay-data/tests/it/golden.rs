//! Files written by the first release of each format; none may ever change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    NullArray, RecordBatch, StringArray, StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use mainstay_core::canon;
use mainstay_data::digest::TableHasher;
use mainstay_data::{Datasets, Manifest};

use crate::support::{check_error, column, penguins, repo, spec, table};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/data-snapshot/v1")
        .join(name)
}

/// Compares with a fixture; writes it when there is none yet.
fn check(name: &str, found: &[u8]) {
    let path = fixture(name);
    if !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read(&path).unwrap();
    assert!(
        expected == found,
        "{name} differs from what is written now:\n{}",
        String::from_utf8_lossy(found)
    );
}

#[tokio::test]
async fn the_penguins_have_the_manifest_and_record_of_format_1() {
    let repo = repo().await;
    let datasets = Datasets::new(repo.clone());
    let spec = spec("penguins")
        .with_path(penguins())
        .with_metadata("license", "CC0-1.0");
    let report = datasets.snapshot(spec).await.unwrap();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    check("penguins.manifest.json", &canon::to_vec(&manifest).unwrap());
    let view = repo.view().await.unwrap();
    let state = view.get(&report.node.ref_path()).unwrap().unwrap();
    check("penguins.value.json", &canon::to_vec(&state.value).unwrap());
    assert_eq!(canon::digest(&manifest).unwrap(), report.snapshot);
}

#[test]
fn the_stored_manifest_still_decodes_to_itself() {
    let bytes = std::fs::read(fixture("penguins.manifest.json")).unwrap();
    let manifest = Manifest::from_slice(&bytes).unwrap();
    assert_eq!(canon::to_vec(&manifest).unwrap(), bytes);
    assert_eq!(manifest.table.unwrap().rows, 344);
}

#[test]
fn a_newer_manifest_is_refused_as_such_and_a_damaged_one_as_corrupt() {
    use mainstay_core::ErrorKind;
    let text = std::fs::read_to_string(fixture("penguins.manifest.json")).unwrap();
    let newer = text.replacen("\"format\":1", "\"format\":2,\"novelty\":true", 1);
    check_error(
        Manifest::from_slice(newer.as_bytes()),
        ErrorKind::Incompatible,
        &["format 2"],
    );
    for bad in [
        "{}",
        "",
        "{\"format\":1}",
        &text.replacen("\"format\":1", "\"format\":0", 1),
        &text[1..],
    ] {
        check_error(
            Manifest::from_slice(bad.as_bytes()),
            ErrorKind::Corrupt,
            &["manifest"],
        );
    }
}

/// The table of the test vectors in `docs/formats/table-digest.md`.
fn vectors() -> RecordBatch {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let structs = StructArray::from(vec![
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            column(StringArray::from(vec![Some("x"), None, Some("")])),
        ),
        (
            Arc::new(Field::new("a", DataType::Boolean, true)),
            column(BooleanArray::from(vec![true, false, true])),
        ),
    ]);
    let decimals = Decimal128Array::from(vec![Some(125), None, Some(-5)])
        .with_precision_and_scale(10, 2)
        .unwrap();
    table([
        (
            "int64",
            column(Int64Array::from(vec![Some(1), None, Some(-1)])),
        ),
        (
            "float64",
            column(Float64Array::from(vec![1.5, f64::NAN, -0.0])),
        ),
        (
            "utf8",
            column(StringArray::from(vec![Some("penguin"), Some(""), None])),
        ),
        (
            "bool",
            column(BooleanArray::from(vec![Some(true), Some(false), None])),
        ),
        (
            "binary",
            column(BinaryArray::from(vec![&b"\x00\xff"[..], b"", b"a"])),
        ),
        ("date32", column(Date32Array::from(vec![0, -1, 19_782]))),
        (
            "timestamp",
            column(TimestampMillisecondArray::from(vec![0, 1, 2]).with_timezone("UTC")),
        ),
        ("decimal", column(decimals)),
        ("list", column(lists)),
        ("struct", column(structs)),
        ("null", column(NullArray::new(3))),
    ])
}

#[test]
fn the_test_vectors_of_the_table_digest_hold() {
    let batch = vectors();
    let mut hasher = TableHasher::new(&batch.schema()).unwrap();
    hasher.update(&batch).unwrap();
    let digests = hasher.finish();
    let columns: serde_json::Map<String, serde_json::Value> = batch
        .schema()
        .fields()
        .iter()
        .zip(&digests.columns)
        .map(|(field, digest)| (field.name().clone(), digest.to_string().into()))
        .collect();
    let found = serde_json::json!({
        "profile": "table-digest v1",
        "rows": digests.rows,
        "table_digest": digests.table,
        "rows_digest": digests.unordered,
        "columns": columns,
    });
    check("table-digest.json", &canon::to_vec(&found).unwrap());
}

/// Follows `docs/formats/table-digest.md` step by step, for two columns.
#[test]
fn the_digests_are_those_that_the_document_describes() {
    let batch = table([
        (
            "b",
            column(StringArray::from(vec![Some("xy"), None, Some("")])),
        ),
        ("a", column(Int64Array::from(vec![Some(1), Some(-2), None]))),
    ]);
    let derive = |context, parts: &[&[u8]]| blake3::derive_key(context, &parts.concat());
    let text = |s: &str| [&(s.len() as u64).to_le_bytes(), s.as_bytes()].concat();
    let number = |n: u64| n.to_le_bytes();
    let plain = |bytes: &[u8]| *blake3::hash(bytes).as_bytes();

    let a = derive(
        "mainstay table-digest v1 column",
        &[
            &text("int64"),
            &number(3),
            &plain(&[0b011]),
            &plain(&[]),
            &plain(&[1_i64.to_le_bytes(), (-2_i64).to_le_bytes()].concat()),
        ],
    );
    let b = derive(
        "mainstay table-digest v1 column",
        &[
            &text("utf8"),
            &number(3),
            &plain(&[0b101]),
            &plain(&[2, 0]),
            &plain(b"xy"),
        ],
    );
    let whole = derive(
        "mainstay table-digest v1 table",
        &[&number(3), &number(2), &text("a"), &text("b"), &a, &b],
    );

    let row = |a: &[u8], b: &[u8]| derive("mainstay table-digest v1 row", &[a, b]);
    let cell = |n: i64| [&[1_u8][..], &n.to_le_bytes()].concat();
    let mut sum = [0_u8; 32];
    for hash in [
        row(&cell(1), b"\x01\x02xy"),
        row(&cell(-2), b"\0"),
        row(b"\0", b"\x01\0"),
    ] {
        let mut carry = 0;
        for (byte, addend) in sum.iter_mut().zip(hash) {
            let total = u16::from(*byte) + u16::from(addend) + carry;
            [*byte, _] = total.to_le_bytes();
            carry = total >> 8;
        }
    }
    let unordered = derive(
        "mainstay table-digest v1 rows",
        &[
            &number(3),
            &number(2),
            &text("a"),
            &text("int64"),
            &text("b"),
            &text("utf8"),
            &sum,
        ],
    );

    let mut hasher = TableHasher::new(&batch.schema()).unwrap();
    hasher.update(&batch).unwrap();
    let digests = hasher.finish();
    assert_eq!(
        digests
            .columns
            .iter()
            .map(|d| *d.as_bytes())
            .collect::<Vec<_>>(),
        [b, a]
    );
    assert_eq!(*digests.table.as_bytes(), whole);
    assert_eq!(*digests.unordered.as_bytes(), unordered);
}
