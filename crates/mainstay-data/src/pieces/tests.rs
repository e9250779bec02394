use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, FixedSizeListArray, Int64Array, ListArray, StringArray,
    StructArray, UInt64Array, make_array, new_empty_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Field};
use proptest::prelude::*;

use super::*;

/// Two texts of a row; `None` is null, and what is written in its place then counts for nothing.
type Row = (Option<String>, Option<String>);

fn field(of: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", of, true))
}

/// Makes slots null and leaves in them what they hold.
fn hide(array: &ArrayRef, valid: &[bool]) -> ArrayRef {
    let nulls = NullBuffer::from(valid.to_vec());
    let data = array.to_data().into_builder().nulls(Some(nulls));
    make_array(data.build().unwrap())
}

fn texts(rows: &[Row], of: fn(&Row) -> Option<&String>) -> StringArray {
    let texts = rows
        .iter()
        .map(|row| of(row).map_or("hidden", String::as_str));
    StringArray::from_iter_values(texts)
}

fn valid(rows: &[Row], of: fn(&Row) -> Option<&String>) -> Vec<bool> {
    rows.iter().map(|row| of(row).is_some()).collect()
}

fn first(row: &Row) -> Option<&String> {
    row.0.as_ref()
}

fn second(row: &Row) -> Option<&String> {
    row.1.as_ref()
}

/// The first texts in an encoding of text.
fn text(rows: &[Row], encoding: &DataType) -> ArrayRef {
    if let DataType::RunEndEncoded(..) = encoding {
        let texts: StringArray = rows.iter().map(first).collect();
        return cast(&texts, encoding).unwrap();
    }
    let texts = cast(&texts(rows, first), encoding).unwrap();
    hide(&texts, &valid(rows, first))
}

/// Both texts of each row as a list, which is null where the first is.
fn lists(rows: &[Row], encoding: fn(Arc<Field>) -> DataType) -> ArrayRef {
    let lists = ListArray::new(
        field(DataType::Utf8),
        OffsetBuffer::from_repeated_length(2, rows.len()),
        pairs(rows),
        None,
    );
    let lists = cast(&lists, &encoding(field(DataType::Utf8))).unwrap();
    hide(&lists, &valid(rows, first))
}

fn fixed_lists(rows: &[Row]) -> ArrayRef {
    let lists = FixedSizeListArray::new(field(DataType::Utf8), 2, pairs(rows), None);
    hide(&(Arc::new(lists) as ArrayRef), &valid(rows, first))
}

fn pairs(rows: &[Row]) -> ArrayRef {
    let texts = rows.iter().flat_map(|(first, second)| {
        [
            Some(first.as_deref().unwrap_or("hidden")),
            second.as_deref(),
        ]
    });
    Arc::new(texts.collect::<StringArray>())
}

/// The second text of each row and a number, null where the first is.
fn structs(rows: &[Row]) -> ArrayRef {
    let texts: ArrayRef = Arc::new(texts(rows, second));
    let texts = hide(&texts, &valid(rows, second));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7; rows.len()]));
    let fields = [
        (field(DataType::Utf8), texts),
        (field(DataType::Int64), numbers),
    ];
    hide(
        &(Arc::new(StructArray::from(fields.to_vec())) as ArrayRef),
        &valid(rows, first),
    )
}

fn text_bytes(text: Option<&String>) -> u64 {
    4 + text.map_or(0, |text| text.len() as u64)
}

fn pair_bytes(row: &Row) -> u64 {
    text_bytes(first(row)) + text_bytes(second(row))
}

/// A column of the rows, and what each takes.
struct Column {
    array: ArrayRef,
    bytes: Vec<u64>,
}

fn columns(rows: &[Row]) -> Vec<Column> {
    let column = |array, bytes: fn(&Row) -> u64| Column {
        array,
        bytes: rows.iter().map(bytes).collect(),
    };
    let words = Box::new(DataType::Utf8);
    let texts = [
        DataType::Utf8,
        DataType::LargeBinary,
        DataType::Utf8View,
        DataType::Dictionary(Box::new(DataType::Int16), words),
        DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", DataType::Utf8, true)),
        ),
    ];
    let texts = texts.map(|of| column(text(rows, &of), |row| text_bytes(first(row))));
    let list = |row: &Row| 4 + row.0.as_ref().map_or(0, |_| pair_bytes(row));
    let nested = [
        column(lists(rows, DataType::List), list),
        column(lists(rows, DataType::LargeList), list),
        column(lists(rows, DataType::ListView), list),
        column(fixed_lists(rows), |row| match row.0 {
            Some(_) => pair_bytes(row),
            None => 8,
        }),
        column(structs(rows), |row| match row.0 {
            Some(_) => text_bytes(second(row)) + 8,
            None => 12,
        }),
    ];
    texts.into_iter().chain(nested).collect()
}

