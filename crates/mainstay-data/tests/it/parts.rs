//! Parts that several processes store, joined into one version.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use mainstay_core::{ErrorKind, FilePath, ManualClock, SeededIds, Timestamp};
use mainstay_data::digest::{Profile, RowsHasher};
use mainstay_data::{Datasets, FileLayout, PartSpec, SnapshotPart};
use mainstay_repo::{CollectOptions, Repo, RepoOptions};
use mainstay_store::{MemoryStorage, NoWait};
use proptest::prelude::*;

use crate::model::Random;
use crate::support::{ada, check_error, column, spec, table};

struct World {
    storage: Arc<MemoryStorage>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        Self {
            storage: Arc::new(MemoryStorage::new()),
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        }
    }

    /// As another process has it.
    async fn open(&self, seed: u64) -> Repo {
        let options = RepoOptions::default()
            .with_clock(Arc::clone(&self.clock) as _)
            .with_ids(Arc::new(SeededIds::new(seed)))
            .with_timer(Arc::new(NoWait::default()));
        let storage = Arc::clone(&self.storage) as _;
        Repo::create(storage, options).await.unwrap()
    }
}

/// One file of a shard: a table of some rows, or something else.
#[derive(Debug, Clone)]
enum Content {
    Rows(Vec<(i64, Option<f64>, String)>),
    Bytes(Vec<u8>),
}

fn content() -> impl Strategy<Value = Content> {
    let row = (any::<i64>(), proptest::option::of(-1e6..1e6), "[a-c]{0,3}");
    prop_oneof![
        3 => proptest::collection::vec(row, 0..40).prop_map(Content::Rows),
        1 => proptest::collection::vec(any::<u8>(), 0..2_000).prop_map(Content::Bytes),
    ]
}

/// Shards of files; one table has a row.
fn shards() -> impl Strategy<Value = Vec<Vec<Content>>> {
    proptest::collection::vec(proptest::collection::vec(content(), 1..5), 1..5).prop_map(
        |mut shards| {
            shards[0].push(Content::Rows(vec![(7, None, "x".to_owned())]));
            shards
        },
    )
}

fn write(root: &Path, shards: &[Vec<Content>], whole_numbers: bool) {
    for (shard, files) in shards.iter().enumerate() {
        let directory = root.join(format!("shard-{shard}"));
        std::fs::create_dir_all(&directory).unwrap();
        for (number, content) in files.iter().enumerate() {
            match content {
                Content::Bytes(bytes) => {
                    std::fs::write(directory.join(format!("{number}.bin")), bytes).unwrap();
                }
                Content::Rows(rows) => {
                    let mut text = "id,x,name\n".to_owned();
                    for (id, x, name) in rows {
                        // The type of a column is found over all shards.
                        let x = x.map_or(String::new(), |x| {
                            if whole_numbers && shard % 2 == 0 {
                                format!("{x:.0}").replace("-0", "0")
                            } else {
                                format!("{x}")
                            }
                        });
                        writeln!(text, "{id},{x},{name}").unwrap();
                    }
                    std::fs::write(directory.join(format!("{number}.csv")), text).unwrap();
                }
            }
        }
    }
}

