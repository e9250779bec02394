//! What a version adds to the storage of which one block of a hundred changed.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use mainstay_core::Actor;
use mainstay_repo::{CommitOutcome, Expectation, Repo, Transaction, Value};

use crate::inputs::{self, Random, SEED};

const BLOCK_BYTES: usize = 1 << 20;
const BLOCKS: usize = 100;
/// Which block changes.
const CHANGED: usize = 50;

/// Everything below the storage's root counts: packs, indexes, log and checkpoints.
pub(crate) async fn measure(repo: &Repo, root: &Path) {
    let random = &mut Random(SEED);
    let mut weights = inputs::weights(random, BLOCKS * BLOCK_BYTES, 2);
    let empty = bytes_below(root);
    commit(repo, 1, weights.clone()).await;
    let first = bytes_below(root) - empty;
    let block = inputs::weights(random, BLOCK_BYTES, 2);
    weights[CHANGED * BLOCK_BYTES..][..BLOCK_BYTES].copy_from_slice(&block);
    commit(repo, 2, weights).await;
    let second = bytes_below(root) - empty - first;
    println!(
        "{BLOCKS} MiB of weights of 2 bytes, one block of 1 MiB changed: {second} bytes more, {:.2} % of the bytes, \
         {:.2} % of the {first} bytes stored before (bar 1.3 %)",
        percent(second, (BLOCKS * BLOCK_BYTES) as u64),
        percent(second, first),
    );
}

async fn commit(repo: &Repo, version: u64, bytes: Vec<u8>) {
    let mut ingest = repo.ingest();
    let stored = ingest.bytes(Bytes::from(bytes)).await.unwrap();
    ingest.finish().await.unwrap();
    let mut value = Value::new("model.version", &version).unwrap();
    value.blobs.push(stored.digest);
    let mut transaction = Transaction::new(Actor::new("bench").unwrap(), "register");
    let path = format!("model/m/version/{version:07}").parse().unwrap();
    transaction.set(path, value, Expectation::Absent);
    match repo.commit(transaction).await.unwrap() {
        CommitOutcome::Committed(_) => repo.settle().await,
        CommitOutcome::Conflict(conflict) => panic!("{conflict:?}"),
    }
}

fn bytes_below(path: &Path) -> u64 {
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
    let sizes = entries.map(|entry| {
        if entry.file_type().unwrap().is_dir() {
            bytes_below(&entry.path())
        } else {
            entry.metadata().unwrap().len()
        }
    });
    sizes.sum()
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}
