//! Versions of a canonical table that differ in few cells and rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use futures::TryStreamExt as _;
use mainstay_core::{Digest, ErrorKind, NodeKind, NodeRef, canon};
use mainstay_data::digest::Profile;
use mainstay_data::merge::MergeSpec;
use mainstay_data::rows::{Identity, RowDiffOptions};
use mainstay_data::{Datasets, Patches, ReadOptions, SnapshotReport, SnapshotSpec};
use mainstay_repo::{Expectation, Repo, Series, Step, Transaction, Value};

use crate::model::Random;
use crate::support::{ada, check_error, datasets, digests, digests_of, repo, rows, spec};

/// Rows numbered from `first`: a number, a measure that compresses badly, words.
fn table(first: i64, count: usize, random: &mut Random) -> RecordBatch {
    let numbers = Int64Array::from_iter_values((first..).take(count));
    let measures: Vec<f64> = (0..count).map(|_| measure(random)).collect();
    let words = (0..count).map(|_| format!("word {} {}", random.below(50), random.below(900)));
    let columns: [(&str, ArrayRef); 3] = [
        ("n", Arc::new(numbers)),
        ("x", Arc::new(Float64Array::from(measures))),
        ("text", Arc::new(StringArray::from_iter_values(words))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "any number will do")]
fn measure(random: &mut Random) -> f64 {
    random.below(1 << 50) as f64
}

fn with_measures(table: &RecordBatch, change: impl FnOnce(&mut Vec<f64>)) -> RecordBatch {
    let column = table.column(1).as_any().downcast_ref::<Float64Array>();
    let mut values = column.unwrap().values().to_vec();
    change(&mut values);
    let mut columns = table.columns().to_vec();
    columns[1] = Arc::new(Float64Array::from(values));
    RecordBatch::try_new(table.schema(), columns).unwrap()
}

fn patched(dataset: &str, batch: RecordBatch) -> SnapshotSpec {
    rows(dataset, batch).with_patches(Patches::WhereSmaller)
}

fn joined(parts: &[RecordBatch]) -> RecordBatch {
    concat_batches(&parts[0].schema(), parts).unwrap()
}

async fn read(datasets: &Datasets, node: &NodeRef, options: ReadOptions) -> RecordBatch {
    let batches = datasets.read(node, options).await.unwrap();
    let batches: Vec<_> = batches.try_collect().await.unwrap();
    joined(&batches)
}

/// How many patches the only file of a version has.
async fn depth(datasets: &Datasets, node: &NodeRef) -> usize {
    let manifest = datasets.manifest(node).await.unwrap();
    manifest.files.listed().unwrap()[0].patches().len()
}

/// What a version stored of its table: all but the manifest.
async fn stored(datasets: &Datasets, report: &SnapshotReport) -> u64 {
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let manifest = canon::to_vec(&manifest).unwrap();
    report.new_bytes - manifest.len() as u64
}

#[tokio::test]
async fn a_scattered_edit_is_stored_as_its_cells() {
    let datasets = datasets().await;
    let mut random = Random(1);
    let first = table(0, 40_000, &mut random);
    let base = datasets
        .snapshot(patched("d", first.clone()))
        .await
        .unwrap();
    let second = with_measures(&first, |values| {
        for index in (0..values.len()).step_by(1_000) {
            values[index] += 1.0;
        }
    });
    let report = datasets
        .snapshot(patched("d", second.clone()))
        .await
        .unwrap();
    assert_eq!(depth(&datasets, &report.node).await, 1);
    let added = stored(&datasets, &report).await;
    let whole = stored(&datasets, &base).await;
    assert!(added * 100 <= whole * 3, "{added} of {whole} bytes");

    let expected = digests(std::slice::from_ref(&second));
    assert_eq!(report.table_digest, Some(expected.table));
    assert_eq!(report.rows_digest, Some(expected.unordered));
    let back = read(&datasets, &report.node, ReadOptions::default()).await;
    assert_eq!(back, second);
    let one = ReadOptions::default().with_columns(["x"]);
    let back = read(&datasets, &report.node, one).await;
    assert_eq!(back.column(0), second.column(1));

    let key = Identity::key(["n"]);
    let changes = datasets.row_changes(&base.node, &report.node, key, RowDiffOptions::default());
    let changes: Vec<_> = changes.await.unwrap().try_collect().await.unwrap();
    let changed: usize = changes.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(changed, 40);

    let again = datasets
        .snapshot(patched("d", second.clone()))
        .await
        .unwrap();
    assert!(again.reused);
    let back = datasets.snapshot(patched("d", first)).await.unwrap();
    assert_eq!(back.table_digest, base.table_digest);

    let target = tempfile::tempdir().unwrap();
    let exported = datasets.export(&report.node, target.path()).await.unwrap();
    let bytes = std::fs::read(target.path().join("rows.parquet")).unwrap();
    assert_eq!(exported.files[0].digest, Digest::of(&bytes));
    let copy = spec("copy").with_path(target.path().join("rows.parquet"));
    let copy = datasets.snapshot(copy).await.unwrap();
    assert_eq!(copy.table_digest, report.table_digest);
}

/// Stores the latest version once more, as one whose file an earlier build wrote.
async fn by_profile(repo: &Repo, dataset: &str, profile: u64) {
    let datasets = Datasets::new(repo.clone());
    let latest = datasets.resolve(&dataset.parse().unwrap()).await.unwrap();
    let manifest = datasets.manifest(&latest).await.unwrap();
    let mut json = serde_json::to_value(&manifest).unwrap();
    json["files"][0]["canonical"]["profile"] = profile.into();
    let bytes = canon::to_vec(&json).unwrap();
    let mut ingest = repo.ingest();
    ingest.bytes(bytes.clone().into()).await.unwrap();
    ingest.finish().await.unwrap();
    let value = repo.read(|view| {
        Ok(view
            .get(&latest.ref_path())?
            .map(|state| state.value.clone()))
    });
    let value = serde_json::to_string(&value.await.unwrap().unwrap()).unwrap();
    let earlier = canon::digest(&manifest).unwrap().to_string();
    let value = value.replace(&earlier, &Digest::of(&bytes).to_string());
    let value: Value = serde_json::from_str(&value).unwrap();
    let series = Series::new(NodeKind::Data, dataset.parse().unwrap());
    let next = series.numbered(datasets.show(&latest).await.unwrap().version + 1);
    let commit = repo.transact(|_| {
        let mut transaction = Transaction::new(ada(), "as an earlier build did");
        transaction.set(next.ref_path(), value.clone(), Expectation::Absent);
        Ok(Step::Commit(transaction, ()))
    });
    commit.await.unwrap();
}

#[tokio::test]
async fn patches_are_found_of_files_whose_pages_are_cut_as_now() {
    for (profile, patches) in [(1, 0), (2, 1), (3, 1), (4, 0)] {
        let repo = repo().await;
        let datasets = Datasets::new(repo.clone());
        let mut random = Random(2);
        let first = table(0, 40_000, &mut random);
        datasets
            .snapshot(patched("d", first.clone()))
            .await
            .unwrap();
        by_profile(&repo, "d", profile).await;
        let second = with_measures(&first, |values| {
            for index in (0..values.len()).step_by(1_000) {
                values[index] += 1.0;
            }
        });
        let report = datasets.snapshot(patched("d", second.clone())).await;
        let report = report.unwrap();
        assert_eq!(depth(&datasets, &report.node).await, patches, "{profile}");
        let back = read(&datasets, &report.node, ReadOptions::default()).await;
        assert_eq!(back, second);
    }
}

/// The numbers of consecutive rows take next to nothing beside their values.
#[tokio::test]
async fn cells_edited_in_one_range_are_stored_as_their_values() {
    let datasets = datasets().await;
    let mut random = Random(3);
    let first = table(0, 80_000, &mut random);
    datasets
        .snapshot(patched("d", first.clone()))
        .await
        .unwrap();
    let values: Vec<f64> = (0..16_000).map(|_| measure(&mut random)).collect();
    let second = with_measures(&first, |measures| {
        measures[30_000..46_000].copy_from_slice(&values);
    });
    let report = datasets.snapshot(patched("d", second)).await.unwrap();
    assert_eq!(depth(&datasets, &report.node).await, 1);
    let added = stored(&datasets, &report).await;

    let values: ArrayRef = Arc::new(Float64Array::from(values));
    let alone = RecordBatch::try_from_iter([("x", values)]).unwrap();
    let alone = datasets.snapshot(rows("alone", alone)).await.unwrap();
    let information = stored(&datasets, &alone).await;
    assert!(
        added * 100 <= information * 105,
        "{added} bytes for {information} of values"
    );
}

#[tokio::test]
async fn any_chain_of_edits_reads_as_the_table_it_stands_for() {
    let (seeds, steps) = if std::env::var("MAINSTAY_LONG").is_ok() {
        (20, 12)
    } else {
        (1, 10)
    };
    for seed in 0..seeds {
        let datasets = datasets().await;
        let mut random = Random(seed);
        let mut now = table(0, 9_000, &mut random);
        datasets.snapshot(patched("d", now.clone())).await.unwrap();
        let mut depths = Vec::new();
        for step in 0..steps {
            for _ in 0..4 {
                now = edited(&now, step, &mut random);
            }
            let report = datasets.snapshot(patched("d", now.clone())).await.unwrap();
            let expected = digests_of(std::slice::from_ref(&now), Profile::Strict);
            assert_eq!(report.table_digest, Some(expected.table));
            assert_eq!(report.rows_digest, Some(expected.unordered));
            let back = read(&datasets, &report.node, ReadOptions::default()).await;
            assert_eq!(back, now, "seed {seed}, step {step}");
            depths.push(depth(&datasets, &report.node).await);
        }
        assert!(depths.iter().all(|&depth| depth <= 8), "{depths:?}");
        assert!(depths.iter().any(|&depth| depth > 2), "{depths:?}");
    }
}

/// Cells changed, rows put in, rows taken out, at random places.
fn edited(table_now: &RecordBatch, step: i64, random: &mut Random) -> RecordBatch {
    let count = table_now.num_rows();
    let at = random.below(count - 20);
    match random.below(3) {
        0 => {
            let changes: Vec<_> = (0..9)
                .map(|_| (random.below(count), measure(random)))
                .collect();
            with_measures(table_now, |values| {
                for (index, value) in changes {
                    values[index] = value;
                }
            })
        }
        1 => joined(&[
            table_now.slice(0, at),
            table(1_000_000 * (step + 1), 7, random),
            table_now.slice(at, count - at),
        ]),
        _ => joined(&[
            table_now.slice(0, at),
            table_now.slice(at + 5, count - at - 5),
        ]),
    }
}

/// Patches of a file take at most half of its size, however few they are.
#[tokio::test]
async fn heavy_patches_are_followed_by_the_whole_table() {
    let datasets = datasets().await;
    let mut random = Random(7);
    let mut now = table(0, 14_000, &mut random);
    datasets.snapshot(patched("d", now.clone())).await.unwrap();
    let mut depths = Vec::new();
    for step in 0..7 {
        let changes: Vec<f64> = (0..2_800).map(|_| measure(&mut random)).collect();
        now = with_measures(&now, |values| {
            let cells = values.iter_mut().skip(step % 5).step_by(5);
            cells.zip(&changes).for_each(|(cell, new)| *cell = *new);
        });
        let report = datasets.snapshot(patched("d", now.clone())).await.unwrap();
        let manifest = datasets.manifest(&report.node).await.unwrap();
        let file = &manifest.files.listed().unwrap()[0];
        let patches: u64 = file.patches().iter().map(|patch| patch.bytes).sum();
        assert!(patches * 2 <= file.bytes, "{patches} of {}", file.bytes);
        let back = read(&datasets, &report.node, ReadOptions::default()).await;
        assert_eq!(back, now);
        depths.push(file.patches().len());
    }
    let most = depths.iter().max().unwrap();
    assert!((1..8).contains(most), "{depths:?}");
    let whole = depths.iter().position(|depth| *depth == 0);
    let again = whole.and_then(|whole| depths.get(whole + 1));
    assert_eq!(again, Some(&1), "{depths:?}");
}

#[tokio::test]
async fn rows_of_equal_hashes_are_not_taken_for_the_same() {
    /// XXH3 multiplies the second half of 32 bytes, from these on, with nothing.
    const ABSORBING: [u8; 8] = [0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb];
    let datasets = datasets().await;
    let mut random = Random(5);
    let mut table = || {
        let values = (0..20_000_u64).map(|number| {
            // A marker and a length come before: 32 bytes in all.
            let mut value = number.to_le_bytes().to_vec();
            value.extend([0; 6]);
            value.extend(ABSORBING);
            value.extend(random.next().to_le_bytes());
            value
        });
        let values = BinaryArray::from_iter_values(values);
        RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).unwrap()
    };
    let (first, second) = (table(), table());
    datasets.snapshot(patched("d", first)).await.unwrap();
    let report = datasets.snapshot(patched("d", second.clone())).await;
    let node = report.unwrap().node;
    let back = read(&datasets, &node, ReadOptions::default()).await;
    assert!(back == second, "not the rows that were given");
}

