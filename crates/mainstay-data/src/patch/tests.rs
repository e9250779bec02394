use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use proptest::prelude::*;

use super::*;
use mainstay_core::{ErrorKind, Result};

type Row = (Option<i64>, u8);
type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

fn table(rows: &[Row]) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
    let words = rows.iter().map(|row| format!("word {}", row.1));
    let words: ArrayRef = Arc::new(StringArray::from_iter_values(words));
    RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("word", words, true)]).unwrap()
}

/// In batches of so many rows.
fn batches(table: &RecordBatch, rows: usize) -> Batches {
    let starts = (0..table.num_rows()).step_by(rows);
    let parts: Vec<_> = starts
        .map(|start| Ok(table.slice(start, rows.min(table.num_rows() - start))))
        .collect();
    Box::new(parts.into_iter())
}

fn gathered(batches: Batches, like: &RecordBatch) -> RecordBatch {
    let parts: Vec<_> = batches.collect::<Result<_>>().unwrap();
    concat_batches(&like.schema(), &parts).unwrap()
}

/// Edits as people make them: a cell, a row in, a row out, some rows repeated.
fn edit(rows: &mut Vec<Row>, kind: u8, at: usize, value: Option<i64>) {
    let at = at % (rows.len() + 1);
    match kind % 4 {
        0 if at < rows.len() => rows[at].0 = value,
        1 => rows.insert(at, (value, kind)),
        2 if at < rows.len() => {
            rows.remove(at);
        }
        _ if at < rows.len() => rows[at].1 = rows[at].1.wrapping_add(1),
        _ => {}
    }
}

proptest! {
    #[test]
    fn what_is_found_turns_one_table_into_the_other(
        first in proptest::collection::vec((proptest::option::of(0_i64..40), 0_u8..4), 60..200),
        changes in proptest::collection::vec((any::<u8>(), any::<usize>(), proptest::option::of(0_i64..9)), 0..8),
        size in 1_usize..50,
    ) {
        let mut second = first.clone();
        for (kind, at, value) in changes {
            edit(&mut second, kind, at, value);
        }
        let (old, new) = (table(&first), table(&second));
        let found = find(&|| Ok(batches(&old, size)), &|| Ok(batches(&new, 7)), &old.schema());
        let Some(patch) = found.unwrap() else { return Ok(()); };
        prop_assert_eq!(patch.is_empty(), old == new);
        let stored = decode(&encode(&patch).unwrap(), &old.schema()).unwrap();
        prop_assert_eq!(&stored, &patch);
        let made = apply(stored.clone(), batches(&old, size), &old.schema()).unwrap();
        prop_assert_eq!(gathered(made, &new), new.clone());
        let one = Arc::new(old.schema().project(&[1]).unwrap());
        let words = old.project(&[1]).unwrap();
        let made = apply(stored, batches(&words, size), &one).unwrap();
        prop_assert_eq!(gathered(made, &words), new.project(&[1]).unwrap());
    }

    #[test]
    fn damaged_bytes_are_refused_or_fit(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let rows: Vec<Row> = (0..60).map(|n| (Some(n), 0)).collect();
        let mut other = rows.clone();
        edit(&mut other, 0, 7, None);
        edit(&mut other, 1, 30, Some(4));
        let (old, new) = (table(&rows), table(&other));
        let found = find(&|| Ok(batches(&old, 9)), &|| Ok(batches(&new, 7)), &old.schema());
        let bytes = encode(&found.unwrap().unwrap()).unwrap();
        let mut damaged = bytes.to_vec();
        let at = at.index(damaged.len());
        damaged[at] ^= byte;
        for bad in [damaged, bytes[..cut.index(bytes.len())].to_vec()] {
            if let Ok(patch) = decode(&bad.into(), &old.schema())
                && let Ok(made) = apply(patch, batches(&old, 9), &old.schema())
            {
                let _any = made.collect::<Result<Vec<_>>>();
            }
        }
    }
}

#[test]
fn tables_that_differ_in_most_rows_have_no_patch() {
    let rows = |from: i64| table(&(from..from + 50).map(|n| (Some(n), 0)).collect::<Vec<_>>());
    let (old, new) = (rows(0), rows(1_000));
    let found = find(
        &|| Ok(batches(&old, 9)),
        &|| Ok(batches(&new, 7)),
        &old.schema(),
    );
    assert_eq!(found.unwrap(), None);
}

/// Written by the first build that stored patches.
#[test]
fn a_stored_patch_of_format_1_is_read_and_applied() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/data-patch/v1/cells-and-rows.patch");
    let rows: Vec<Row> = (0..60).map(|n| (Some(n), 0)).collect();
    let mut other = rows.clone();
    edit(&mut other, 0, 7, None);
    edit(&mut other, 3, 9, None);
    edit(&mut other, 1, 30, Some(4));
    edit(&mut other, 2, 50, None);
    let (old, new) = (table(&rows), table(&other));
    if !path.exists() {
        let found = find(
            &|| Ok(batches(&old, 9)),
            &|| Ok(batches(&new, 7)),
            &old.schema(),
        );
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, encode(&found.unwrap().unwrap()).unwrap()).unwrap();
    }
    let stored = decode(&std::fs::read(path).unwrap().into(), &old.schema()).unwrap();
    let made = apply(stored, batches(&old, 9), &old.schema()).unwrap();
    assert_eq!(gathered(made, &new), new);
}

#[test]
fn a_newer_patch_is_refused_as_such() {
    let header = b"{\"format\":2}";
    let mut bytes = encoding::MAGIC.to_vec();
    bytes.extend_from_slice(&u32::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(header);
    let error = decode(&bytes.into(), &table(&[]).schema()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
}
