//! Snapshots of more files than a manifest lists.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, FilePath, ManualClock, NodeRef, SeededIds, Timestamp, canon};
use mainstay_data::arrow::array::RecordBatch;
use mainstay_data::diff::{CompareOptions, CompareRows};
use mainstay_data::rows::{Identity, RowDiffOptions};
use mainstay_data::{Datasets, FileChange, FileEntry, Files, Manifest, ReadOptions};
use mainstay_repo::{CollectOptions, Repo, RepoOptions, VerifyLevel};
use mainstay_store::{MemoryStorage, MeterStorage, NoWait, Prefix, Storage};

use crate::support::{ada, check_error, spec};

/// Paths and contents.
type Model = BTreeMap<String, String>;

struct World {
    storage: Arc<MeterStorage<MemoryStorage>>,
    clock: Arc<ManualClock>,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            storage: Arc::new(MeterStorage::new(MemoryStorage::new())),
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    async fn open(&self, seed: u64) -> Datasets {
        let options = RepoOptions::default()
            .with_clock(Arc::clone(&self.clock) as _)
            .with_ids(Arc::new(SeededIds::new(seed)))
            .with_timer(Arc::new(NoWait::default()));
        let storage = Arc::clone(&self.storage) as _;
        Datasets::new(Repo::create(storage, options).await.unwrap())
    }

