//! Which rows differ, against a comparison of maps.

use std::collections::BTreeMap;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Decimal128Array, Int8Array, Int32Array, Int64Array,
    RecordBatch, StringArray, UInt16Array, UInt64Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, UInt64Type};
use mainstay_core::ErrorKind;
use mainstay_data::digest::Profile;
use mainstay_data::rows::{Identity, RowCounts, RowDiff, RowDiffOptions, Side};

use crate::model::build::batch;
use crate::model::{Column, Random, Table, Value, is_flat, random_table, random_value, seeds};
use crate::support::{check_error, column, digests_of, table};

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    op: String,
    changed: Vec<String>,
    rows: (Option<u64>, Option<u64>),
    counts: (u64, u64),
}

fn run(
    before: &[RecordBatch],
    after: &[RecordBatch],
    identity: &Identity,
    options: RowDiffOptions,
) -> (Option<RecordBatch>, RowCounts) {
    let schemas = [before[0].schema(), after[0].schema()];
    let mut diff = RowDiff::new(&schemas[0], &schemas[1], identity, options).unwrap();
    for (side, batches) in [(Side::Before, before), (Side::After, after)] {
        for batch in batches {
            diff.add(side, batch).unwrap();
        }
    }
    let mut changes = diff.finish();
    let batches: Vec<RecordBatch> = changes.by_ref().map(Result::unwrap).collect();
    let whole = batches.first().map(RecordBatch::schema);
    let whole = whole.map(|schema| concat_batches(&schema, &batches).unwrap());
    (whole, changes.counts().clone())
}

fn changes_of(batch: Option<&RecordBatch>) -> Vec<Change> {
    let Some(batch) = batch else {
        return Vec::new();
    };
    let text = batch["op"].as_string::<i32>();
    let lists = batch["changed"].as_list::<i32>();
    let number = |name: &str, row| {
        let numbers = batch[name].as_primitive::<UInt64Type>();
        numbers.is_valid(row).then(|| numbers.value(row))
    };
    let change = |row| {
        let names = lists.value(row);
        let names = names.as_string::<i32>().iter().flatten();
        let mut changed: Vec<String> = names.map(str::to_owned).collect();
        changed.sort();
        Change {
            op: text.value(row).to_owned(),
            changed,
            rows: (number("before_row", row), number("after_row", row)),
            counts: (
                number("before_count", row).unwrap(),
                number("after_count", row).unwrap(),
            ),
        }
    };
    let mut changes: Vec<Change> = (0..batch.num_rows()).map(change).collect();
    changes.sort();
    changes
}

/// Compares tables of the same columns by looking at all of them.
fn naive(before: &Table, after: &Table, key: &[String], whole_row: bool) -> Vec<Change> {
    let cells = |table: &Table, row: usize, of_key: bool| -> Vec<(String, String)> {
        let columns = table.columns.iter();
        let columns = columns.filter(|column| key.contains(&column.name) == of_key);
        let mut cells: Vec<_> = columns
            .map(|column| (column.name.clone(), format!("{:?}", column.values[row])))
            .collect();
        cells.sort();
        cells
    };
    let mut keys: BTreeMap<Vec<(String, String)>, [Vec<usize>; 2]> = BTreeMap::new();
    for (side, table) in [before, after].into_iter().enumerate() {
        for row in 0..table.rows {
            keys.entry(cells(table, row, true)).or_default()[side].push(row);
        }
    }
    let mut changes = Vec::new();
    for [of_before, of_after] in keys.into_values() {
        let mut changed = Vec::new();
        let op = match (of_before.len(), of_after.len()) {
            (a, b) if whole_row && a == b => continue,
            (a, b) if whole_row && a < b => "added",
            _ if whole_row => "removed",
            (0, 1) => "added",
            (1, 0) => "removed",
            (1, 1) => {
                let earlier = cells(before, of_before[0], false);
                let later = cells(after, of_after[0], false);
                let pairs = earlier.into_iter().zip(later);
                changed = pairs.filter(|(a, b)| a != b).map(|(a, _)| a.0).collect();
                if changed.is_empty() {
                    continue;
                }
                "changed"
            }
            _ => "duplicate",
        };
        let first = |rows: &[usize]| rows.first().map(|&row| row as u64);
        changes.push(Change {
            op: op.to_owned(),
            changed,
            rows: (first(&of_before), first(&of_after)),
            counts: (of_before.len() as u64, of_after.len() as u64),
        });
    }
    changes.sort();
    changes
}

