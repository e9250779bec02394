//! What logical digests do not see, and that they see everything else.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array,
    LargeStringArray, ListArray, MapArray, RecordBatch, RunArray, StringArray, StringViewArray,
    StructArray, UInt32Array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use mainstay_data::digest::{Profile, TableHasher};
use proptest::prelude::*;

use crate::support::{Digests, column, digests, table};

fn of_column(array: ArrayRef) -> Digests {
    digests(&[table([("c", array)])])
}

/// A row of the tables under test.
type Row = (
    Option<i64>,
    Option<f64>,
    Option<String>,
    Option<bool>,
    Option<Vec<Option<i32>>>,
);

fn row() -> impl Strategy<Value = Row> {
    (
        any::<Option<i64>>(),
        proptest::option::of(prop_oneof![any::<f64>(), Just(0.0), Just(-0.0)]),
        proptest::option::of("[a-c]{0,3}"),
        any::<Option<bool>>(),
        proptest::option::of(proptest::collection::vec(any::<Option<i32>>(), 0..3)),
    )
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(row(), 1..40)
}

fn build(rows: &[Row]) -> RecordBatch {
    let lists = rows.iter().map(|row| row.4.clone());
    table([
        (
            "int",
            column(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        ),
        (
            "float",
            column(rows.iter().map(|row| row.1).collect::<Float64Array>()),
        ),
        (
            "text",
            column(
                rows.iter()
                    .map(|row| row.2.as_deref())
                    .collect::<StringArray>(),
            ),
        ),
        (
            "bool",
            column(rows.iter().map(|row| row.3).collect::<BooleanArray>()),
        ),
        (
            "list",
            column(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        ),
    ])
}

/// The same table with its text column in another encoding.
fn with_text_as(batch: &RecordBatch, data_type: &DataType) -> RecordBatch {
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (index, field) in batch.schema().fields().iter().enumerate() {
        let array = batch.column(index);
        let array = if field.name() == "text" {
            cast(array, data_type).unwrap()
        } else {
            Arc::clone(array)
        };
        columns.push((field.name().clone(), array));
    }
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Values that no float comparison tells apart, as they count here.
fn canonical(mut row: Row) -> (Row, Option<u64>) {
    let bits = row
        .1
        .take()
        .map(|x| if x.is_nan() { f64::NAN } else { x }.to_bits());
    (row, bits)
}

proptest! {
    #[test]
    fn batches_and_slices_leave_no_trace(rows in rows(), cuts in proptest::collection::vec(0_usize..40, 0..4)) {
        let batch = build(&rows);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(rows.len())).collect();
        cuts.extend([0, rows.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| batch.slice(cut[0], cut[1] - cut[0])).collect();
        prop_assert_eq!(digests(&pieces), digests(&[batch]));
    }

    #[test]
    fn encodings_leave_no_trace(rows in rows()) {
        let batch = build(&rows);
        let expected = digests(std::slice::from_ref(&batch));
        let dictionary = |key| DataType::Dictionary(Box::new(key), Box::new(DataType::LargeUtf8));
        for data_type in [
            DataType::LargeUtf8,
            DataType::Utf8View,
            dictionary(DataType::UInt8),
            dictionary(DataType::Int64),
            DataType::RunEndEncoded(
                Arc::new(Field::new("run_ends", DataType::Int32, false)),
                Arc::new(Field::new("values", DataType::Utf8, true)),
            ),
        ] {
            let other = with_text_as(&batch, &data_type);
            prop_assert_eq!(&digests(std::slice::from_ref(&other)), &expected);
            let half = rows.len() / 2;
            let pieces = [other.slice(0, half), other.slice(half, rows.len() - half)];
            prop_assert_eq!(&digests(&pieces), &expected);
        }
    }

    #[test]
    fn column_order_leaves_no_trace_and_names_do(rows in rows()) {
        let batch = build(&rows);
        let expected = digests(std::slice::from_ref(&batch));
        let turned = batch.project(&[4, 2, 0, 3, 1]).unwrap();
        let turned = digests(&[turned]);
        prop_assert_eq!(&turned.table, &expected.table);
        prop_assert_eq!(&turned.unordered, &expected.unordered);

        let schema = batch.schema();
        let renamed = schema.fields().iter().map(|field| {
            let name = if field.name() == "int" { "other" } else { field.name() };
            field.as_ref().clone().with_name(name)
        });
        let schema = arrow::datatypes::Schema::new(renamed.collect::<Vec<_>>());
        let renamed = RecordBatch::try_new(Arc::new(schema), batch.columns().to_vec()).unwrap();
        let renamed = digests(&[renamed]);
        prop_assert_ne!(&renamed.table, &expected.table);
        prop_assert_ne!(&renamed.unordered, &expected.unordered);
        prop_assert_eq!(&renamed.columns, &expected.columns);
    }

    #[test]
    fn another_cell_is_another_digest(rows in rows(), at in 0_usize..40, other in row()) {
        let at = at % rows.len();
        let (a, b) = (canonical(rows[at].clone()), canonical(other.clone()));
        let mut changed = rows.clone();
        changed[at] = other;
        let (before, after) = (digests(&[build(&rows)]), digests(&[build(&changed)]));
        prop_assert_eq!(before == after, a == b);
        prop_assert_eq!(before.table == after.table, a == b);
        prop_assert_eq!(before.unordered == after.unordered, a == b);
        prop_assert_eq!(before.columns[0] == after.columns[0], a.0.0 == b.0.0);
        prop_assert_eq!(before.columns[1] == after.columns[1], a.1 == b.1);
        prop_assert_eq!(before.columns[2] == after.columns[2], a.0.2 == b.0.2);
        prop_assert_eq!(before.columns[4] == after.columns[4], a.0.4 == b.0.4);
    }

    #[test]
    fn row_order_counts_only_for_the_ordered_digest(
        (rows, order) in rows().prop_flat_map(|rows| {
            let order: Vec<u32> = (0..u32::try_from(rows.len()).unwrap()).collect();
            (Just(rows), Just(order).prop_shuffle())
        })
    ) {
        let batch = build(&rows);
        let shuffled: Vec<_> = order.iter().map(|&i| canonical(rows[i as usize].clone())).collect();
        let same_order = rows.iter().cloned().map(canonical).eq(shuffled);
        let shuffled = take_record_batch(&batch, &UInt32Array::from(order)).unwrap();
        let (before, after) = (digests(&[batch]), digests(&[shuffled]));
        prop_assert_eq!(before.unordered, after.unordered);
        prop_assert_eq!(before.table == after.table, same_order);
    }

    #[test]
    fn repeated_rows_do_not_cancel_out(rows in rows()) {
        let batch = build(&rows);
        let once = digests(std::slice::from_ref(&batch));
        let twice = digests(&[batch.clone(), batch.clone()]);
        let thrice = digests(&[batch.clone(), batch.clone(), batch]);
        prop_assert_ne!(once.unordered, twice.unordered);
        prop_assert_ne!(once.unordered, thrice.unordered);
        prop_assert_ne!(twice.unordered, thrice.unordered);
    }
}

#[test]
fn bytes_in_null_slots_leave_no_trace() {
    let nulls = || Some(NullBuffer::from(vec![true, false, true]));
    let ints = |hidden| Int64Array::new(ScalarBuffer::from(vec![1, hidden, 3]), nulls());
    assert_eq!(of_column(column(ints(0))), of_column(column(ints(99))));

    let texts = |hidden: &str| {
        let offsets = OffsetBuffer::from_lengths([1, hidden.len(), 1]);
        let data = Buffer::from(format!("a{hidden}c").as_bytes());
        StringArray::new(offsets, data, nulls())
    };
    assert_eq!(
        of_column(column(texts(""))),
        of_column(column(texts("hidden")))
    );

    let fields = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
    let structs = |hidden| {
        let x: ArrayRef = Arc::new(Int64Array::from(vec![1, hidden, 3]));
        StructArray::new(fields.clone(), vec![x], nulls())
    };
    assert_eq!(
        of_column(column(structs(0))),
        of_column(column(structs(99)))
    );
}

#[test]
fn nulls_empty_values_and_borders_are_not_mistaken_for_each_other() {
    let texts = |values: Vec<Option<&str>>| of_column(column(StringArray::from(values)));
    let different = [
        texts(vec![Some(""), Some("ab")]),
        texts(vec![Some("a"), Some("b")]),
        texts(vec![None, Some("ab")]),
        texts(vec![Some("ab"), None]),
        texts(vec![Some("ab")]),
        texts(vec![Some("ab"), Some("")]),
        of_column(column(BinaryArray::from(vec![&b"ab"[..], b""]))),
    ];
    for (index, a) in different.iter().enumerate() {
        for b in &different[index + 1..] {
            assert_ne!(a.table, b.table);
        }
    }
    // The same rows in another order.
    assert_eq!(different[2].unordered, different[3].unordered);
    assert_ne!(different[0].unordered, different[1].unordered);
    assert_ne!(different[0].unordered, different[6].unordered);
}

#[test]
fn widths_and_signs_of_numbers_count() {
    let as_type = |data_type| {
        let array = Int64Array::from(vec![1, 2]);
        of_column(cast(&array, &data_type).unwrap()).table
    };
    let types = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(20, 2),
    ];
    let mut digests: Vec<_> = types.into_iter().map(as_type).collect();
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
    assert_eq!(
        as_type(DataType::Decimal128(20, 2)),
        as_type(DataType::Decimal256(40, 2))
    );
    assert_eq!(
        as_type(DataType::Decimal64(18, 2)),
        as_type(DataType::Decimal256(40, 2))
    );
}

#[test]
fn nan_is_one_value_and_the_zeros_are_two() {
    let floats = |values: Vec<f64>| of_column(column(Float64Array::from(values))).table;
    let other_nan = f64::from_bits(0xfff8_0000_0000_0001);
    assert_eq!(floats(vec![1.0, f64::NAN]), floats(vec![1.0, other_nan]));
    assert_ne!(floats(vec![0.0]), floats(vec![-0.0]));
}

#[test]
fn maps_and_lists_are_what_they_hold() {
    let map = |entries_name: &str, key_name: &str| {
        let fields = Fields::from(vec![
            Field::new(key_name, DataType::Utf8, false),
            Field::new("v", DataType::Int64, true),
        ]);
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let entries = StructArray::new(fields.clone(), vec![keys, values], None);
        let field = Arc::new(Field::new(entries_name, DataType::Struct(fields), false));
        MapArray::new(
            field,
            OffsetBuffer::from_lengths([2, 0, 1]),
            entries,
            None,
            false,
        )
    };
    assert_eq!(
        of_column(column(map("entries", "key"))),
        of_column(column(map("e", "k")))
    );

    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), Some(2)]),
        Some(vec![Some(3), None]),
    ]);
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let fixed = cast(&lists, &DataType::FixedSizeList(Arc::clone(&item), 2)).unwrap();
    let large = cast(&lists, &DataType::LargeList(item)).unwrap();
    let lists = of_column(column(lists));
    assert_eq!(of_column(fixed), lists);
    assert_eq!(of_column(large), lists);
}

#[test]
fn a_null_in_a_dictionary_is_a_null() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    let keys = arrow::array::Int8Array::from(vec![Some(0), Some(1), None]);
    let dictionary = DictionaryArray::new(keys, Arc::clone(&values));
    let plain = StringArray::from(vec![Some("a"), None, None]);
    assert_eq!(
        of_column(column(dictionary)),
        of_column(column(plain.clone()))
    );

    let ends = arrow::array::Int32Array::from(vec![1, 3]);
    let runs = RunArray::try_new(&ends, values.as_ref()).unwrap();
    assert_eq!(of_column(column(runs)), of_column(column(plain.clone())));
    let views: StringViewArray = plain.iter().collect();
    let large: LargeStringArray = plain.iter().collect();
    assert_eq!(of_column(column(views)), of_column(column(large)));
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let schema = table([("a", column(Int64Array::from(vec![1])))]).schema();
    let mut hasher = TableHasher::new(&schema, Profile::Strict).unwrap();
    for other in [
        table([("b", column(Int64Array::from(vec![1])))]),
        table([("a", column(StringArray::from(vec!["1"])))]),
    ] {
        assert!(hasher.update(&other).is_err());
    }
    assert_eq!(hasher.finish().unwrap().rows, 0);
}
