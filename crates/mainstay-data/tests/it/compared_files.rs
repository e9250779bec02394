//! How the files of two versions differ, and what is said where there is no table to compare.

use std::collections::BTreeMap;

use arrow::array::Int64Array;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_data::Datasets;
use mainstay_data::diff::{CompareOptions, CompareRows, DatasetDiff, FileOp, Verdict};
use mainstay_data::rows::{Identity, RowDiffOptions};
use serde_json::json;

use crate::model::Random;
use crate::support::{check_error, column, datasets, directory, rows, spec, table};

async fn version(datasets: &Datasets, files: &[(&str, &[u8])]) -> NodeRef {
    let directory = directory(files);
    let report = datasets.snapshot(spec("d").with_path(directory.path()));
    report.await.unwrap().node
}

async fn compare(before: &[(&str, &[u8])], after: &[(&str, &[u8])]) -> DatasetDiff {
    let datasets = datasets().await;
    let before = version(&datasets, before).await;
    let after = version(&datasets, after).await;
    datasets.compare(&before, &after).await.unwrap()
}

fn told(diff: &DatasetDiff) -> Vec<(FileOp, &str)> {
    let files = diff.files.sample.iter();
    files.map(|file| (file.op, file.path.as_str())).collect()
}

const IMAGES: [(&str, &[u8]); 4] = [
    ("cat.png", b"cat"),
    ("dog.png", b"dog"),
    ("empty.png", b""),
    ("fox.png", b"fox"),
];
const LATER_IMAGES: [(&str, &[u8]); 4] = [
    ("cat.png", b"another cat"),
    ("elk.png", b"elk"),
    ("empty2.png", b""),
    ("red/fox.png", b"fox"),
];

#[tokio::test]
async fn images_that_differ_are_named_and_no_verdict_is_passed() {
    let diff = compare(&IMAGES, &LATER_IMAGES).await;
    assert_eq!(
        told(&diff),
        [
            (FileOp::Changed, "cat.png"),
            (FileOp::Removed, "dog.png"),
            (FileOp::Added, "elk.png"),
            (FileOp::Removed, "empty.png"),
            (FileOp::Added, "empty2.png"),
            (FileOp::Renamed, "red/fox.png"),
        ]
    );
    let files = &diff.files;
    assert_eq!((files.before, files.after, files.beside), (4, 4, 6));
    assert_eq!((files.added, files.removed, files.changed), (2, 2, 1));
    assert_eq!((files.renamed, files.differing()), (Some(1), 6));
    assert_eq!(diff.verdict, Verdict::Unjudged);
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(json["verdict"], "unjudged");
    assert_eq!(json["files"]["sample"][5]["op"], "renamed");
    assert_eq!(json["files"]["sample"][5]["before"]["path"], "fox.png");

    let markdown = diff.to_markdown();
    for part in [
        "**unjudged**, no table",
        "Files 4 → 4: 2 added, 2 removed, 1 changed, 1 renamed",
        "| changed | cat.png | 3 bytes | 11 bytes |",
        "| renamed | fox.png → red/fox.png |",
    ] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
    let daff = diff.to_daff().unwrap().unwrap();
    let lines: Vec<&str> = daff.lines().collect();
    assert_eq!(lines[0], "@@,path,bytes,sha256");
    assert!(lines[1].starts_with("->,cat.png,3->11,"), "{daff}");
    assert!(lines[3].starts_with("+++,elk.png,3,"), "{daff}");
    assert!(lines[6].starts_with("->,fox.png->red/fox.png,3,"), "{daff}");
}

#[tokio::test]
async fn the_same_images_pass() {
    let diff = compare(&IMAGES, &IMAGES).await;
    assert_eq!((diff.verdict, diff.files.differing()), (Verdict::Pass, 0));
    assert_eq!(diff.files.sample, []);
    assert_eq!(diff.to_markdown(), "**pass**, no table\n");
}

#[tokio::test]
async fn a_table_that_is_gone_fails_and_a_new_one_is_not_judged() {
    let with: [(&str, &[u8]); 2] = [("a.txt", b"text"), ("t.csv", b"a,b\n1,2\n")];
    let gone = compare(&with, &with[..1]).await;
    assert_eq!(gone.verdict, Verdict::Fail);
    assert!(!gone.compatible && gone.compatibility.backward);
    assert_eq!((gone.rows.before, gone.rows.after), (1, 0));
    assert_eq!(told(&gone), [(FileOp::Removed, "t.csv")]);
    assert_eq!(gone.files.beside, 0);
    let new = compare(&with[..1], &with).await;
    assert_eq!(new.verdict, Verdict::Unjudged);
    assert!(new.compatible && !new.compatibility.backward);
}

#[tokio::test]
async fn files_beside_a_table_are_told_apart_from_its_own() {
    let table: (&str, &[u8]) = ("t.csv", b"a\n1\n");
    let other: (&str, &[u8]) = ("t.csv", b"a\n2\n");
    let diff = compare(&[("a.png", b"a"), table], &[("a.png", b"b"), table]).await;
    assert!(diff.same_table);
    assert_eq!((diff.files.changed, diff.files.beside), (1, 1));
    assert_eq!(diff.verdict, Verdict::Pass);
    let markdown = diff.to_markdown();
    assert!(markdown.contains("The same table."), "{markdown}");
    assert!(markdown.contains("| changed | a.png |"), "{markdown}");
    let diff = compare(&[("a.png", b"a"), table], &[("a.png", b"a"), other]).await;
    assert_eq!((diff.files.changed, diff.files.beside), (1, 0));
}