/// Removes, adds, changes and moves rows.
fn edit(table: &Table, random: &mut Random) -> Table {
    let mut rows: Vec<Vec<Value>> = (0..table.rows)
        .map(|row| {
            table
                .columns
                .iter()
                .map(|c| c.values[row].clone())
                .collect()
        })
        .collect();
    for _ in 0..random.below(8) {
        let at = random.below(rows.len() + 1);
        let anew = |random: &mut Random| {
            let columns = table.columns.iter();
            columns
                .map(|column| random_value(&column.of, random))
                .collect()
        };
        match random.below(4) {
            0 => rows.insert(at, anew(random)),
            1 if at < rows.len() => drop(rows.remove(at)),
            2 if at < rows.len() => {
                let to = random.below(rows.len());
                rows.swap(at, to);
            }
            _ if at < rows.len() => {
                let column = random.below(table.columns.len());
                rows[at][column] = random_value(&table.columns[column].of, random);
            }
            _ => {}
        }
    }
    of_rows(table, &rows)
}

fn of_rows(like: &Table, rows: &[Vec<Value>]) -> Table {
    let columns = like.columns.iter().enumerate();
    Table {
        rows: rows.len(),
        columns: columns
            .map(|(index, column)| Column {
                name: column.name.clone(),
                of: column.of.clone(),
                values: rows.iter().map(|row| row[index].clone()).collect(),
            })
            .collect(),
    }
}

/// Checks that the changes show the rows of a side that they name.
fn check_rows(shown: &RecordBatch, table: &Table, side: &str, seed: u64, random: &mut Random) {
    let (names, counts) = (format!("{side}_row"), format!("{side}_count"));
    let numbers = shown[names.as_str()].as_primitive::<UInt64Type>();
    let counts = shown[counts.as_str()].as_primitive::<UInt64Type>();
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for place in 0..shown.num_rows() {
        let alike = shown["op"].as_string::<i32>().value(place) != "duplicate";
        let one = counts.value(place) == 1 || alike && counts.value(place) > 0;
        assert_eq!(shown[side].is_valid(place), one, "seed {seed}");
        if one && alike {
            let row = usize::try_from(numbers.value(place)).unwrap();
            rows.push(
                table
                    .columns
                    .iter()
                    .map(|c| c.values[row].clone())
                    .collect(),
            );
            places.push(u32::try_from(place).unwrap());
        }
    }
    if rows.is_empty() {
        return;
    }
    let expected = batch(&of_rows(table, &rows), random);
    let (rest, key) = (shown[side].as_struct(), shown["key"].as_struct());
    let columns = [rest, key].map(|part| part.fields().iter().zip(part.columns()));
    let columns = columns.into_iter().flatten();
    let whole = columns.map(|(field, array)| (field.name(), ArrayRef::clone(array), true));
    let whole = RecordBatch::try_from_iter_with_nullable(whole).unwrap();
    let places = arrow::array::UInt32Array::from(places);
    let whole = arrow::compute::take_record_batch(&whole, &places).unwrap();
    let of = |batch: RecordBatch| digests_of(&[batch], Profile::Strict).unordered;
    assert_eq!(of(whole), of(expected), "seed {seed}");
}

