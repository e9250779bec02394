//! Which rows of two versions differ, and what is read to find them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, BinaryBuilder, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt64Array,
};
use arrow::compute::concat_batches;
use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_data::Datasets;
use mainstay_data::diff::{CompareOptions, CompareRows, ComparedRows, DatasetDiff};
use mainstay_data::rows::{Identity, Op, RowDiffOptions};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};

use crate::model::{Random, seeds};
use crate::support::{check_error, column, datasets, directory, rows, spec, table};

fn by(key: &str) -> CompareOptions {
    CompareOptions::default().with_rows(CompareRows::new(Identity::key([key])))
}

async fn compare(
    before: RecordBatch,
    after: RecordBatch,
    options: &CompareOptions,
) -> (DatasetDiff, ComparedRows) {
    let datasets = datasets().await;
    let before = datasets.snapshot(rows("d", before)).await.unwrap().node;
    let after = datasets.snapshot(rows("d", after)).await.unwrap().node;
    let diff = datasets
        .compare_with(&before, &after, options)
        .await
        .unwrap();
    let compared = diff.rows.compared.clone().unwrap();
    (diff, compared)
}

fn people() -> RecordBatch {
    table([
        ("id", column(Int64Array::from(vec![1, 2, 3, 4]))),
        (
            "name",
            column(StringArray::from(vec![
                Some("Ada"),
                Some("Bob"),
                None,
                Some("Dee"),
            ])),
        ),
        (
            "score",
            column(Float64Array::from(vec![1.0, 2.5, 3.0, 4.0])),
        ),
    ])
}

fn later_people() -> RecordBatch {
    table([
        ("id", column(Int64Array::from(vec![1, 5, 3, 2]))),
        (
            "called",
            column(StringArray::from(vec!["Ada", "Eve", "NULL", "B->b"])),
        ),
        (
            "score",
            column(Float64Array::from(vec![1.0, 5.0, 3.0, 2.5])),
        ),
        (
            "new",
            column(Int64Array::from(vec![None, Some(7), None, None])),
        ),
    ])
}

#[tokio::test]
async fn rows_by_key_are_counted_and_shown_in_order() {
    let options =
        CompareOptions::default().with_rows(CompareRows::new(Identity::key(["id"])).with_sample(3));
    let (diff, found) = compare(people(), later_people(), &options).await;
    assert_eq!(
        (found.added, found.removed, found.changed, found.unchanged),
        (1, 1, 0, 3)
    );
    assert_eq!(found.incomparable.len() + found.cells.len(), 0);
    let ops: Vec<Op> = found.sample.iter().map(|row| row.op).collect();
    assert_eq!(ops, [Op::Added, Op::Removed]);
    assert!(!found.order_only && diff.bytes_read > 0);
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(json["rows"]["added"], 1);
    assert_eq!(json["rows"]["before"], 4);
    assert_eq!(
        json["rows"]["sample"][0],
        serde_json::json!({
            "op": "added", "key": {"id": 5}, "changed": [],
            "before": null, "after": {"called": "Eve", "score": 5, "new": 7},
            "before_row": null, "after_row": 1, "before_count": 0, "after_count": 1,
        })
    );
}

#[tokio::test]
async fn the_highlighter_format_tells_rows_cells_and_columns_apart() {
    let before = table([
        ("id", column(Int64Array::from(vec![1, 2, 3]))),
        (
            "name",
            column(StringArray::from(vec![Some("Ada"), Some("Bob"), None])),
        ),
        ("old", column(Float64Array::from(vec![0.5, 1.0, 1.5]))),
    ]);
    let after = table([
        ("id", column(Int64Array::from(vec![1, 2, 4, 3]))),
        (
            "name",
            column(StringArray::from(vec!["Ada", "B->b", "Eve, Q", "NULL"])),
        ),
        (
            "new",
            column(Int64Array::from(vec![None, Some(7), None, None])),
        ),
    ]);
    let (diff, _) = compare(before.clone(), after.clone(), &by("id")).await;
    assert_eq!(
        diff.to_daff().unwrap().unwrap(),
        "!,,,+++,---\n\
         @@,id,name,new,old\n\
         -->,2,Bob-->B->b,7,1\n\
         +++,4,\"Eve, Q\",NULL,\n\
         ->,3,NULL->_NULL,NULL,1.5\n"
    );
    let options =
        CompareOptions::default().with_rows(CompareRows::new(Identity::key(["id"])).with_sample(1));
    let (diff, _) = compare(before, after, &options).await;
    assert!(
        diff.to_daff()
            .unwrap()
            .unwrap()
            .ends_with("...,...,...,...,...\n")
    );
    let markdown = diff.to_markdown();
    for part in [
        "- added `new` int64",
        "1 added, 0 removed, 2 changed",
        "| changed | id: 2 |",
    ] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
}

