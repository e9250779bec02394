//! Counts together with others, and commits several things at once.

use futures::future::join_all;
use mainstay_core::ErrorKind;
use mainstay_repo::{CommitOutcome, Expectation, Step, Transaction, Value};

use super::{COUNTER, Fate, Process, actor, fate};

pub(super) async fn act(process: &mut Process) {
    if process.chance.one_in(2) {
        increment(process).await;
    } else {
        several(process).await;
    }
}

/// Adds one to what everybody adds to.
async fn increment(process: &Process) {
    process.stage.ledger.lock().unwrap().begin_count();
    let counted = process.repo.transact(|view| {
        let path = COUNTER.parse()?;
        let before = view.get(&path)?.and_then(|state| state.value.as_ref());
        let before = before.map_or(0, |value| value.record.as_u64().unwrap());
        let mut transaction = Transaction::new(actor(), "count");
        transaction.set(path, Value::new("count", &(before + 1))?, Expectation::Any);
        Ok(Step::Commit(transaction, ()))
    });
    let counted = counted.await.map(drop);
    if let Err(error) = &counted {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
    let mut ledger = process.stage.ledger.lock().unwrap();
    match fate(counted) {
        Fate::Committed => ledger.count(true),
        Fate::Refused => ledger.count(false),
        Fate::Unknown => {}
    }
}

/// Commits three transactions at once, each with a key, and again if their fate is unknown.
async fn several(process: &mut Process) {
    let batch = process.chance.below(1 << 40);
    let commits = (0..3).map(|n| keyed(process, format!("{batch}-{n}"), n));
    join_all(commits).await;
}

async fn keyed(process: &Process, key: String, n: u64) {
    let path = format!("notes/{}/{n}", process.line);
    let attempt = process
        .stage
        .ledger
        .lock()
        .unwrap()
        .attempt(&path, Some(Vec::new()));
    for _ in 0..3 {
        let mut transaction = Transaction::new(actor(), "note");
        let value = Value::new("note", &key).unwrap();
        transaction
            .set(path.parse().unwrap(), value, Expectation::Any)
            .idempotency_key(&key);
        match process.repo.commit(transaction).await {
            Ok(CommitOutcome::Committed(_)) => {
                let mut ledger = process.stage.ledger.lock().unwrap();
                ledger.acknowledge(&path, attempt);
                ledger.key(key);
                return;
            }
            Ok(CommitOutcome::Conflict(conflict)) => panic!("{conflict:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
        }
    }
}