fn check_counts(counts: &RowCounts, changes: &[Change], before: &Table, after: &Table) {
    let count = |op: &str, of: fn(&Change) -> u64| -> u64 {
        changes
            .iter()
            .filter(|change| change.op == op)
            .map(of)
            .sum()
    };
    assert_eq!(
        (counts.before, counts.after),
        (before.rows as u64, after.rows as u64)
    );
    assert_eq!(counts.added, count("added", |c| c.counts.1 - c.counts.0));
    assert_eq!(
        counts.removed,
        count("removed", |c| c.counts.0 - c.counts.1)
    );
    assert_eq!(counts.changed, count("changed", |_| 1));
    assert_eq!(counts.duplicates.keys, count("duplicate", |_| 1));
    let cells: u64 = counts.cells.iter().map(|(_, count)| count).sum();
    assert_eq!(cells, count("changed", |c| c.changed.len() as u64));
    let rest = counts.removed + counts.changed + counts.duplicates.before;
    assert_eq!(counts.before, counts.unchanged + rest);
    let rest = counts.added + counts.changed + counts.duplicates.after;
    assert_eq!(counts.after, counts.unchanged + rest);
    let same: bool = before
        .columns
        .iter()
        .zip(&after.columns)
        .all(|(a, b)| a.values == b.values);
    if changes.is_empty() {
        assert_eq!(counts.order_only(), !same);
    }
}

#[test]
fn random_edits_of_random_tables_are_found_in_any_encoding_and_memory() {
    for seed in seeds(120) {
        let mut random = Random(seed);
        let rows = random.below(25);
        let before = random_table(&mut random, rows);
        let after = edit(&before, &mut random);
        let named = |columns: &mut dyn Iterator<Item = &Column>| -> Vec<String> {
            columns.map(|column| column.name.clone()).collect()
        };
        let mut key = named(&mut before.columns.iter().filter(|column| is_flat(&column.of)));
        random.shuffle(&mut key);
        key.truncate(1 + random.below(2));
        let whole_row = key.is_empty() || random.once_in(3);
        let identity = if whole_row {
            key = named(&mut before.columns.iter());
            Identity::WholeRow
        } else {
            Identity::key(key.clone())
        };
        let bytes = random.pick(&[1, 10_000, 1 << 24]);
        let options = RowDiffOptions::default().with_memory_bytes(bytes);
        let built = [&before, &after].map(|table| {
            let whole = batch(table, &mut random);
            let cut = random.below(whole.num_rows() + 1);
            [
                whole.slice(0, cut),
                whole.slice(cut, whole.num_rows() - cut),
            ]
        });
        let (shown, counts) = run(&built[0], &built[1], &identity, options);
        let expected = naive(&before, &after, &key, whole_row);
        assert_eq!(changes_of(shown.as_ref()), expected, "seed {seed}");
        check_counts(&counts, &expected, &before, &after);
        if let Some(shown) = shown {
            check_rows(&shown, &before, "before", seed, &mut random);
            check_rows(&shown, &after, "after", seed, &mut random);
        }
    }
}

fn people(ids: Vec<i64>, names: Vec<&str>) -> RecordBatch {
    table([
        ("id", column(Int64Array::from(ids))),
        ("name", column(StringArray::from(names))),
    ])
}

#[test]
fn a_widened_column_is_compared_by_value_and_one_of_another_type_is_named() {
    let before = table([
        ("id", column(Int64Array::from(vec![1, 2]))),
        ("n", column(Int32Array::from(vec![5, 6]))),
        ("t", column(Int32Array::from(vec![7, 7]))),
    ]);
    let after = table([
        ("id", column(Int64Array::from(vec![1, 2]))),
        ("n", column(Int64Array::from(vec![5, 7]))),
        ("t", column(StringArray::from(vec!["7", "8"]))),
    ]);
    let key = Identity::key(["id"]);
    let (_, counts) = run(&[before], &[after], &key, RowDiffOptions::default());
    assert_eq!((counts.changed, counts.unchanged), (1, 1));
    assert_eq!(counts.cells, [("n".to_owned(), 1)]);
    assert_eq!(counts.incomparable, ["t"]);
}

#[test]
fn renamed_columns_are_compared_under_their_later_names() {
    let before = people(vec![1, 2], vec!["Ada", "Bob"]);
    let after = table([
        ("number", column(Int64Array::from(vec![2, 1]))),
        ("called", column(StringArray::from(vec!["Bo", "Ada"]))),
    ]);
    let options = RowDiffOptions::default()
        .with_renamed("id", "number")
        .with_renamed("name", "called");
    let (shown, counts) = run(&[before], &[after], &Identity::key(["number"]), options);
    assert_eq!((counts.changed, counts.unchanged), (1, 1));
    assert_eq!(changes_of(shown.as_ref())[0].changed, ["called"]);
}