#[tokio::test]
async fn versions_of_patches_merge_by_row_and_cell() {
    let datasets = datasets().await;
    let mut random = Random(5);
    let first = table(0, 20_000, &mut random);
    let scattered = |table: &RecordBatch, from: usize, added: f64| {
        with_measures(table, |values| {
            for index in (from..values.len()).step_by(1_000) {
                values[index] += added;
            }
        })
    };
    let base = datasets.snapshot(patched("d", first.clone())).await;
    let base = base.unwrap().node;
    let more = table(1 << 40, 3, &mut random);
    let theirs_rows = joined(&[scattered(&first, 7, 2.0), more.clone()]);
    let ours = patched("d", scattered(&first, 1, 1.0)).with_parent(base.clone());
    let ours = datasets.snapshot(ours).await.unwrap().node;
    let theirs = patched("d", theirs_rows).with_parent(base.clone());
    let theirs = datasets.snapshot(theirs).await.unwrap().node;
    assert!(depth(&datasets, &ours).await > 0 && depth(&datasets, &theirs).await > 0);

    let by_key = MergeSpec::new(ours.clone(), theirs.clone()).with_key(["n"]);
    let plan = datasets.plan_merge(&by_key).await.unwrap();
    let rows = plan.files[0].rows.unwrap();
    assert_eq!((rows.added, rows.changed, rows.conflicts), (3, 20, 0));
    let merged = datasets.apply_merge(&plan, ada(), "merge").await.unwrap();
    let expected = joined(&[scattered(&scattered(&first, 1, 1.0), 7, 2.0), more]);
    let back = read(&datasets, &merged.node, ReadOptions::default()).await;
    assert_eq!(back, expected);

    // What only they changed is theirs as it is stored.
    let mut described = patched("d", first).with_metadata("licence", "CC0");
    described.patches = Patches::Never;
    let ours = datasets.snapshot(described.with_parent(base)).await;
    let spec = MergeSpec::new(ours.unwrap().node, theirs.clone());
    let plan = datasets.plan_merge(&spec).await.unwrap();
    let merged = datasets.apply_merge(&plan, ada(), "take").await.unwrap();
    let (taken, from) = (merged.table_digest, datasets.manifest(&theirs).await);
    assert_eq!(taken, from.unwrap().table.map(|table| table.table_digest));
    let depths = [&merged.node, &theirs].map(|node| depth(&datasets, node));
    let [merged_depth, their_depth] = depths;
    assert_eq!(merged_depth.await, their_depth.await);
}

