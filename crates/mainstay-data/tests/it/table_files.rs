//! Directories whose files are not one table: what is the table, what is stored as it is, and that the next
//! snapshot knows.

use arrow::array::RecordBatch;
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, FilePath, NodeRef};
use mainstay_data::diff::Verdict;
use mainstay_data::{
    BranchTarget, Datasets, FileLayout, PartSpec, ReadOptions, SnapshotReport, SnapshotSpec,
    TableFiles,
};
use tempfile::TempDir;

use crate::support::{ada, check_error, datasets, directory, spec};

const TRAIN: &[u8] = b"id,x\n1,0.5\n2,1.5\n";
const LABELS: &[u8] = b"id,label\n1,a\n";

fn only(pattern: &str) -> TableFiles {
    TableFiles::new().with_table(pattern.parse().unwrap())
}

fn without(pattern: &str) -> TableFiles {
    TableFiles::new().with_opaque(pattern.parse().unwrap())
}

fn of(directory: &TempDir) -> SnapshotSpec {
    spec("d").with_path(directory.path())
}

fn opaque(report: &SnapshotReport) -> Vec<&str> {
    report.opaque.iter().map(FilePath::as_str).collect()
}

async fn rows(datasets: &Datasets, node: &NodeRef) -> usize {
    let read = datasets.read(node, ReadOptions::default()).await.unwrap();
    let batches: Vec<_> = read.try_collect().await.unwrap();
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[tokio::test]
async fn the_files_that_are_chosen_are_the_table_and_the_others_are_kept() {
    let files = directory(&[
        ("train.csv", TRAIN),
        ("labels.csv", LABELS),
        ("a.png", b"x"),
    ]);
    for chosen in [only("train.csv"), without("labels.csv")] {
        let datasets = datasets().await;
        let refused = datasets.snapshot(of(&files)).await;
        let named = ["train.csv", "column: x", "--opaque", "--table"];
        check_error(refused, ErrorKind::Invalid, &named);

        let chosen = of(&files).with_table_files(chosen);
        let report = datasets.snapshot(chosen).await.unwrap();
        assert_eq!((report.rows, report.columns.len()), (Some(2), 2));
        assert_eq!(opaque(&report), ["labels.csv"]);
        assert_eq!(rows(&datasets, &report.node).await, 2);
        let manifest = datasets.manifest(&report.node).await.unwrap();
        let entries = manifest.files.listed().unwrap().iter();
        let entries: Vec<_> = entries
            .map(|file| (file.path.as_str(), file.media_type.as_str(), file.rows))
            .collect();
        assert_eq!(
            entries,
            [
                ("a.png", "image/png", None),
                ("labels.csv", "text/csv", None),
                ("train.csv", "text/csv", Some(2)),
            ]
        );
        let out = tempfile::tempdir().unwrap();
        let exported = out.path().join("out");
        datasets.export(&report.node, &exported).await.unwrap();
        assert_eq!(std::fs::read(exported.join("labels.csv")).unwrap(), LABELS);
    }
}

/// Every way in which a file is not what its extension says.
#[tokio::test]
async fn any_file_can_be_kept_beside_a_table() {
    let mut encrypted = b"PAR1".to_vec();
    encrypted.extend([0; 64]);
    encrypted.extend(b"PARE");
    for (name, bytes) in [
        ("latin-1.csv", &b"id,x\n1,caf\xe9\n"[..]),
        ("ragged.csv", b"id,x\n1\n"),
        ("doubled.csv", b"id,id\n1,2\n"),
        ("empty.csv", b""),
        ("other.parquet", b"not Parquet at all"),
        ("encrypted.parquet", &encrypted),
        ("stream.arrow", &[0xff; 64]),
        ("v1.feather", b"FEA1............................"),
    ] {
        let files = directory(&[("train.csv", TRAIN), (name, bytes)]);
        let datasets = datasets().await;
        let refused = datasets.snapshot(of(&files)).await;
        check_error(refused, ErrorKind::Invalid, &["--opaque"]);
        for layout in [FileLayout::Verbatim, FileLayout::Canonical] {
            let kept = of(&files)
                .with_table_files(without(name))
                .with_layout(layout);
            let report = datasets.snapshot(kept).await.unwrap();
            assert_eq!((report.rows, opaque(&report)), (Some(2), vec![name]));
            let file = datasets
                .find_file(&report.node, &name.parse().unwrap())
                .await
                .unwrap()
                .unwrap();
            let stored = datasets.file(&file).await.unwrap();
            assert_eq!(stored.bytes().await.unwrap(), bytes);
        }
        let alone = spec("alone").with_path(files.path().join(name));
        check_error(
            datasets.snapshot(alone.clone()).await,
            ErrorKind::Invalid,
            &[name, "--opaque"],
        );
        let alone = alone.with_table_files(without("**"));
        assert_eq!(datasets.snapshot(alone).await.unwrap().rows, None);
    }
}

#[tokio::test]
async fn the_next_snapshot_chooses_the_same() {
    let files = directory(&[("train-1.csv", TRAIN), ("labels-1.csv", LABELS)]);
    let datasets = datasets().await;
    let chosen = without("labels-*");
    let first = of(&files).with_table_files(chosen.clone());
    let first = datasets.snapshot(first).await.unwrap();
    assert_eq!(first.table_files, Some(chosen.clone()));
    let again = datasets.snapshot(of(&files)).await.unwrap();
    assert!(again.reused);

    std::fs::write(files.path().join("labels-2.csv"), LABELS).unwrap();
    std::fs::write(files.path().join("train-2.csv"), TRAIN).unwrap();
    let second = datasets.snapshot(of(&files)).await.unwrap();
    assert_eq!((second.version, second.rows), (2, Some(4)));
    assert_eq!(opaque(&second), ["labels-1.csv", "labels-2.csv"]);
    let shown = datasets.show(&second.node).await.unwrap();
    assert_eq!(shown.table_files, Some(chosen));

    // Another choice takes the place of the whole one before, and is a version also of the same files.
    let labels = of(&files).with_table_files(only("labels-?.csv"));
    let third = datasets.snapshot(labels).await.unwrap();
    assert_eq!((third.version, third.rows), (3, Some(2)));
    let all = of(&files).with_table_files(TableFiles::new());
    check_error(
        datasets.snapshot(all).await,
        ErrorKind::Invalid,
        &["train-1.csv", "other files do not have"],
    );
    for name in ["labels-1.csv", "labels-2.csv"] {
        std::fs::remove_file(files.path().join(name)).unwrap();
    }
    // The table of the version before is not lost without a word.
    check_error(
        datasets.snapshot(of(&files)).await,
        ErrorKind::Invalid,
        &["none of the files", "labels-?.csv"],
    );
    let all = of(&files).with_table_files(TableFiles::new());
    let fourth = datasets.snapshot(all).await.unwrap();
    assert_eq!((fourth.rows, fourth.table_files), (Some(4), None));
}

#[tokio::test]
async fn a_branch_chooses_as_the_version_it_points_to() {
    let files = directory(&[("train.csv", TRAIN), ("labels.csv", LABELS)]);
    let datasets = datasets().await;
    let on = |branch: &str| of(&files).with_branch(BranchTarget::new(branch.parse().unwrap()));
    let train = on("main").with_table_files(only("train.csv"));
    let first = datasets.snapshot(train).await.unwrap();
    datasets
        .create_branch(&"work".parse().unwrap(), &first.node, ada(), "test")
        .await
        .unwrap();
    let labels = on("work").with_table_files(only("labels.csv"));
    datasets.snapshot(labels).await.unwrap();
    std::fs::write(files.path().join("readme.txt"), "x").unwrap();
    let main = datasets.snapshot(on("main")).await.unwrap();
    assert_eq!(opaque(&main), ["labels.csv"]);
    let latest = datasets.snapshot(of(&files)).await.unwrap();
    assert_eq!(latest.table_files, Some(only("train.csv")));
}

#[tokio::test]
async fn a_pattern_that_names_no_table_file_is_refused() {
    let files = directory(&[("train.csv", TRAIN), ("notes.txt", b"x")]);
    let datasets = datasets().await;
    for (chosen, named) in [
        (only("tran.csv"), "tran.csv"),
        (without("lables/**"), "lables/**"),
        (only("notes.txt"), "notes.txt"),
        (
            only("train.csv").with_opaque("*.csv".parse().unwrap()),
            "none of the files",
        ),
    ] {
        let outcome = datasets.snapshot(of(&files).with_table_files(chosen)).await;
        check_error(outcome, ErrorKind::Invalid, &[named]);
    }
    let plain = of(&files)
        .with_table_files(only("train.csv"))
        .with_layout(FileLayout::Plain);
    check_error(
        datasets.snapshot(plain).await,
        ErrorKind::Invalid,
        &["plain"],
    );
    assert!(datasets.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn parts_are_joined_as_they_were_stored() {
    let files = directory(&[("train.csv", TRAIN), ("labels.csv", LABELS)]);
    let datasets = datasets().await;
    let stored = |shard: &str, chosen: TableFiles| {
        let part = PartSpec::new()
            .with_path(files.path())
            .below(shard.parse().unwrap())
            .with_table_files(chosen);
        datasets.store_part(part)
    };
    let wrong = stored("a", only("b/train.csv")).await;
    check_error(wrong, ErrorKind::Invalid, &["b/train.csv"]);
    let a = stored("a", only("a/train.csv")).await.unwrap();
    let b = stored("b", without("labels.csv")).await.unwrap();
    let joined = datasets.join(spec("d"), &[a, b]).await.unwrap();
    assert_eq!(joined.rows, Some(4));
    assert_eq!(opaque(&joined), ["a/labels.csv", "b/labels.csv"]);
}

#[tokio::test]
async fn a_table_without_rows_is_a_table() {
    for layout in [FileLayout::Verbatim, FileLayout::Canonical] {
        let files = directory(&[("train.csv", b"id,x\n")]);
        let datasets = datasets().await;
        let empty = of(&files).with_layout(layout);
        let empty = datasets.snapshot(empty).await.unwrap();
        assert_eq!((empty.rows, empty.columns.len()), (Some(0), 2));
        assert_eq!(rows(&datasets, &empty.node).await, 0);
        let stats = datasets.manifest(&empty.node).await.unwrap();
        let stats = &stats.columns()[0].stats;
        assert_eq!((stats.count, stats.nulls, stats.min.as_ref()), (0, 0, None));
        let again = of(&files).with_layout(layout);
        assert!(datasets.snapshot(again).await.unwrap().reused);

        std::fs::write(files.path().join("train.csv"), "id,x\na,b\nc,d\n").unwrap();
        let filled = of(&files).with_layout(layout);
        let filled = datasets.snapshot(filled).await.unwrap();
        let grown = datasets.compare(&empty.node, &filled.node).await.unwrap();
        assert_eq!(grown.verdict, Verdict::Pass);
        assert_eq!((grown.rows.before, grown.rows.after), (0, 2));
        let lost = datasets.compare(&filled.node, &empty.node).await.unwrap();
        assert_eq!(lost.verdict, Verdict::Fail);
        assert!(
            lost.columns
                .iter()
                .all(|column| column.drift.missing == 0.0)
        );
    }
}