#[tokio::test]
async fn rows_in_another_order_are_known_without_reading_them() {
    let backwards = arrow::compute::take_record_batch(
        &people(),
        &arrow::array::UInt32Array::from(vec![3, 2, 1, 0]),
    );
    let (diff, found) = compare(people(), backwards.unwrap(), &by("id")).await;
    assert!(found.order_only && diff.same_rows && !diff.same_table);
    assert_eq!((found.unchanged, found.skipped), (4, 4));
}

#[tokio::test]
async fn without_a_key_equal_rows_are_counted() {
    let letters = |letters: Vec<&str>| table([("a", column(StringArray::from(letters)))]);
    let options = CompareOptions::default().with_rows(CompareRows::new(Identity::WholeRow));
    let (_, found) = compare(
        letters(vec!["x", "y", "x", "x"]),
        letters(vec!["y", "x", "z"]),
        &options,
    )
    .await;
    assert_eq!((found.added, found.removed, found.unchanged), (1, 2, 2));
    assert_eq!(found.sample[0].before_count, 3);
    assert_eq!(found.key, None);
}

#[tokio::test]
async fn a_key_that_is_not_there_is_refused() {
    let datasets = datasets().await;
    let node = datasets.snapshot(rows("d", people())).await.unwrap().node;
    let other = datasets
        .snapshot(rows("d", later_people()))
        .await
        .unwrap()
        .node;
    let outcome = datasets.compare_with(&node, &other, &by("nobody")).await;
    check_error(outcome, ErrorKind::NotFound, &["nobody"]);
}

/// A table of several files, as CSV: some the same on both sides, some in another place.
#[tokio::test]
async fn files_that_both_have_are_not_read() {
    let datasets = datasets().await;
    let lines = |ids: std::ops::Range<u32>| {
        let lines: Vec<String> = ids.map(|id| format!("{id},{}", id * 7)).collect();
        format!("id,n\n{}\n", lines.join("\n"))
    };
    let (a, b, c) = (lines(0..3_000), lines(3_000..6_000), lines(6_000..6_010));
    let (first, second) = (
        directory(&[("a.csv", a.as_bytes()), ("c.csv", b.as_bytes())]),
        directory(&[
            ("a.csv", a.as_bytes()),
            ("b.csv", c.as_bytes()),
            ("c.csv", b.as_bytes()),
        ]),
    );
    let before = datasets
        .snapshot(spec("d").with_path(first.path()))
        .await
        .unwrap()
        .node;
    let after = datasets
        .snapshot(spec("d").with_path(second.path()))
        .await
        .unwrap()
        .node;
    let diff = datasets
        .compare_with(&before, &after, &by("id"))
        .await
        .unwrap();
    let found = diff.rows.compared.unwrap();
    assert_eq!((found.added, found.removed, found.changed), (10, 0, 0));
    assert_eq!((found.unchanged, found.skipped), (6_000, 6_000));
    assert_eq!(found.sample[0].after_row, Some(3_000));
}

/// Snapshots of a file that stays as it is beside one that does not.
async fn beside(
    datasets: &Datasets,
    key: &[&str],
    others: [&str; 2],
) -> [mainstay_core::NodeRef; 2] {
    let alike = b"id,n\n1,1\n2,1\n";
    let mut nodes = Vec::new();
    for other in others {
        let files = directory(&[("a.csv", alike), ("b.csv", other.as_bytes())]);
        let spec = spec("d")
            .with_path(files.path())
            .with_key(key.iter().copied());
        nodes.push(datasets.snapshot(spec).await.unwrap().node);
    }
    nodes.try_into().unwrap()
}