#[test]
fn keys_that_are_none_are_refused_by_name() {
    let before = people(vec![1], vec!["Ada"]);
    let after = table([
        ("id", column(StringArray::from(vec!["1"]))),
        ("name", column(StringArray::from(vec!["Ada"]))),
    ]);
    let begin = |after: &RecordBatch, key: &[&str]| {
        let key = Identity::key(key.iter().copied());
        RowDiff::new(
            &before.schema(),
            &after.schema(),
            &key,
            RowDiffOptions::default(),
        )
    };
    check_error(
        begin(&before, &["nobody"]),
        ErrorKind::NotFound,
        &["nobody", "before"],
    );
    check_error(begin(&before, &["id", "id"]), ErrorKind::Invalid, &["id"]);
    check_error(begin(&before, &[]), ErrorKind::Invalid, &["key"]);
    check_error(
        begin(&after, &["id"]),
        ErrorKind::Invalid,
        &["id", "int64", "utf8"],
    );
    let mut diff = begin(&after, &["name"]).unwrap();
    check_error(
        diff.add(Side::Before, &after),
        ErrorKind::Invalid,
        &["schema"],
    );
}

#[test]
fn a_key_of_wider_integers_or_floats_tells_rows_apart() {
    let people = |ids: ArrayRef| {
        table([
            ("id", ids),
            ("name", column(StringArray::from(vec!["Ada", "Bob"]))),
        ])
    };
    let narrow = |ids: Vec<i32>| people(column(Int32Array::from(ids)));
    let wide: [(ArrayRef, DataType); 4] = [
        (column(Int64Array::from(vec![2, -3])), DataType::Int64),
        (column(UInt16Array::from(vec![2, 9])), DataType::Int64),
        (column(Int8Array::from(vec![2, -3])), DataType::Int64),
        (column(Decimal128Array::from(vec![2, -3])), DataType::Null),
    ];
    for (ids, common) in wide {
        let (before, after) = (narrow(vec![2, 5]), people(ids));
        let key = Identity::key(["id"]);
        if common.is_null() {
            let options = RowDiffOptions::default();
            let diff = RowDiff::new(&before.schema(), &after.schema(), &key, options);
            check_error(diff, ErrorKind::Invalid, &["id", "int32", "decimal(10)"]);
            continue;
        }
        let (shown, counts) = run(&[before], &[after], &key, RowDiffOptions::default());
        assert_eq!((counts.added, counts.removed, counts.unchanged), (1, 1, 1));
        let shown = shown.unwrap();
        let keys = shown["key"].as_struct().column(0);
        assert_eq!(*keys.data_type(), common);
    }
    // No integer holds the values of both.
    let (before, after) = (
        narrow(vec![2, 5]),
        people(column(UInt64Array::from(vec![2, u64::MAX]))),
    );
    let key = Identity::key(["id"]);
    let diff = RowDiff::new(
        &before.schema(),
        &after.schema(),
        &key,
        RowDiffOptions::default(),
    );
    check_error(
        diff,
        ErrorKind::Invalid,
        &["id", "none holds the values of both"],
    );
}

#[test]
fn a_key_of_most_rows_does_not_divide_for_ever() {
    let rows = 20_000;
    let same = people(vec![7; rows], vec!["x"; rows]);
    let options = RowDiffOptions::default().with_memory_bytes(64 * 1024);
    let (shown, counts) = run(
        &[same.clone(), people(vec![1], vec!["a"])],
        &[same, people(vec![1], vec!["b"])],
        &Identity::key(["id"]),
        options,
    );
    assert_eq!((counts.changed, counts.duplicates.keys), (1, 1));
    assert_eq!(counts.duplicates.before, rows as u64);
    assert_eq!(shown.unwrap().num_rows(), 2);
}
