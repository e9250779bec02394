//! Rows read by a condition, against the condition on each row.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, Decimal128Array, Decimal256Array, Float64Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::datatypes::{Int64Type, i256};
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_data::{Comparison, Datasets, Literal, Predicate, ReadOptions};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};

use crate::model::Random;
use crate::support::{check_error, column, datasets, rows, table};

const ROWS: i64 = 30_000;

struct Row {
    n: i64,
    x: Option<f64>,
    text: Option<String>,
}

fn made(random: &mut Random) -> Vec<Row> {
    let row = |n| Row {
        n,
        x: match random.below(40) {
            0 => None,
            1 => Some(f64::NAN),
            2 => Some(-0.0),
            number => Some(
                f64::from(u32::try_from(number).unwrap())
                    + f64::from(i32::try_from(n / 1000).unwrap()),
            ),
        },
        text: (n % 7_000 > 3_000).then(|| format!("t{:05}", n / 10)),
    };
    (0..ROWS).map(row).collect()
}

fn batch(rows: &[Row]) -> RecordBatch {
    table([
        (
            "n",
            column(Int64Array::from_iter_values(rows.iter().map(|row| row.n))),
        ),
        (
            "x",
            column(rows.iter().map(|row| row.x).collect::<Float64Array>()),
        ),
        (
            "text",
            column(
                rows.iter()
                    .map(|row| row.text.as_deref())
                    .collect::<StringArray>(),
            ),
        ),
    ])
}

fn holds<T: PartialOrd>(by: Comparison, value: &T, other: &T) -> bool {
    match by {
        Comparison::Equal => value == other,
        Comparison::Different => value != other,
        Comparison::Less => value < other,
        Comparison::AtMost => value <= other,
        Comparison::Greater => value > other,
        Comparison::AtLeast => value >= other,
    }
}

/// Three-valued.
fn compare(row: &Row, name: &str, by: Comparison, literal: &Literal) -> Option<bool> {
    match (name, literal) {
        ("n", Literal::Int(value)) => Some(holds(by, &row.n, value)),
        ("x", Literal::Float(value)) => row.x.map(|x| holds(by, &x, value)),
        ("text", Literal::Text(value)) => row.text.as_ref().map(|text| holds(by, text, value)),
        other => panic!("{other:?}"),
    }
}

fn wanted(row: &Row, predicate: &Predicate) -> Option<bool> {
    match predicate {
        Predicate::Compare {
            column,
            comparison,
            value,
        } => compare(row, column, *comparison, value),
        Predicate::OneOf { column, values } => {
            let equal = |value| compare(row, column, Comparison::Equal, value);
            any(values.iter().map(equal))
        }
        Predicate::IsNull { column } => Some(match column.as_str() {
            "x" => row.x.is_none(),
            "text" => row.text.is_none(),
            _ => false,
        }),
        Predicate::And(parts) => {
            let none = parts.iter().map(|part| wanted(row, part).map(|is| !is));
            any(none).map(|is| !is)
        }
        Predicate::Or(parts) => any(parts.iter().map(|part| wanted(row, part))),
        Predicate::Not(part) => wanted(row, part).map(|is| !is),
        other => panic!("{other:?}"),
    }
}

fn any(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut found = Some(false);
    for part in parts {
        match part {
            Some(true) => return part,
            Some(false) => {}
            None => found = None,
        }
    }
    found
}

fn literal(name: &str, random: &mut Random) -> Literal {
    let number = i64::try_from(random.below(33_000)).unwrap() - 1_000;
    match name {
        "n" => Literal::Int(number),
        "x" if random.below(5) == 0 => Literal::Float(if number % 2 == 0 { 0.0 } else { f64::NAN }),
        "x" => Literal::Float(f64::from(i32::try_from(number / 450).unwrap())),
        _ => Literal::Text(format!("t{:05}", number / 10)),
    }
}

fn arbitrary(random: &mut Random, depth: usize) -> Predicate {
    let name = ["n", "x", "text"][random.below(3)].to_owned();
    let kind = if depth == 0 {
        random.below(4)
    } else {
        random.below(8)
    };
    match kind {
        0 | 1 => Predicate::Compare {
            comparison: [
                Comparison::Equal,
                Comparison::Different,
                Comparison::Less,
                Comparison::AtMost,
                Comparison::Greater,
                Comparison::AtLeast,
            ][random.below(6)],
            value: literal(&name, random),
            column: name,
        },
        2 => Predicate::OneOf {
            values: (0..random.below(4))
                .map(|_| literal(&name, random))
                .collect(),
            column: name,
        },
        3 => Predicate::IsNull { column: name },
        4 | 5 => arbitrary(random, depth - 1).and(arbitrary(random, depth - 1)),
        6 => arbitrary(random, depth - 1).or(arbitrary(random, depth - 1)),
        _ => !arbitrary(random, depth - 1),
    }
}

async fn numbers(datasets: &Datasets, node: &NodeRef, filter: &Predicate) -> Vec<i64> {
    let options = ReadOptions::default()
        .with_columns(["n"])
        .with_filter(filter.clone());
    let read = datasets.read(node, options).await.unwrap();
    let batches: Vec<RecordBatch> = read.try_collect().await.unwrap();
    let mut found = Vec::new();
    for batch in batches {
        assert_eq!(batch.num_columns(), 1);
        found.extend(batch.column(0).as_primitive::<Int64Type>().values());
    }
    found
}

