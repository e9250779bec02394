//! Where the rows of one table are in another, and which of their cells patches set.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Patch, Run};
use crate::ranges::{intersection, list};

/// Consecutive rows that are in two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The first one's place in the one table.
    pub(crate) from: u64,
    /// Its place in the other.
    pub(crate) to: u64,
    pub(crate) rows: u64,
}

/// How the rows of a table come from those of another.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    /// The rows that both have, in order.
    pub(crate) kept: Vec<Kept>,
    /// Of each column, the rows of the later table of which the cell was set. Others hold what they held.
    pub(crate) set: BTreeMap<String, Vec<Range<u64>>>,
    /// The rows of the later table of which a cell was set more than once, maybe to what it was.
    pub(crate) again: Vec<Range<u64>>,
}

impl Trace {
    /// That of a table of so many rows from itself.
    pub(crate) fn new(rows: u64) -> Self {
        Self {
            kept: identity(std::slice::from_ref(&(0..rows))),
            set: BTreeMap::new(),
            again: Vec::new(),
        }
    }

    /// Goes on to what a patch makes of the later table.
    pub(crate) fn follow(self, patch: &Patch) -> Self {
        let set = patch.edits.iter().map(|edits| {
            let rows = edits.rows.iter();
            let rows = rows.map(|&row| row..row.saturating_add(1)).collect();
            (edits.column.clone(), list(rows))
        });
        self.then(&Self {
            kept: patch.kept(),
            set: set.collect(),
            again: Vec::new(),
        })
    }

    /// Goes on to the table that `next` leads to from the later one.
    fn then(self, next: &Self) -> Self {
        let mut found = Self {
            kept: followed(&self.kept, &next.kept),
            set: next.set.clone(),
            again: [carried(&self.again, &next.kept), next.again.clone()].concat(),
        };
        for (column, rows) in self.set {
            let earlier = carried(&rows, &next.kept);
            let rows = found.set.entry(column).or_default();
            found.again.extend(intersection(&earlier, rows));
            *rows = list([earlier, std::mem::take(rows)].concat());
        }
        found.again = list(found.again);
        found
    }

    /// Goes back to the first table from one, and on to another: both traces are of one table.
    pub(crate) fn between(one: &Self, other: &Self) -> Self {
        let back = one.kept.iter().map(|kept| Kept {
            from: kept.to,
            to: kept.from,
            rows: kept.rows,
        });
        let back: Vec<Kept> = back.collect();
        let in_first = |rows: &Vec<Range<u64>>| carried(rows, &back);
        let set = one.set.iter();
        Self {
            again: in_first(&one.again),
            set: set
                .map(|(name, rows)| (name.clone(), in_first(rows)))
                .collect(),
            kept: back.clone(),
        }
        .then(other)
    }
}

impl Patch {
    fn kept(&self) -> Vec<Kept> {
        let (mut found, mut from, mut to) = (Vec::new(), 0_u64, 0_u64);
        for run in &self.runs {
            match *run {
                Run::Delete(rows) => from = from.saturating_add(rows),
                Run::Insert(rows) => to = to.saturating_add(rows),
                Run::Keep(rows) => {
                    found.push(Kept { from, to, rows });
                    from = from.saturating_add(rows);
                    to = to.saturating_add(rows);
                }
            }
        }
        found
    }
}

/// Rows of a table as rows of itself.
pub(crate) fn identity(rows: &[Range<u64>]) -> Vec<Kept> {
    let rows = rows.iter().map(|rows| Kept {
        from: rows.start,
        to: rows.start,
        rows: rows.end - rows.start,
    });
    rows.collect()
}

/// Follows rows from one table to a second and from there to a third; both lists rise.
pub(crate) fn followed(first: &[Kept], second: &[Kept]) -> Vec<Kept> {
    let (mut found, mut i, mut j) = (Vec::new(), 0, 0);
    while let (Some(a), Some(b)) = (first.get(i), second.get(j)) {
        let ends = [a.to.saturating_add(a.rows), b.from.saturating_add(b.rows)];
        let both = a.to.max(b.from)..ends[0].min(ends[1]);
        if !both.is_empty() {
            found.push(Kept {
                from: a.from.saturating_add(both.start - a.to),
                to: b.to.saturating_add(both.start - b.from),
                rows: both.end - both.start,
            });
        }
        if ends[0] <= ends[1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

/// Returns where rows of the one table are in the other.
fn carried(rows: &[Range<u64>], kept: &[Kept]) -> Vec<Range<u64>> {
    let found = followed(&identity(rows), kept).into_iter();
    list(
        found
            .map(|kept| kept.to..kept.to.saturating_add(kept.rows))
            .collect(),
    )
}
