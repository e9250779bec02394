//! Which rows of one table are those of another, by their hashes.
//!
//! Source: patience sorting of lines that are unique on both sides, as in Bram Cohen's diff; what lies
//! between such rows is compared from both ends.

use std::ops::Range;

/// How consecutive rows of the new table come from those of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many equal rows.
    Same(usize),
    /// So many rows that differ, one for one.
    Change(usize),
    Delete(usize),
    Insert(usize),
}

/// Aligns two sequences. Complexity: O(n log n), 24 bytes of memory a row.
pub(super) fn align(base: &[u64], new: &[u64]) -> Vec<Step> {
    let mut steps = Steps::default();
    let (mut at_base, mut at_new) = (0, 0);
    for (anchor_base, anchor_new) in anchors(base, new) {
        if anchor_base < at_base || anchor_new < at_new {
            // An end of the gap before reached beyond it.
            continue;
        }
        steps.gap(base, new, at_base..anchor_base, at_new..anchor_new);
        steps.push(Step::Same(1));
        (at_base, at_new) = (anchor_base + 1, anchor_new + 1);
    }
    steps.gap(base, new, at_base..base.len(), at_new..new.len());
    steps.0
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn push(&mut self, step: Step) {
        match (self.0.last_mut(), step) {
            (_, Step::Same(0) | Step::Change(0) | Step::Delete(0) | Step::Insert(0)) => {}
            (Some(Step::Same(count)), Step::Same(more))
            | (Some(Step::Change(count)), Step::Change(more))
            | (Some(Step::Delete(count)), Step::Delete(more))
            | (Some(Step::Insert(count)), Step::Insert(more)) => *count += more,
            _ => self.0.push(step),
        }
    }

    /// Adds what lies between two anchors.
    fn gap(&mut self, base: &[u64], new: &[u64], old: Range<usize>, fresh: Range<usize>) {
        let (old, fresh) = (&base[old], &new[fresh]);
        let head = equal(old.iter().zip(fresh));
        let (old, fresh) = (&old[head..], &fresh[head..]);
        let tail = equal(old.iter().rev().zip(fresh.iter().rev()));
        let (deleted, inserted) = (old.len() - tail, fresh.len() - tail);
        let changed = deleted.min(inserted);
        self.push(Step::Same(head));
        self.push(Step::Change(changed));
        self.push(Step::Delete(deleted - changed));
        self.push(Step::Insert(inserted - changed));
        self.push(Step::Same(tail));
    }
}

fn equal<'a>(pairs: impl Iterator<Item = (&'a u64, &'a u64)>) -> usize {
    pairs.take_while(|(a, b)| a == b).count()
}

/// Finds rows that are unique on both sides, as many as stand in the same order.
fn anchors(base: &[u64], new: &[u64]) -> Vec<(usize, usize)> {
    let (old, fresh) = (unique(base), unique(new));
    let mut fresh = fresh.into_iter().peekable();
    let mut pairs = Vec::new();
    for (hash, at_base) in old {
        while fresh.next_if(|(other, _)| *other < hash).is_some() {}
        if let Some((_, at_new)) = fresh.next_if(|(other, _)| *other == hash) {
            pairs.push((at_base, at_new));
        }
    }
    pairs.sort_unstable();
    rising(&pairs)
}

/// The hashes that occur once, in order, and where.
fn unique(hashes: &[u64]) -> Vec<(u64, usize)> {
    let mut places: Vec<(u64, usize)> = hashes.iter().copied().zip(0..).collect();
    places.sort_unstable();
    let chunks = places.chunk_by(|a, b| a.0 == b.0);
    chunks
        .filter_map(|chunk| match chunk {
            [only] => Some(*only),
            _ => None,
        })
        .collect()
}

/// The longest run of pairs, which are sorted by the first, whose second rises too.
fn rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // The last pair of the best sequence of each length, and the pair before each.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (index, (_, second)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].1 < *second);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() {
            ends.push(index);
        } else {
            ends[length] = index;
        }
    }
    let mut found = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(index) = next {
        found.push(pairs[index]);
        next = before[index];
    }
    found.reverse();
    found
}
