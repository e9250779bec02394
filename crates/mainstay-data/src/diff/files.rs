//! Files in a comparison.

use std::collections::{BTreeMap, VecDeque};

use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Digest, FilePath, Result};
use serde::Serialize;

use crate::{FileChange, FileEntry};

/// How many of the files that differ are kept.
const SAMPLE: usize = 10;
/// Among how many files that were added or removed renamed ones are looked for.
const MAX_PAIRED: usize = 65_536;

/// How the files of two snapshots differ, those of the table and those beside it.
///
/// Files are compared by path and digest, without reading them. One whose content is that of a removed file
/// counts as renamed, and neither as added nor as removed; of several alike, the first in path order are
/// paired. Empty files are not paired.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct FilesDiff {
    /// How many files the earlier snapshot has.
    pub before: u64,
    /// How many files the later snapshot has.
    pub after: u64,
    /// Files that only the later one has.
    pub added: u64,
    /// Files that only the earlier one has.
    pub removed: u64,
    /// Files of one path that are not the same.
    pub changed: u64,
    /// Files of other paths with the same content; `None` where more than 65,536 files were added or
    /// removed, which are not paired then.
    pub renamed: Option<u64>,
    /// Of all these, how many are of neither table: nothing but their bytes is compared.
    pub beside: u64,
    /// The first ten that differ, in path order.
    pub sample: Vec<ChangedFile>,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangedFile {
    /// How it differs.
    pub op: FileOp,
    /// Its path; the later one of a renamed file.
    pub path: FilePath,
    /// What it was; `None` when it was added.
    pub before: Option<FileEntry>,
    /// What it is; `None` when it was removed.
    pub after: Option<FileEntry>,
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to become")]
pub enum FileOp {
    /// Only the later snapshot has it.
    Added,
    /// Only the earlier snapshot has it.
    Removed,
    /// Both have the path, and not the same there.
    Changed,
    /// Both have the content, below other paths.
    Renamed,
}

impl FileOp {
    /// Returns its name: `added`, `removed`, `changed` or `renamed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Renamed => "renamed",
        }
    }
}

impl FilesDiff {
    /// Counts the changes between snapshots of `before` and `after` files, which come in path order.
    ///
    /// Keeps at most [`MAX_PAIRED`] files in memory.
    pub(crate) async fn of(
        before: u64,
        after: u64,
        mut changes: BoxStream<'static, Result<FileChange>>,
    ) -> Result<Self> {
        let mut walk = Walk::default();
        walk.found.before = before;
        walk.found.after = after;
        walk.found.renamed = Some(0);
        while let Some(change) = changes.try_next().await? {
            walk.add(change);
        }
        Ok(walk.finish())
    }

    /// Returns how many files differ.
    #[must_use]
    pub fn differing(&self) -> u64 {
        self.added + self.removed + self.changed + self.renamed.unwrap_or(0)
    }

    /// Says how many files differ in which way, as `1 added, 2 changed`; `None` when none does.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let counts = [
            (self.added, FileOp::Added),
            (self.removed, FileOp::Removed),
            (self.changed, FileOp::Changed),
            (self.renamed.unwrap_or(0), FileOp::Renamed),
        ];
        let some = counts.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = some
            .map(|(count, op)| format!("{count} {}", op.name()))
            .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// What was found on the way.
#[derive(Default)]
struct Walk {
    found: FilesDiff,
    added: Vec<FileEntry>,
    removed: Vec<FileEntry>,
}

impl Walk {
    fn add(&mut self, change: FileChange) {
        let pairs = self.found.renamed.is_some();
        let kept = if pairs { usize::MAX } else { SAMPLE };
        match change {
            FileChange::Added(file) => {
                self.found.added += 1;
                self.found.beside += beside([&file]);
                keep(&mut self.added, kept, file);
            }
            FileChange::Removed(file) => {
                self.found.removed += 1;
                self.found.beside += beside([&file]);
                keep(&mut self.removed, kept, file);
            }
            FileChange::Changed { before, after } => {
                self.found.changed += 1;
                self.found.beside += beside([&before, &after]);
                let changed = ChangedFile::both(FileOp::Changed, before, after);
                keep(&mut self.found.sample, SAMPLE, changed);
            }
        }
        if pairs && self.added.len() + self.removed.len() > MAX_PAIRED {
            self.found.renamed = None;
            self.added.truncate(SAMPLE);
            self.removed.truncate(SAMPLE);
        }
    }

