//! Lists of rows as ranges that rise and do not overlap.

use std::ops::Range;

/// Returns what lies in both of two lists.
pub(crate) fn intersection<N: Copy + Ord>(a: &[Range<N>], b: &[Range<N>]) -> Vec<Range<N>> {
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

/// Returns what is left of a list without another.
pub(crate) fn without(all: &[Range<u64>], taken: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut found, mut next) = (Vec::new(), 0);
    for range in all {
        let mut start = range.start;
        while taken.get(next).is_some_and(|taken| taken.end <= start) {
            next += 1;
        }
        for taken in taken[next..]
            .iter()
            .take_while(|taken| taken.start < range.end)
        {
            if start < taken.start {
                found.push(start..taken.start);
            }
            start = taken.end;
        }
        if start < range.end {
            found.push(start..range.end);
        }
    }
    found
}

/// Brings ranges in any order, that may overlap, into a list; those that touch are one.
pub(crate) fn list<N: Copy + Ord>(mut ranges: Vec<Range<N>>) -> Vec<Range<N>> {
    ranges.sort_by_key(|range| range.start);
    let mut found: Vec<Range<N>> = Vec::new();
    for range in ranges {
        match found.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => found.push(range),
        }
    }
    found
}

/// Returns the rows `shift` further on.
pub(crate) fn moved(rows: &Range<u64>, shift: i64) -> Range<u64> {
    rows.start.saturating_add_signed(shift)..rows.end.saturating_add_signed(shift)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn rows(ranges: &[Range<u64>]) -> BTreeSet<u64> {
        ranges.iter().cloned().flatten().collect()
    }

    fn is_list(ranges: &[Range<u64>]) -> bool {
        let whole = ranges.iter().all(|range| !range.is_empty());
        whole && ranges.windows(2).all(|two| two[0].end <= two[1].start)
    }

    proptest! {
        #[test]
        fn lists_are_sets_of_rows(
            a in proptest::collection::vec((0_u64..60, 1_u64..9), 0..8),
            b in proptest::collection::vec((0_u64..60, 1_u64..9), 0..8),
        ) {
            let [a, b] = [a, b].map(|pairs| {
                let ranges: Vec<Range<u64>> =
                    pairs.into_iter().map(|(start, rows)| start..start + rows).collect();
                (rows(&ranges), list(ranges))
            });
            prop_assert_eq!(&rows(&a.1), &a.0);
            let (both, left) = (intersection(&a.1, &b.1), without(&a.1, &b.1));
            prop_assert!(is_list(&a.1) && is_list(&both) && is_list(&left));
            prop_assert_eq!(rows(&both), a.0.intersection(&b.0).copied().collect());
            prop_assert_eq!(rows(&left), a.0.difference(&b.0).copied().collect());
        }
    }
}
