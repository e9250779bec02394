//! Files written by the first release of each format; none may ever change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    NullArray, RecordBatch, StringArray, StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use mainstay_core::{BulkDigest, NodeKind, NodeRef, canon};
use mainstay_data::digest::Profile;
use mainstay_data::{Datasets, Manifest};
use mainstay_repo::{Expectation, Series, Step, Transaction, Value};

use crate::model::build::batch;
use crate::model::{Random, Table, sample_tables};
use crate::support::{ada, check_error, column, digests, digests_of, penguins, repo, spec, table};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

/// Compares with a fixture; writes it when there is none yet.
pub(crate) fn check(name: &str, found: &[u8]) {
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

/// Reads a fixture.
pub(crate) fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

#[tokio::test]
async fn the_penguins_have_the_manifest_of_format_3() {
    let datasets = Datasets::new(repo().await);
    let spec = spec("penguins")
        .with_path(penguins())
        .with_metadata("license", "CC0-1.0");
    let report = datasets.snapshot(spec).await.unwrap();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let bytes = canon::to_vec(&manifest).unwrap();
    check("data-snapshot/v3/penguins.manifest.json", &bytes);
    assert_eq!(canon::digest(&manifest).unwrap(), report.snapshot);
}

/// What a file in the canonical layout with two patches looks like.
#[test]
fn a_manifest_with_patches_decodes_to_itself() {
    let path = fixture("data-snapshot/v3/penguins.manifest.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let digest = json["files"][0]["digest"].clone();
    let patch = |bytes| serde_json::json!({ "digest": digest, "bytes": bytes });
    let patches = [patch(10), patch(20)];
    for (profile, name) in [(2, "patched"), (3, "patched-profile-3")] {
        json["files"][0]["canonical"] =
            serde_json::json!({ "profile": profile, "patches": patches });
        let bytes = canon::to_vec(&json).unwrap();
        check(&format!("data-snapshot/v3/{name}.manifest.json"), &bytes);
        let manifest = Manifest::from_slice(&bytes).unwrap();
        assert_eq!(canon::to_vec(&manifest).unwrap(), bytes);
        let file = &manifest.files.listed().unwrap()[0];
        assert_eq!(file.canonical.as_ref().unwrap().profile, profile);
        assert_eq!(file.patches().len(), 2);
        assert_eq!(file.stored_bytes(), file.bytes + 30);
    }
    json["format"] = 2.into();
    let older = Manifest::from_slice(&canon::to_vec(&json).unwrap());
    check_error(older, mainstay_core::ErrorKind::Corrupt, &["layout"]);
}

/// Words of which there are too many to count one by one.
#[tokio::test]
async fn a_table_of_many_different_texts_has_the_manifest_of_format_5() {
    let lines = (0..200).map(|n| format!("{n},word {}\n", n * 31 % 97));
    let csv = format!("id,word\n{}", lines.collect::<String>());
    let files = crate::support::directory(&[("words.csv", csv.as_bytes())]);
    let datasets = Datasets::new(repo().await);
    let words = spec("words").with_path(files.path());
    let report = datasets.snapshot(words).await.unwrap();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let bytes = canon::to_vec(&manifest).unwrap();
    check("data-snapshot/v5/words.manifest.json", &bytes);
    assert_eq!(Manifest::from_slice(&bytes).unwrap(), manifest);
    let buckets = |column: usize| manifest.columns()[column].stats.buckets.as_ref();
    assert_eq!(buckets(0), None);
    assert_eq!(buckets(1).unwrap().counts().iter().sum::<u64>(), 200);

    let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    json["format"] = 3.into();
    let older = Manifest::from_slice(&canon::to_vec(&json).unwrap());
    check_error(older, mainstay_core::ErrorKind::Corrupt, &["buckets"]);
    json["format"] = 5.into();
    json["table"]["columns"][1]["stats"]["buckets"] = serde_json::json!([1, 2]);
    let few = Manifest::from_slice(&canon::to_vec(&json).unwrap());
    check_error(few, mainstay_core::ErrorKind::Corrupt, &["manifest"]);
}

#[test]
fn stored_manifests_still_decode_to_themselves() {
    for version in ["v1", "v2", "v3"] {
        let path = fixture(&format!("data-snapshot/{version}/penguins.manifest.json"));
        let bytes = std::fs::read(path).unwrap();
        let manifest = Manifest::from_slice(&bytes).unwrap();
        assert_eq!(canon::to_vec(&manifest).unwrap(), bytes);
        let table = manifest.table.unwrap();
        assert_eq!(table.rows, 344);
        assert!(
            table
                .profile
                .ends_with(if version == "v1" { "v1" } else { "v2" })
        );
    }
}

/// Stores a snapshot as the build did that wrote the fixtures of `version`.
async fn stored_by(version: &str) -> (Datasets, NodeRef) {
    let repo = repo().await;
    let manifest = fixture(&format!("data-snapshot/{version}/penguins.manifest.json"));
    let mut ingest = repo.ingest();
    ingest.file(&penguins()).await.unwrap();
    ingest.file(&manifest).await.unwrap();
    ingest.finish().await.unwrap();
    let value = fixture(&format!("data-snapshot/{version}/penguins.value.json"));
    let value = std::fs::read(value).unwrap();
    let value: Value = serde_json::from_slice(&value).unwrap();
    let series = Series::new(NodeKind::Data, "penguins".parse().unwrap());
    let old = series.numbered(1);
    let commit = repo.transact(|_| {
        let mut transaction = Transaction::new(ada(), "as an earlier build did");
        transaction.set(old.ref_path(), value.clone(), Expectation::Absent);
        Ok(Step::Commit(transaction, ()))
    });
    commit.await.unwrap();
    (Datasets::new(repo), old)
}

#[tokio::test]
async fn versions_of_every_format_are_read() {
    for version in ["v1", "v2"] {
        let (datasets, old) = stored_by(version).await;
        let info = datasets.show(&old).await.unwrap();
        assert_eq!((info.rows, info.synthetic), (Some(344), false));
        assert_eq!(datasets.manifest(&old).await.unwrap().files.count(), 1);
    }
}

#[tokio::test]
async fn a_snapshot_of_format_1_is_compared() {
    let (datasets, old) = stored_by("v1").await;
    let new = datasets
        .snapshot(spec("penguins").with_path(penguins()))
        .await
        .unwrap();
    assert_eq!(new.version, 2);
    let diff = datasets.compare(&old, &new.node).await.unwrap();
    assert!(diff.same_table && diff.same_rows);
    assert!(diff.columns.iter().all(|column| !column.changed));
}

#[test]
fn a_newer_manifest_is_refused_as_such_and_a_damaged_one_as_corrupt() {
    use mainstay_core::ErrorKind;
    let text = fixture("data-snapshot/v2/penguins.manifest.json");
    let text = std::fs::read_to_string(text).unwrap();
    let newer = text.replacen("\"format\":2", "\"format\":9,\"novelty\":true", 1);
    check_error(
        Manifest::from_slice(newer.as_bytes()),
        ErrorKind::Incompatible,
        &["format 9"],
    );
    for bad in [
        "{}",
        "",
        "{\"format\":2}",
        &text.replacen("\"format\":2", "\"format\":0", 1),
        &text.replacen("\"format\":2", "\"format\":1", 1),
        &text[1..],
    ] {
        check_error(
            Manifest::from_slice(bad.as_bytes()),
            ErrorKind::Corrupt,
            &["manifest"],
        );
    }
}

/// The table of the test vectors of `table-digest v1`.
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

/// The digests of a table, its columns in its order, in hex.
fn told(table: &Table, profile: Profile, random: &mut Random) -> serde_json::Value {
    let batch = batch(table, random);
    let found = digests_of(std::slice::from_ref(&batch), profile);
    let hex = |digest: &BulkDigest| digest.to_string().replace("blake3:", "");
    let columns = table.columns.iter().map(|column| {
        let index = batch.schema().index_of(&column.name).unwrap();
        hex(&found.columns[index])
    });
    serde_json::json!({
        "columns": columns.collect::<Vec<_>>(),
        "table": hex(&found.table),
        "rows": hex(&found.unordered),
    })
}

#[test]
fn the_test_vectors_of_the_table_digest_hold_in_any_encoding() {
    const NAME: &str = "table-digest/v2/vectors.json";
    let vectors = |tables: &[Table], seed| -> serde_json::Value {
        let mut random = Random(seed);
        let vector = |table: &Table| {
            serde_json::json!({
                "table": table.to_json(),
                "strict": told(table, Profile::Strict, &mut random),
                "semantic": told(table, Profile::Semantic, &mut random),
            })
        };
        tables.iter().map(vector).collect()
    };
    if !fixture(NAME).exists() {
        let written = vectors(&sample_tables(), 0);
        check(NAME, &canon::to_vec(&written).unwrap());
    }
    let stored = std::fs::read(fixture(NAME)).unwrap();
    let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    let tables = stored.as_array().unwrap().iter();
    let tables: Vec<Table> = tables
        .map(|vector| Table::from_json(&vector["table"]))
        .collect();
    assert!(tables.len() > 5);
    for seed in 0..4 {
        assert_eq!(vectors(&tables, seed), stored);
    }
}

/// The rows digest of version 1 is no longer computed.
#[test]
fn column_and_table_digests_are_those_of_version_1() {
    let path = fixture("data-snapshot/v1/table-digest.json");
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let batch = vectors();
    let digests = digests(std::slice::from_ref(&batch));
    assert_eq!(expected["table_digest"], digests.table.to_string());
    for (field, digest) in batch.schema().fields().iter().zip(&digests.columns) {
        assert_eq!(expected["columns"][field.name()], digest.to_string());
    }
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

    let row = |a: &[u8], b: &[u8]| {
        let mut bytes = [0; 4096];
        let mut hasher = blake3::Hasher::new_derive_key("mainstay table-digest v2 row");
        hasher.update(a).update(b).finalize_xof().fill(&mut bytes);
        bytes
    };
    let cell = |n: i64| [&[1_u8][..], &n.to_le_bytes()].concat();
    let mut sum = [0_u8; 4096];
    for hash in [
        row(&cell(1), b"\x01\x02xy"),
        row(&cell(-2), b"\0"),
        row(b"\0", b"\x01\0"),
    ] {
        for (lane, addend) in sum.as_chunks_mut().0.iter_mut().zip(hash.as_chunks().0) {
            let total = u64::from_le_bytes(*lane).wrapping_add(u64::from_le_bytes(*addend));
            *lane = total.to_le_bytes();
        }
    }
    let unordered = derive(
        "mainstay table-digest v2 rows",
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

    let digests = digests(&[batch]);
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
