//! What digests see and do not see, on random tables of every type in random encodings.

use std::num::NonZeroUsize;

use arrow::array::{BinaryArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::Schema;
use mainstay_data::digest::{Profile, TableHasher};

use crate::model::build::batch;
use crate::model::{
    Column, Random, Table, Type, Value, every_type, random_table, random_value, seeds,
};
use crate::support::{Digests, column, datasets, digests, digests_of, rows, table};

/// Digests that do not depend on the order of columns.
fn of_table(batches: &[RecordBatch], profile: Profile) -> Digests {
    let mut found = digests_of(batches, profile);
    found.columns.sort();
    found
}

fn pieces(whole: &RecordBatch, random: &mut Random) -> Vec<RecordBatch> {
    let mut cuts = vec![0, whole.num_rows()];
    cuts.extend((0..random.below(4)).map(|_| random.below(whole.num_rows() + 1)));
    cuts.sort_unstable();
    let pairs = cuts.windows(2);
    pairs
        .map(|cut| whole.slice(cut[0], cut[1] - cut[0]))
        .collect()
}

fn check_encodings(table: &Table, seed: u64, random: &mut Random) {
    for profile in [Profile::Strict, Profile::Semantic] {
        let expected = of_table(&[batch(table, random)], profile);
        for _ in 0..3 {
            let other = batch(table, random);
            let found = of_table(&pieces(&other, random), profile);
            assert_eq!(found, expected, "seed {seed}: {:?}", other.schema());
        }
    }
}

#[test]
fn encodings_slices_batches_and_what_lies_below_nulls_leave_no_trace() {
    for seed in seeds(60) {
        let mut random = Random(seed);
        let rows = random.below(20);
        check_encodings(&random_table(&mut random, rows), seed, &mut random);
    }
}

#[test]
fn every_type_is_hashed_in_every_encoding() {
    for (seed, of) in (0..).zip(every_type()) {
        let mut random = Random(seed);
        let values = (0..70).map(|_| random_value(&of, &mut random)).collect();
        let name = "c".to_owned();
        let columns = vec![Column { name, of, values }];
        check_encodings(&Table { rows: 70, columns }, seed, &mut random);
    }
}

#[test]
fn one_changed_cell_changes_every_digest_it_is_in() {
    for seed in seeds(200) {
        let mut random = Random(seed);
        let rows = 1 + random.below(12);
        let mut table = random_table(&mut random, rows);
        let before = digests(&[batch_in_order(&table, &mut random)]);
        let (at, row) = (random.below(table.columns.len()), random.below(rows));
        let column = &mut table.columns[at];
        let other = random_value(&column.of, &mut random);
        let changed = other != column.values[row];
        column.values[row] = other;
        let after = digests(&[batch_in_order(&table, &mut random)]);
        assert_eq!(before != after, changed, "seed {seed}");
        assert_eq!(before.table != after.table, changed, "seed {seed}");
        assert_eq!(before.unordered != after.unordered, changed, "seed {seed}");
        for index in 0..table.columns.len() {
            let differs = before.columns[index] != after.columns[index];
            assert_eq!(differs, changed && index == at, "seed {seed}");
        }
    }
}

/// As [`batch`], with the columns where they are in the table.
fn batch_in_order(table: &Table, random: &mut Random) -> RecordBatch {
    let built = batch(table, random);
    let names = table.columns.iter().map(|column| column.name.as_str());
    let indices = names.map(|name| built.schema().index_of(name).unwrap());
    built.project(&indices.collect::<Vec<_>>()).unwrap()
}

#[test]
fn swapped_and_dropped_rows_are_noticed() {
    for seed in seeds(150) {
        let mut random = Random(seed);
        let rows = 2 + random.below(10);
        let mut table = random_table(&mut random, rows);
        let row = |table: &Table, row: usize| -> Vec<Value> {
            table
                .columns
                .iter()
                .map(|column| column.values[row].clone())
                .collect()
        };
        let before = of_table(&[batch(&table, &mut random)], Profile::Strict);

        let (a, b) = (random.below(rows), random.below(rows));
        let differ = row(&table, a) != row(&table, b);
        for column in &mut table.columns {
            column.values.swap(a, b);
        }
        let swapped = of_table(&[batch(&table, &mut random)], Profile::Strict);
        assert_eq!(swapped.unordered, before.unordered, "seed {seed}");
        assert_eq!(swapped.table != before.table, differ, "seed {seed}");

        for column in &mut table.columns {
            column.values.remove(a);
        }
        table.rows -= 1;
        let dropped = of_table(&[batch(&table, &mut random)], Profile::Strict);
        assert_ne!(dropped.unordered, before.unordered, "seed {seed}");
        assert_ne!(dropped.table, before.table, "seed {seed}");
    }
}

#[test]
fn threads_leave_no_trace() {
    for seed in seeds(20) {
        let mut random = Random(seed);
        let rows = 1 + random.below(20);
        let table = random_table(&mut random, rows);
        let whole = batch(&table, &mut random);
        let pieces = pieces(&whole, &mut random);
        let with = |threads| {
            let threads = NonZeroUsize::new(threads).unwrap();
            let schema = whole.schema();
            let mut hasher = TableHasher::parallel(&schema, Profile::Strict, threads).unwrap();
            for piece in &pieces {
                hasher.update(piece).unwrap();
            }
            hasher.finish().unwrap()
        };
        assert_eq!(with(1), with(2), "seed {seed}");
        assert_eq!(with(1), with(7), "seed {seed}");
    }
}

#[tokio::test]
async fn threads_that_share_a_large_table_leave_no_trace() {
    let mut random = Random(7);
    let mut noise = || (0..16).flat_map(|_| random.next().to_le_bytes()).collect();
    let noise: Vec<Vec<u8>> = (0..9_000).map(|_| noise()).collect();
    let batch = table([
        ("n", column(Int64Array::from_iter_values(0..9_000))),
        ("noise", column(BinaryArray::from_iter_values(noise.iter()))),
        ("same", column(StringArray::from(vec!["x"; 9_000]))),
    ]);
    let report = datasets()
        .await
        .snapshot(rows("d", batch.clone()))
        .await
        .unwrap();
    assert!(report.files[0].bytes > 1024 * 1024);
    let expected = digests(&[batch]);
    assert_eq!(report.table_digest, Some(expected.table));
    assert_eq!(report.rows_digest, Some(expected.unordered));
    let columns: Vec<_> = report.columns.iter().map(|column| column.digest).collect();
    assert_eq!(columns, expected.columns);
}

#[test]
fn tables_without_rows_or_columns_have_digests() {
    let nothing = |rows: usize| {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = std::sync::Arc::new(Schema::empty());
        digests(&[RecordBatch::try_new_with_options(schema, vec![], &options).unwrap()])
    };
    assert_eq!(nothing(3), nothing(3));
    assert_ne!(nothing(3).table, nothing(2).table);
    assert_ne!(nothing(3).unordered, nothing(2).unordered);

    let empty = |of: Type| {
        let name = "c".to_owned();
        let columns = vec![Column {
            name,
            of,
            values: vec![],
        }];
        of_table(
            &[batch(&Table { rows: 0, columns }, &mut Random(1))],
            Profile::Strict,
        )
    };
    assert_ne!(empty(Type::Utf8), nothing(0));
    assert_ne!(empty(Type::Utf8), empty(Type::Binary));
}

#[test]
fn columns_of_one_name_count_in_their_order() {
    use arrow::array::Int8Array;
    use arrow::datatypes::{DataType, Field};
    let of = |first: i8, second: i8| {
        let field = Field::new("a", DataType::Int8, true);
        let schema = Schema::new(vec![field.clone(), field]);
        let arrays = [first, second].map(|value| column(Int8Array::from(vec![value])));
        digests(&[RecordBatch::try_new(schema.into(), arrays.to_vec()).unwrap()])
    };
    assert_eq!(of(1, 2), of(1, 2));
    assert_ne!(of(1, 2).table, of(2, 1).table);
    assert_ne!(of(1, 2).unordered, of(2, 1).unordered);
}