/// How many rows each piece has.
fn expected(bytes: &[u64], most: Size) -> Vec<usize> {
    let mut pieces: Vec<Size> = Vec::new();
    for &bytes in bytes {
        match pieces.last_mut() {
            Some(piece) if piece.rows < most.rows && piece.bytes + bytes <= most.bytes => {
                piece.rows += 1;
                piece.bytes += bytes;
            }
            _ => pieces.push(Size { rows: 1, bytes }),
        }
    }
    pieces.into_iter().map(|piece| piece.rows).collect()
}

/// Cuts rows that come in batches which end at `ends`; every other one shares no memory with the others.
fn cut(array: &ArrayRef, ends: &[usize], most: Size) -> Vec<RecordBatch> {
    let whole = RecordBatch::try_from_iter_with_nullable([("c", Arc::clone(array), true)]).unwrap();
    let mut pieces = Pieces::of_size(whole.schema(), most);
    let (mut found, mut start) = (Vec::new(), 0);
    for (number, &end) in ends.iter().chain([&array.len()]).enumerate() {
        let end = end.clamp(start, array.len());
        let mut batch = whole.slice(start, end - start);
        if number % 2 == 0 {
            let all = UInt64Array::from_iter_values(0..batch.num_rows() as u64);
            batch = take_record_batch(&batch, &all).unwrap();
        }
        pieces.push(batch);
        while let Some(piece) = pieces.next_whole().unwrap() {
            found.push(piece);
        }
        start = end;
    }
    found.extend(pieces.rest().unwrap());
    found
}

fn row() -> impl Strategy<Value = Row> {
    let text = || {
        prop_oneof![
            1 => Just(None),
            4 => (0_usize..12).prop_map(|length| Some("x".repeat(length))),
            1 => (60_usize..90).prop_map(|length| Some("y".repeat(length))),
        ]
    };
    (text(), text())
}

proptest! {
    #[test]
    fn pieces_are_a_function_of_their_rows(
        rows in proptest::collection::vec(row(), 1..300),
        mut ends in proptest::collection::vec(0_usize..300, 0..40),
        most_rows in 1_usize..140,
        bytes in 1_u64..2_000,
    ) {
        ends.sort_unstable();
        let most = Size { rows: most_rows, bytes };
        for Column { array, bytes } in columns(&rows) {
            let pieces = cut(&array, &ends, most);
            let lengths: Vec<usize> = pieces.iter().map(RecordBatch::num_rows).collect();
            prop_assert_eq!(lengths, expected(&bytes, most), "{}", array.data_type());
            let mut start = 0;
            for piece in pieces {
                let of_whole = array.slice(start, piece.num_rows());
                prop_assert_eq!(piece.column(0).as_ref(), of_whole.as_ref());
                start += piece.num_rows();
            }
            prop_assert_eq!(start, rows.len());
        }
    }
}

#[test]
fn rows_of_columns_of_a_fixed_width_end_by_their_number() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..20_000));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let mut pieces = Pieces::new(batch.schema());
    pieces.push(batch);
    let mut lengths = Vec::new();
    while let Some(piece) = pieces.next_whole().unwrap() {
        lengths.push(piece.num_rows());
    }
    lengths.push(pieces.rest().unwrap().unwrap().num_rows());
    assert_eq!(lengths, [8_192, 8_192, 3_616]);
    assert!(pieces.rest().unwrap().is_none());
}

#[test]
fn a_row_too_large_is_a_piece_of_its_own() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", &"b".repeat(100), "c", "d"]));
    let most = Size {
        rows: 10,
        bytes: 20,
    };
    let pieces = cut(&texts, &[], most);
    let pieces: Vec<Vec<_>> = pieces
        .iter()
        .map(|piece| {
            piece
                .column(0)
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::len)
                .collect()
        })
        .collect();
    assert_eq!(pieces, [vec![1], vec![100], vec![1, 1]]);
    assert!(cut(&new_empty_array(&DataType::Utf8), &[], most).is_empty());
}
