//! Merges of versions whose columns are encoded in different ways.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryArray, Decimal128Array, DictionaryArray,
    FixedSizeBinaryArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, Int8Type, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_data::diff::SchemaDiff;
use mainstay_data::merge::{MergePlan, MergeSpec};
use mainstay_data::{Datasets, ReadOptions, SnapshotSpec};
use tempfile::TempDir;

use crate::model::build::array;
use crate::model::{Random, Type, Value, every_type, random_value, seeds};
use crate::support::{ada, check_error, column, datasets, digests, directory, spec, table};

/// Stores a base and two versions of it, and plans to merge these.
async fn planned(datasets: &Datasets, versions: [SnapshotSpec; 3]) -> MergePlan {
    let [base, ours, theirs] = versions;
    let base = datasets.snapshot(base).await.unwrap().node;
    let ours = datasets.snapshot(ours.with_parent(base.clone())).await;
    let theirs = datasets.snapshot(theirs.with_parent(base)).await;
    let spec = MergeSpec::new(ours.unwrap().node, theirs.unwrap().node);
    datasets.plan_merge(&spec).await.unwrap()
}

async fn read(datasets: &Datasets, node: &NodeRef) -> RecordBatch {
    let read = datasets.read(node, ReadOptions::default()).await.unwrap();
    let batches: Vec<RecordBatch> = read.try_collect().await.unwrap();
    arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn ids(ids: &[i64]) -> ArrayRef {
    column(Int64Array::from(ids.to_vec()))
}

fn prices(cents: &[i128], precision: u8) -> ArrayRef {
    let cents = Decimal128Array::from(cents.to_vec());
    column(cents.with_precision_and_scale(precision, 2).unwrap())
}

fn version(batch: RecordBatch, key: &[&str]) -> SnapshotSpec {
    spec("d")
        .with_batches("t.parquet".parse().unwrap(), vec![batch])
        .with_key(key.iter().copied())
}

#[tokio::test]
async fn what_does_not_fit_into_our_columns_is_a_conflict_and_never_a_null() {
    let priced = |cents: &[i128], precision| {
        let numbers: Vec<i64> = (1..).take(cents.len()).collect();
        table([("id", ids(&numbers)), ("price", prices(cents, precision))])
    };
    let kept = |key: &'static [&str]| {
        [
            version(priced(&[100, 200], 5), key),
            version(priced(&[150, 200], 5), key),
        ]
    };
    let added = || {
        [
            version(priced(&[100, 200], 5), &[]),
            version(priced(&[100, 200, 300], 5), &[]),
        ]
    };
    let huge = 1_234_567_890;
    let key: &[&str] = &["id"];
    for (before, theirs) in [
        (kept(key), version(priced(&[100, huge], 10), key)),
        (kept(key), version(priced(&[100, 200, huge], 10), key)),
        (added(), version(priced(&[100, 200, huge], 10), &[])),
    ] {
        let datasets = datasets().await;
        let [base, ours] = before;
        let plan = planned(&datasets, [base, ours, theirs]).await;
        assert_eq!(plan.conflicts.len(), 1);
        let why = plan.conflicts[0].why;
        assert!(why.contains("do not fit into our columns"), "{why}");
        let refused = datasets.apply_merge(&plan, ada(), "").await;
        check_error(refused, ErrorKind::Conflict, &["t.parquet", "fit"]);
    }

    // What fits comes in.
    let datasets = datasets().await;
    let [base, ours] = kept(key);
    let theirs = version(priced(&[100, 99_999, 1], 10), key);
    let plan = planned(&datasets, [base, ours, theirs]).await;
    let merged = datasets.apply_merge(&plan, ada(), "").await.unwrap();
    let rows = read(&datasets, &merged.node).await;
    let found = rows["price"].as_primitive::<Decimal128Type>();
    assert_eq!(found.values(), &[150, 99_999, 1]);
}

