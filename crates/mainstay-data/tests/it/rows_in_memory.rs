//! Rows that are stored as Parquet: none is lost, and what stays the same is stored once.

use arrow::array::{BinaryArray, Int64Array, RecordBatch};
use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_data::ReadOptions;

use crate::model::build::batch;
use crate::model::{Random, Type, random_table, seeds};
use crate::support::{column, datasets, digests, rows, spec, table};

fn in_parquet(of: &Type) -> bool {
    match of {
        // The encoder refuses unions, and structs and maps of nothing.
        Type::Union(_) => false,
        Type::Struct(fields) => !fields.is_empty() && fields.iter().all(|(_, f)| in_parquet(f)),
        Type::List(item) => in_parquet(item),
        Type::Map(key, value) => in_parquet(key) && in_parquet(value),
        _ => true,
    }
}

#[tokio::test]
async fn random_tables_are_stored_and_read_without_losing_a_row() {
    let mut stored = 0;
    for seed in seeds(60) {
        let mut random = Random(seed);
        let rows = 1 + random.below(60);
        let mut made = random_table(&mut random, rows);
        made.columns.retain(|column| in_parquet(&column.of));
        if made.columns.is_empty() {
            continue;
        }
        let whole = batch(&made, &mut random);
        let cut = random.below(rows + 1);
        let pieces = vec![whole.slice(0, cut), whole.slice(cut, rows - cut)];
        let datasets = datasets().await;
        let spec = spec("d").with_batches("rows.parquet".parse().unwrap(), pieces);
        let report = match datasets.snapshot(spec).await {
            Ok(report) => report,
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    ErrorKind::Unsupported,
                    "seed {seed}: {error:?}"
                );
                continue;
            }
        };
        stored += 1;
        let expected = digests(&[whole]);
        assert_eq!(report.table_digest, Some(expected.table), "seed {seed}");
        assert_eq!(report.rows_digest, Some(expected.unordered), "seed {seed}");

        let back = datasets.read(&report.node, ReadOptions::default()).await;
        let back: Vec<RecordBatch> = back.unwrap().try_collect().await.unwrap();
        assert_eq!(digests(&back).table, expected.table, "seed {seed}");
    }
    assert!(stored > 20, "{stored} tables could be stored");
}

#[tokio::test]
async fn a_row_put_in_near_the_top_stores_the_pages_it_is_in() {
    let noise = |row: i64| blake3::hash(&row.to_le_bytes()).as_bytes().repeat(25);
    // 32 random bytes repeated compress, but no page to less than 8 KiB.
    let of = |numbers: &[i64]| {
        table([
            ("n", column(Int64Array::from(numbers.to_vec()))),
            (
                "noise",
                column(BinaryArray::from_iter_values(
                    numbers.iter().map(|n| noise(*n)),
                )),
            ),
        ])
    };
    let mut numbers: Vec<i64> = (0..4_000).collect();
    let datasets = datasets().await;
    let before = datasets.snapshot(rows("d", of(&numbers))).await.unwrap();
    numbers.insert(100, -1);
    let after = datasets.snapshot(rows("d", of(&numbers))).await.unwrap();
    assert_eq!(after.version, 2);
    assert!(
        after.new_bytes * 4 < before.new_bytes,
        "{} of {} bytes are new",
        after.new_bytes,
        before.new_bytes
    );
}
