//! Tables that an earlier version has are not decoded again, and come out as if they were.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_core::Progress;
use mainstay_data::{BranchTarget, Datasets, FileLayout, SnapshotReport};
use mainstay_repo::VerifyLevel;
use proptest::prelude::*;

use crate::support::{datasets, penguins, repo, spec};

const ROWS: u64 = 800;

/// A CSV file of 800 rows and about 800 KiB.
fn csv(seed: u64) -> String {
    let line = |row| format!("{row},{}\n", "x".repeat(1_000));
    let lines = (0..ROWS).map(|row| line(row * (seed + 1)));
    std::iter::once("n,text\n".to_owned())
        .chain(lines)
        .collect()
}

#[derive(Debug, Default)]
struct Counts {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Progress for Counts {
    fn advance(&self, unit: &'static str, done: u64, _total: Option<u64>) {
        match unit {
            "rows" => self.rows.store(done, Ordering::Relaxed),
            "bytes" => self.bytes.store(done, Ordering::Relaxed),
            _ => {}
        }
    }
}

/// Snapshots a directory; returns also the rows that were decoded and the bytes that were cut.
async fn counted(
    datasets: &Datasets,
    directory: &Path,
    branch: Option<BranchTarget>,
) -> (SnapshotReport, u64, u64) {
    let counts = Arc::new(Counts::default());
    let mut spec = spec("d").with_path(directory);
    spec.branch = branch;
    let datasets = datasets.clone().with_progress(Arc::clone(&counts) as _);
    let report = datasets.snapshot(spec).await.unwrap();
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    (report, load(&counts.rows), load(&counts.bytes))
}

fn two_tables() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, seed) in [("a.csv", 0), ("b.csv", 1)] {
        fs::write(directory.path().join(name), csv(seed)).unwrap();
    }
    directory
}

#[tokio::test]
async fn the_same_tables_are_not_decoded_again() {
    let (repo, directory) = (repo().await, two_tables());
    let datasets = Datasets::new(repo.clone());
    let (first, rows, bytes) = counted(&datasets, directory.path(), None).await;
    // For their types, and to be described.
    assert_eq!(rows, 4 * ROWS);
    let files: u64 = first.files.iter().map(|file| file.bytes).sum();
    assert!(bytes > files);

    let (again, rows, bytes) = counted(&datasets, directory.path(), None).await;
    assert!(again.reused && again.new_bytes == 0);
    assert_eq!((again.snapshot, rows), (first.snapshot, 0));
    // The manifest alone.
    assert!(bytes < files / 100, "{bytes}");

    // Other files and other names do not matter, a changed byte does.
    fs::write(directory.path().join("notes.txt"), "why").unwrap();
    fs::rename(
        directory.path().join("b.csv"),
        directory.path().join("c.csv"),
    )
    .unwrap();
    let (renamed, rows, _) = counted(&datasets, directory.path(), None).await;
    assert_eq!((renamed.table_digest, rows), (first.table_digest, 0));
    assert_eq!((renamed.version, renamed.rows), (2, Some(2 * ROWS)));
    let mut changed = csv(1);
    changed.replace_range(9..10, "y");
    fs::write(directory.path().join("c.csv"), changed).unwrap();
    let (changed, rows, _) = counted(&datasets, directory.path(), None).await;
    assert_ne!(changed.table_digest, first.table_digest);
    // For their types, and to be described.
    assert_eq!(rows, 4 * ROWS);
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert!(report.faults.is_empty());
}

#[tokio::test]
async fn the_head_of_a_branch_counts_as_the_latest_version_does() {
    let (datasets, directory) = (datasets().await, two_tables());
    let main = BranchTarget::new("main".parse().unwrap());
    let (first, ..) = counted(&datasets, directory.path(), Some(main.clone())).await;
    let other = spec("d").with_path(penguins());
    datasets.snapshot(other).await.unwrap();
    let (again, rows, _) = counted(&datasets, directory.path(), Some(main)).await;
    assert_eq!((again.snapshot, rows), (first.snapshot, 0));
}

/// What happens to the files before the next snapshot.
#[derive(Debug, Clone, Copy)]
enum Step {
    Nothing,
    Swap,
    Rename,
    Edit,
    OtherFormat,
    Remove,
    Note,
}

fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let step = prop_oneof![
        Just(Step::Nothing),
        Just(Step::Swap),
        Just(Step::Rename),
        Just(Step::Edit),
        Just(Step::OtherFormat),
        Just(Step::Remove),
        Just(Step::Note),
    ];
    proptest::collection::vec((step, any::<bool>()), 2..5)
}

fn apply(step: Step, at: &Path) {
    let path = |name: &str| at.join(name);
    match step {
        Step::Nothing => {}
        Step::Swap => {
            let (a, b) = (fs::read(path("a.csv")).unwrap(), fs::read(path("b.csv")));
            fs::write(path("b.csv"), a).unwrap();
            match b {
                Ok(b) => fs::write(path("a.csv"), b).unwrap(),
                Err(_) => fs::write(path("a.csv"), csv(3)).unwrap(),
            }
        }
        Step::Rename => drop(fs::rename(path("b.csv"), path("z.csv"))),
        Step::Edit => {
            let text = fs::read_to_string(path("a.csv")).unwrap();
            fs::write(path("a.csv"), text.replacen("xx", "yx", 1)).unwrap();
        }
        Step::OtherFormat => {
            let lines = csv(2).replace(',', "\t");
            fs::write(path("t.tsv"), lines).unwrap();
        }
        Step::Remove => drop(fs::remove_file(path("t.tsv"))),
        Step::Note => fs::write(path("notes.txt"), "why").unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MAINSTAY_LONG").is_some() { 200 } else { 2 }))]

    /// A repository without an earlier version stores the same manifests.
    #[test]
    fn a_history_leaves_no_trace_in_a_manifest(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let (kept, directory) = (Datasets::new(repo().await), two_tables());
            for (step, canonical) in steps {
                apply(step, directory.path());
                let mut spec = spec("d").with_path(directory.path());
                spec.patches = mainstay_data::Patches::Never;
                if canonical {
                    spec.layout = FileLayout::Canonical;
                }
                let fresh = Datasets::new(repo().await);
                let expected = fresh.snapshot(spec.clone()).await.unwrap();
                let found = kept.snapshot(spec).await.unwrap();
                assert_eq!(found.snapshot, expected.snapshot, "{step:?}");
                assert_eq!(found.files, expected.files);
                assert_eq!(found.rows_digest, expected.rows_digest);
            }
        });
    }
}