#[tokio::test]
async fn bytes_of_another_width_and_nulls_are_a_conflict_where_our_column_has_none() {
    let of = |values: ArrayRef, is_nullable| {
        let numbers: Vec<i64> = (1..).take(values.len()).collect();
        let fields = vec![
            Field::new("id", DataType::Int64, true),
            Field::new("x", values.data_type().clone(), is_nullable),
        ];
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema, vec![ids(&numbers), values]);
        version(batch.unwrap(), &["id"])
    };
    let bytes = |values: &[&[u8]]| {
        let values = FixedSizeBinaryArray::try_from_iter(values.iter()).unwrap();
        of(column(values), true)
    };
    let numbers =
        |values: Vec<Option<i64>>, is_nullable| of(column(Int64Array::from(values)), is_nullable);
    for versions in [
        [
            bytes(&[b"aa", b"bb"]),
            bytes(&[b"ax", b"bb"]),
            bytes(&[b"aaa", b"bbb"]),
        ],
        [
            numbers(vec![Some(1), Some(2)], false),
            numbers(vec![Some(3), Some(2)], false),
            numbers(vec![Some(1), None], true),
        ],
        [
            numbers(vec![Some(1)], false),
            numbers(vec![Some(3)], false),
            numbers(vec![Some(1), None], true),
        ],
    ] {
        let plan = planned(&datasets().await, versions).await;
        let conflict = plan.conflicts.last().unwrap();
        assert!(conflict.why.contains("do not fit"), "{}", conflict.why);
    }

    // A null that theirs did not change does not come in.
    let datasets = datasets().await;
    let two = |x: ArrayRef, y: &[i64], is_nullable| {
        let fields = vec![
            Field::new("id", DataType::Int64, true),
            Field::new("x", DataType::Int64, is_nullable),
            Field::new("y", DataType::Int64, true),
        ];
        let columns = vec![ids(&[1]), x, ids(y)];
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        version(batch.unwrap(), &["id"])
    };
    let null = || column(Int64Array::from(vec![None]));
    let versions = [
        two(null(), &[1], true),
        two(ids(&[7]), &[1], false),
        two(null(), &[2], true),
    ];
    let plan = planned(&datasets, versions).await;
    let merged = datasets.apply_merge(&plan, ada(), "").await.unwrap();
    let rows = read(&datasets, &merged.node).await;
    assert_eq!(
        (rows["x"].null_count(), rows["y"].as_ref()),
        (0, ids(&[2]).as_ref())
    );
}

/// Rows with a dictionary, and with ones within lists and structs, compressed.
fn categorized(rows: &[(i64, &str)]) -> (SnapshotSpec, TempDir) {
    let words = || -> ArrayRef {
        let words: DictionaryArray<Int8Type> = rows.iter().map(|(_, word)| *word).collect();
        column(words)
    };
    let item = Arc::new(Field::new("item", words().data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|_| 1));
    let within = Field::new("word", words().data_type().clone(), true);
    let numbers: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    let batch = table([
        ("id", ids(&numbers)),
        ("word", words()),
        ("list", column(ListArray::new(item, offsets, words(), None))),
        (
            "struct",
            column(StructArray::new(vec![within].into(), vec![words()], None)),
        ),
        ("same", ids(&vec![7; rows.len()])),
    ]);
    let mut bytes = Vec::new();
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD));
    let mut writer =
        FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options.unwrap()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let directory = directory(&[("t.arrow", &bytes)]);
    (spec("d").with_path(directory.path()), directory)
}

