use std::path::Path;

use bytes::Bytes;
use mainstay_store::{Key, PutMode};

use super::*;
use crate::sqlite::connection::{self, Purpose};
use crate::sqlite::schema;

fn opened(file: &Path) -> Connection {
    let mut connection = connection::open(file, Purpose::Write).unwrap();
    schema::prepare(&mut connection).unwrap();
    connection
}

fn put(key: &str, bytes: Bytes) -> Change {
    Change::Put(Key::new(key).unwrap(), bytes, PutMode::Create)
}

fn job(change: Change) -> (Job, oneshot::Receiver<Result<PutOutcome>>) {
    let (answer, answered) = oneshot::channel();
    (Job { change, answer }, answered)
}

#[test]
fn a_change_that_fails_takes_nobody_down_who_shares_its_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = opened(&dir.path().join("a.db"));
    // Room for small objects only.
    connection
        .pragma_update(None, "max_page_count", 40)
        .unwrap();
    let changes = [
        put("a", "small".into()),
        put("b", vec![0; 3 << 20].into()),
        put("a", "again".into()),
        Change::Delete(Key::new("absent").unwrap()),
    ];
    let (batch, answers): (Vec<_>, Vec<_>) = changes.into_iter().map(job).unzip();
    write(&mut connection, "main", batch);
    let mut answers = answers
        .into_iter()
        .map(|mut answer| answer.try_recv().unwrap());
    assert_eq!(answers.next().unwrap().unwrap(), PutOutcome::Written);
    let full = answers.next().unwrap().unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Unavailable);
    assert!(full.message().contains("space") && !full.is_ambiguous());
    assert_eq!(answers.next().unwrap().unwrap(), PutOutcome::Exists);
    assert_eq!(answers.next().unwrap().unwrap(), PutOutcome::Written);
}

#[test]
fn waiting_changes_share_a_transaction_up_to_a_size() {
    let (sender, mut jobs) = mpsc::channel(BATCH_CHANGES);
    let large = || Bytes::from(vec![0; BATCH_BYTES / 2]);
    let changes = [
        put("a", large()),
        put("b", large()),
        put("c", large()),
        put("d", "small".into()),
    ];
    for change in changes {
        sender.try_send(job(change).0).unwrap();
    }
    let mut batches = Vec::new();
    while let Ok(first) = jobs.try_recv() {
        batches.push(gather(first, &mut jobs).len());
    }
    assert_eq!(batches, [2, 2]);
}

#[test]
fn a_lock_that_stays_held_is_an_error_that_may_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    let mut connection = opened(&file);
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let mut other = opened(&file);
    let lock = other
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    let (held, mut answer) = job(put("a", "first".into()));
    write(&mut connection, "main", vec![held]);
    let error = answer.try_recv().unwrap().unwrap_err();
    assert!(error.is_retryable() && !error.is_ambiguous(), "{error:?}");
    drop(lock);
    let (free, mut answer) = job(put("a", "first".into()));
    write(&mut connection, "main", vec![free]);
    let outcome = answer.try_recv().unwrap().unwrap();
    assert_eq!(outcome, PutOutcome::Written);
}
