//! Processes that share a directory, and processes that are killed.
//!
//! A child is this test binary again, running one test of this file with a role in its environment.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Clock as _, ManualClock, SystemClock};
use mainstay_store::{
    Key, LocalOptions, LocalStorage, Prefix, PutMode, PutOutcome, Storage as _, StorageExt as _,
};

const ROOT: &str = "MAINSTAY_TEST_ROOT";
const WRITER: &str = "MAINSTAY_TEST_WRITER";

fn child(test: &str, root: &Path, writer: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROOT, root)
        .env(WRITER, writer.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The root and the number of the writer, in a child.
fn role() -> Option<(PathBuf, usize)> {
    let root = std::env::var_os(ROOT)?;
    let writer = std::env::var(WRITER).unwrap().parse().unwrap();
    Some((root.into(), writer))
}

async fn open(root: &Path) -> LocalStorage {
    LocalStorage::open(root, LocalOptions::default())
        .await
        .unwrap()
}

/// Tells the parent something; the test harness shares the stream, hence the mark.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n> {line}").unwrap();
    stdout.flush().unwrap();
}

fn said(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let lines = stdout.lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("> ").map(str::to_owned))
}

/// Bytes that name their key and are of one piece.
fn self_checking(key: &Key, len: usize) -> Bytes {
    let line = format!("{key} {len}\n");
    line.bytes().cycle().take(len).collect()
}

fn is_whole(key: &Key, bytes: &Bytes) -> bool {
    *bytes == self_checking(key, bytes.len()) && bytes.len() >= 1000
}

mod race {
    use super::*;

    const PROCESSES: usize = 8;
    const ROUNDS: usize = 100;

    #[tokio::test]
    async fn of_eight_processes_that_create_the_same_keys_one_wins_each() {
        if let Some((root, writer)) = role() {
            return create_all(&root, writer).await;
        }
        let dir = tempfile::tempdir().unwrap();
        let test = "processes::race::of_eight_processes_that_create_the_same_keys_one_wins_each";
        let mut children: Vec<_> = (0..PROCESSES)
            .map(|writer| child(test, dir.path(), writer))
            .collect();
        let mut lines: Vec<_> = children.iter_mut().map(said).collect();
        for ready in &mut lines {
            assert_eq!(ready.next().unwrap(), "ready");
        }
        // All are up: let them loose.
        for child in &mut children {
            writeln!(child.stdin.take().unwrap(), "go").unwrap();
        }
        let mut winners = vec![Vec::new(); ROUNDS];
        for (writer, lines) in lines.into_iter().enumerate() {
            for round in lines {
                winners[round.parse::<usize>().unwrap()].push(writer);
            }
        }
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let storage = open(dir.path()).await;
        for (round, winners) in winners.iter().enumerate() {
            let key = Key::new(format!("log/{round:03}")).unwrap();
            let bytes = storage.get_all(&key).await.unwrap().unwrap();
            let stored = String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(
                [stored],
                winners.iter().map(usize::to_string).collect::<Vec<_>>()[..]
            );
        }
        let listed: Vec<_> = storage
            .list(&Prefix::all(), None)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(listed.len(), ROUNDS);
        let staged = std::fs::read_dir(dir.path().join(".staging")).unwrap();
        assert_eq!(staged.count(), 0);
    }

    async fn create_all(root: &Path, writer: usize) {
        let storage = open(root).await;
        say("ready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        for round in 0..ROUNDS {
            let key = Key::new(format!("log/{round:03}")).unwrap();
            let bytes = writer.to_string().into();
            if storage.create(&key, bytes).await.unwrap() == PutOutcome::Written {
                say(&round.to_string());
            }
        }
    }
}

mod kill {
    use super::*;

    const KILLS: usize = 12;

    /// The length of an object, so that some are written in one go and some are not.
    fn len_of(number: usize) -> usize {
        1000 + (number * 37_813) % 300_000
    }

    #[tokio::test]
    async fn of_a_killed_writer_every_acknowledged_object_is_there_and_no_part_of_another() {
        if let Some((root, writer)) = role() {
            return write_for_ever(&root, writer).await;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut acknowledged = Vec::new();
        for writer in 0..KILLS {
            acknowledged.extend(kill_after(dir.path(), writer, 3 + writer * 2));
        }
        check(dir.path(), &acknowledged).await;
        sweep(dir.path()).await;
        check(dir.path(), &acknowledged).await;
    }

    /// Kills a writer once it has acknowledged so many objects, in the middle of the next.
    fn kill_after(root: &Path, writer: usize, objects: usize) -> Vec<Key> {
        let test = "processes::kill::of_a_killed_writer_every_acknowledged_object_is_there_and_no_part_of_another";
        let mut child = child(test, root, writer);
        let mut lines = said(&mut child);
        let mut acknowledged: Vec<_> = lines.by_ref().take(objects).collect();
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        // What it said between the decision and the kill.
        acknowledged.extend(lines);
        assert!(acknowledged.len() >= objects);
        acknowledged
            .into_iter()
            .map(|key| Key::new(key).unwrap())
            .collect()
    }

    async fn write_for_ever(root: &Path, writer: usize) {
        let storage = open(root).await;
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

    async fn check(root: &Path, acknowledged: &[Key]) {
        let storage = open(root).await;
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
        for object in listed {
            let bytes = storage.get_all(&object.key).await.unwrap().unwrap();
            assert!(is_whole(&object.key, &bytes), "{} is torn", object.key);
            assert_eq!(object.size, bytes.len() as u64);
        }
    }

    /// Opens the storage two days later.
    async fn sweep(root: &Path) {
        let clock = ManualClock::new(SystemClock::default().now());
        clock.advance(Duration::from_hours(48));
        let options = LocalOptions::default().with_clock(Arc::new(clock));
        LocalStorage::open(root, options).await.unwrap();
        assert_eq!(std::fs::read_dir(root.join(".staging")).unwrap().count(), 0);
    }
}