#[tokio::test]
async fn a_version_of_patches_is_compacted_and_the_ones_before_stay() {
    let datasets = datasets().await;
    let mut random = Random(6);
    let mut now = table(0, 9_000, &mut random);
    let first = patched("d", now.clone()).with_key(["n"]);
    let first = datasets.snapshot(first).await.unwrap();
    for step in 0..3 {
        now = edited(&now, step, &mut random);
        let next = patched("d", now.clone()).with_key(["n"]);
        datasets.snapshot(next).await.unwrap();
    }
    let latest = datasets.resolve(&"d@latest".parse().unwrap()).await;
    let latest = latest.unwrap();
    let patches = depth(&datasets, &latest).await;
    assert!(patches > 0);
    let stale = datasets.compact(&first.node, None, ada(), "").await;
    assert_eq!(stale.unwrap(), None, "there is nothing to compact");

    let compacted = datasets.compact(&latest, None, ada(), "whole").await;
    let compacted = compacted.unwrap().unwrap();
    let before = datasets.manifest(&latest).await.unwrap().table.unwrap();
    assert_eq!(compacted.table_digest, Some(before.table_digest));
    assert_eq!(compacted.rows_digest, Some(before.rows_digest));
    assert_eq!(depth(&datasets, &compacted.node).await, 0);
    assert_eq!(depth(&datasets, &latest).await, patches);
    let info = datasets.show(&compacted.node).await.unwrap();
    assert_eq!(
        (info.parents, info.key),
        (vec![latest.clone()], vec!["n".to_owned()])
    );
    for node in [&latest, &compacted.node] {
        let back = read(&datasets, node, ReadOptions::default()).await;
        assert_eq!(back, now);
    }

    // No longer the latest.
    let late = datasets.compact(&latest, None, ada(), "again").await;
    check_error(late, ErrorKind::Conflict, &["latest"]);
}

