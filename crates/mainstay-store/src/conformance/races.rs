//! Many tasks at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::listing::keys;
use super::payload::{id_of, len_in, payload};
use super::race::{RaceOptions, race};
use super::{Failure, Outcome, check};
use crate::{ByteRange, Key, Prefix, PutMode, PutOutcome, Storage, StorageExt as _};

type Shared = Arc<dyn Storage>;

const WRITERS: u64 = 16;
const ROUNDS: u64 = 25;

/// Different for each writer, so that a mixture of two is told by its length too.
fn bytes_of(writer: u64) -> bytes::Bytes {
    let len = usize::try_from(1000 + 517 * writer).unwrap_or(1000);
    payload(writer, len)
}

pub(super) async fn of_racing_creators_one_wins_and_all_see_its_bytes(
    storage: Shared,
    _seed: u64,
) -> Outcome {
    let report = race(storage, &RaceOptions::default().with_rounds(25)).await?;
    check!(
        report.is_exclusive() && report.failed_calls == 0,
        "{report}"
    );
    Ok(())
}

pub(super) async fn readers_see_whole_objects_while_they_are_replaced(
    storage: Shared,
    _seed: u64,
) -> Outcome {
    let key = Key::new("dir/object")?;
    let _written = storage.create(&key, bytes_of(0)).await?;
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        let (storage, key, done) = (Arc::clone(&storage), key.clone(), Arc::clone(&done));
        readers.spawn(async move {
            while !done.load(Ordering::Relaxed) {
                let Some(bytes) = storage.get_all(&key).await? else {
                    return Err(Failure::new("an object is absent while it is replaced"));
                };
                id_of(&bytes)?;
                head_and_size_agree(&storage, &key).await?;
                // On one thread, lets the writers go on.
                tokio::task::yield_now().await;
            }
            Ok(())
        });
    }
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let (storage, key) = (Arc::clone(&storage), key.clone());
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let bytes = bytes_of(writer * ROUNDS + round);
                let outcome = storage.put(&key, bytes, PutMode::Overwrite).await?;
                check!(
                    outcome == PutOutcome::Written,
                    "an overwrite of {key}: {outcome:?}"
                );
            }
            Ok(())
        });
    }
    let mut outcome = Ok(());
    while let Some(written) = writers.join_next().await {
        outcome = outcome.and(written.unwrap_or_else(|error| Err(error.into())));
    }
    done.store(true, Ordering::Relaxed);
    while let Some(read) = readers.join_next().await {
        outcome = outcome.and(read.unwrap_or_else(|error| Err(error.into())));
    }
    outcome
}

/// The part read and the size told with it are of one object.
async fn head_and_size_agree(storage: &Shared, key: &Key) -> Outcome {
    let Some(head) = storage.get(key, ByteRange::Offsets(0..16)).await? else {
        return Err(Failure::new("an object is absent while it is replaced"));
    };
    check!(
        len_in(&head.bytes) == Some(head.size),
        "the first {} bytes of an object of {} bytes come with the size {}",
        head.bytes.len(),
        len_in(&head.bytes).unwrap_or_default(),
        head.size
    );
    Ok(())
}

pub(super) async fn creators_of_different_keys_all_win(storage: Shared, _seed: u64) -> Outcome {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let storage = Arc::clone(&storage);
        writers.spawn(async move {
            for round in 0..ROUNDS {
                // All in directories that nobody has used before.
                let key = Key::new(format!("dir-{round}/below/{writer}"))?;
                let outcome = storage.create(&key, bytes_of(writer)).await?;
                check!(
                    outcome == PutOutcome::Written,
                    "{key} was absent but {outcome:?}"
                );
            }
            Ok(())
        });
    }
    while let Some(outcome) = writers.join_next().await {
        outcome??;
    }
    let listed: BTreeSet<_> = keys(&storage, &Prefix::all(), None)
        .await?
        .into_iter()
        .collect();
    for writer in 0..WRITERS {
        for round in 0..ROUNDS {
            let key = Key::new(format!("dir-{round}/below/{writer}"))?;
            check!(listed.contains(&key), "{key} was created but is not listed");
            let bytes = storage.get_all(&key).await?.unwrap_or_default();
            check!(
                id_of(&bytes)? == writer,
                "{key} has the bytes of another writer"
            );
        }
    }
    Ok(())
}

pub(super) async fn creators_and_deleters_of_one_key_take_turns(
    storage: Shared,
    _seed: u64,
) -> Outcome {
    const DELETERS: u64 = 4;
    let key = Key::new("dir/object")?;
    let mut creators = JoinSet::new();
    for writer in 0..8 {
        let (storage, key) = (Arc::clone(&storage), key.clone());
        creators.spawn(async move {
            let mut won = 0;
            for round in 0..ROUNDS {
                let bytes = bytes_of(writer * ROUNDS + round);
                won += u64::from(storage.create(&key, bytes).await? == PutOutcome::Written);
                if let Some(bytes) = storage.get_all(&key).await? {
                    id_of(&bytes)?;
                }
            }
            Ok::<_, Failure>(won)
        });
    }
    let mut deleters = JoinSet::new();
    for _ in 0..DELETERS {
        let (storage, key) = (Arc::clone(&storage), key.clone());
        deleters.spawn(async move {
            for _ in 0..ROUNDS {
                storage.delete(&key).await?;
                // On one thread, lets the creators go on.
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(())
        });
    }
    let mut won = 0;
    while let Some(creator) = creators.join_next().await {
        won += creator??;
    }
    while let Some(deleter) = deleters.join_next().await {
        deleter??;
    }
    // Between two creations there was a deletion.
    check!(
        (1..=1 + DELETERS * ROUNDS).contains(&won),
        "{won} creations of one key with {} deletions",
        DELETERS * ROUNDS
    );
    let there = storage.get_all(&key).await?.is_some();
    let listed = keys(&storage, &Prefix::all(), None).await?.len();
    check!(
        listed == usize::from(there),
        "{listed} keys are listed, the only one is there: {there}"
    );
    Ok(())
}
