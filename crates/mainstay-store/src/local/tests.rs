use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{ManualClock, Timestamp};
use tempfile::TempDir;

use super::file_system::{FileSystem, Kind};
use super::host::Host;
use super::*;
use crate::{StorageExt as _, conformance};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn opened() -> (TempDir, LocalStorage) {
    let dir = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(dir.path(), LocalOptions::default())
        .await
        .unwrap();
    (dir, storage)
}

fn host(root: &Path) -> Host {
    Host::around(root).unwrap()
}

/// A host that has none of the faster ways.
fn plain_host(root: &Path) -> Host {
    Host {
        opens_beneath: false,
        opens_cached: false,
        has_anonymous_files: false,
        syncs_at_once: false,
        writes_direct: false,
        ..host(root)
    }
}

fn opened_on(root: &Path, options: &LocalOptions, host: &Host) -> Result<LocalStorage> {
    Tree::open_on(root.to_path_buf(), options, host).map(LocalStorage::on)
}

fn staged(storage: &LocalStorage) -> usize {
    let staging = storage.root().join(".staging");
    fs::read_dir(staging).unwrap().count()
}

async fn keys(storage: &LocalStorage) -> Vec<String> {
    let listed = storage
        .list(&Prefix::all(), None)
        .map_ok(|object| object.key.to_string());
    listed.try_collect().await.unwrap()
}