/// What a version adds is the compressed bytes a row, of the columns concerned, for every row concerned.
#[tokio::test]
async fn versions_store_little_more_than_what_they_add() {
    let count: usize = if std::env::var("MAINSTAY_LONG").is_ok() {
        1_000_000
    } else {
        60_000
    };
    let datasets = datasets().await;
    let mut random = Random(3);
    let (part, middle) = (count / 100, count / 2);
    let first = table(0, count, &mut random);
    let base = datasets
        .snapshot(patched("d", first.clone()))
        .await
        .unwrap();
    let row = stored(&datasets, &base).await / count as u64;

    let appended = joined(&[first.clone(), table(1 << 40, part, &mut random)]);
    let inserted = joined(&[
        appended.slice(0, middle),
        table(1 << 41, part, &mut random),
        appended.slice(middle, appended.num_rows() - middle),
    ]);
    let changes: Vec<f64> = (0..part).map(|_| measure(&mut random)).collect();
    let changed = with_measures(&inserted, |values| {
        values[middle / 2..middle / 2 + part].copy_from_slice(&changes);
    });
    for (version, bytes_a_row) in [(&appended, row), (&inserted, row), (&changed, 8)] {
        let report = datasets
            .snapshot(patched("d", version.clone()))
            .await
            .unwrap();
        let added = stored(&datasets, &report).await;
        let information = part as u64 * bytes_a_row;
        // Footers and headers of a patch do not grow with the table.
        let most = information * 115 / 100 + 8 * 1024;
        assert!(added <= most, "{added} bytes for {information}");
    }

    let more: Vec<f64> = (0..count).map(|_| measure(&mut random)).collect();
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    let schema = first.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    columns.extend(names.zip(first.columns().iter().cloned()));
    columns.push(("more", Arc::new(Float64Array::from(more))));
    let wider = RecordBatch::try_from_iter(columns).unwrap();
    let report = datasets.snapshot(patched("wider", wider)).await.unwrap();
    let added = stored(&datasets, &report).await;
    assert!(added <= count as u64 * 8 * 115 / 100 + 8 * 1024, "{added}");
}
