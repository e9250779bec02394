//! Processes that share a directory, and processes that are killed.

use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_children::{kill_after, part, race, say, spawn, wait_for_all};
use mainstay_store::{
    Durability, Key, LocalStorage, Prefix, PutMode, PutOutcome, Storage as _, StorageExt as _,
};

use crate::payload::{durability_of, is_whole, open, self_checking};

fn staged(root: &Path) -> usize {
    std::fs::read_dir(root.join(".staging")).unwrap().count()
}

mod race {
    use super::*;

    const PROCESSES: usize = 8;
    const ROUNDS: usize = 100;

    #[tokio::test]
    async fn of_eight_processes_that_create_the_same_keys_one_wins_each() {
        if let Some((root, writer)) = part() {
            return create_all(root.as_ref(), writer).await;
        }
        let dir = tempfile::tempdir().unwrap();
        let test = "processes::race::of_eight_processes_that_create_the_same_keys_one_wins_each";
        let mut winners = vec![Vec::new(); ROUNDS];
        for (writer, won) in race(test, dir.path(), PROCESSES).iter().enumerate() {
            for round in won {
                winners[round.parse::<usize>().unwrap()].push(writer);
            }
        }
        let storage = open(dir.path(), Durability::Strict).await;
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
        assert_eq!(staged(dir.path()), 0);
    }

    async fn create_all(root: &Path, writer: usize) {
        let storage = open(root, durability_of(writer)).await;
        wait_for_all();
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

    /// So many at a time, so that the living and the dead share the directory.
    const GANGS: usize = 4;
    const KILLS_OF_EACH: usize = 25;

    /// How many objects a writer has under way at a time.
    const AT_ONCE: usize = 3;

    /// The length of an object, so that some are written in one go and some are not.
    fn len_of(number: usize) -> usize {
        1000 + (number * 37_813) % 150_000
    }

    #[tokio::test]
    async fn of_a_hundred_killed_writers_all_that_was_acknowledged_is_there_and_nothing_else_is() {
        if let Some((root, writer)) = part() {
            return write_for_ever(root.as_ref(), writer).await;
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let acknowledged: Vec<_> = std::thread::scope(|scope| {
            let gangs: Vec<_> = (0..GANGS)
                .map(|gang| {
                    let kill = move |kill| kill_one(root, gang * 100 + kill, 1 + kill % 7);
                    scope.spawn(move || (0..KILLS_OF_EACH).flat_map(kill).collect::<Vec<_>>())
                })
                .collect();
            gangs
                .into_iter()
                .flat_map(|gang| gang.join().unwrap())
                .collect()
        });
        let storage = open(dir.path(), Durability::Strict).await;
        assert_eq!(staged(dir.path()), 0, "litter after the next open");
        check(&storage, &acknowledged).await;
    }

    /// Kills a writer once it has acknowledged so many objects, in the middle of the next.
    fn kill_one(root: &Path, writer: usize, objects: usize) -> Vec<Key> {
        let test = "processes::kill::of_a_hundred_killed_writers_all_that_was_acknowledged_is_there_and_nothing_else_is";
        let acknowledged = kill_after(vec![spawn(test, root, writer)], &[objects]);
        let keys = acknowledged.into_iter().map(|key| Key::new(key).unwrap());
        keys.collect()
    }

    async fn write_for_ever(root: &Path, writer: usize) {
        let storage = open(root, durability_of(writer)).await;
        let lanes = (0..AT_ONCE).map(|lane| {
            let storage = storage.clone();
            async move {
                for number in (lane..).step_by(AT_ONCE) {
                    write(&storage, writer, number).await;
                }
            }
        });
        futures::future::join_all(lanes).await;
    }

    async fn write(storage: &LocalStorage, writer: usize, number: usize) {
        let key = Key::new(format!("pack-{}/{writer}-{number}", number % 5)).unwrap();
        for mode in [PutMode::Create, PutMode::Overwrite] {
            let bytes: Bytes = self_checking(&key, len_of(number));
            let outcome = storage.put(&key, bytes, mode).await.unwrap();
            assert_eq!(outcome, PutOutcome::Written);
        }
        say(key.as_str());
    }

    async fn check(storage: &LocalStorage, acknowledged: &[Key]) {
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
}