fn words_of(array: &dyn Array) -> Vec<String> {
    let words = arrow::compute::cast(array, &DataType::Utf8).unwrap();
    words
        .as_string::<i32>()
        .iter()
        .flatten()
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn rows_of_dictionaries_merge_in_arrow_files() {
    // More words on both sides than the keys of one dictionary can number.
    let words: Vec<String> = (0..240).map(|number| format!("word {number}")).collect();
    let base: Vec<(i64, &str)> = (0..20_000).map(|id| (id, "old")).collect();
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    for (place, word) in words.iter().enumerate() {
        let side = if place < 120 { &mut ours } else { &mut theirs };
        side[place * 10].1 = word;
    }
    ours.push((30_000, "ours"));
    theirs.push((40_000, "theirs"));
    let mut expected = base.clone();
    for (place, word) in words.iter().enumerate() {
        expected[place * 10].1 = word;
    }
    expected.extend([(30_000, "ours"), (40_000, "theirs")]);

    let appended = |id, word| [base.as_slice(), &[(id, word)]].concat();
    let (one, other) = (appended(30_000, "ours"), appended(40_000, "theirs"));
    let both = [one.as_slice(), &[(40_000, "theirs")]].concat();
    for (sides, key, expected) in [
        ([&base, &ours, &theirs], Some("id"), &expected),
        ([&base, &one, &other], None, &both),
    ] {
        let datasets = datasets().await;
        let files = sides.map(|rows| categorized(rows));
        let versions = files.each_ref().map(|(spec, _)| spec.clone().with_key(key));
        let plan = planned(&datasets, versions).await;
        assert_eq!(plan.conflicts, []);
        let merged = datasets.apply_merge(&plan, ada(), "").await.unwrap();
        let rows = read(&datasets, &merged.node).await;
        let wanted: Vec<&str> = expected.iter().map(|(_, word)| *word).collect();
        assert_eq!(words_of(&rows["word"]), wanted);
        assert_eq!(words_of(rows["list"].as_list::<i32>().values()), wanted);
        assert_eq!(words_of(rows["struct"].as_struct().column(0)), wanted);
        let numbers: Vec<i64> = expected.iter().map(|(id, _)| *id).collect();
        assert_eq!(rows["id"].as_ref(), ids(&numbers).as_ref());

        let out = tempfile::tempdir().unwrap();
        datasets.export(&merged.node, out.path()).await.unwrap();
        let bytes = std::fs::metadata(out.path().join("t.arrow")).unwrap().len();
        // Two of the columns alone would have as many.
        assert!(bytes < 2 * 8 * 20_000, "{bytes} bytes are not compressed");
    }
}

/// What theirs changed is more than a batch of rows is to hold.
#[tokio::test]
async fn cells_of_many_bytes_are_merged_in_more_than_one_batch() {
    const ROWS: u8 = 24;
    let image = |fill: u8| vec![fill; 1 << 20];
    let version = |note: &str, fill: fn(u8) -> Option<u8>| {
        let images = (0..ROWS).map(|row| fill(row).map(image));
        let notes = (0..ROWS).map(|row| format!("{note} {row}"));
        let batch = table([
            ("id", ids(&(0..i64::from(ROWS)).collect::<Vec<_>>())),
            ("note", column(StringArray::from_iter_values(notes))),
            ("image", column(images.collect::<BinaryArray>())),
        ]);
        let files = written(&batch);
        (spec("d").with_path(files.path()).with_key(["id"]), files)
    };
    let files = [
        version("old", |_| None),
        version("new", |_| None),
        version("old", |row| (row != 7).then_some(row)),
    ];
    let datasets = datasets().await;
    let plan = planned(&datasets, files.each_ref().map(|(spec, _)| spec.clone())).await;
    let merged = datasets.apply_merge(&plan, ada(), "").await.unwrap();
    let read = datasets.read(&merged.node, ReadOptions::default()).await;
    let batches: Vec<RecordBatch> = read.unwrap().try_collect().await.unwrap();
    assert!(batches.len() > 1);
    let mut row = 0;
    for batch in batches {
        let (notes, images) = (batch["note"].as_string::<i32>(), batch["image"].as_binary());
        for (note, found) in notes.iter().zip(images as &BinaryArray) {
            assert_eq!(note, Some(format!("new {row}").as_str()));
            assert_eq!(found, (row != 7).then(|| image(row)).as_deref());
            row += 1;
        }
    }
    assert_eq!(row, ROWS);
}

#[tokio::test]
async fn text_and_json_text_are_not_merged_and_the_schema_tells_them_apart() {
    for (texts, before, after) in [
        (
            [
                "{\"k\":1,\"a\":\"1\"}\n{\"k\":2,\"a\":\"x\"}\n",
                "{\"k\":1,\"a\":\"1\"}\n{\"k\":2,\"a\":\"y\"}\n",
                "{\"k\":1,\"a\":1}\n{\"k\":2,\"a\":\"x\"}\n",
            ],
            "utf8",
            "json",
        ),
        (
            [
                "{\"k\":1,\"a\":[{\"b\":\"1\"},{\"b\":\"x\"}]}\n",
                "{\"k\":1,\"a\":[{\"b\":\"1\"},{\"b\":\"y\"}]}\n",
                "{\"k\":1,\"a\":[{\"b\":1},{\"b\":\"x\"}]}\n",
            ],
            "list(struct(\"b\":utf8))",
            "list(struct(\"b\":json))",
        ),
    ] {
        let datasets = datasets().await;
        let files = texts.map(|text| directory(&[("t.jsonl", text.as_bytes())]));
        let versions = files
            .each_ref()
            .map(|files| spec("d").with_path(files.path()).with_key(["k"]));
        let plan = planned(&datasets, versions).await;
        assert_eq!(plan.conflicts.len(), 1);
        let why = plan.conflicts[0].why;
        assert!(why.contains("JSON text"), "{why}");

        let base = datasets.manifest(plan.base.as_ref().unwrap()).await;
        let theirs = datasets.manifest(&plan.spec.theirs).await.unwrap();
        let diff = SchemaDiff::between(base.unwrap().columns(), theirs.columns());
        let changed = &diff.changed[0];
        assert_eq!((diff.changed.len(), changed.name.as_str()), (1, "a"));
        let types = [&changed.before, &changed.after].map(|of| of.logical_type.as_str());
        assert_eq!(types, [before, after]);
    }
}

/// Rows of one column and a key.
fn numbered(rows: &[(i64, &Value)], of: &Type, random: &mut Random) -> RecordBatch {
    let numbers: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    let values: Vec<Value> = rows.iter().map(|(_, value)| (*value).clone()).collect();
    table([("id", ids(&numbers)), ("c", array(of, &values, random))])
}

fn written(batch: &RecordBatch) -> TempDir {
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    directory(&[("t.arrow", &bytes)])
}

#[tokio::test]
async fn arrow_files_of_every_type_in_any_encodings_merge_as_planned() {
    let (mut tried, mut made) = (0, 0);
    for seed in seeds(2) {
        let random = &mut Random(seed);
        for of in every_type() {
            let values: Vec<Value> = (0..6).map(|_| random_value(&of, random)).collect();
            let row = |id, place: usize| (id, &values[place]);
            let rows = [
                vec![row(0, 0), row(1, 1), row(2, 0)],
                vec![row(0, 2), row(1, 1), row(2, 0), row(3, 4)],
                vec![row(0, 0), row(1, 3), row(2, 0), row(4, 5)],
            ];
            let files = rows.map(|rows| written(&numbered(&rows, &of, random)));
            let versions = files
                .each_ref()
                .map(|files| spec("d").with_path(files.path()).with_key(["id"]));
            let datasets = datasets().await;
            let plan = planned(&datasets, versions).await;
            tried += 1;
            if let Some(conflict) = plan.conflicts.first() {
                // Bytes of one width do not hold others, and Arrow does not turn every encoding into every other.
                assert!(conflict.why.contains("do not fit"), "seed {seed}: {of:?}");
                continue;
            }
            made += 1;
            let merged = datasets.apply_merge(&plan, ada(), "").await.unwrap();
            let rows = [row(0, 2), row(1, 3), row(2, 0), row(3, 4), row(4, 5)];
            let expected = digests(&[numbered(&rows, &of, random)]).table;
            assert_eq!(merged.table_digest, Some(expected), "seed {seed}: {of:?}");
        }
    }
    assert!(made * 4 > tried * 3, "{made} of {tried}");
}
