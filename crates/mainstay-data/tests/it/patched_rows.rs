//! Comparing the rows of versions that are patches of one file.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray as _, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::UInt64Type;
use futures::TryStreamExt as _;
use mainstay_core::NodeRef;
use mainstay_data::diff::{CompareOptions, CompareRows, ComparedRows};
use mainstay_data::rows::{Identity, Op, RowChanges, RowCounts, RowDiff, RowDiffOptions, Side};
use mainstay_data::{Datasets, Patches};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};

use crate::model::Random;
use crate::support::{column, datasets, rows, table};

/// Rows by their key: a number that changes seldom, another that does often, a text that compresses badly.
type Row = (i64, i64, i64, u64);

fn batch(rows: &[Row]) -> RecordBatch {
    let number = |of: fn(&Row) -> i64| column(rows.iter().map(of).collect::<Int64Array>());
    let words = rows.iter().map(|row| {
        let mut random = Random(row.3);
        format!("{:x}{:x}", random.next(), random.next())
    });
    table([
        ("id", number(|row| row.0)),
        ("a", number(|row| row.1)),
        ("b", number(|row| row.2)),
        ("text", column(StringArray::from_iter_values(words))),
    ])
}

/// Changes cells, also to what they were before, and keys; moves, removes and adds rows.
fn edit(rows: &mut Vec<Row>, next: &mut i64, random: &mut Random) {
    let small = |random: &mut Random| i64::try_from(random.below(3)).unwrap();
    for _ in 0..30 {
        let at = random.below(rows.len() - 20);
        match random.below(8) {
            0 => rows[at].1 = small(random),
            1 => rows[at].3 = random.next(),
            2 => {
                rows[at].0 = *next;
                *next += 1;
            }
            3 => {
                let row = rows.remove(at);
                let to = random.below(rows.len());
                rows.insert(to, row);
            }
            4 => drop(rows.drain(at..at + 3)),
            5 => {
                let new = (*next..*next + 3).map(|id| (id, 0, 1, random.next()));
                *next += 3;
                rows.splice(at..at, new);
            }
            _ => (at..at + 9).for_each(|row| rows[row].2 = small(random)),
        }
    }
    // More than what is too little to look for patches.
    for row in rows.iter_mut().step_by(40) {
        row.2 = small(random);
        row.3 = random.next();
    }
}

fn plain(before: &RecordBatch, after: &RecordBatch, identity: &Identity) -> RowChanges {
    let options = RowDiffOptions::default();
    let mut diff = RowDiff::new(&before.schema(), &after.schema(), identity, options).unwrap();
    diff.add(Side::Before, before).unwrap();
    diff.add(Side::After, after).unwrap();
    diff.finish()
}

/// What differs, in an order of its own.
fn listed(changes: &[RecordBatch]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for batch in changes {
        for row in 0..batch.num_rows() {
            let cells = mainstay_data::rows::cells_of(batch, row).unwrap();
            assert!(found.insert(format!("{cells:?}")), "a change twice");
        }
    }
    found
}

async fn compared(
    datasets: &Datasets,
    before: &NodeRef,
    after: &NodeRef,
    rows: CompareRows,
) -> (ComparedRows, u64) {
    let options = CompareOptions::default().with_rows(rows);
    let diff = datasets.compare_with(before, after, &options).await;
    let diff = diff.unwrap();
    (diff.rows.compared.unwrap(), diff.bytes_read)
}

fn check_counts(found: &ComparedRows, expected: &RowCounts) {
    assert_eq!(
        (found.added, found.removed, found.changed, found.unchanged),
        (
            expected.added,
            expected.removed,
            expected.changed,
            expected.unchanged
        )
    );
    let cells = expected.cells.iter().filter(|(_, count)| *count > 0);
    assert_eq!(found.cells, cells.cloned().collect());
    assert_eq!(found.duplicates, expected.duplicates);
}

