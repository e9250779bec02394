//! The machine loses power while a process commits.
//!
//! The storage is on a file system in an image, through a loop device. A writer is stopped in the
//! middle of its work and the image is copied: what it had not synced is in the memory of the
//! kernel and not in the copy. The copy is mounted as after a restart and compared with what the
//! writer acknowledged. Then the next writer goes on with it.
//!
//! Takes the superuser and loop devices, so it runs only when asked for: `MAINSTAY_POWER_CUTS` is
//! the number of cuts for each file system and durability. `mkfs.xfs` and `mkfs.btrfs` are in the
//! Debian packages `xfsprogs` and `btrfs-progs`. What is skipped says so; run it with
//! `--no-capture`.

use std::collections::BTreeMap;
use std::path::Path;

use futures::TryStreamExt as _;
use mainstay_children::{part, said, say, spawn};
use mainstay_store::{
    Key, LocalStorage, Prefix, PutMode, PutOutcome, Storage as _, StorageExt as _,
};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::image::{Image, Mount, cuts, skipped};
use crate::payload::{durability_of, is_whole, open, self_checking};

/// The least that all of the file systems accept, with room for the writers.
const BYTES: u64 = 400 << 20;

const LANES: usize = 6;

/// The numbers of the writers tell their durability, and these are the first of each.
const STRICT: usize = 0;
const BATCH: usize = 1;

#[tokio::test]
async fn on_ext4_nothing_acknowledged_is_lost() {
    survives("on_ext4_nothing_acknowledged_is_lost", "ext4", &[]).await;
}

#[tokio::test]
async fn on_xfs_nothing_acknowledged_is_lost() {
    // A copy has the identity of the original.
    survives("on_xfs_nothing_acknowledged_is_lost", "xfs", &["nouuid"]).await;
}

#[tokio::test]
async fn on_btrfs_nothing_acknowledged_is_lost() {
    survives("on_btrfs_nothing_acknowledged_is_lost", "btrfs", &[]).await;
}

async fn survives(test: &str, file_system: &str, options: &[&str]) {
    if let Some((root, writer)) = part() {
        return write_for_ever(root.as_ref(), writer).await;
    }
    let what = format!("power cuts on {file_system}");
    if cuts() == 0 {
        println!("skipped: {what}: MAINSTAY_POWER_CUTS is not set");
        return;
    }
    let test = format!("power_cut::{test}");
    for first_writer in [STRICT, BATCH] {
        let durability = durability_of(first_writer);
        let dir = tempfile::tempdir().unwrap();
        let mut image = match Image::make(dir.path(), file_system, BYTES) {
            Ok(image) => image,
            Err(reason) => return skipped(&what, &reason),
        };
        let mut state = State::default();
        for cut in 0..cuts() {
            let mount = match image.mount(options) {
                Ok(mount) => mount,
                Err(reason) if cut == 0 => return skipped(&what, &reason),
                Err(reason) => panic!("{file_system} after cut {cut}: {reason}"),
            };
            state.check(&open(mount.path(), durability).await).await;
            let writer = first_writer + 2 * cut;
            image = cut_power(mount, &image, &test, writer, &mut state);
        }
        let mount = image.mount(options).unwrap();
        state.check(&open(mount.path(), durability).await).await;
        println!(
            "{what}, {durability:?}: {} cuts, {} objects and {} deletions \
             acknowledged, 0 lost",
            cuts(),
            state.kept(),
            state.deleted(),
        );
    }
}

/// Lets a writer work for a while, cuts the power, and returns what is on the disk.
fn cut_power(mount: Mount, image: &Image, test: &str, writer: usize, state: &mut State) -> Image {
    let mut child = spawn(test, mount.path(), writer);
    let mut lines = said(&mut child);
    let before_the_cut = 10 + 17 * (writer % 9);
    for line in lines.by_ref().take(before_the_cut) {
        state.note(&line);
    }
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::STOP).unwrap();
    // Returns once every thread has left the kernel and stopped.
    let stopped = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
    assert!(stopped.is_some_and(|(_, status)| status.stopped()));
    let after = image.copy(&mount);
    child.kill().unwrap();
    child.wait().unwrap();
    // Nothing was said after the stop, so all of it was acknowledged before the copy.
    for line in lines {
        state.note(&line);
    }
    drop(mount);
    after
}