#[tokio::test]
async fn objects_outlive_the_value_and_usual_keys_are_their_paths() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("new/deep/root");
    let options = LocalOptions::default();
    let storage = LocalStorage::open(&root, options.clone()).await.unwrap();
    let outcome = storage.create(&key("log/1"), "one".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
    assert_eq!(fs::read(root.join("log/1")).unwrap(), b"one");
    let outcome = storage
        .put(&key("log/1"), "two".into(), PutMode::Overwrite)
        .await;
    assert_eq!(outcome.unwrap(), PutOutcome::Written);
    drop(storage);

    let storage = LocalStorage::open(&root, options).await.unwrap();
    assert_eq!(
        storage.get_all(&key("log/1")).await.unwrap().unwrap(),
        "two"
    );
    assert_eq!(fs::read_dir(root.join(".staging")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_root_that_is_a_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("file");
    fs::write(&root, "").unwrap();
    for root in [root.clone(), root.join("below")] {
        let error = LocalStorage::open(&root, LocalOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        assert!(error.to_string().contains("file"), "{error}");
    }
}

#[tokio::test]
async fn links_out_of_the_root_are_neither_read_written_nor_listed() {
    for which in [host, plain_host] {
        let dir = tempfile::tempdir().unwrap();
        let options = LocalOptions::default();
        refuses_links(opened_on(dir.path(), &options, &which(dir.path())).unwrap()).await;
    }
}

async fn refuses_links(storage: LocalStorage) {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("1"), "secret").unwrap();
    symlink(outside.path(), storage.root().join("log")).unwrap();
    symlink(outside.path().join("1"), storage.root().join("file.1")).unwrap();
    symlink(outside.path().join("absent"), storage.root().join("file.2")).unwrap();

    for name in ["log/1", "log/2", "file.1", "file.2"] {
        let key = key(name);
        let error = storage.get(&key, ByteRange::Full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        let error = storage.create(&key, "new".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        assert!(!error.is_ambiguous());
    }
    assert!(keys(&storage).await.is_empty());
    let below = storage.list(&Prefix::directory("log").unwrap(), None);
    assert_eq!(below.count().await, 0);
    storage.delete(&key("log/1")).await.unwrap_err();
    storage.delete(&key("file.1")).await.unwrap();
    assert_eq!(fs::read(outside.path().join("1")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_not_an_object_is_not_listed() {
    let (_dir, storage) = opened().await;
    let root = storage.root().to_path_buf();
    for file in ["README", "log", "a b", ".hidden", "x~", "é", "7++"] {
        fs::write(root.join(file), "").unwrap();
    }
    fs::create_dir(root.join("a.b")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe.1"), 0o600.into()).unwrap();
    let error = storage
        .get(&key("pipe.1"), ByteRange::Full)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let error = storage.create(&key("log/1"), "".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(keys(&storage).await.is_empty());
}

#[tokio::test]
async fn where_locks_tell_nothing_staged_files_are_swept_once_they_are_a_day_old() {
    let (dir, storage) = opened().await;
    let staged = storage.root().join(".staging/dead-writer");
    fs::write(&staged, "part of an obj").unwrap();
    let written = fs::metadata(&staged).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    let clock = Arc::new(ManualClock::new(
        Timestamp::UNIX_EPOCH.saturating_add(written),
    ));
    let options = LocalOptions::default().with_clock(Arc::<ManualClock>::clone(&clock));
    let host = Host {
        locks_tell_life: false,
        ..plain_host(dir.path())
    };
    let reopen = || opened_on(dir.path(), &options, &host);

    clock.advance(Duration::from_hours(23));
    assert!(keys(&reopen().unwrap()).await.is_empty());
    assert!(staged.exists());
    clock.advance(Duration::from_hours(2));
    reopen().map(drop).unwrap();
    assert!(!staged.exists());
}

#[tokio::test]
async fn a_staged_file_of_a_living_writer_is_not_swept_and_that_of_a_dead_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions::default();
    let alive = opened_on(dir.path(), &options, &plain_host(dir.path())).unwrap();
    let written = alive.tree.staging.write(b"slow").unwrap();
    fs::write(dir.path().join(".staging/dead-writer"), "part").unwrap();
    fs::write(dir.path().join("1"), "one").unwrap();
    // Killed between the link and the removal of the first name.
    fs::hard_link(dir.path().join("1"), dir.path().join(".staging/dead-2")).unwrap();
    assert_eq!(staged(&alive), 3);

    let other = LocalStorage::open(dir.path(), options).await.unwrap();
    assert_eq!(staged(&other), 1);
    assert!(written.link(&alive.tree.beneath.root, "2").unwrap());
    assert_eq!(staged(&other), 0);
    assert_eq!(keys(&other).await, ["1", "2"]);
}

#[tokio::test]
async fn a_writer_whose_staged_file_was_swept_fails_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let host = plain_host(dir.path());
    let storage = opened_on(dir.path(), &LocalOptions::default(), &host).unwrap();
    let tree = &storage.tree;
    for mode in [PutMode::Create, PutMode::Overwrite] {
        let written = tree.staging.write(b"slow").unwrap();
        for file in fs::read_dir(dir.path().join(".staging")).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        let result = match mode {
            PutMode::Create => written.link(&tree.beneath.root, "1").map(drop),
            PutMode::Overwrite => written.rename(&tree.beneath.root, "1"),
        };
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
    assert!(keys(&storage).await.is_empty());
}

#[tokio::test]
async fn after_a_failed_sync_the_handle_reads_but_writes_no_more() {
    let (dir, storage) = opened().await;
    storage
        .create(&key("1"), "one".into())
        .await
        .map(drop)
        .unwrap();
    storage.tree.disk.fail();
    for error in [
        storage
            .create(&key("2"), "".into())
            .await
            .map(drop)
            .unwrap_err(),
        storage.delete(&key("1")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.is_ambiguous());
    }
    assert_eq!(storage.get_all(&key("1")).await.unwrap().unwrap(), "one");
    let reopened = LocalStorage::open(dir.path(), LocalOptions::default())
        .await
        .unwrap();
    reopened
        .create(&key("2"), "".into())
        .await
        .map(drop)
        .unwrap();
}

#[tokio::test]
async fn a_network_file_system_is_refused_by_name_unless_accepted_and_then_tried() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let remote = |name, kind| Host {
        file_system: FileSystem { name, kind },
        locks_tell_life: false,
        ..plain_host(dir.path())
    };
    for (name, kind) in [("nfs", Kind::Remote), ("unknown", Kind::Unknown)] {
        let host = remote(name, kind);
        let error = opened_on(&root, &LocalOptions::default(), &host).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(name), "{error}");
        assert!(!root.exists(), "nothing is made where nothing may be kept");
    }
    let options = LocalOptions::default().with_network_file_system(true);
    let storage = opened_on(&root, &options, &remote("nfs", Kind::Remote)).unwrap();
    assert_eq!(storage.file_system(), "nfs");
    assert_eq!(staged(&storage), 0);
    let outcome = storage.create(&key("log/1"), "one".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
}

#[tokio::test]
async fn what_is_in_memory_is_not_durable_however_it_is_synced() {
    let dir = tempfile::tempdir().unwrap();
    for (kind, durable) in [(Kind::Memory, false), (Kind::Disk, true)] {
        let file_system = FileSystem { name: "some", kind };
        let host = Host {
            file_system,
            ..plain_host(dir.path())
        };
        let storage = opened_on(dir.path(), &LocalOptions::default(), &host).unwrap();
        assert_eq!(storage.capabilities().durable, durable);
    }
}

#[tokio::test]
async fn the_directories_of_a_key_are_settled_once() {
    let (_dir, storage) = opened().await;
    for n in 0..3 {
        let key = key(&format!("tally/a-1/{n}"));
        storage.create(&key, "".into()).await.map(drop).unwrap();
    }
    let settled = storage.tree.settled().clone();
    assert_eq!(
        settled,
        BTreeSet::from(["tally".to_owned(), "tally/a-1+".to_owned()])
    );
}

#[tokio::test]
async fn without_durability_everything_but_the_promise_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions::default().with_durability(Durability::None);
    let storage = LocalStorage::open(dir.path(), options).await.unwrap();
    assert!(!storage.capabilities().durable);
    storage
        .create(&key("log/1"), "one".into())
        .await
        .map(drop)
        .unwrap();
    assert_eq!(keys(&storage).await, ["log/1"]);
    storage.delete(&key("log/1")).await.unwrap();
    assert!(keys(&storage).await.is_empty());
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_tree(&from, &to);
        } else {
            fs::copy(from, to).map(drop).unwrap();
        }
    }
}

#[tokio::test]
async fn the_golden_directory_of_version_1_reads_as_its_keys_and_is_what_they_are_written_to() {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/local-storage/v1"
    );
    let dir = tempfile::tempdir().unwrap();
    copy_tree(Path::new(golden), dir.path());
    let old = LocalStorage::open(dir.path(), LocalOptions::default())
        .await
        .unwrap();
    let listed = keys(&old).await;
    assert_eq!(
        listed,
        [
            "a",
            "a/b",
            "a/b/c.1",
            "log/00000000000000000001",
            "mainstay.json",
            "tally/m-7/r.1"
        ]
    );
    let (_dir, new) = opened().await;
    for name in &listed {
        // Each object of the fixture holds its key.
        let bytes = old.get_all(&key(name)).await.unwrap().unwrap();
        assert_eq!(bytes, name.as_bytes());
        new.create(&key(name), bytes).await.map(drop).unwrap();
    }
    assert_eq!(files(new.root()), files(old.root()));
}

/// Every file beneath a directory, with its bytes.
fn files(root: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let mut found = BTreeSet::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_path_buf();
                found.insert((name, fs::read(path).unwrap()));
            }
        }
    }
    found
}

