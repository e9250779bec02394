//! Which rows two files have alike, as their pages tell without being read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::side::{Both, Side};
use crate::ranges::{intersection, list, moved, without};

/// More ways to lay one file over the other are not tried.
const MAX_SHIFTS: usize = 256;

/// Rows that both sides have alike, in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shared {
    /// The number of the first one on either side.
    pub(crate) first: Both<u64>,
    pub(crate) rows: u64,
}

impl Shared {
    /// Returns its rows on a side.
    pub(super) fn on(&self, side: Side) -> Range<u64> {
        self.first[side]..self.first[side] + self.rows
    }

    /// Counts its rows on from others.
    pub(super) fn behind(&self, first: Both<u64>) -> Self {
        Self {
            first: Both::of(|side| first[side] + self.first[side]),
            rows: self.rows,
        }
    }
}

/// A page of a column: its rows, and what identifies its values.
pub(super) type PageId = (Range<u64>, [u8; 32]);

/// The pages of a column on both sides.
#[derive(Debug, Default)]
pub(super) struct ColumnPages {
    /// Those of each of its leaves, in row order; none where leaves cannot be compared by their bytes.
    pub(super) leaves: Vec<Both<Vec<PageId>>>,
    /// How many bytes they take on the earlier side.
    pub(super) bytes: u64,
}

/// Rows of two files, those of one laid over those of the other.
#[derive(Debug)]
pub(super) struct Overlay {
    /// By how many rows the later ones lie behind the earlier ones.
    pub(super) shift: i64,
    /// The earlier rows.
    pub(super) rows: Vec<Range<u64>>,
    /// Of each column, which of them are not known to be alike.
    pub(super) unknown: Vec<Vec<Range<u64>>>,
}

/// Lays the rows of two files over each other where pages that both have hold at least half of the bytes,
/// and where that is so around shorter stretches. A row is in one overlay at most, on either side.
///
/// The files are laid over each other in every way in which some page that occurs once falls on itself,
/// and with the beginnings and the ends together. What two ways claim, the longer run gets.
///
/// Complexity: O(pages × ways × log).
pub(super) fn overlays(columns: &[ColumnPages]) -> Vec<Overlay> {
    let mut found: Vec<(i64, Range<u64>)> = Vec::new();
    for shift in shifts(columns) {
        found.extend(anchored(columns, shift).into_iter().map(|run| (shift, run)));
    }
    found.sort_by_key(|(shift, run)| (Reverse(run.end - run.start), run.start, *shift));
    let mut taken: Both<Taken> = Both::default();
    let mut chosen: BTreeMap<i64, Vec<Range<u64>>> = BTreeMap::new();
    for (shift, run) in found {
        let mut claimed = taken.before.within(&run);
        let later = taken.after.within(&moved(&run, shift));
        claimed.extend(later.iter().map(|range| moved(range, -shift)));
        for run in without(std::slice::from_ref(&run), &list(claimed)) {
            taken.before.insert(&run);
            taken.after.insert(&moved(&run, shift));
            chosen.entry(shift).or_default().push(run);
        }
    }
    let chosen = chosen.into_iter();
    chosen
        .map(|(shift, runs)| {
            let rows = joined(list(runs), |gap| {
                let later = moved(gap, shift);
                taken.before.within(gap).is_empty() && taken.after.within(&later).is_empty()
            });
            Overlay {
                shift,
                unknown: columns
                    .iter()
                    .map(|column| without(&rows, &column.runs_at(shift)))
                    .collect(),
                rows,
            }
        })
        .collect()
}

/// Rows that are taken: where each range begins and ends.
#[derive(Debug, Default)]
struct Taken(BTreeMap<u64, u64>);

impl Taken {
    fn insert(&mut self, rows: &Range<u64>) {
        self.0.insert(rows.start, rows.end);
    }

    /// Returns what of these rows is taken.
    fn within(&self, rows: &Range<u64>) -> Vec<Range<u64>> {
        let earlier = self.0.range(..rows.end).rev();
        earlier
            .take_while(|(_, end)| **end > rows.start)
            .map(|(start, end)| *start.max(&rows.start)..*end.min(&rows.end))
            .collect()
    }
}

/// Returns the earlier rows of which equal pages hold at least half of the bytes.
fn anchored(columns: &[ColumnPages], shift: i64) -> Vec<Range<u64>> {
    let weight = |column: &ColumnPages| i128::from(column.bytes.max(1));
    let all: i128 = columns.iter().map(weight).sum();
    let mut steps: Vec<(u64, i128)> = Vec::new();
    for column in columns {
        for run in column.runs_at(shift) {
            steps.push((run.start, weight(column)));
            steps.push((run.end, -weight(column)));
        }
    }
    steps.sort_unstable();
    let (mut found, mut equal, mut start) = (Vec::new(), 0, 0);
    for (row, step) in steps {
        if equal * 2 >= all && start < row {
            found.push(start..row);
        }
        (equal, start) = (equal + step, row);
    }
    list(found)
}