#[tokio::test]
async fn the_rows_that_are_read_are_those_that_the_condition_is_true_of() {
    let cases = if std::env::var("MAINSTAY_LONG").is_ok() {
        2_000
    } else {
        60
    };
    let mut random = Random(8);
    let rows_made = made(&mut random);
    let datasets = datasets().await;
    let node = datasets
        .snapshot(rows("d", batch(&rows_made)))
        .await
        .unwrap()
        .node;
    for case in 0..cases {
        let filter = arbitrary(&mut random, 3);
        let expected: Vec<i64> = rows_made
            .iter()
            .filter(|row| wanted(row, &filter) == Some(true))
            .map(|row| row.n)
            .collect();
        let found = numbers(&datasets, &node, &filter).await;
        assert!(
            found == expected,
            "case {case}: {filter:?}: {} rows instead of {}",
            found.len(),
            expected.len()
        );
    }
}

#[tokio::test]
async fn pages_without_a_wanted_row_are_not_read() {
    let meter = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let storage = Arc::clone(&meter);
    let repo = Repo::create(storage, RepoOptions::default()).await.unwrap();
    let datasets = Datasets::new(repo);
    let noise = |n: i64| {
        n.wrapping_mul(0x1E37_79B9_7F4A_7C15)
            .rotate_left(17)
            .wrapping_mul(0x3F58_476D_1CE4_E5B9)
    };
    let big = table([
        ("n", column(Int64Array::from_iter_values(0..400_000))),
        (
            "noise",
            column(Int64Array::from_iter_values((0..400_000).map(noise))),
        ),
    ]);
    let node = datasets.snapshot(rows("d", big)).await.unwrap().node;
    let read = |filter: Option<Predicate>| {
        let (datasets, meter, node) = (datasets.clone(), Arc::clone(&meter), node.clone());
        async move {
            let before = meter.reading().bytes_read;
            let mut options = ReadOptions::default();
            options.filter = filter;
            let batches: Vec<RecordBatch> = datasets
                .read(&node, options)
                .await
                .unwrap()
                .try_collect()
                .await
                .unwrap();
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            (rows, meter.reading().bytes_read - before)
        }
    };
    let (all_rows, all_bytes) = read(None).await;
    let few = Predicate::at_least("n", 200_000).and(Predicate::less("n", 201_000));
    let (rows, bytes) = read(Some(few)).await;
    assert_eq!((all_rows, rows), (400_000, 1_000));
    assert!(bytes * 5 < all_bytes, "{bytes} of {all_bytes} bytes");
    let (rows, _) = read(Some(Predicate::less("n", 0))).await;
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_condition_that_cannot_be_asked_is_refused_by_name() {
    let datasets = datasets().await;
    let node = datasets
        .snapshot(rows("d", batch(&made(&mut Random(1))[..50])))
        .await
        .unwrap()
        .node;
    let read = |filter: Predicate| {
        let options = ReadOptions::default().with_filter(filter);
        datasets.read(&node, options)
    };
    let unknown = read(Predicate::is_null("y")).await;
    check_error(unknown.map(drop), ErrorKind::NotFound, &["y"]);
    let read = read(Predicate::equal("n", "one")).await.unwrap();
    let outcome: Result<Vec<RecordBatch>, _> = read.try_collect().await;
    check_error(outcome, ErrorKind::Invalid, &["n", "one", "Int64"]);
}

#[tokio::test]
async fn decimals_compare_with_numbers_of_as_many_digits() {
    let cents: Vec<i128> = (-500..500).collect();
    for (precision, wide) in [(9, false), (30, false), (50, true)] {
        let prices: ArrayRef = if wide {
            let cents = cents.iter().map(|&cents| Some(i256::from_i128(cents)));
            let cents: Decimal256Array = cents.collect();
            column(cents.with_precision_and_scale(precision, 2).unwrap())
        } else {
            let cents = Decimal128Array::from(cents.clone());
            column(cents.with_precision_and_scale(precision, 2).unwrap())
        };
        let datasets = datasets().await;
        let stored = datasets
            .snapshot(rows("d", table([("price", prices)])))
            .await;
        let node = stored.unwrap().node;
        let count = |condition: &str| {
            let filter: Predicate = condition.parse().unwrap();
            let reading = datasets.read(&node, ReadOptions::default().with_filter(filter));
            async {
                let batches: Result<Vec<RecordBatch>, _> =
                    reading.await.unwrap().try_collect().await;
                batches.map(|batches| batches.iter().map(RecordBatch::num_rows).sum::<usize>())
            }
        };
        for (condition, expected) in [
            ("price >= 1.51", 349),
            ("price = -0.1", 1),
            ("price < 1", 600),
            ("price between 0.29 and 0.3", 2),
            ("price in (1.1, 2, 99999.99)", 2),
        ] {
            assert_eq!(count(condition).await.unwrap(), expected, "{condition}");
        }
        for condition in ["price > 1.515", "price > 12345678901234567.8"] {
            check_error(count(condition).await, ErrorKind::Invalid, &["digits"]);
        }
    }
}