    fn finish(mut self) -> FilesDiff {
        let renamed = if self.found.renamed.is_some() {
            self.pair()
        } else {
            Vec::new()
        };
        let added = self.added.into_iter().map(|after| ChangedFile {
            op: FileOp::Added,
            path: after.path.clone(),
            before: None,
            after: Some(after),
        });
        let removed = self.removed.into_iter().map(|before| ChangedFile {
            op: FileOp::Removed,
            path: before.path.clone(),
            before: Some(before),
            after: None,
        });
        let mut found = self.found;
        found.sample.extend(added.take(SAMPLE));
        found.sample.extend(removed.take(SAMPLE));
        found.sample.extend(renamed.into_iter().take(SAMPLE));
        found.sample.sort_by(|a, b| a.path.cmp(&b.path));
        found.sample.truncate(SAMPLE);
        found
    }

    /// Takes what was renamed out of what was added and removed.
    fn pair(&mut self) -> Vec<ChangedFile> {
        let mut places: BTreeMap<Vec<Digest>, VecDeque<usize>> = BTreeMap::new();
        let full = self.removed.iter().enumerate();
        for (place, file) in full.filter(|(_, file)| file.bytes > 0) {
            let same = places.entry(file.blobs().collect()).or_default();
            same.push_back(place);
        }
        let removed = std::mem::take(&mut self.removed).into_iter();
        let mut removed: Vec<Option<FileEntry>> = removed.map(Some).collect();
        let mut renamed = Vec::new();
        for after in std::mem::take(&mut self.added) {
            let same = places.get_mut(&after.blobs().collect::<Vec<_>>());
            let place = same.and_then(VecDeque::pop_front);
            let Some(before) = place.and_then(|place| removed[place].take()) else {
                self.added.push(after);
                continue;
            };
            self.found.added -= 1;
            self.found.removed -= 1;
            self.found.beside -= beside([&before]) + beside([&after]);
            self.found.beside += beside([&before, &after]);
            renamed.push(ChangedFile::both(FileOp::Renamed, before, after));
        }
        self.removed = removed.into_iter().flatten().collect();
        self.found.renamed = Some(renamed.len() as u64);
        renamed
    }
}

/// Counts one where none of the entries of a file is of a table.
fn beside<const N: usize>(entries: [&FileEntry; N]) -> u64 {
    u64::from(entries.iter().all(|file| file.rows.is_none()))
}

fn keep<T>(kept: &mut Vec<T>, most: usize, item: T) {
    if kept.len() < most {
        kept.push(item);
    }
}

impl ChangedFile {
    fn both(op: FileOp, before: FileEntry, after: FileEntry) -> Self {
        Self {
            op,
            path: after.path.clone(),
            before: Some(before),
            after: Some(after),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use futures::stream;

    use super::*;

    fn file(path: &str, content: u64) -> FileEntry {
        FileEntry {
            path: path.parse().unwrap(),
            digest: Digest::of(&content.to_be_bytes()),
            bytes: 8,
            media_type: "image/png".to_owned(),
            rows: None,
            canonical: None,
        }
    }

    /// Moves so many files from one directory into another.
    async fn moved(count: u64) -> FilesDiff {
        let added = (0..count).map(|n| FileChange::Added(file(&format!("a/{n:06}"), n)));
        let removed = (0..count).map(|n| FileChange::Removed(file(&format!("b/{n:06}"), n)));
        let changes = stream::iter(added.chain(removed).map(Ok)).boxed();
        FilesDiff::of(count, count, changes).await.unwrap()
    }

    #[tokio::test]
    async fn more_files_than_are_paired_are_counted_as_added_and_removed() {
        let most = MAX_PAIRED as u64 / 2;
        let paired = moved(most).await;
        assert_eq!((paired.added, paired.renamed), (0, Some(most)));
        let counted = moved(most + 1).await;
        assert_eq!((counted.added, counted.removed), (most + 1, most + 1));
        assert_eq!((counted.renamed, counted.beside), (None, 2 * most + 2));
        assert_eq!(counted.sample.len(), SAMPLE);
        assert!(counted.sample.iter().all(|file| file.op == FileOp::Added));
    }
}
