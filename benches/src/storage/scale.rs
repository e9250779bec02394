//! How much work is measured.

use serde::Serialize;

/// Amounts of work, the same on every backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Scale {
    /// Repetitions that count, after one that does not.
    pub repetitions: usize,
    /// How many race, and how many commit at the same time.
    pub writers: usize,
    /// Races to create one key.
    pub races: usize,
    /// Commits of the writer who is alone.
    pub commits_alone: usize,
    /// Commits of each of those who commit at the same time.
    pub commits_each: usize,
    /// Objects of 4 KiB that are written.
    pub objects: usize,
    /// Reads of those objects, fewer where they are slow.
    pub reads: usize,
    /// Keys that are listed.
    pub listed: usize,
    /// Objects written at once, and blobs in one commit.
    pub at_once: usize,
    /// Size in bytes of a pack, and of what is encrypted.
    pub pack_bytes: usize,
    /// Model versions that are registered and resolved.
    pub versions: usize,
    /// Rows of the dataset that is snapshot.
    pub rows: usize,
    /// Rounds in which raw storages and wrappers take turns.
    pub turns: usize,
}

impl Scale {
    /// What figures are made from.
    pub const FULL: Self = Self {
        repetitions: 5,
        writers: 16,
        races: 100,
        commits_alone: 200,
        commits_each: 20,
        objects: 2_000,
        reads: 20_000,
        listed: 10_000,
        at_once: 1_000,
        pack_bytes: 64 << 20,
        versions: 1_000,
        rows: 10_000,
        turns: 200,
    };

    /// Enough to see that everything works; its figures mean nothing.
    pub const QUICK: Self = Self {
        repetitions: 1,
        writers: 3,
        races: 2,
        commits_alone: 3,
        commits_each: 2,
        objects: 10,
        reads: 50,
        listed: 20,
        at_once: 10,
        pack_bytes: 1 << 20,
        versions: 3,
        rows: 100,
        turns: 1,
    };
}
