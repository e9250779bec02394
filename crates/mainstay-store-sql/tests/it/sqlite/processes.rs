//! Processes that share a file, and processes that are killed.

use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_children::{kill_after, part, say, spawn};
use mainstay_store::{Key, Prefix, PutMode, PutOutcome, StorageExt as _};

use super::{beside, open, url};
use crate::processes::{create_all, take_part};

#[tokio::test]
async fn of_eight_processes_that_create_the_same_keys_one_wins_each() {
    if let Some((url, writer)) = part() {
        return take_part(&url, writer).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "sqlite::processes::of_eight_processes_that_create_the_same_keys_one_wins_each";
    // Nobody has made the file: they all try.
    create_all(test, &url(&dir.path().join("a.db"))).await;
}

const KILLS: usize = 100;
const AT_ONCE: usize = 5;

/// Bytes that name their key and are of one piece.
fn self_checking(key: &Key, len: usize) -> Bytes {
    let line = format!("{key} {len}\n");
    line.bytes().cycle().take(len).collect()
}

fn is_whole(key: &Key, bytes: &Bytes) -> bool {
    *bytes == self_checking(key, bytes.len()) && bytes.len() >= 1000
}

/// The length of an object, of which one in four is of several rows.
fn len_of(number: usize) -> usize {
    let rows = if number % 4 == 3 { 1 << 20 } else { 0 };
    1000 + rows + (number * 37_813) % 50_000
}

#[tokio::test]
async fn of_killed_writers_every_acknowledged_object_is_there_and_no_part_of_another() {
    if let Some((url, writer)) = part() {
        return write_for_ever(&url, writer).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    let mut acknowledged = Vec::new();
    for first in (0..KILLS).step_by(AT_ONCE) {
        acknowledged.extend(kill_some(&file, first));
    }
    check(&file, &acknowledged).await;
    assert_eq!(
        beside(&file),
        ["a.db"],
        "the log is gone with the last user"
    );
}

/// Kills writers that write at the same time, each in the middle of something.
fn kill_some(file: &Path, first: usize) -> Vec<Key> {
    let test = "sqlite::processes::of_killed_writers_every_acknowledged_object_is_there_and_no_part_of_another";
    let writers = first..first + AT_ONCE;
    let children = writers.map(|writer| spawn(test, url(file), writer));
    let acknowledged = kill_after(children.collect(), &[1, 2, 2, 3, 4]);
    let keys = acknowledged.into_iter().map(|key| Key::new(key).unwrap());
    keys.collect()
}

async fn write_for_ever(url: &str, writer: usize) {
    let storage = crate::processes::open(url).await.unwrap();
    for number in 0.. {
        let key = Key::new(format!("pack-{}/{writer}-{number}", number % 5)).unwrap();
        for mode in [PutMode::Create, PutMode::Overwrite] {
            let bytes = self_checking(&key, len_of(number));
            let outcome = storage.put(&key, bytes, mode).await.unwrap();
            assert_eq!(outcome, PutOutcome::Written);
        }
        say(key.as_str());
    }
}

async fn check(file: &Path, acknowledged: &[Key]) {
    let storage = open(file).await;
    for key in acknowledged {
        let bytes = storage.get_all(key).await.unwrap();
        assert!(
            bytes.is_some_and(|bytes| is_whole(key, &bytes)),
            "{key} was acknowledged"
        );
    }
    let listed: Vec<_> = storage
        .list(&Prefix::all(), None)
        .try_collect()
        .await
        .unwrap();
    assert!(listed.len() >= acknowledged.len());
    for object in listed {
        let bytes = storage.get_all(&object.key).await.unwrap().unwrap();
        assert!(is_whole(&object.key, &bytes), "{} is torn", object.key);
        assert_eq!(object.size, bytes.len() as u64);
    }
}