#[tokio::test]
async fn a_key_that_is_known_to_be_repeated_is_found_among_rows_that_both_have() {
    let datasets = datasets().await;
    let [before, after] = beside(
        &datasets,
        &["id"],
        ["id,n\n3,1\n4,1\n", "id,n\n3,2\n4,1\n2,5\n"],
    )
    .await;
    for (node, repeated) in [(&before, 0), (&after, 1)] {
        let info = datasets.show(node).await.unwrap();
        assert_eq!(info.repeated_keys, Some(repeated));
    }
    let diff = datasets.compare_with(&before, &after, &by("id")).await;
    let found = diff.unwrap().rows.compared.unwrap();
    assert_eq!((found.added, found.changed, found.skipped), (0, 1, 0));
    let twice = found.duplicates;
    assert_eq!((twice.keys, twice.before, twice.after), (1, 1, 2));
    assert!(found.duplicates_complete);

    let key = Identity::key(["id"]);
    let changes = datasets.row_changes(&before, &after, key, RowDiffOptions::default());
    let batches: Vec<RecordBatch> = changes.await.unwrap().try_collect().await.unwrap();
    let ops = batches
        .iter()
        .flat_map(|batch| batch["op"].as_string::<i32>().iter().flatten());
    let mut ops: Vec<&str> = ops.collect();
    ops.sort_unstable();
    assert_eq!(ops, ["changed", "duplicate"]);
}

#[tokio::test]
async fn a_key_that_is_known_to_be_unique_needs_no_look_at_rows_that_both_have() {
    let datasets = datasets().await;
    let [before, after] =
        beside(&datasets, &["id"], ["id,n\n3,1\n4,1\n", "id,n\n3,2\n5,1\n"]).await;
    let mut keys = vec![Identity::key(["id"]), Identity::key(["n", "id"])];
    for key in keys.drain(..) {
        let options = CompareOptions::default().with_rows(CompareRows::new(key));
        let diff = datasets.compare_with(&before, &after, &options).await;
        let found = diff.unwrap().rows.compared.unwrap();
        assert_eq!(found.skipped, 2);
        assert!(found.duplicates_complete);
    }
}

/// To look for them there would be reading what is known to be alike.
#[tokio::test]
async fn it_is_said_where_keys_were_not_looked_at() {
    let datasets = datasets().await;
    let [before, after] = beside(
        &datasets,
        &[],
        ["id,n\n3,1\n4,1\n", "id,n\n3,2\n4,1\n2,5\n"],
    )
    .await;
    assert_eq!(datasets.show(&after).await.unwrap().repeated_keys, None);
    let diff = datasets
        .compare_with(&before, &after, &by("id"))
        .await
        .unwrap();
    assert!(diff.to_markdown().contains("Not looked for among 2 rows"));
    let found = diff.rows.compared.unwrap();
    assert_eq!((found.added, found.changed, found.skipped), (1, 1, 2));
    assert_eq!(found.duplicates.keys, 0);
    assert!(!found.duplicates_complete);
}

/// Rows of 1 KiB that no encoder makes smaller.
fn noise(random: &mut Random, rows: usize) -> RecordBatch {
    let mut bytes = |times: usize| {
        let mut column = BinaryBuilder::new();
        for _ in 0..rows {
            let value: Vec<u8> = (0..times)
                .flat_map(|_| random.next().to_le_bytes())
                .collect();
            column.append_value(value);
        }
        column.finish()
    };
    table([("key", column(bytes(64))), ("value", column(bytes(64)))])
}

