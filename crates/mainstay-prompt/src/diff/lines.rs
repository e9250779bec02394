//! Line differences of two texts, by Myers' algorithm of the crate `similar`.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// Beyond this many lines the work, quadratic at worst, is not worth it.
const MAX_LINES: usize = 4_096;

/// Unchanged lines around a change.
const CONTEXT_LINES: usize = 3;

/// Neighboring lines that differ, with context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Hunk {
    /// The first line in the first text, from 1.
    pub a_line: usize,
    /// The first line in the second text, from 1.
    pub b_line: usize,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

/// One line of a [`Hunk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DiffLine {
    /// Whether the line stayed.
    pub change: Change,
    /// The line with its line ending, if it has one.
    pub text: String,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a line is in one text or in both")]
pub enum Change {
    /// In both texts.
    Same,
    /// In the first text only.
    Removed,
    /// In the second text only.
    Added,
}

/// Compares two texts line by line.
pub(super) fn hunks(a: &str, b: &str) -> Vec<Hunk> {
    let lines = |text: &str| text.split_inclusive('\n').count();
    if lines(a).max(lines(b)) > MAX_LINES {
        return vec![replaced(a, b)];
    }
    let diff = TextDiff::from_lines(a, b);
    diff.grouped_ops(CONTEXT_LINES)
        .iter()
        .map(|ops| Hunk {
            a_line: ops.first().map_or(0, |op| op.old_range().start) + 1,
            b_line: ops.first().map_or(0, |op| op.new_range().start) + 1,
            lines: ops
                .iter()
                .flat_map(|op| diff.iter_changes(op))
                .map(|change| line(tag(change.tag()), change.value()))
                .collect(),
        })
        .collect()
}

fn replaced(a: &str, b: &str) -> Hunk {
    let all = |text, change| str::split_inclusive(text, '\n').map(move |text| line(change, text));
    Hunk {
        a_line: 1,
        b_line: 1,
        lines: all(a, Change::Removed)
            .chain(all(b, Change::Added))
            .collect(),
    }
}

fn line(change: Change, text: &str) -> DiffLine {
    DiffLine {
        change,
        text: text.into(),
    }
}

fn tag(tag: ChangeTag) -> Change {
    match tag {
        ChangeTag::Equal => Change::Same,
        ChangeTag::Delete => Change::Removed,
        ChangeTag::Insert => Change::Added,
    }
}