fn part(root: &Path, shard: usize) -> PartSpec {
    let name = format!("shard-{shard}");
    PartSpec::new()
        .with_path(root.join(&name))
        .below(name.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn parts_joined_are_what_one_process_would_have_stored(
        shards in shards(),
        whole_numbers: bool,
        turn in 0_usize..5,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            write(directory.path(), &shards, whole_numbers);
            let alone = Datasets::new(World::new().open(1).await);
            let alone_report = alone.snapshot(spec("d").with_path(directory.path())).await.unwrap();

            let world = World::new();
            let mut parts = Vec::new();
            for shard in 0..shards.len() {
                let worker = Datasets::new(world.open(shard as u64 + 1).await);
                let part = worker.store_part(part(directory.path(), shard)).await.unwrap();
                let sent = part.to_bytes().unwrap();
                parts.push(SnapshotPart::from_slice(&sent).unwrap());
            }
            parts.rotate_left(turn % shards.len());
            let joiner = Datasets::new(world.open(99).await);
            prop_assert_eq!(world.open(98).await.view().await.unwrap().seq(), 0);
            let joined = joiner.join(spec("d"), &parts).await.unwrap();
            prop_assert_eq!(joined.snapshot, alone_report.snapshot);
            prop_assert_eq!(joined.files, alone_report.files);
            let manifest = joiner.manifest(&joined.node).await.unwrap();
            prop_assert_eq!(manifest, alone.manifest(&alone_report.node).await.unwrap());
            Ok(())
        })?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_from_several_workers_become_one_table() {
    let world = World::new();
    let rows = |from: i64| -> RecordBatch {
        table([(
            "id",
            column(Int64Array::from_iter_values(from..from + 1_000)),
        )])
    };
    let mut parts = Vec::new();
    for worker in 0..3_u32 {
        let datasets = Datasets::new(world.open(u64::from(worker)).await);
        let file: FilePath = format!("part-{worker}.parquet").parse().unwrap();
        let spec = PartSpec::new().with_batches(file, vec![rows(i64::from(worker) * 1_000)]);
        parts.push(datasets.store_part(spec).await.unwrap());
    }
    let datasets = Datasets::new(world.open(9).await);
    let tagged = spec("numbers")
        .with_tag("v1".parse().unwrap())
        .with_key(["id"]);
    let joined = datasets.join(tagged, &parts).await.unwrap();
    assert_eq!((joined.version, joined.rows), (1, Some(3_000)));
    let whole = datasets
        .snapshot(spec("whole").with_batches(
            "rows.parquet".parse().unwrap(),
            vec![rows(0), rows(1_000), rows(2_000)],
        ))
        .await
        .unwrap();
    assert_eq!(joined.table_digest, whole.table_digest);
    assert_eq!(joined.rows_digest, whole.rows_digest);
    // The same parts again are the same version, and own inputs come beside.
    let again = datasets
        .join(spec("numbers").with_key(["id"]), &parts)
        .await
        .unwrap();
    assert!(again.reused);
    let more = spec("numbers").with_batches("part-9.parquet".parse().unwrap(), vec![rows(9_000)]);
    assert_eq!(datasets.join(more, &parts).await.unwrap().rows, Some(4_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_cannot_be_joined_are_refused_and_nothing_is_committed() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let rows = Content::Rows(vec![(1, Some(0.5), "a".to_owned())]);
    let shards = [
        vec![rows.clone(), Content::Bytes(vec![1; 3_000])],
        vec![rows],
    ];
    write(directory.path(), &shards, false);
    let worker = Datasets::new(world.open(1).await);
    let first = worker.store_part(part(directory.path(), 0)).await.unwrap();
    let joiner = Datasets::new(world.open(2).await);

    let twice = joiner
        .join(spec("d"), &[first.clone(), first.clone()])
        .await;
    check_error(
        twice,
        ErrorKind::Invalid,
        &["two files of one path", "shard-0/0.csv"],
    );
    let stranger = Datasets::new(World::new().open(3).await);
    let elsewhere = stranger.join(spec("d"), std::slice::from_ref(&first)).await;
    check_error(
        elsewhere,
        ErrorKind::Invalid,
        &["another repository", "part: 1"],
    );
    let none = joiner.join(spec("d"), &[]).await;
    check_error(none, ErrorKind::Invalid, &["without files"]);
    let canonical = part(directory.path(), 1).with_layout(FileLayout::Canonical);
    check_error(
        worker.store_part(canonical).await,
        ErrorKind::Invalid,
        &["CSV", "0.csv"],
    );
    let empty = worker.store_part(PartSpec::new()).await;
    check_error(empty, ErrorKind::Invalid, &["without files"]);
    std::fs::write(directory.path().join("shard-1/0.csv"), "id,x\n1,2,3\n").unwrap();
    let bad = worker.store_part(part(directory.path(), 1)).await;
    check_error(bad, ErrorKind::Invalid, &["0.csv"]);

    // Collected while the part was on its way.
    let repo = world.open(4).await;
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(Duration::ZERO);
    for _ in 0..4 {
        let plan = repo.plan_collection(&options).await.unwrap();
        repo.apply_collection(&plan, ada(), "collect")
            .await
            .unwrap();
    }
    for repo in [world.open(5).await, world.open(6).await] {
        let late = Datasets::new(repo)
            .join(spec("d"), std::slice::from_ref(&first))
            .await;
        check_error(
            late,
            ErrorKind::Conflict,
            &["collected", "store the part again"],
        );
    }
    std::fs::remove_file(directory.path().join("shard-0/0.csv")).unwrap();
    let again = worker.store_part(part(directory.path(), 0)).await.unwrap();
    let joined = joiner.join(spec("d"), &[again]).await.unwrap();
    assert_eq!((joined.version, joined.files.len()), (1, 1));
}

/// The rows of tables that bring their types, some without rows, are summed up where they are stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_takes_the_sums_of_rows_and_computes_what_depends_on_their_order() {
    let mut random = Random(11);
    let mut rows = |count: usize| {
        let numbers = (0..count).map(|_| i64::try_from(random.below(40)).unwrap());
        let texts = (0..count).map(|n| (n % 7 > 0).then(|| format!("{}", n % 5)));
        table([
            ("n", column(numbers.collect::<Int64Array>())),
            ("t", column(texts.collect::<StringArray>())),
        ])
    };
    let batches: Vec<RecordBatch> = [1_500, 0, 9_000, 3].map(&mut rows).into();
    let file = |number: usize| -> FilePath { format!("{number}.parquet").parse().unwrap() };
    let alone = Datasets::new(World::new().open(1).await);
    let whole = (0..)
        .zip(&batches)
        .fold(spec("d"), |spec, (number, batch)| {
            spec.with_batches(file(number), vec![batch.clone()])
        });
    let expected = alone.snapshot(whole).await.unwrap();

    let world = World::new();
    let datasets = Datasets::new(world.open(1).await);
    let mut parts = Vec::new();
    for numbers in [vec![3, 0], vec![1], vec![2]] {
        let part = numbers.iter().fold(PartSpec::new(), |part, &number| {
            part.with_batches(file(number), vec![batches[number].clone()])
        });
        parts.push(datasets.store_part(part).await.unwrap());
    }
    let summed: Vec<_> = parts
        .iter()
        .map(|part| part.rows.as_ref().unwrap().rows)
        .collect();
    assert_eq!(summed, [1_503, 0, 9_000]);
    let mut old = parts.clone();
    (old[0].format, old[0].rows) = (1, None);
    let old_part = SnapshotPart::from_slice(&old[0].to_bytes().unwrap()).unwrap();
    assert_eq!(old_part, old[0]);
    for parts in [&parts, &old] {
        let joined = datasets.join(spec("d"), parts).await.unwrap();
        assert_eq!(joined.snapshot, expected.snapshot);
    }
    // The sum is not computed again: another of as many rows makes another digest, and that alone.
    let mut other = parts.clone();
    let mut sum = RowsHasher::new(&batches[2].schema(), Profile::Strict).unwrap();
    sum.add(&rows(9_000)).unwrap();
    other[2].rows = Some(sum.to_sum().unwrap());
    let joined = datasets.join(spec("other"), &other).await.unwrap();
    assert_eq!(joined.table_digest, expected.table_digest);
    assert_ne!(joined.rows_digest, expected.rows_digest);
    // One of other rows is noticed, and one of other columns is not needed.
    other[2].rows = parts[0].rows.clone();
    let refused = datasets.join(spec("other"), &other).await;
    check_error(
        refused,
        ErrorKind::Invalid,
        &["sum of a part", "1503", "9000"],
    );
    let narrow = batches[2].project(&[0]).unwrap();
    let mut sum = RowsHasher::new(&narrow.schema(), Profile::Strict).unwrap();
    sum.add(&narrow).unwrap();
    other[2].rows = Some(sum.to_sum().unwrap());
    let joined = datasets.join(spec("narrow"), &other).await.unwrap();
    assert_eq!(joined.rows_digest, expected.rows_digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn part_files_are_those_of_format_2_and_others_are_refused() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let worker = Datasets::new(world.open(1).await);
    let store = |count: usize| {
        let shards = [(0..count)
            .map(|n| Content::Bytes(n.to_string().into()))
            .collect()];
        write(directory.path(), &shards, false);
        worker.store_part(part(directory.path(), 0))
    };
    for (name, count) in [("listed", 2), ("tree", 1_100)] {
        let part = store(count).await.unwrap();
        let bytes = part.to_bytes().unwrap();
        crate::golden::check(&format!("data-part/v2/{name}.json"), &bytes);
        assert_eq!(SnapshotPart::from_slice(&bytes).unwrap(), part);
        // As it was sent before parts had sums.
        let old = crate::golden::read(&format!("data-part/v1/{name}.json"));
        let old = SnapshotPart::from_slice(&old).unwrap();
        assert_eq!((old.format, &old.files), (1, &part.files));
        for part in [part, old] {
            let joined = worker.join(spec(name), &[part]).await.unwrap();
            assert_eq!(joined.files.len(), count);
        }
    }
    let rows = table([("id", column(Int64Array::from(vec![1, 1, 2])))]);
    let rows = PartSpec::new().with_batches("rows.parquet".parse().unwrap(), vec![rows]);
    let summed = worker.store_part(rows).await.unwrap().to_bytes().unwrap();
    crate::golden::check("data-part/v2/rows-profile-3.json", &summed);
    // Of a file of another writer profile.
    let earlier = SnapshotPart::from_slice(&crate::golden::read("data-part/v2/rows.json"));
    let (earlier, now) = (earlier.unwrap(), SnapshotPart::from_slice(&summed).unwrap());
    assert_eq!((earlier.format, &earlier.rows), (2, &now.rows));
    let good = store(2).await.unwrap().to_bytes().unwrap();
    let text = String::from_utf8(good).unwrap();
    let newer = text.replacen("\"format\":2", "\"format\":3", 1);
    let newer = SnapshotPart::from_slice(newer.as_bytes());
    check_error(newer, ErrorKind::Incompatible, &["format 3"]);
    for bad in [
        "",
        "{}",
        &text[1..],
        &text.replacen("\"format\":2", "\"format\":0", 1),
        &String::from_utf8(summed.clone())
            .unwrap()
            .replacen("\"format\":2", "\"format\":1", 1),
        &String::from_utf8(summed.clone())
            .unwrap()
            .replacen("\"sum\":\"", "\"sum\":\"AAAA", 1),
    ] {
        check_error(
            SnapshotPart::from_slice(bad.as_bytes()),
            ErrorKind::Invalid,
            &["part"],
        );
    }
}
