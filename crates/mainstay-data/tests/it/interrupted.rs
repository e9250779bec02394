//! Long calls may be dropped at any moment.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::{BinaryArray, Int64Array, RecordBatch};
use futures::TryStreamExt as _;
use mainstay_core::{BulkDigest, Digest, ManualClock, NodeRef, Result, SeededIds, Timestamp};
use mainstay_data::merge::MergeSpec;
use mainstay_data::split::{SplitRule, SplitSpec};
use mainstay_data::{Datasets, FileEntry, FileLayout, PartSpec, Patches, ReadOptions};
use mainstay_repo::{CollectOptions, Repo, RepoOptions, VerifyLevel};
use mainstay_store::{MemoryStorage, NoWait};

use crate::model::Random;
use crate::support::{ada, column, datasets, penguins, rows, spec, table};

/// A future that is dropped when it has been polled so often.
struct Interrupted<F> {
    inner: Option<Pin<Box<F>>>,
    polls: u32,
}

impl<F: Future> Future for Interrupted<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(left) = self.polls.checked_sub(1) else {
            self.inner = None;
            return Poll::Ready(None);
        };
        self.polls = left;
        match self.inner.as_mut() {
            Some(inner) => inner.as_mut().poll(context).map(Some),
            None => Poll::Ready(None),
        }
    }
}

fn interrupted<F: Future>(inner: F, polls: u32) -> Interrupted<F> {
    let inner = Some(Box::pin(inner));
    Interrupted { inner, polls }
}

struct World {
    storage: Arc<MemoryStorage>,
    clock: Arc<ManualClock>,
    opened: u64,
}

impl World {
    fn new() -> Self {
        Self {
            storage: Arc::new(MemoryStorage::new()),
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
            opened: 0,
        }
    }

    async fn open(&mut self) -> Repo {
        self.opened += 1;
        let options = RepoOptions::default()
            .with_clock(Arc::clone(&self.clock) as _)
            .with_ids(Arc::new(SeededIds::new(self.opened)))
            .with_timer(Arc::new(NoWait::default()));
        let storage = Arc::clone(&self.storage) as _;
        Repo::create(storage, options).await.unwrap()
    }
}

/// What a version is, and every byte of it.
async fn content(datasets: &Datasets, digest: &Digest) -> BTreeMap<String, Digest> {
    let locator = format!("d@{digest}").parse().unwrap();
    let node = datasets.resolve(&locator).await.unwrap();
    let files = datasets.files(&node).await.unwrap();
    let files: Vec<FileEntry> = files.try_collect().await.unwrap();
    let mut content = BTreeMap::new();
    for file in files {
        let bytes = datasets.file(&file).await.unwrap().bytes().await.unwrap();
        content.insert(file.path.as_str().to_owned(), Digest::of(&bytes));
    }
    content
}

async fn collect(repo: &Repo) {
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(Duration::ZERO);
    for _ in 0..3 {
        let plan = repo.plan_collection(&options).await.unwrap();
        repo.apply_collection(&plan, ada(), "collect")
            .await
            .unwrap();
    }
}

fn write_files(directory: &Path) {
    for n in 0..40_u32 {
        std::fs::write(
            directory.join(format!("{n:02}.bin")),
            vec![1; 20_000 + n as usize],
        )
        .unwrap();
    }
    std::fs::copy(penguins(), directory.join("penguins.csv")).unwrap();
}

fn numbers() -> RecordBatch {
    table([("n", column(Int64Array::from_iter_values(0..20_000)))])
}

/// Interrupts a call at every poll: either nothing of it is there, or all.
async fn interrupt_at_every_poll(
    take: impl Fn(Datasets) -> futures::future::BoxFuture<'static, Result<Digest>>,
) {
    let mut world = World::new();
    let expected = {
        let mut alone = World::new();
        let datasets = Datasets::new(alone.open().await);
        let digest = take(datasets.clone()).await.unwrap();
        (digest, content(&datasets, &digest).await)
    };
    let mut polls = 0;
    loop {
        polls += 1;
        let repo = world.open().await;
        let datasets = Datasets::new(repo.clone());
        let ended = interrupted(take(datasets.clone()), polls).await;
        // Whatever it left is collected, and what it committed is whole.
        let other = world.open().await;
        collect(&other).await;
        let report = other.verify(VerifyLevel::Full).await.unwrap();
        assert_eq!(report.faults, [], "after {polls} polls");
        let versions = other.view().await.unwrap();
        let versions = versions
            .read(|view| Ok(view.below("data/d/version")?.count()))
            .await;
        let versions = versions.unwrap();
        match ended {
            Some(ended) => {
                assert_eq!(ended.unwrap(), expected.0);
                assert_eq!(versions, 1);
            }
            None => assert!(versions <= 1),
        }
        if versions == 1 {
            let seen = content(&Datasets::new(other), &expected.0).await;
            assert_eq!(seen, expected.1);
        }
        if ended_whole(versions, polls) {
            break;
        }
    }
}

