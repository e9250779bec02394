//! The digest of rows in any order, against a multiset that is kept as such.

use arrow::array::{Int64Array, RecordBatch, StringArray, StringViewArray};
use mainstay_core::{BulkDigest, ErrorKind};
use mainstay_data::digest::{Profile, RowsHasher};

use crate::model::{Random, seeds};
use crate::support::{check_error, column, table};

fn numbers(values: &[i64]) -> RecordBatch {
    table([("n", column(Int64Array::from(values.to_vec())))])
}

fn empty() -> RowsHasher {
    RowsHasher::new(&numbers(&[]).schema(), Profile::Strict).unwrap()
}

fn of(values: &[i64]) -> BulkDigest {
    let mut hasher = empty();
    hasher.add(&numbers(values)).unwrap();
    hasher.finish().unwrap()
}

#[test]
fn additions_removals_and_merges_in_any_order_leave_the_multiset() {
    for seed in seeds(60) {
        let mut random = Random(seed);
        let mut parts = vec![empty(); 1 + random.below(3)];
        let mut kept: Vec<i64> = Vec::new();
        for _ in 0..random.below(20) {
            let value = i64::try_from(random.below(4)).unwrap();
            let part = random.below(parts.len());
            if let Some(place) = kept
                .iter()
                .position(|held| *held == value && random.once_in(2))
            {
                kept.remove(place);
                parts[part].remove(&numbers(&[value])).unwrap();
            } else {
                kept.push(value);
                parts[part].add(&numbers(&[value])).unwrap();
            }
        }
        random.shuffle(&mut kept);
        random.shuffle(&mut parts);
        let mut merged = empty();
        for part in &parts {
            merged.merge(part).unwrap();
        }
        assert_eq!(merged.finish().unwrap(), of(&kept), "seed {seed}");
        kept.push(9);
        assert_ne!(merged.finish().unwrap(), of(&kept), "seed {seed}");
    }
}

#[test]
fn more_equal_rows_than_16_bits_count_do_not_cancel_out() {
    // By doubling: as many rows as 2^40.
    let mut counts: Vec<RowsHasher> = [1, 2]
        .map(|value| {
            let mut hasher = empty();
            hasher.add(&numbers(&[value])).unwrap();
            hasher
        })
        .to_vec();
    for power in 0..=40 {
        let [ones, twos] = &mut counts[..] else {
            unreachable!("two of them")
        };
        assert_ne!(
            ones.finish().unwrap(),
            twos.finish().unwrap(),
            "2^{power} rows"
        );
        for hasher in [ones, twos] {
            hasher.merge(&hasher.clone()).unwrap();
        }
    }
}

#[test]
fn hashers_of_other_encodings_merge_and_of_other_columns_do_not() {
    let a = || column(Int64Array::from(vec![1]));
    let text = |views: bool| {
        if views {
            column(StringViewArray::from(vec!["x"]))
        } else {
            column(StringArray::from(vec!["x"]))
        }
    };
    let hasher = |batch: &RecordBatch, profile| {
        let mut hasher = RowsHasher::new(&batch.schema(), profile).unwrap();
        hasher.add(batch).unwrap();
        hasher
    };
    let first = table([("a", a()), ("b", text(false))]);
    let second = table([("b", text(true)), ("a", a())]);
    let mut merged = hasher(&first, Profile::Strict);
    merged.merge(&hasher(&second, Profile::Strict)).unwrap();
    let mut twice = hasher(&first, Profile::Strict);
    twice.add(&first).unwrap();
    assert_eq!(merged.finish().unwrap(), twice.finish().unwrap());

    let renamed = table([("a", a()), ("c", text(false))]);
    let retyped = table([("a", a()), ("b", a())]);
    for other in [
        hasher(&renamed, Profile::Strict),
        hasher(&retyped, Profile::Strict),
        hasher(&first, Profile::Semantic),
    ] {
        check_error(
            merged.merge(&other),
            ErrorKind::Invalid,
            &["another schema"],
        );
    }
    assert_eq!(merged.finish().unwrap(), twice.finish().unwrap());
}

#[test]
fn fewer_than_no_rows_have_no_digest() {
    let mut change = empty();
    change.remove(&numbers(&[1])).unwrap();
    check_error(change.finish(), ErrorKind::Invalid, &["more rows removed"]);
    let mut whole = empty();
    whole.add(&numbers(&[2, 1])).unwrap();
    whole.merge(&change).unwrap();
    assert_eq!(whole.finish().unwrap(), of(&[2]));
}
