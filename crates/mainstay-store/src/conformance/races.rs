//! Many tasks at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::listing::keys;
use super::payload::{id_of, payload};
use super::{Failure, Outcome, check};
use crate::{Key, Prefix, PutMode, PutOutcome, Storage, StorageExt as _};

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
    let start = Arc::new(Barrier::new(usize::try_from(WRITERS).unwrap_or(1)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (storage, start) = (Arc::clone(&storage), Arc::clone(&start));
        writers.spawn(async move {
            let mut won = Vec::new();
            for round in 0..ROUNDS {
                let key = Key::new(format!("round/{round}"))?;
                start.wait().await;
                if storage.create(&key, bytes_of(writer)).await? == PutOutcome::Written {
                    won.push(round);
                }
                let Some(bytes) = storage.get_all(&key).await? else {
                    return Err(Failure::new(format!("{key} was created but is absent")));
                };
                let winner = id_of(&bytes)?;
                check!(
                    (winner == writer) == (won.last() == Some(&round)),
                    "writer {writer} finds the bytes of {winner} in {key}, wins: {won:?}"
                );
            }
            Ok(won)
        });
    }
    let mut won = Vec::new();
    while let Some(rounds) = writers.join_next().await {
        won.extend(rounds??);
    }
    won.sort_unstable();
    let once: Vec<_> = (0..ROUNDS).collect();
    check!(won == once, "rounds by winners: {won:?}");
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