/// Once a version is there nothing more can be interrupted.
fn ended_whole(versions: usize, polls: u32) -> bool {
    assert!(polls < 5_000, "it never ends");
    versions == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_dropped_leaves_nothing_or_a_whole_version() {
    let directory = tempfile::tempdir().unwrap();
    write_files(directory.path());
    let path = directory.path().to_owned();
    let take = move |datasets: Datasets| {
        let spec = spec("d")
            .with_path(&path)
            .with_layout(FileLayout::Canonical);
        Box::pin(async move { Ok(datasets.snapshot(spec).await?.snapshot) }) as _
    };
    interrupt_at_every_poll(take).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_and_their_joining_may_be_dropped() {
    let directory = tempfile::tempdir().unwrap();
    write_files(directory.path());
    let path = directory.path().to_owned();
    let take = move |datasets: Datasets| {
        let part = PartSpec::new().with_path(&path);
        Box::pin(async move {
            let part = datasets.store_part(part).await?;
            Ok(datasets.join(spec("d"), &[part]).await?.snapshot)
        }) as _
    };
    interrupt_at_every_poll(take).await;
}

type Change = Box<dyn Fn(Datasets) -> futures::future::BoxFuture<'static, Result<BulkDigest>>>;

fn change(
    change: impl Fn(Datasets) -> futures::future::BoxFuture<'static, Result<BulkDigest>> + 'static,
) -> Change {
    Box::new(change)
}

/// Interrupts a change of a dataset at every poll, on what `prepare` has stored: nothing of it is there, or
/// one more version.
#[expect(
    clippy::future_not_send,
    reason = "a test waits for it on its own thread"
)]
async fn interrupt_change(prepare: impl AsyncFn(&Datasets) -> Change) {
    let versions = async |repo: &Repo| {
        let view = repo.view().await.unwrap();
        let count = view.read(|view| Ok(view.below("data/d/version")?.count()));
        count.await.unwrap()
    };
    let expected = {
        let datasets = Datasets::new(World::new().open().await);
        let change = prepare(&datasets).await;
        change(datasets.clone()).await.unwrap()
    };
    let mut world = World::new();
    let repo = world.open().await;
    let change = prepare(&Datasets::new(repo.clone())).await;
    let before = versions(&repo).await;
    for polls in 1..5_000 {
        let datasets = Datasets::new(world.open().await);
        let ended = interrupted(change(datasets), polls).await;
        let other = world.open().await;
        collect(&other).await;
        let report = other.verify(VerifyLevel::Full).await.unwrap();
        assert_eq!(report.faults, [], "after {polls} polls");
        let made = versions(&other).await - before;
        assert!(made <= 1, "{made} versions after {polls} polls");
        if let Some(ended) = ended {
            assert_eq!((ended.unwrap(), made), (expected, 1));
        }
        if made == 1 {
            let datasets = Datasets::new(other);
            let node = datasets
                .resolve(&"d@latest".parse().unwrap())
                .await
                .unwrap();
            let read = datasets.read(&node, ReadOptions::default()).await.unwrap();
            let read: Vec<RecordBatch> = read.try_collect().await.unwrap();
            assert_eq!(crate::support::digests(&read).table, expected);
            return;
        }
    }
    panic!("it never ends");
}