/// The numbers of the later rows that differ and come first.
fn first_places(changes: &[RecordBatch], size: usize) -> Vec<(Option<u64>, Option<u64>)> {
    let mut places = Vec::new();
    for batch in changes {
        let number = |name: &str| batch[name].as_primitive::<UInt64Type>().clone();
        let (before, after) = (number("before_row"), number("after_row"));
        places.extend(before.iter().zip(after.iter()));
    }
    // As they are shown: a removed row stands where it was, before one that was added there.
    places.sort_by_key(|&(before, after)| {
        let order = (after.is_none(), before.is_none());
        (after.or(before), order.1, order.0, before)
    });
    places.truncate(size);
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_say_what_a_plain_comparison_says() {
    let (seeds, versions) = if std::env::var_os("MAINSTAY_LONG").is_some() {
        (30, 9)
    } else {
        (1, 5)
    };
    for seed in 0..seeds {
        let datasets = datasets().await;
        let mut random = Random(seed);
        let mut now: Vec<Row> = (0..6_000).map(|id| (id, 0, 1, random.next())).collect();
        let mut next = 6_000;
        let mut stored: Vec<(NodeRef, RecordBatch)> = Vec::new();
        let mut patched = 0;
        for _ in 0..versions {
            let version = batch(&now);
            let spec = rows("d", version.clone()).with_patches(Patches::WhereSmaller);
            let report = datasets.snapshot(spec).await.unwrap();
            let manifest = datasets.manifest(&report.node).await.unwrap();
            patched += usize::from(!manifest.files.listed().unwrap()[0].patches().is_empty());
            stored.push((report.node, version));
            edit(&mut now, &mut next, &mut random);
        }
        assert!(patched > 2, "{patched}");
        for identity in [Identity::key(["id"]), Identity::WholeRow] {
            for _ in 0..4 {
                let [one, other] = [(); 2].map(|()| &stored[random.below(stored.len())]);
                if one.0 == other.0 {
                    continue;
                }
                let mut expected = plain(&one.1, &other.1, &identity);
                let expected_rows: Vec<_> = expected.by_ref().collect::<Result<_, _>>().unwrap();
                let size = [0, 3, 10_000][random.below(3)];
                let wanted = CompareRows::new(identity.clone()).with_sample(size);
                let (found, _) = compared(&datasets, &one.0, &other.0, wanted).await;
                check_counts(&found, expected.counts());
                let shown = found.sample.iter();
                let shown: Vec<_> = shown.map(|row| (row.before_row, row.after_row)).collect();
                if identity != Identity::WholeRow {
                    assert_eq!(shown, first_places(&expected_rows, size));
                }
                let options = RowDiffOptions::default();
                let changes = datasets.row_changes(&one.0, &other.0, identity.clone(), options);
                let changes: Vec<_> = changes.await.unwrap().try_collect().await.unwrap();
                assert_eq!(listed(&changes), listed(&expected_rows));
            }
        }
    }
}

/// Every page of the column holds a changed value, yet only those that hold a row to be shown are read.
#[tokio::test(flavor = "multi_thread")]
async fn a_scattered_edit_is_counted_without_reading_its_rows() {
    const ROWS: usize = 8_000;
    const EVERY: usize = 1_000;
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let repo = Repo::create(Arc::clone(&storage) as _, RepoOptions::default());
    let datasets = Datasets::new(repo.await.unwrap());
    let mut random = Random(5);
    let noise = (0..ROWS).map(|_| {
        let words = std::iter::repeat_with(|| random.next().to_le_bytes());
        words.take(128).flatten().collect::<Vec<u8>>()
    });
    let mut noise: Vec<_> = noise.collect();
    let version = |noise: &[Vec<u8>]| {
        table([
            ("id", column(Int64Array::from_iter_values((0..).take(ROWS)))),
            ("noise", column(BinaryArray::from_iter_values(noise))),
        ])
    };
    let mut nodes = Vec::new();
    let mut bytes = 0;
    for _ in 0..2 {
        let spec = rows("d", version(&noise)).with_patches(Patches::WhereSmaller);
        let report = datasets.snapshot(spec).await.unwrap();
        bytes += report.files.iter().map(|file| file.bytes).sum::<u64>();
        nodes.push(report.node);
        for value in noise.iter_mut().step_by(EVERY) {
            value[7] ^= 1;
        }
    }
    let wanted = CompareRows::new(Identity::key(["id"])).with_sample(1);
    let so_far = storage.reading().bytes_read;
    let (found, read) = compared(&datasets, &nodes[0], &nodes[1], wanted).await;
    let handed_out = storage.reading().bytes_read - so_far;
    let changed = (ROWS / EVERY) as u64;
    assert_eq!(
        (found.changed, found.unchanged),
        (changed, ROWS as u64 - changed)
    );
    assert_eq!(found.cells, [("noise".to_owned(), changed)].into());
    assert_eq!(found.sample.len(), 1);
    assert!(found.sample.iter().all(|row| row.op == Op::Changed));
    assert!(read * 20 <= bytes, "{read} of {bytes}");
    assert!(handed_out * 20 <= bytes, "{handed_out} of {bytes}");

    let wanted = CompareRows::new(Identity::key(["id"])).with_sample(0);
    let (none, read) = compared(&datasets, &nodes[0], &nodes[1], wanted).await;
    assert_eq!((none.changed, none.sample.len()), (changed, 0));
    assert!(read * 100 <= bytes, "{read} of {bytes}");
}