#[tokio::test]
async fn rows_of_a_version_without_a_table_are_refused_by_its_name() {
    let datasets = datasets().await;
    let files = version(&datasets, &IMAGES).await;
    let numbers = table([("a", column(Int64Array::from(vec![1])))]);
    let table = datasets.snapshot(rows("t", numbers)).await.unwrap().node;
    let options = CompareOptions::default().with_rows(CompareRows::default());
    for (before, after) in [(&files, &table), (&table, &files), (&files, &files)] {
        let outcome = datasets.compare_with(before, after, &options).await;
        check_error(outcome, ErrorKind::Invalid, &["data:d@1", "no table"]);
        let options = RowDiffOptions::default();
        let changes = datasets.row_changes(before, after, Identity::WholeRow, options);
        let outcome = changes.await.map(drop);
        check_error(outcome, ErrorKind::Invalid, &["data:d@1", "no table"]);
    }
}

#[tokio::test]
async fn rows_that_are_not_known_are_null_in_json_and_none_where_digests_say_so() {
    let datasets = datasets().await;
    let take = async |ids: Vec<i64>| {
        let batch = table([("id", column(Int64Array::from(ids)))]);
        datasets.snapshot(rows("d", batch)).await.unwrap().node
    };
    let first = take(vec![1, 2]).await;
    let backwards = take(vec![2, 1]).await;
    let more = take(vec![1, 2, 3]).await;
    let rows = async |after: &NodeRef| {
        let diff = datasets.compare(&first, after).await.unwrap();
        serde_json::to_value(&diff).unwrap()["rows"].clone()
    };
    assert_eq!(
        rows(&more).await,
        json!({"before": 2, "after": 3, "added": null, "removed": null, "changed": null})
    );
    let alike = rows(&backwards).await;
    let counts = ["added", "removed", "changed", "unchanged"].map(|name| alike[name].clone());
    assert_eq!(counts, [json!(0), json!(0), json!(0), json!(2)]);
    assert_eq!(alike["order_only"], true);
}

#[tokio::test]
async fn the_recorded_key_tells_rows_apart_where_both_tables_have_it() {
    let datasets = datasets().await;
    let take = async |name: &str, values: [i64; 2], key: &[&str]| {
        let [first, second] = values;
        let batch = table([
            (name, column(Int64Array::from(vec![1, 2]))),
            ("n", column(Int64Array::from(vec![first, second]))),
        ]);
        let spec = rows("d", batch).with_key(key.iter().copied());
        datasets.snapshot(spec).await.unwrap().node
    };
    let first = take("id", [5, 6], &["id"]).await;
    let keyed = take("id", [5, 7], &["id"]).await;
    let renamed = take("number", [5, 8], &[]).await;
    let foreign = take("id", [5, 9], &["n"]).await;
    let compared = async |before: &NodeRef, after: &NodeRef| {
        let options = CompareOptions::default().with_rows(CompareRows::default());
        let diff = datasets.compare_with(before, after, &options).await;
        diff.unwrap().rows.compared.unwrap()
    };
    for (after, key) in [(&keyed, "id"), (&renamed, "number")] {
        let found = compared(&first, after).await;
        assert_eq!(found.key, Some(vec![key.to_owned()]));
        assert_eq!((found.added, found.removed, found.changed), (0, 0, 1));
    }
    // The later key goes first.
    let found = compared(&first, &foreign).await;
    assert_eq!(found.key, Some(vec!["n".to_owned()]));
    assert_eq!((found.added, found.removed, found.changed), (1, 1, 0));
    // A key that one table does not have tells nothing apart.
    let stranger = table([("n", column(Int64Array::from(vec![4])))]);
    let stranger = datasets.snapshot(rows("s", stranger)).await.unwrap().node;
    assert_eq!(compared(&first, &stranger).await.key, None);
}

/// Every difference is counted once, and what is renamed is what can be paired.
#[tokio::test]
async fn counts_are_those_of_a_model() {
    let mut random = Random(3);
    let datasets = datasets().await;
    for _ in 0..20 {
        let mut side = || -> BTreeMap<String, Vec<u8>> {
            let files = (0..=random.below(30)).map(|_| {
                let content = vec![b'x'; random.below(6)];
                (format!("{}.bin", random.below(40)), content)
            });
            files.collect()
        };
        let sides = [side(), side()];
        let mut nodes = Vec::new();
        for side in &sides {
            let files: Vec<(&str, &[u8])> = side
                .iter()
                .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
                .collect();
            nodes.push(version(&datasets, &files).await);
        }
        let diff = datasets.compare(&nodes[0], &nodes[1]).await.unwrap();
        let found = &diff.files;

        let [before, after] = &sides;
        let only = |a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>| {
            let only = a.iter().filter(|(path, _)| !b.contains_key(*path));
            only.map(|(_, bytes)| bytes.len()).collect::<Vec<_>>()
        };
        let (gone, new) = (only(before, after), only(after, before));
        let of = |lengths: &[usize], length| lengths.iter().filter(|l| **l == length).count();
        let renamed: usize = (1..6).map(|n| of(&gone, n).min(of(&new, n))).sum();
        let changed = before.iter();
        let changed = changed.filter(|(path, bytes)| after.get(*path).is_some_and(|b| b != *bytes));
        let changed = changed.count();
        let counts = [found.removed, found.added, found.changed];
        let expected = [gone.len() - renamed, new.len() - renamed, changed];
        assert_eq!(counts, expected.map(|count| count as u64));
        assert_eq!(found.renamed, Some(renamed as u64));
        assert_eq!(found.beside, found.differing());
        let differing = usize::try_from(found.differing()).unwrap();
        assert_eq!(found.sample.len(), differing.min(10));
        assert!(found.sample.is_sorted_by(|a, b| a.path < b.path));
    }
}
