//! Which rows two files have alike, as their pages tell without being read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::side::Both;

/// More ways to lay one file over the other are not tried.
const MAX_SHIFTS: usize = 256;

/// Rows that both sides have alike, in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shared {
    /// The number of the first one on either side.
    pub(crate) first: Both<u64>,
    pub(crate) rows: u64,
}

/// A page of a column: its rows, and what identifies its values.
pub(super) type PageId = (Range<u64>, [u8; 32]);

/// Finds rows whose values are in equal pages in all columns; `columns` are the pages of the same
/// columns on both sides, in row order.
///
/// The files are laid over each other in every way in which some page that occurs once falls on itself,
/// and with the beginnings and the ends together. What two ways claim, the longer run gets.
///
/// Complexity: O(pages × ways).
pub(super) fn shared(columns: &[Both<Vec<PageId>>]) -> Vec<Shared> {
    let mut found: Vec<Shared> = Vec::new();
    for shift in shifts(columns) {
        let mut runs: Option<Vec<Range<u64>>> = None;
        for column in columns {
            let here = runs_at(column, shift);
            runs = Some(match runs {
                None => here,
                Some(runs) => intersection(&runs, &here),
            });
        }
        found.extend(runs.unwrap_or_default().into_iter().filter_map(|run| {
            Some(Shared {
                first: Both {
                    before: run.start,
                    after: run.start.checked_add_signed(shift)?,
                },
                rows: run.end - run.start,
            })
        }));
    }
    found.sort_by_key(|run| {
        (
            std::cmp::Reverse(run.rows),
            run.first.before,
            run.first.after,
        )
    });
    let mut chosen: Vec<Shared> = Vec::new();
    for run in found {
        let apart = |a: u64, b: u64, rows: u64| a + run.rows <= b || b + rows <= a;
        let free = chosen.iter().all(|other| {
            apart(run.first.before, other.first.before, other.rows)
                && apart(run.first.after, other.first.after, other.rows)
        });
        if free {
            chosen.push(run);
        }
    }
    chosen.sort_by_key(|run| run.first.before);
    chosen
}

/// Returns by how many rows the later file can lie behind the earlier one, the likeliest first.
fn shifts(columns: &[Both<Vec<PageId>>]) -> Vec<i64> {
    let mut votes: BTreeMap<i64, usize> = BTreeMap::new();
    let mut add = |before: u64, after: u64| {
        if let (Ok(before), Ok(after)) = (i64::try_from(before), i64::try_from(after)) {
            *votes.entry(after - before).or_default() += 1;
        }
    };
    for Both { before, after } in columns {
        let (once_before, once_after) = (once(before), once(after));
        for (id, row) in once_before {
            if let Some(&other) = once_after.get(id) {
                add(row, other);
            }
        }
        let end = |pages: &[PageId]| pages.last().map_or(0, |(rows, _)| rows.end);
        add(0, 0);
        add(end(before), end(after));
    }
    let mut shifts: Vec<(i64, usize)> = votes.into_iter().collect();
    shifts.sort_by_key(|&(shift, votes)| (std::cmp::Reverse(votes), shift));
    shifts.truncate(MAX_SHIFTS);
    shifts.into_iter().map(|(shift, _)| shift).collect()
}

/// Returns the first rows of the pages that occur once.
fn once(pages: &[PageId]) -> BTreeMap<&[u8; 32], u64> {
    let (mut found, mut repeated) = (BTreeMap::new(), BTreeSet::new());
    for (rows, id) in pages {
        if found.insert(id, rows.start).is_some() {
            repeated.insert(id);
        }
    }
    found.retain(|id, _| !repeated.contains(id));
    found
}

/// Returns the earlier rows whose pages lie `shift` rows further on the later side; runs that touch are
/// one.
fn runs_at(column: &Both<Vec<PageId>>, shift: i64) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut later = column.after.iter().peekable();
    for (rows, id) in &column.before {
        let Some(start) = rows.start.checked_add_signed(shift) else {
            continue;
        };
        while later.peek().is_some_and(|(other, _)| other.start < start) {
            later.next();
        }
        let same = later.peek().is_some_and(|(other, other_id)| {
            other.start == start && other.end - start == rows.end - rows.start && other_id == id
        });
        if same {
            match runs.last_mut() {
                Some(last) if last.end == rows.start => last.end = rows.end,
                _ => runs.push(rows.clone()),
            }
        }
    }
    runs
}

/// Returns what lies in both of two lists of rising ranges.
fn intersection(a: &[Range<u64>], b: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut found, mut i, mut j) = (Vec::new(), 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let both = x.start.max(y.start)..x.end.min(y.end);
        if !both.is_empty() {
            found.push(both);
        }
        if x.end <= y.end {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

/// Returns what is left of `0..rows` without `taken`, which rise and do not overlap.
pub(super) fn rest(rows: u64, taken: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let (mut found, mut end) = (Vec::new(), 0);
    for range in taken {
        if end < range.start {
            found.push(end..range.start);
        }
        end = range.end;
    }
    if end < rows {
        found.push(end..rows);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pages of a column whose rows have these values, cut after every value that `cut` divides.
    fn pages(values: &[u8], cut: u8) -> Vec<PageId> {
        let (mut pages, mut start) = (Vec::new(), 0);
        for (index, value) in values.iter().enumerate() {
            if value % cut == 0 || index + 1 == values.len() {
                let id = *blake3::hash(&values[start..=index]).as_bytes();
                pages.push((start as u64..index as u64 + 1, id));
                start = index + 1;
            }
        }
        pages
    }

    proptest! {
        #[test]
        fn rows_that_are_shared_are_alike_and_on_either_side_once(
            before: Vec<u8>, after: Vec<u8>, at in 0_usize..100, inserted: Vec<u8>,
        ) {
            let mut edited = before.clone();
            edited.splice(at.min(before.len())..at.min(before.len()), inserted);
            for after in [&after, &edited, &before] {
                let columns = [2, 7].map(|cut| Both {
                    before: pages(&before, cut),
                    after: pages(after, cut),
                });
                let mut seen = [BTreeSet::new(), BTreeSet::new()];
                for run in shared(&columns) {
                    for row in 0..run.rows {
                        let rows = [run.first.before + row, run.first.after + row];
                        let [a, b] = rows.map(|row| usize::try_from(row).unwrap());
                        prop_assert_eq!(before[a], after[b]);
                        prop_assert!(seen[0].insert(a) && seen[1].insert(b));
                    }
                }
                if *after == before {
                    prop_assert_eq!(seen[0].len(), before.len());
                }
            }
        }

        #[test]
        fn all_but_the_pages_of_an_insertion_is_shared(
            before in proptest::collection::vec(any::<u8>(), 200..400),
            at in 0_usize..200,
        ) {
            let mut after = before.clone();
            after.insert(at, 1);
            let columns = [Both { before: pages(&before, 5), after: pages(&after, 5) }];
            let found: u64 = shared(&columns).iter().map(|run| run.rows).sum();
            let longest = pages(&before, 5).iter().map(|(rows, _)| rows.end - rows.start).max();
            prop_assert!(found + longest.unwrap() >= before.len() as u64);
        }
    }
}