async fn passes_every_case(storage: LocalStorage) {
    let options = conformance::RunOptions::default().with_seed(1);
    let report = conformance::run(Arc::new(storage), &options).await;
    assert!(
        report.failed.is_empty() && report.skipped.is_empty(),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_directory_that_commits_in_batches_passes_every_case() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions::default().with_durability(Durability::Batch);
    let storage = LocalStorage::open(dir.path(), options).await.unwrap();
    assert!(storage.capabilities().durable);
    passes_every_case(storage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_without_the_faster_ways_passes_every_case() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions::default().with_durability(Durability::None);
    let host = plain_host(dir.path());
    passes_every_case(opened_on(dir.path(), &options, &host).unwrap()).await;
}

fn in_batches(root: &Path, host: &Host, most_files: usize) -> LocalStorage {
    let options = LocalOptions::default().with_durability(Durability::Batch);
    let mut tree = Tree::open_on(root.to_path_buf(), &options, host).unwrap();
    tree.most_files = most_files;
    LocalStorage::on(tree)
}

#[tokio::test]
async fn a_batch_of_many_changes_answers_each_and_leaves_what_they_say() {
    let dirs = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let (best, plain) = (host(dirs[0].path()), plain_host(dirs[0].path()));
    for (dir, (host, most_files)) in
        dirs.iter()
            .zip([(best, 3), (best, 512), (plain, 3), (plain, 512)])
    {
        let storage = in_batches(dir.path(), &host, most_files);
        let number = |n: usize| key(&format!("dir-{}/{n:03}", n % 7));
        let written = (0..150).map(|n| {
            let bytes = Bytes::from(vec![7; n * 10]);
            let storage = &storage;
            // Every key twice: one of the two finds it taken.
            async move { storage.create(&number(n % 75), bytes).await.unwrap() }
        });
        let written = futures::future::join_all(written).await;
        let wins = written.iter().filter(|won| **won == PutOutcome::Written);
        assert_eq!(wins.count(), 75);
        let deleted = (0..70).map(|n| {
            let storage = &storage;
            async move { storage.delete(&number(n)).await }
        });
        futures::future::try_join_all(deleted).await.unwrap();
        let mut left: Vec<_> = (70..75).map(|n| number(n).to_string()).collect();
        left.sort();
        assert_eq!(keys(&storage).await, left);
        assert_eq!(staged(&storage), 0);
    }
}

#[tokio::test]
async fn in_a_batch_one_that_cannot_be_written_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let storage = in_batches(dir.path(), &host(dir.path()), 512);
    fs::write(dir.path().join("log"), "in the place of a directory").unwrap();
    let names = ["1", "log/1", "2", "log/2", "3"];
    let outcomes = names.map(|name| {
        let storage = &storage;
        async move { storage.create(&key(name), "".into()).await }
    });
    let outcomes = futures::future::join_all(outcomes).await;
    let kinds = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().err().map(Error::kind));
    let corrupt = Some(ErrorKind::Corrupt);
    assert!(kinds.eq([None, corrupt, None, corrupt, None]));
    assert_eq!(keys(&storage).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn when_a_leader_is_lost_those_who_wait_know_and_the_next_one_leads() {
    let dir = tempfile::tempdir().unwrap();
    let storage = in_batches(dir.path(), &host(dir.path()), 512);
    let put = |name| Change::put(&key(name), "".into(), PutMode::Create);
    let (leader, first) = Batch::join(&storage.tree, put("1"));
    let (follower, second) = Batch::join(&storage.tree, put("2"));
    assert!(follower.is_none());
    drop(leader.unwrap());
    first.await.unwrap_err();
    second.await.unwrap_err();
    let outcome = storage.create(&key("3"), "".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
    assert_eq!(keys(&storage).await, ["3"]);
}

#[tokio::test]
async fn after_a_failed_sync_a_batch_fails_as_a_whole_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let storage = in_batches(dir.path(), &host(dir.path()), 512);
    storage.tree.disk.fail();
    let changes = ["1", "2"].map(|name| Change::put(&key(name), "".into(), PutMode::Create));
    for result in storage.tree.commit(&changes) {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert!(keys(&storage).await.is_empty());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn small_objects_in_the_cache_are_read_at_once_and_large_ones_where_it_may_block() {
    let (_dir, storage) = opened().await;
    let (small, large) = (key("log/1"), key("log/2"));
    let bytes = Bytes::from(vec![7; 100_000]);
    for (key, len) in [(&small, 4096), (&large, 100_000)] {
        let bytes = bytes.slice(..len);
        let outcome = storage.create(key, bytes.clone()).await.unwrap();
        assert_eq!(outcome, PutOutcome::Written);
        assert_eq!(storage.get_all(key).await.unwrap().unwrap(), bytes);
    }
    let tree = &storage.tree;
    let cached = tree.get_cached(&small, &ByteRange::Last(6)).unwrap();
    assert_eq!(cached.unwrap().bytes, vec![7; 6]);
    tree.get_cached(&large, &ByteRange::Full).unwrap_err();
    let part = tree.get_cached(&large, &ByteRange::Offsets(99_999..100_001));
    assert_eq!(part.unwrap().unwrap().bytes, vec![7]);
    storage.delete(&small).await.unwrap();
    assert!(matches!(
        tree.get_cached(&small, &ByteRange::Full),
        Ok(None) | Err(_)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_beside_somebody_who_deletes_is_in_order_and_shows_all_that_stays() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions::default().with_durability(Durability::None);
    let storage = LocalStorage::open(dir.path(), options).await.unwrap();
    let number = |n: usize| key(&format!("dir-{}/{n:03}", n / 100));
    for n in 0..400 {
        let outcome = storage.create(&number(n), "".into()).await;
        outcome.map(drop).unwrap();
    }
    let odd = (0..400).filter(|n| n % 2 == 1);
    let deleter = tokio::spawn({
        let storage = storage.clone();
        let odd = odd.clone();
        async move {
            for n in odd {
                storage.delete(&number(n)).await.unwrap();
            }
        }
    });
    let even: BTreeSet<_> = (0..400)
        .filter(|n| n % 2 == 0)
        .map(|n| number(n).to_string())
        .collect();
    while !deleter.is_finished() {
        let listed = keys(&storage).await;
        assert!(listed.is_sorted());
        assert!(even.is_subset(&listed.into_iter().collect()));
    }
    deleter.await.unwrap();
    assert!(keys(&storage).await.into_iter().eq(even));
}

#[tokio::test]
async fn large_objects_read_back_as_they_were_written() {
    let dir = tempfile::tempdir().unwrap();
    for host in [host(dir.path()), plain_host(dir.path())] {
        let storage = opened_on(dir.path(), &LocalOptions::default(), &host).unwrap();
        for len in [(4 << 20) - 1, 4 << 20, (4 << 20) + 1, (9 << 20) + 4_097] {
            let bytes: Bytes = (0..=250_u8).cycle().take(len).collect();
            let key = Key::new("large").unwrap();
            let put = storage.put(&key, bytes.clone(), PutMode::Overwrite);
            assert_eq!(put.await.unwrap(), PutOutcome::Written);
            let read = storage.get(&key, ByteRange::Full).await.unwrap().unwrap();
            assert!(read.bytes == bytes, "{len}");
        }
    }
}