async fn write_for_ever(root: &Path, writer: usize) {
    let storage = open(root, durability_of(writer)).await;
    let lanes = (0..LANES).map(|lane| write_lane(&storage, writer, lane));
    futures::future::join_all(lanes).await;
}

/// Creates an object, then replaces it or deletes it or leaves it, in new directories and old ones.
async fn write_lane(storage: &LocalStorage, writer: usize, lane: usize) {
    for number in 0_usize.. {
        let directory = if number % 3 == 0 { number } else { 0 };
        let key = Key::new(format!("lane-{lane}/d-{directory}/{writer}-{number}")).unwrap();
        let bytes = |version: usize| self_checking(&key, 1000 + version + (number * 7919) % 60_000);
        let outcome = storage.create(&key, bytes(0)).await.unwrap();
        assert_eq!(outcome, PutOutcome::Written);
        say(&format!("+ {} {key}", bytes(0).len()));
        match number % 4 {
            1 => {
                let bytes = bytes(1);
                let len = bytes.len();
                let outcome = storage.put(&key, bytes, PutMode::Overwrite).await;
                assert_eq!(outcome.unwrap(), PutOutcome::Written);
                say(&format!("+ {len} {key}"));
            }
            2 => {
                say(&format!("? 0 {key}"));
                storage.delete(&key).await.unwrap();
                say(&format!("- 0 {key}"));
            }
            _ => {}
        }
    }
}

/// What the writers acknowledged, last of each object.
#[derive(Debug, Default)]
struct State(BTreeMap<Key, Acknowledged>);

#[derive(Debug, PartialEq)]
enum Acknowledged {
    /// At least so long: a longer one may have replaced it.
    Written(usize),
    Deleting,
    Deleted,
}

impl State {
    fn note(&mut self, line: &str) {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        let acknowledged = match (word(), word().parse().unwrap()) {
            ("+", len) => Acknowledged::Written(len),
            ("?", _) => Acknowledged::Deleting,
            ("-", _) => Acknowledged::Deleted,
            other => panic!("{other:?}"),
        };
        self.0.insert(Key::new(word()).unwrap(), acknowledged);
    }

    fn kept(&self) -> usize {
        let written = |state: &&_| matches!(state, Acknowledged::Written(_));
        self.0.values().filter(written).count()
    }

    fn deleted(&self) -> usize {
        let deleted = self.0.values().filter(|s| **s == Acknowledged::Deleted);
        deleted.count()
    }

    async fn check(&self, storage: &LocalStorage) {
        for (key, acknowledged) in &self.0 {
            let bytes = storage.get_all(key).await.unwrap();
            match (acknowledged, bytes) {
                (Acknowledged::Written(len), Some(bytes)) => assert!(
                    is_whole(key, &bytes) && (*len..=len + 1).contains(&bytes.len()),
                    "{key} is torn or old"
                ),
                (Acknowledged::Written(_), None) => panic!("{key} was acknowledged"),
                (Acknowledged::Deleted, Some(_)) => panic!("{key} was deleted"),
                (Acknowledged::Deleted, None) | (Acknowledged::Deleting, _) => {}
            }
        }
        let all = Prefix::all();
        let listed: Vec<_> = storage.list(&all, None).try_collect().await.unwrap();
        for object in listed {
            let bytes = storage.get_all(&object.key).await.unwrap().unwrap();
            assert!(is_whole(&object.key, &bytes), "{} is torn", object.key);
        }
        let staged = std::fs::read_dir(storage.root().join(".staging")).unwrap();
        assert_eq!(staged.count(), 0, "litter after the next open");
    }
}