    /// Makes the directory hold what the model says.
    fn write(&self, before: &Model, after: &Model) {
        for (path, text) in after {
            if before.get(path) != Some(text) {
                let path = self.directory.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            std::fs::remove_file(self.directory.path().join(path)).unwrap();
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn numbered(count: u64) -> Model {
    let file = |n: u64| (format!("{}/{n:06}.txt", n % 10), format!("content {n}"));
    (0..count).map(file).collect()
}

async fn files(datasets: &Datasets, node: &NodeRef) -> Vec<FileEntry> {
    let files = datasets.files(node).await.unwrap();
    files.try_collect().await.unwrap()
}

async fn contents(datasets: &Datasets, node: &NodeRef) -> Model {
    let mut contents = Model::new();
    for file in files(datasets, node).await {
        let bytes = datasets.file(&file).await.unwrap().bytes().await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        contents.insert(file.path.as_str().to_owned(), text);
    }
    contents
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_many_files_share_their_pages_and_log_entries_stay_small() {
    let count = if std::env::var_os("MAINSTAY_LONG").is_some() {
        1_000_000
    } else {
        20_000
    };
    let world = World::new();
    let datasets = world.open(1).await;
    let mut model = numbered(count);
    world.write(&Model::new(), &model);
    let take = || spec("images").with_path(world.path());
    let first = datasets.snapshot(take()).await.unwrap();
    assert_eq!((first.version, first.files.len() as u64), (1, count));
    let again = datasets.snapshot(take()).await.unwrap();
    assert!(again.reused);
    assert_eq!(again.snapshot, first.snapshot);

    let before = model.clone();
    model.insert("3/000013.txt".to_owned(), "other content".to_owned());
    world.write(&before, &model);
    let second = datasets.snapshot(take()).await.unwrap();
    assert!(second.new_bytes < 400_000, "{}", second.new_bytes);
    let manifest = datasets.manifest(&second.node).await.unwrap();
    assert_eq!((manifest.format, manifest.files.count()), (4, count));
    assert!(manifest.files.listed().is_none());
    assert!(canon::to_vec(&manifest).unwrap().len() < 1_000);
    let entries = world.storage.list(&Prefix::directory("log").unwrap(), None);
    let entries: Vec<_> = entries.try_collect().await.unwrap();
    assert_eq!(entries.len(), 2);
    assert!(
        entries.iter().all(|entry| entry.size < 2_000),
        "{entries:?}"
    );

    // Another process looks things up without reading the whole.
    let reader = world.open(2).await;
    let path: FilePath = "3/000013.txt".parse().unwrap();
    let found = reader.find_file(&second.node, &path).await.unwrap();
    let before = world.storage.reading();
    let again = reader.find_file(&second.node, &path).await.unwrap();
    assert_eq!(again, found);
    let changes = reader
        .file_changes(&first.node, &second.node)
        .await
        .unwrap();
    let changes: Vec<FileChange> = changes.try_collect().await.unwrap();
    let cost = world.storage.reading() - before;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path(), &path);
    assert!(
        matches!(&changes[0], FileChange::Changed { after, .. } if Some(after) == found.as_ref())
    );
    assert!(cost.gets < 60 && cost.bytes_read < 600_000, "{cost:?}");
    let below = reader.files_below(&first.node, "7/00000").await.unwrap();
    let below: Vec<FileEntry> = below.try_collect().await.unwrap();
    assert_eq!(below.len(), 1);
    assert_eq!(below[0].path.as_str(), "7/000007.txt");
    let before = world.storage.reading();
    let diff = reader.compare(&first.node, &second.node).await.unwrap();
    let cost = world.storage.reading() - before;
    assert_eq!((diff.files.changed, diff.files.differing()), (1, 1));
    assert_eq!((diff.files.before, diff.files.after), (count, count));
    assert!(cost.gets < 60 && cost.bytes_read < 600_000, "{cost:?}");
    let missing = reader
        .find_file(&first.node, &"7/none".parse().unwrap())
        .await;
    assert_eq!(missing.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_many_files_is_exported_collected_and_verified_like_any_other() {
    let world = World::new();
    let datasets = world.open(1).await;
    let model = numbered(1_500);
    world.write(&Model::new(), &model);
    let take = || spec("images").with_path(world.path());
    let first = datasets.snapshot(take()).await.unwrap().node;
    let mut later = model.clone();
    later.retain(|path, _| !path.starts_with("4/"));
    later.insert("new.txt".to_owned(), "new".to_owned());
    world.write(&model, &later);
    let second = datasets.snapshot(take()).await.unwrap().node;
    assert_eq!(contents(&datasets, &first).await, model);

    let repo = Repo::open(Arc::clone(&world.storage) as _, RepoOptions::default());
    let repo = repo.await.unwrap();
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(Duration::ZERO);
    for _ in 0..4 {
        let plan = repo.plan_collection(&options).await.unwrap();
        repo.apply_collection(&plan, ada(), "collect")
            .await
            .unwrap();
    }
    let reader = world.open(2).await;
    assert_eq!(contents(&reader, &first).await, model);
    assert_eq!(contents(&reader, &second).await, later);
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, []);

    let target = tempfile::tempdir().unwrap();
    let exported = reader.export(&second, target.path()).await.unwrap();
    assert_eq!(exported.files.len(), later.len());
    for (path, text) in &later {
        let written = std::fs::read_to_string(target.path().join(path)).unwrap();
        assert_eq!(&written, text);
    }
    // From a tree to a list and back.
    let few: Model = later
        .iter()
        .take(100)
        .map(|(p, t)| (p.clone(), t.clone()))
        .collect();
    world.write(&later, &few);
    let third = datasets.snapshot(take()).await.unwrap().node;
    assert_eq!(datasets.manifest(&third).await.unwrap().format, 3);
    let changes = datasets.file_changes(&second, &third).await.unwrap();
    let changes: Vec<FileChange> = changes.try_collect().await.unwrap();
    assert_eq!(changes.len(), later.len() - few.len());
    let back = datasets.file_changes(&third, &second).await.unwrap();
    let back: Vec<FileChange> = back.try_collect().await.unwrap();
    assert!(
        back.iter()
            .all(|change| matches!(change, FileChange::Added(_)))
    );
    assert_eq!(back.len(), changes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_many_files_is_read_compared_and_merged() {
    let world = World::new();
    let datasets = world.open(1).await;
    let table = |n: u64, value: u64| (format!("t{n:05}.csv"), format!("id,value\n{n},{value}\n"));
    let model: Model = (0..1_100).map(|n| table(n, n)).collect();
    world.write(&Model::new(), &model);
    let take = || spec("numbers").with_path(world.path());
    let main = || mainstay_data::BranchTarget::new("main".parse().unwrap());
    let first = datasets.snapshot(take().with_branch(main())).await.unwrap();
    assert_eq!(first.rows, Some(1_100));
    let side: mainstay_core::Name = "side".parse().unwrap();
    datasets
        .create_branch(&side, &first.node, ada(), "side")
        .await
        .unwrap();
    let mut ours = model.clone();
    ours.extend([table(5, 50)]);
    world.write(&model, &ours);
    let ours_node = datasets
        .snapshot(take().with_branch(main()))
        .await
        .unwrap()
        .node;
    let mut theirs = model.clone();
    theirs.extend([table(7, 70), table(2_000, 1)]);
    world.write(&ours, &theirs);
    let target = mainstay_data::BranchTarget::new(side);
    let theirs_node = datasets
        .snapshot(take().with_branch(target))
        .await
        .unwrap()
        .node;

    let rows = datasets
        .read(&ours_node, ReadOptions::default())
        .await
        .unwrap();
    let rows: Vec<_> = rows.try_collect().await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1_100);
    let identity = Identity::Key(vec!["id".to_owned()]);
    let changed = datasets
        .row_changes(&first.node, &ours_node, identity, RowDiffOptions::default())
        .await
        .unwrap();
    let changed: Vec<_> = changed.try_collect().await.unwrap();
    assert_eq!(changed.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    let options = CompareOptions::default().with_rows(CompareRows::new(Identity::key(["id"])));
    let diff = datasets.compare_with(&first.node, &ours_node, &options);
    let diff = diff.await.unwrap();
    assert_eq!((diff.before, diff.files.changed), (first.snapshot, 1));
    assert_eq!(diff.rows.compared.unwrap().changed, 1);

    let spec = mainstay_data::merge::MergeSpec::new(ours_node, theirs_node);
    let plan = datasets.plan_merge(&spec).await.unwrap();
    assert_eq!((plan.files.len(), plan.conflicts.len()), (2, 0));
    // Both changed one file, and each removed what the other has not touched.
    let conflicting = |file: (String, String), gone: &str, from: &Model| {
        let mut model = from.clone();
        model.extend([file]);
        model.remove(gone);
        model
    };
    let left = conflicting(table(9, 90), "t00100.csv", &model);
    let right = conflicting(table(9, 91), "t00200.csv", &model);
    let mut nodes = Vec::new();
    let mut now = theirs.clone();
    for (branch, side) in [("left", left), ("right", right)] {
        let branch: mainstay_core::Name = branch.parse().unwrap();
        datasets
            .create_branch(&branch, &first.node, ada(), "side")
            .await
            .unwrap();
        world.write(&now, &side);
        now = side;
        let target = mainstay_data::BranchTarget::new(branch);
        let taken = datasets.snapshot(take().with_branch(target)).await;
        nodes.push(taken.unwrap().node);
    }
    let both = mainstay_data::merge::MergeSpec::new(nodes[0].clone(), nodes[1].clone());
    let both = datasets.plan_merge(&both).await.unwrap();
    let found: Vec<_> = both.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(found, ["t00200.csv"]);
    let found: Vec<_> = both
        .conflicts
        .iter()
        .map(|conflict| conflict.path.as_ref())
        .collect();
    assert_eq!(found, [Some(&"t00009.csv".parse().unwrap())]);
    let merged = datasets.apply_merge(&plan, ada(), "merge").await.unwrap();
    let mut expected = ours;
    expected.extend([table(7, 70), table(2_000, 1)]);
    assert_eq!(contents(&datasets, &merged.node).await, expected);
    assert_eq!(merged.rows, Some(1_101));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_of_many_files_is_that_of_format_4() {
    let world = World::new();
    let datasets = world.open(1).await;
    let model = numbered(1_025);
    world.write(&Model::new(), &model);
    let report = datasets
        .snapshot(spec("images").with_path(world.path()))
        .await
        .unwrap();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let bytes = canon::to_vec(&manifest).unwrap();
    crate::golden::check("data-snapshot/v4/files.manifest.json", &bytes);
    let Files::Tree(_) = &manifest.files else {
        panic!("1,025 files are a tree");
    };
    let first = files(&datasets, &report.node).await.remove(0);
    let found = datasets.find_file(&report.node, &first.path).await.unwrap();
    assert_eq!(found, Some(first));
    // A format says how files are listed.
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    json["format"] = 3.into();
    let older = Manifest::from_slice(&canon::to_vec(&json).unwrap());
    check_error(older, ErrorKind::Corrupt, &["tree"]);
    json["format"] = 4.into();
    json["files"] = serde_json::json!([]);
    let listed = Manifest::from_slice(&canon::to_vec(&json).unwrap());
    check_error(listed, ErrorKind::Corrupt, &["tree"]);
    json["format"] = 9.into();
    let newer = Manifest::from_slice(&canon::to_vec(&json).unwrap());
    check_error(newer, ErrorKind::Incompatible, &["8"]);
    // One file less is a list.
    std::fs::remove_file(world.path().join("0/000000.txt")).unwrap();
    let report = datasets
        .snapshot(spec("images").with_path(world.path()))
        .await
        .unwrap();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    assert_eq!(manifest.files.listed().map(<[_]>::len), Some(1_024));
}
