//! Files of one table whose Arrow types differ and mean the same.

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Decimal128Array, DictionaryArray, Int32Array,
    LargeStringArray, RecordBatch, StringArray, StringViewArray, StructArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int8Type};
use arrow::ipc::writer::FileWriter;
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef, canon};
use mainstay_data::diff::{CompareOptions, CompareRows};
use mainstay_data::rows::{Identity, RowDiffOptions};
use mainstay_data::split::{SplitRule, SplitSpec};
use mainstay_data::{Datasets, Manifest, PartSpec, ReadOptions};
use parquet::arrow::ArrowWriter;

use crate::golden::check;
use crate::model::build::batch;
use crate::model::{Column, Random, Table, Type, every_type, random_table, random_value, seeds};
use crate::support::{ada, check_error, column, datasets, digests, directory, rows, spec, table};

fn ipc(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn part(whole: &Table, rows: Range<usize>) -> Table {
    let columns = whole.columns.iter().map(|column| Column {
        name: column.name.clone(),
        of: column.of.clone(),
        values: column.values[rows.clone()].to_vec(),
    });
    Table {
        rows: rows.len(),
        columns: columns.collect(),
    }
}

/// Stores a table as files of some rows each, every one in encodings of its own.
async fn stored(
    datasets: &Datasets,
    whole: &Table,
    random: &mut Random,
) -> mainstay_core::Result<mainstay_data::SnapshotReport> {
    let mut cuts = vec![0, whole.rows];
    cuts.extend((0..=random.below(3)).map(|_| random.below(whole.rows + 1)));
    cuts.sort_unstable();
    let files = cuts.windows(2).enumerate().map(|(number, cut)| {
        let part = part(whole, cut[0]..cut[1]);
        (format!("{number}.arrow"), ipc(&batch(&part, random)))
    });
    let files: Vec<(String, Vec<u8>)> = files.collect();
    let named = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let files = directory(&named.collect::<Vec<_>>());
    datasets.snapshot(spec("d").with_path(files.path())).await
}

async fn read(datasets: &Datasets, node: &NodeRef, options: ReadOptions) -> RecordBatch {
    let read = datasets.read(node, options).await.unwrap();
    let batches: Vec<RecordBatch> = read.try_collect().await.unwrap();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn has_union(of: &Type) -> bool {
    match of {
        Type::Union(_) => true,
        Type::List(item) => has_union(item),
        Type::Map(key, value) => has_union(key) || has_union(value),
        Type::Struct(fields) => fields.iter().any(|(_, of)| has_union(of)),
        _ => false,
    }
}

async fn check_files(whole: &Table, seed: u64, random: &mut Random) -> bool {
    let datasets = datasets().await;
    let report = match stored(&datasets, whole, random).await {
        Ok(report) => report,
        Err(error) => {
            // Unions are numbered and laid out in ways of their own.
            assert!(
                whole.columns.iter().any(|column| has_union(&column.of)),
                "seed {seed}: {error:?}"
            );
            check_error(
                Err::<(), _>(error),
                ErrorKind::Invalid,
                &["columns differ", "Union"],
            );
            return false;
        }
    };
    let expected = digests(&[batch(whole, random)]);
    assert_eq!(report.table_digest, Some(expected.table), "seed {seed}");
    assert_eq!(report.rows_digest, Some(expected.unordered), "seed {seed}");

    let found = read(&datasets, &report.node, ReadOptions::default()).await;
    let found_digests = digests(&[found]);
    assert_eq!(found_digests.table, expected.table, "seed {seed}");

    let one = datasets.snapshot(rows("d", batch(whole, random))).await;
    let Ok(one) = one else {
        // What Parquet does not hold.
        return true;
    };
    let identity = Identity::WholeRow;
    let changes =
        datasets.row_changes(&report.node, &one.node, identity, RowDiffOptions::default());
    let changes: Vec<RecordBatch> = changes.await.unwrap().try_collect().await.unwrap();
    assert_eq!(
        changes.iter().map(RecordBatch::num_rows).sum::<usize>(),
        0,
        "seed {seed}"
    );
    true
}

#[tokio::test]
async fn files_in_any_encodings_are_one_table_with_one_schema() {
    for seed in seeds(40) {
        let mut random = Random(seed);
        let rows = 1 + random.below(20);
        let whole = random_table(&mut random, rows);
        check_files(&whole, seed, &mut random).await;
    }
}

#[tokio::test]
async fn every_type_is_read_from_files_of_any_encodings() {
    let mut made = 0;
    for (seed, of) in (0..).zip(every_type()) {
        let mut random = Random(seed);
        let values = (0..30).map(|_| random_value(&of, &mut random)).collect();
        let name = "c".to_owned();
        let columns = vec![Column { name, of, values }];
        let whole = Table { rows: 30, columns };
        made += usize::from(check_files(&whole, seed, &mut random).await);
    }
    assert!(made * 10 > every_type().len() * 9, "{made}");
}

fn prices(cents: Vec<i128>, precision: u8) -> ArrayRef {
    column(
        Decimal128Array::from(cents)
            .with_precision_and_scale(precision, 2)
            .unwrap(),
    )
}

#[tokio::test]
async fn columns_of_several_types_are_read_as_the_widest() {
    let pair = |a: i32, b: &str, turned: bool| {
        let a: (Arc<Field>, ArrayRef) = (
            Arc::new(Field::new("a", DataType::Int32, true)),
            column(Int32Array::from(vec![a])),
        );
        let b: (Arc<Field>, ArrayRef) = (
            Arc::new(Field::new("b", DataType::Utf8, false)),
            column(StringArray::from(vec![b])),
        );
        let fields = if turned { vec![b, a] } else { vec![a, b] };
        column(StructArray::from(fields))
    };
    let categories = DictionaryArray::<Int8Type>::from_iter(["Ada"]);
    let id = |id| column(Int32Array::from(vec![id]));
    let files = [
        (
            "a.parquet",
            parquet(&table([
                ("id", id(1)),
                ("name", column(categories)),
                ("price", prices(vec![150], 9)),
                ("pair", pair(1, "x", false)),
            ])),
        ),
        (
            "b.parquet",
            parquet(&table([
                ("pair", pair(2, "y", true)),
                ("name", column(LargeStringArray::from(vec![None::<&str>]))),
                ("price", prices(vec![10_i128.pow(20)], 30)),
                ("id", id(2)),
            ])),
        ),
        (
            "c.arrow",
            ipc(&table([
                ("id", id(3)),
                (
                    "name",
                    column(StringViewArray::from(vec![
                        "a name that is longer than a view",
                    ])),
                ),
                ("price", prices(vec![151], 9)),
                ("pair", pair(3, "z", false)),
            ])),
        ),
    ];
    let files = files
        .each_ref()
        .map(|(name, bytes)| (*name, bytes.as_slice()));
    let files = directory(&files);
    let datasets = datasets().await;
    let spec = spec("d").with_path(files.path()).with_key(["name"]);
    let report = datasets.snapshot(spec).await.unwrap();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let mixed: Vec<&str> = manifest
        .columns()
        .iter()
        .filter(|column| column.mixed)
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!((manifest.format, mixed), (8, vec!["name", "price", "pair"]));

    let found = read(&datasets, &report.node, ReadOptions::default()).await;
    let schema = found.schema();
    let type_of = |name: &str| schema.field_with_name(name).unwrap().data_type().clone();
    assert_eq!(type_of("id"), DataType::Int32);
    assert_eq!(type_of("name"), DataType::LargeUtf8);
    assert_eq!(type_of("price"), DataType::Decimal256(76, 2));
    let names = found["name"].as_string::<i64>();
    assert_eq!(
        names
            .iter()
            .map(|name| name.map_or(0, str::len))
            .collect::<Vec<_>>(),
        [3, 0, 33]
    );
    assert!(names.is_null(1) && schema.field_with_name("name").unwrap().is_nullable());
    let pairs = found["pair"].as_struct();
    assert_eq!(
        pairs
            .column_by_name("a")
            .unwrap()
            .as_primitive::<arrow::datatypes::Int32Type>()
            .values(),
        &[1, 2, 3]
    );

    let changed = |ids: &[i32], names: &[Option<&str>]| {
        table([
            ("id", column(Int32Array::from(ids.to_vec()))),
            ("name", column(StringArray::from(names.to_vec()))),
            ("price", found["price"].slice(0, ids.len())),
            ("pair", found["pair"].slice(0, ids.len())),
        ])
    };
    let one = changed(&[1, 9], &[Some("Ada"), None]);
    let one = datasets.snapshot(rows("d", one)).await.unwrap().node;
    let key = CompareRows::new(Identity::key(["name"]));
    let options = CompareOptions::default().with_rows(key);
    let diff = datasets.compare_with(&report.node, &one, &options).await;
    let compared = diff.unwrap().rows.compared.unwrap();
    let counts = (
        compared.unchanged,
        compared.changed,
        compared.removed,
        compared.added,
    );
    assert_eq!(counts, (1, 1, 1, 0));
    assert_eq!(compared.cells.get("id"), Some(&1));

    let some = ReadOptions::default()
        .with_columns(["price", "name"])
        .with_filter("price >= 1.51".parse().unwrap());
    assert_eq!(read(&datasets, &report.node, some).await.num_rows(), 2);
}

#[tokio::test]
async fn columns_of_other_meaning_stay_refused() {
    let of = |array: ArrayRef| ipc(&table([("c", array)]));
    let files = [
        ("a.arrow", of(column(Int32Array::from(vec![1])))),
        (
            "b.arrow",
            of(column(arrow::array::Int64Array::from(vec![1]))),
        ),
    ];
    let files = files
        .each_ref()
        .map(|(name, bytes)| (*name, bytes.as_slice()));
    let files = directory(&files);
    let refused = datasets()
        .await
        .snapshot(spec("d").with_path(files.path()))
        .await;
    check_error(
        refused,
        ErrorKind::Invalid,
        &["Int64 instead of Int32", "b.arrow"],
    );
}

#[tokio::test]
async fn a_manifest_with_columns_of_several_types_is_of_format_8() {
    let text = |array: ArrayRef| ipc(&table([("word", array)]));
    let files = [
        ("a.arrow", text(column(StringArray::from(vec!["a", "b"])))),
        ("b.arrow", text(column(LargeStringArray::from(vec!["c"])))),
    ];
    let files = files
        .each_ref()
        .map(|(name, bytes)| (*name, bytes.as_slice()));
    let files = directory(&files);
    let datasets = datasets().await;
    let report = datasets
        .snapshot(spec("d").with_path(files.path()))
        .await
        .unwrap();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let bytes = canon::to_vec(&manifest).unwrap();
    check("data-snapshot/v8/mixed.manifest.json", &bytes);
    assert_eq!(Manifest::from_slice(&bytes).unwrap(), manifest);
    let mut older: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    older["format"] = 7.into();
    let older = Manifest::from_slice(&canon::to_vec(&older).unwrap());
    check_error(older, ErrorKind::Corrupt, &["format 8"]);
}

#[tokio::test]
async fn parts_in_several_types_join_split_and_leak_like_one_table() {
    let datasets = datasets().await;
    let ids = |ids: Range<i32>| column(Int32Array::from_iter_values(ids));
    let names = |ids: Range<i32>| ids.map(|id| format!("name {}", id % 7));
    let parts = [
        (
            "a.parquet",
            column(StringArray::from_iter_values(names(0..50))),
            0..50,
        ),
        (
            "b.parquet",
            column(LargeStringArray::from_iter_values(names(50..90))),
            50..90,
        ),
    ];
    let mut stored = Vec::new();
    for (path, names, rows) in parts {
        let batch = table([("id", ids(rows)), ("name", names)]);
        let part = PartSpec::new().with_batches(path.parse().unwrap(), vec![batch]);
        stored.push(datasets.store_part(part).await.unwrap());
    }
    let joined = datasets.join(spec("d"), &stored).await.unwrap();
    let whole = table([
        ("id", ids(0..90)),
        ("name", column(StringArray::from_iter_values(names(0..90)))),
    ]);
    let expected = digests(slice::from_ref(&whole));
    assert_eq!(joined.table_digest, Some(expected.table));
    assert_eq!(joined.rows_digest, Some(expected.unordered));

    // The same names fall into the same part, whatever they are encoded in.
    let rule = SplitRule::hash(["name"], 7);
    let split = SplitSpec::new(joined.node, rule.clone(), ada(), "")
        .with_part("train".parse().unwrap(), 1)
        .with_part("test".parse().unwrap(), 1);
    let split = datasets.split(split).await.unwrap();
    let nodes: Vec<NodeRef> = split
        .parts
        .iter()
        .map(|part| part.snapshot.node.clone())
        .collect();
    let leaks = datasets
        .check_leakage(&nodes, &["name".to_owned()])
        .await
        .unwrap();
    assert!(!leaks.leaks, "{leaks:?}");
    let whole = datasets.snapshot(rows("whole", whole)).await.unwrap().node;
    let other = SplitSpec::new(whole, rule, ada(), "")
        .with_part("train".parse().unwrap(), 1)
        .with_part("test".parse().unwrap(), 1);
    let other = datasets.split(other).await.unwrap();
    for (a, b) in split.parts.iter().zip(&other.parts) {
        assert_eq!(a.snapshot.table_digest, b.snapshot.table_digest);
    }
}

/// Else a column of long values that a dictionary holds once would be as many times as it has rows in memory.
#[tokio::test]
async fn long_values_of_a_dictionary_come_a_few_at_a_time() {
    const LENGTH: usize = 1024 * 1024;
    let long = "x".repeat(LENGTH);
    let words = vec![long.as_str(); 40];
    let folded = DictionaryArray::<Int8Type>::from_iter(words);
    let files = [
        ("a.arrow", ipc(&table([("word", column(folded))]))),
        (
            "b.arrow",
            ipc(&table([("word", column(StringArray::from(vec!["short"])))])),
        ),
    ];
    let files = files
        .each_ref()
        .map(|(name, bytes)| (*name, bytes.as_slice()));
    let files = directory(&files);
    let datasets = datasets().await;
    let spec = spec("d").with_path(files.path());
    let node = datasets.snapshot(spec).await.unwrap().node;
    let read = datasets.read(&node, ReadOptions::default()).await.unwrap();
    let batches: Vec<RecordBatch> = read.try_collect().await.unwrap();
    let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows, [15, 15, 10, 1]);
}
