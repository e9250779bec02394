//! Stores contents and names them.

use bytes::Bytes;
use mainstay_core::{Digest, ErrorKind, Result};
use mainstay_repo::{Cut, Expectation, Layout, Transaction, Value};

use super::{Fate, Process, actor, fate, tolerate};
use crate::schedule::Chance;

const PATHS: u64 = 3;
/// Long enough to be cut.
const LARGE: usize = 17_000;
/// Where they may be cut.
const CUT: usize = 9_000;

pub(super) async fn act(process: &mut Process) {
    let path = format!("files/{}/{}", process.line, process.chance.below(PATHS));
    match process.chance.below(8) {
        0 | 1 => put_then(process, &path, None).await,
        2 => {
            // What nobody names yet, named after whatever happens meanwhile.
            let contents = contents(&mut process.chance);
            if store(process, &contents).await.is_some() {
                let other = format!("files/{}/other", process.line);
                put_then(process, &other, None).await;
                put_then(process, &path, Some(contents)).await;
            }
        }
        _ => {
            let contents = contents(&mut process.chance);
            if store(process, &contents).await.is_some() {
                put_then(process, &path, Some(contents)).await;
            }
        }
    }
}

/// Contents that share chunks, packs and manifests in all manners.
fn contents(chance: &mut Chance) -> Vec<Bytes> {
    (0..=chance.below(3))
        .map(|_| {
            if !chance.one_in(4) {
                return format!("small {}", chance.below(9)).into();
            }
            // Of two parts that others have, too.
            let (first, second) = (chance.below(4), chance.below(4));
            let first = Chance::new(first, 1).fill(CUT);
            [first, Chance::new(second, 2).fill(LARGE - CUT)]
                .concat()
                .into()
        })
        .collect()
}

/// Stores contents; `None` when it failed, or met a collection.
async fn store(process: &mut Process, contents: &[Bytes]) -> Option<()> {
    let mut ingest = process.repo.ingest();
    for content in contents {
        let stored = if content.len() == LARGE && process.chance.one_in(2) {
            let mut layout = Layout::new();
            layout.push(CUT as u64, Cut::Blocks);
            layout.push((LARGE - CUT) as u64, Cut::Blocks);
            ingest.bytes_with(content.clone(), layout).await
        } else {
            ingest.bytes(content.clone()).await
        };
        tolerate(stored, &[])?;
    }
    tolerate(ingest.finish().await, &[ErrorKind::Conflict]).map(drop)
}

/// Names contents, or deletes the ref, and keeps the ledger.
async fn put_then(process: &mut Process, path: &str, held: Option<Vec<Bytes>>) {
    let transaction = transaction(path, held.as_deref()).unwrap();
    let ledger = &process.stage.ledger;
    let attempt = ledger.lock().unwrap().attempt(path, held);
    let committed = process.repo.commit(transaction).await.map(drop);
    // A session works on threads of its own: what else the process does beside has no order.
    process.repo.settle().await;
    if let Err(error) = &committed {
        // A collection may have been there since the contents were stored.
        let expected = [
            ErrorKind::Unavailable,
            ErrorKind::Conflict,
            ErrorKind::Invalid,
        ];
        assert!(expected.contains(&error.kind()), "{error:?}");
    }
    let mut ledger = ledger.lock().unwrap();
    match fate(committed) {
        Fate::Committed => ledger.acknowledge(path, attempt),
        Fate::Refused => ledger.refuse(path, attempt),
        Fate::Unknown => {}
    }
}

fn transaction(path: &str, held: Option<&[Bytes]>) -> Result<Transaction> {
    let mut transaction = Transaction::new(actor(), "simulation");
    match held {
        Some(contents) => {
            let digests = contents.iter().map(|content| Digest::of(content));
            let value = Value::new("files", &path)?.with_blobs(digests);
            transaction.set(path.parse()?, value, Expectation::Any);
        }
        None => {
            transaction.delete(path.parse()?, Expectation::Any);
        }
    }
    Ok(transaction)
}
