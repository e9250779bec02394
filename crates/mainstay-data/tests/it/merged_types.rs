//! Merges of versions whose columns are encoded in different ways.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Decimal128Array, FixedSizeBinaryArray, Int64Array,
    RecordBatch,
};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_data::merge::{MergePlan, MergeSpec};
use mainstay_data::{Datasets, ReadOptions, SnapshotSpec};

use crate::support::{ada, check_error, column, datasets, spec, table};

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
