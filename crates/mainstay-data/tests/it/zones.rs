//! Times with a zone, in everything that shows or reads them.

use arrow::array::{
    ArrayRef, DurationSecondArray, Int64Array, ListArray, RecordBatch, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Fields};
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_data::merge::MergeSpec;
use mainstay_data::rows::cells_of;
use mainstay_data::split::{SplitRule, SplitSpec};
use mainstay_data::{Datasets, ReadOptions};
use std::sync::Arc;

use crate::support::{ada, check_error, column, datasets, rows, spec, table};

const ZONES: [&str; 4] = ["UTC", "Europe/Oslo", "+02:00", "no such zone"];
/// 2026-01-01 at midnight in UTC.
const START: i64 = 1_767_225_600_000_000;
const HOUR: i64 = 3_600_000_000;

fn hours(hours: impl IntoIterator<Item = i64>, zone: &str) -> ArrayRef {
    let times = hours.into_iter().map(|hour| START + hour * HOUR);
    column(TimestampMicrosecondArray::from_iter_values(times).with_timezone(zone))
}

/// Hours from the start, alone and within a list and a struct.
fn numbered(of: std::ops::Range<i64>, zone: &str) -> RecordBatch {
    let at = hours(of.clone(), zone);
    let field = Field::new("at", at.data_type().clone(), true);
    let fields: Fields = vec![field.clone()].into();
    let offsets = OffsetBuffer::from_lengths(of.clone().map(|_| 1));
    table([
        ("n", column(Int64Array::from_iter_values(of))),
        ("at", Arc::clone(&at)),
        (
            "list",
            column(ListArray::new(
                Arc::new(field),
                offsets,
                Arc::clone(&at),
                None,
            )),
        ),
        ("struct", column(StructArray::new(fields, vec![at], None))),
    ])
}

async fn store(datasets: &Datasets, name: &str, batch: RecordBatch) -> NodeRef {
    datasets.snapshot(rows(name, batch)).await.unwrap().node
}

#[tokio::test]
async fn leaks_and_repeated_keys_show_them_in_utc() {
    for zone in ZONES {
        let datasets = datasets().await;
        let a = store(&datasets, "a", numbered(0..4, zone)).await;
        let b = store(&datasets, "b", numbered(3..6, zone)).await;
        let leaks = datasets
            .check_leakage(&[a, b], &["at".to_owned()])
            .await
            .unwrap();
        assert_eq!(leaks.keys[0].samples[0]["at"], "2026-01-01T03:00:00Z");
        let row = &leaks.rows[0].samples[0];
        assert_eq!(row["list"], "[2026-01-01T03:00:00Z]", "{zone}");
        assert_eq!(row["struct"], "{at: 2026-01-01T03:00:00Z}", "{zone}");

        let twice = table([("at", hours([1, 1], zone))]);
        let report = datasets.snapshot(rows("c", twice).with_key(["at"])).await;
        let repeated = report.unwrap().repeated_keys.unwrap();
        assert_eq!(repeated.first["at"], "2026-01-01T01:00:00Z");
    }
}

#[tokio::test]
async fn conditions_and_cuts_are_read_in_utc_unless_they_say_otherwise() {
    for zone in ZONES {
        let datasets = datasets().await;
        let node = store(&datasets, "d", numbered(0..48, zone)).await;
        for (condition, count) in [
            ("at >= '2026-01-02'", 24),
            ("at >= '2026-01-02T00:00:00+02:00'", 26),
            ("at = '2026-01-01T05:00:00Z'", 1),
        ] {
            let options = ReadOptions::default().with_filter(condition.parse().unwrap());
            let read = datasets.read(&node, options).await.unwrap();
            let batches: Vec<RecordBatch> = read.try_collect().await.unwrap();
            let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(found, count, "{condition} in {zone}");
        }
        let rule = SplitRule::time_cut("at", ["2026-01-02T12:00:00"]);
        let spec = SplitSpec::new(node, rule, ada(), "test")
            .with_part("train".parse().unwrap(), 1)
            .with_part("test".parse().unwrap(), 1);
        let report = datasets.split(spec).await.unwrap();
        let rows: Vec<u64> = report
            .parts
            .iter()
            .map(|part| part.snapshot.rows.unwrap_or(0))
            .collect();
        assert_eq!(rows, [36, 12], "{zone}");
    }
}

#[tokio::test]
async fn a_duration_is_cut_at_a_number_of_its_unit() {
    let datasets = datasets().await;
    let batch = table([("took", column(DurationSecondArray::from_iter_values(0..10)))]);
    let node = store(&datasets, "d", batch).await;
    let cut = |at: &str| {
        SplitSpec::new(node.clone(), SplitRule::time_cut("took", [at]), ada(), "")
            .with_part("train".parse().unwrap(), 1)
            .with_part("test".parse().unwrap(), 1)
    };
    let report = datasets.split(cut("7")).await.unwrap();
    assert_eq!(report.parts[0].snapshot.rows, Some(7));
    check_error(
        datasets.split(cut("7 s")).await,
        ErrorKind::Invalid,
        &["7 s"],
    );
}

#[tokio::test]
async fn rows_and_conflicts_of_merges_show_them_in_utc() {
    for zone in ZONES {
        let cells = cells_of(&numbered(5..6, zone), 0).unwrap();
        let shown: Vec<String> = cells
            .into_iter()
            .map(|(_, cell)| serde_json::to_string(&cell).unwrap())
            .collect();
        assert_eq!(shown[1], "\"2026-01-01T05:00:00.000000Z\"");
        assert_eq!(shown[2], "\"[2026-01-01T05:00:00Z]\"");

        let datasets = datasets().await;
        let version = |hour| {
            let batch = table([
                ("n", column(Int64Array::from(vec![1]))),
                ("at", hours([hour], zone)),
            ]);
            spec("d")
                .with_batches("t.parquet".parse().unwrap(), vec![batch])
                .with_key(["n"])
        };
        let base = datasets.snapshot(version(0)).await.unwrap().node;
        let mut sides = Vec::new();
        for hour in [1, 2] {
            let spec = version(hour).with_parent(base.clone());
            sides.push(datasets.snapshot(spec).await.unwrap().node);
        }
        let merge = MergeSpec::new(sides[0].clone(), sides[1].clone());
        let plan = datasets.plan_merge(&merge).await.unwrap();
        let text = serde_json::to_string(&plan).unwrap();
        for shown in ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"] {
            assert!(text.contains(shown), "{zone}: {text}");
        }
    }
}