fn joined(parts: &[RecordBatch]) -> RecordBatch {
    concat_batches(&parts[0].schema(), parts).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_share_99_per_cent_read_at_most_5_per_cent() {
    const ROWS: usize = 25_000;
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let repo = Repo::create(Arc::clone(&storage) as _, RepoOptions::default())
        .await
        .unwrap();
    let datasets = Datasets::new(repo);
    let mut random = Random(7);
    let base = noise(&mut random, ROWS);
    let more = noise(&mut random, ROWS / 100);
    let middle = ROWS / 2;
    let edited = table([
        (
            "key",
            ArrayRef::clone(&base.slice(middle, ROWS / 100)["key"]),
        ),
        ("value", ArrayRef::clone(&more["value"])),
    ]);
    let tail = |from: usize| base.slice(from, ROWS - from);
    let versions = [
        (
            "appended",
            joined(&[base.clone(), more.clone()]),
            (ROWS / 100, 0),
        ),
        (
            "inserted",
            joined(&[base.slice(0, middle), more, tail(middle)]),
            (ROWS / 100, 0),
        ),
        (
            "edited",
            joined(&[base.slice(0, middle), edited, tail(middle + ROWS / 100)]),
            (0, ROWS / 100),
        ),
    ];
    let before = datasets.snapshot(rows("d", base.clone())).await.unwrap();
    for (name, after, (added, changed)) in versions {
        let after = datasets.snapshot(rows("d", after)).await.unwrap();
        let bytes: u64 = before
            .files
            .iter()
            .chain(&after.files)
            .map(|file| file.bytes)
            .sum();
        let so_far = storage.reading().bytes_read;
        let diff = datasets
            .compare_with(&before.node, &after.node, &by("key"))
            .await
            .unwrap();
        let read = storage.reading().bytes_read - so_far;
        let found = diff.rows.compared.unwrap();
        assert_eq!(
            (found.added, found.changed),
            (added as u64, changed as u64),
            "{name}"
        );
        assert_eq!(found.removed, 0, "{name}");
        assert!(read * 20 <= bytes, "{name}: read {read} of {bytes}");
        assert!(diff.bytes_read <= read, "{name}: {}", diff.bytes_read);
    }
}

/// Skipping what is shared must not change the answer.
#[tokio::test]
async fn stored_tables_differ_as_their_rows_do() {
    for seed in seeds(12) {
        let mut random = Random(seed);
        let count = 1 + random.below(3_000);
        let ids: Vec<u64> = (0..count as u64).collect();
        let of = |ids: &[u64], random: &mut Random, edits: usize| {
            let mut values: Vec<u64> = ids
                .iter()
                .map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .collect();
            for _ in 0..edits {
                let at = random.below(values.len());
                values[at] = random.next();
            }
            table([
                ("id", column(UInt64Array::from(ids.to_vec()))),
                ("value", column(UInt64Array::from(values))),
            ])
        };
        let before = of(&ids, &mut random, 0);
        let mut later = ids.clone();
        let (at, length) = (random.below(count), random.below(50));
        match random.below(3) {
            0 => later
                .splice(at..at, 1_000_000..1_000_000 + length as u64)
                .for_each(drop),
            1 if length < count - at => drop(later.drain(at..at + length)),
            _ => later.rotate_left(at),
        }
        let edits = random.below(3);
        let after = of(&later, &mut random, edits);
        let datasets = datasets().await;
        let first = datasets
            .snapshot(rows("d", before.clone()))
            .await
            .unwrap()
            .node;
        let second = datasets
            .snapshot(rows("d", after.clone()))
            .await
            .unwrap()
            .node;
        // Down to nothing, so that parts wait on disk.
        let options = RowDiffOptions::default().with_memory_bytes(random.below(100_000));
        let key = Identity::key(["id"]);
        let stream = datasets.row_changes(&first, &second, key.clone(), options.clone());
        let stored: Vec<RecordBatch> = stream.await.unwrap().try_collect().await.unwrap();
        let stored: usize = stored.iter().map(RecordBatch::num_rows).sum();
        let mut whole =
            mainstay_data::rows::RowDiff::new(&before.schema(), &after.schema(), &key, options)
                .unwrap();
        whole
            .add(mainstay_data::rows::Side::Before, &before)
            .unwrap();
        whole.add(mainstay_data::rows::Side::After, &after).unwrap();
        let expected = whole.finish().into_counts().unwrap();
        let differing = expected.added + expected.removed + expected.changed;
        assert_eq!(stored as u64, differing, "seed {seed}");
        let diff = datasets
            .compare_with(&first, &second, &by("id"))
            .await
            .unwrap();
        let found = diff.rows.compared.unwrap();
        assert_eq!(
            (
                found.added,
                found.removed,
                found.changed,
                found.unchanged,
                found.order_only
            ),
            (
                expected.added,
                expected.removed,
                expected.changed,
                expected.unchanged,
                expected.order_only()
            ),
            "seed {seed}"
        );
    }
}

#[tokio::test]
async fn the_recorded_key_is_taken_where_a_type_holds_the_values_of_both() {
    let signed = |ids: Vec<i32>| column(arrow::array::Int32Array::from(ids));
    let wide: [(ArrayRef, bool); 3] = [
        (column(Int64Array::from(vec![1, 3])), true),
        (column(UInt64Array::from(vec![1, 3])), false),
        (column(StringArray::from(vec!["1", "3"])), false),
    ];
    for (ids, is_taken) in wide {
        let datasets = datasets().await;
        let mut nodes = Vec::new();
        for ids in [signed(vec![1, 2]), ids] {
            let batch = table([("id", ids), ("n", signed(vec![5, 6]))]);
            let report = datasets.snapshot(rows("d", batch).with_key(["id"])).await;
            nodes.push(report.unwrap().node);
        }
        let options = CompareOptions::default().with_rows(CompareRows::default());
        let diff = datasets.compare_with(&nodes[0], &nodes[1], &options).await;
        let found = diff.unwrap().rows.compared.unwrap();
        assert_eq!(found.key.is_some(), is_taken);
    }
}