/// Rows that no encoder makes smaller; those of `edited` are others.
fn noise(edited: Option<usize>) -> RecordBatch {
    let mut random = Random(3);
    let values = (0..2_000).map(|row| {
        let words = (0..8).map(|_| random.next() ^ u64::from(Some(row) == edited));
        words.flat_map(u64::to_le_bytes).collect::<Vec<u8>>()
    });
    table([
        ("id", column(Int64Array::from_iter_values(0..2_000))),
        ("noise", column(BinaryArray::from_iter_values(values))),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_patches_that_is_dropped_leaves_nothing_or_a_whole_version() {
    interrupt_change(async |datasets: &Datasets| -> Change {
        datasets.snapshot(rows("d", noise(None))).await.unwrap();
        change(|datasets| {
            let spec = rows("d", noise(Some(7))).with_patches(Patches::WhereSmaller);
            Box::pin(async move {
                let report = datasets.snapshot(spec).await?;
                let manifest = datasets.manifest(&report.node).await?;
                assert_eq!(manifest.files.listed().unwrap()[0].patches().len(), 1);
                Ok(report.table_digest.unwrap())
            })
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_that_is_dropped_leaves_nothing_or_a_whole_version() {
    interrupt_change(async |datasets: &Datasets| -> Change {
        datasets.snapshot(rows("d", noise(None))).await.unwrap();
        let spec = rows("d", noise(Some(7))).with_patches(Patches::WhereSmaller);
        let node = datasets.snapshot(spec).await.unwrap().node;
        change(move |datasets| {
            let node = node.clone();
            Box::pin(async move {
                let compacted = datasets.compact(&node, None, ada(), "test").await?;
                Ok(compacted.unwrap().table_digest.unwrap())
            })
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_is_dropped_leaves_nothing_or_a_whole_version() {
    for name in ["rows.parquet", "rows.csv"] {
        interrupt_change(async |datasets: &Datasets| -> Change {
            let version = |edited: [i64; 2]| {
                let lines =
                    (0..300).map(|id| format!("{id},{}\n", i64::from(edited.contains(&id))));
                let text = format!("id,a\n{}", lines.collect::<String>());
                let path = crate::support::directory(&[("rows.csv", text.as_bytes())]);
                let spec = spec("d").with_path(path.path()).with_key(["id"]);
                let spec = if name == "rows.csv" {
                    spec
                } else {
                    spec.with_layout(FileLayout::Canonical)
                };
                (spec, path)
            };
            let mut nodes: Vec<NodeRef> = Vec::new();
            for edited in [[-1, -1], [5, -1], [200, 7]] {
                let (spec, _held) = version(edited);
                let spec = nodes
                    .first()
                    .iter()
                    .fold(spec, |spec, base| spec.with_parent(NodeRef::clone(base)));
                nodes.push(datasets.snapshot(spec).await.unwrap().node);
            }
            let spec = MergeSpec::new(nodes[1].clone(), nodes[2].clone());
            change(move |datasets| {
                let spec = spec.clone();
                Box::pin(async move {
                    let plan = datasets.plan_merge(&spec).await?;
                    let merged = datasets.apply_merge(&plan, ada(), "test").await?;
                    Ok(merged.table_digest.unwrap())
                })
            })
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_that_is_dropped_leaves_all_parts_or_none() {
    let mut world = World::new();
    let datasets = Datasets::new(world.open().await);
    let table = datasets.snapshot(rows("n", numbers())).await.unwrap().node;
    for polls in 1..5_000 {
        let datasets = Datasets::new(world.open().await);
        let halves = SplitSpec::new(table.clone(), SplitRule::hash(["n"], 1), ada(), "test")
            .with_part("one".parse().unwrap(), 1)
            .with_part("two".parse().unwrap(), 1);
        let ended = interrupted(datasets.split(halves), polls).await;
        let other = world.open().await;
        collect(&other).await;
        let report = other.verify(VerifyLevel::Full).await.unwrap();
        assert_eq!(report.faults, [], "after {polls} polls");
        let made = other.view().await.unwrap();
        let made = made.read(|view| {
            let count = |prefix: &str| Ok::<_, mainstay_core::Error>(view.below(prefix)?.count());
            Ok((count("data/n-one/version")?, count("data/n-two/version")?))
        });
        let made = made.await.unwrap();
        assert!(made == (0, 0) || made == (1, 1), "{made:?}");
        if let Some(ended) = ended {
            assert_eq!((ended.unwrap().parts.len(), made), (2, (1, 1)));
            return;
        }
    }
    panic!("it never ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_is_dropped_leaves_whole_files_only() {
    let directory = tempfile::tempdir().unwrap();
    write_files(directory.path());
    let datasets = datasets().await;
    let taken = datasets.snapshot(spec("d").with_path(directory.path()));
    let node = taken.await.unwrap().node;
    // Many files take many polls: every seventh of these.
    for polls in (1..5_000).step_by(7) {
        let target = tempfile::tempdir().unwrap();
        let ended = interrupted(datasets.export(&node, target.path()), polls).await;
        let mut found = 0;
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let original = entry.unwrap();
            if let Ok(written) = std::fs::read(target.path().join(original.file_name())) {
                assert_eq!(written, std::fs::read(original.path()).unwrap());
                found += 1;
            }
        }
        if let Some(ended) = ended {
            assert_eq!((ended.unwrap().files.len(), found), (41, 41));
            return;
        }
    }
    panic!("it never ends");
}
