//! Cutting batches by the [bytes of their values](crate::value_bytes).

use std::ops::Range;

use arrow::array::RecordBatch;
use mainstay_core::Result;

use crate::value_bytes::of_rows;

/// How many rows are looked at first.
const FIRST_ROWS: usize = 64;

/// Returns how many of the rows of a range have values that fit into `room`, from the first on, and the bytes of
/// those.
///
/// Complexity: no row is looked at more than four times, and few behind the last one that fits; columns of a
/// fixed width, and text without nulls, take no time for a row.
pub(crate) fn fitting(batch: &RecordBatch, rows: Range<usize>, room: u64) -> (usize, u64) {
    let (mut fit, mut bytes) = (0, 0_u64);
    let (mut step, mut grows) = (FIRST_ROWS, true);
    while fit < rows.len() {
        let next = step.min(rows.len() - fit);
        let start = rows.start + fit;
        let with_next = bytes.saturating_add(of_rows(batch, start..start + next));
        if with_next <= room {
            (fit, bytes) = (fit + next, with_next);
            step = if grows { step * 2 } else { step / 2 }.max(1);
        } else if next == 1 {
            break;
        } else {
            (step, grows) = (next / 2, false);
        }
    }
    (fit, bytes)
}

/// Cuts a batch so that the values of each part take at most `most` bytes, or are of one row. There is one part at
/// least.
pub(crate) fn cut(batch: &RecordBatch, most: u64) -> impl Iterator<Item = RecordBatch> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let left = batch.num_rows() - start;
        let (rows, _) = fitting(batch, start..batch.num_rows(), most);
        let rows = rows.max(1).min(left);
        next = (rows < left).then_some(start + rows);
        Some(batch.slice(start, rows))
    })
}

/// [Cuts](cut) each of some batches.
pub(crate) fn cut_each(
    batches: impl Iterator<Item = Result<RecordBatch>>,
    most: u64,
) -> impl Iterator<Item = Result<RecordBatch>> {
    batches.flat_map(move |batch| match batch {
        Ok(batch) => cut(&batch, most).map(Ok).collect(),
        Err(error) => vec![Err(error)],
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int8Array, StringArray};
    use arrow::datatypes::Int8Type;

    use super::*;

    fn of_one_word(rows: usize, word: &str) -> RecordBatch {
        let words: ArrayRef = Arc::new(StringArray::from(vec![word]));
        let words = DictionaryArray::<Int8Type>::new(Int8Array::from(vec![0; rows]), words);
        RecordBatch::try_from_iter([("word", Arc::new(words) as ArrayRef)]).unwrap()
    }

    fn lengths(batch: &RecordBatch, most: u64) -> Vec<usize> {
        cut(batch, most).map(|part| part.num_rows()).collect()
    }

    #[test]
    fn rows_of_a_dictionary_are_cut_by_what_they_stand_for() {
        let batch = of_one_word(5, &"x".repeat(96));
        assert_eq!(lengths(&batch, 200), [2, 2, 1]);
        assert_eq!(lengths(&batch, 99), [1; 5]);
        assert_eq!(lengths(&batch, 500), [5]);
        assert_eq!(lengths(&of_one_word(0, "x"), 500), [0]);
        assert_eq!(lengths(&of_one_word(1_000, "x"), 3_000), [600, 400]);
    }
}