/// Joins runs with the gap between them when it is not longer than they are, and `free`.
fn joined(runs: Vec<Range<u64>>, free: impl Fn(&Range<u64>) -> bool) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    for run in runs {
        let around = found.last().map(|last| {
            let rows = (last.end - last.start) + (run.end - run.start);
            (last.end..run.start, rows)
        });
        match (around, found.last_mut()) {
            (Some((gap, rows)), Some(last)) if gap.end - gap.start <= rows && free(&gap) => {
                last.end = run.end;
            }
            _ => found.push(run),
        }
    }
    found
}

impl ColumnPages {
    /// Returns the earlier rows whose pages lie `shift` rows further on the later side.
    fn runs_at(&self, shift: i64) -> Vec<Range<u64>> {
        let runs = self.leaves.iter().map(|leaf| runs_at(leaf, shift));
        runs.reduce(|runs, more| intersection(&runs, &more))
            .unwrap_or_default()
    }
}

/// Returns by how many rows the later file can lie behind the earlier one, the likeliest first.
fn shifts(columns: &[ColumnPages]) -> Vec<i64> {
    let mut votes: BTreeMap<i64, usize> = BTreeMap::new();
    let mut add = |before: u64, after: u64| {
        if let (Ok(before), Ok(after)) = (i64::try_from(before), i64::try_from(after)) {
            *votes.entry(after - before).or_default() += 1;
        }
    };
    for Both { before, after } in columns.iter().flat_map(|column| &column.leaves) {
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
    shifts.sort_by_key(|&(shift, votes)| (Reverse(votes), shift));
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

    fn columns(before: &[u8], after: &[u8], cuts: &[u8]) -> Vec<ColumnPages> {
        let column = |&cut: &u8| ColumnPages {
            leaves: vec![Both {
                before: pages(before, cut),
                after: pages(after, cut),
            }],
            bytes: 1,
        };
        cuts.iter().map(column).collect()
    }

    fn known(overlay: &Overlay) -> Vec<Range<u64>> {
        let unknown = overlay.unknown.iter().flatten().cloned().collect();
        without(&overlay.rows, &list(unknown))
    }

    proptest! {
        #[test]
        fn rows_that_are_known_are_alike_and_all_on_either_side_once(
            before: Vec<u8>, after: Vec<u8>, at in 0_usize..100, inserted: Vec<u8>,
        ) {
            let mut edited = before.clone();
            edited.splice(at.min(before.len())..at.min(before.len()), inserted);
            for after in [&after, &edited, &before] {
                let mut seen = [BTreeSet::new(), BTreeSet::new()];
                for overlay in overlays(&columns(&before, after, &[2, 7, 11])) {
                    for row in known(&overlay).into_iter().flatten() {
                        let rows = [row, row.strict_add_signed(overlay.shift)];
                        let [a, b] = rows.map(|row| usize::try_from(row).unwrap());
                        prop_assert_eq!(before[a], after[b]);
                    }
                    for row in overlay.rows.into_iter().flatten() {
                        let later = row.strict_add_signed(overlay.shift);
                        prop_assert!(later < after.len() as u64 && row < before.len() as u64);
                        prop_assert!(seen[0].insert(row) && seen[1].insert(later));
                    }
                }
                if *after == before {
                    prop_assert_eq!(seen[0].len(), before.len());
                }
            }
        }

        #[test]
        fn all_but_the_pages_of_an_insertion_is_known(
            before in proptest::collection::vec(any::<u8>(), 200..400),
            at in 0_usize..200,
        ) {
            let mut after = before.clone();
            after.insert(at, 1);
            let overlays = overlays(&columns(&before, &after, &[5]));
            let found = overlays.iter().flat_map(known);
            let found: u64 = found.map(|run| run.end - run.start).sum();
            let longest = pages(&before, 5).iter().map(|(rows, _)| rows.end - rows.start).max();
            prop_assert!(found + longest.unwrap() >= before.len() as u64);
        }
    }

    #[test]
    fn a_column_of_one_page_does_not_hide_what_the_others_share() {
        let before: Vec<u8> = (0..200).collect();
        let mut after = before.clone();
        after.splice(100..100, [7; 10]);
        // No value but the last ends a page of the third column.
        let mut columns = columns(&before, &after, &[5, 7, 251]);
        columns[2].leaves[0].before[0].1 = [1; 32];
        let found = overlays(&columns);
        let shifts: Vec<i64> = found.iter().map(|overlay| overlay.shift).collect();
        assert_eq!(shifts, [0, 10]);
        for overlay in &found {
            assert_eq!(overlay.unknown[2], overlay.rows);
        }
        let rows: u64 = found
            .iter()
            .flat_map(|overlay| &overlay.rows)
            .map(|rows| rows.end - rows.start)
            .sum();
        assert!(rows >= 180, "{rows}");
    }
}
