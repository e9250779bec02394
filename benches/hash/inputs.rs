//! Tables that are hashed: values out of a seed.

use std::sync::Arc;

use mainstay_data::arrow::array::{
    ArrayRef, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use mainstay_data::arrow::buffer::OffsetBuffer;
use mainstay_data::arrow::datatypes::{DataType, Field};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Batches of a table.
pub(crate) const BATCHES: usize = 128;

const ROWS: usize = 8_192;
const COLUMNS: usize = 8;

type Build = fn() -> Vec<RecordBatch>;

pub(crate) const TABLES: [(&str, Build); 4] = [
    ("numbers", numbers),
    ("nulls", nulls),
    ("text", text),
    ("embeddings", embeddings),
];

/// Integers and floats, none null.
fn numbers() -> Vec<RecordBatch> {
    table(COLUMNS, ROWS, |random, column, rows| {
        let values = (0..rows).map(|_| random.next_u64());
        if column % 2 == 0 {
            Arc::new(Int64Array::from_iter_values(values.map(u64::cast_signed)))
        } else {
            #[expect(clippy::cast_precision_loss, reason = "any number will do")]
            Arc::new(Float64Array::from_iter_values(
                values.map(|value| value as f64),
            ))
        }
    })
}

/// Integers, every tenth null.
fn nulls() -> Vec<RecordBatch> {
    table(COLUMNS, ROWS, |random, _, rows| {
        let values = (0..rows).map(|_| (!random.random_ratio(1, 10)).then(|| random.next_u64()));
        Arc::new(
            values
                .map(|value| value.map(u64::cast_signed))
                .collect::<Int64Array>(),
        )
    })
}

/// Words of 4 to 27 letters.
fn text() -> Vec<RecordBatch> {
    table(COLUMNS, ROWS, |random, _, rows| {
        let words = (0..rows).map(|_| {
            let length = random.random_range(4..28);
            let letters = (0..length).map(|_| char::from(random.random_range(b'a'..=b'z')));
            letters.collect::<String>()
        });
        Arc::new(StringArray::from_iter_values(words))
    })
}

/// A list of 384 floats in each row.
fn embeddings() -> Vec<RecordBatch> {
    const LENGTH: usize = 384;
    table(1, ROWS / 16, |random, _, rows| {
        let values = (0..rows * LENGTH).map(|_| random.random::<f32>());
        Arc::new(ListArray::new(
            Arc::new(Field::new("item", DataType::Float32, true)),
            OffsetBuffer::from_repeated_length(LENGTH, rows),
            Arc::new(Float32Array::from_iter_values(values)),
            None,
        ))
    })
}

fn table(
    columns: usize,
    rows: usize,
    array: impl Fn(&mut ChaCha8Rng, usize, usize) -> ArrayRef,
) -> Vec<RecordBatch> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut batch = || {
        let arrays = (0..columns).map(|column| {
            let name = format!("column {column}");
            (name, array(&mut random, column, rows))
        });
        RecordBatch::try_from_iter(arrays).unwrap()
    };
    (0..BATCHES).map(|_| batch()).collect()
}
