use mainstay_core::{Actor, ErrorKind, Timestamp, WriteId};

use super::*;
use crate::log::entry::Entry;
use crate::log::entry::EntryFormat;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(seconds * 1_000_000)
}

fn change(path: &str, generation: u64, previous: Option<u64>) -> LoggedChange {
    LoggedChange {
        path: path.parse().unwrap(),
        generation,
        previous,
        value: None,
    }
}

fn logged(key: Option<&str>, changes: Vec<LoggedChange>) -> Logged {
    Logged {
        actor: Actor::new("ada").unwrap(),
        reason: String::new(),
        idempotency_key: key.map(str::to_owned),
        request: key.map(|_| Digest::of(b"")),
        changes,
    }
}

fn following(view: &View, transactions: Vec<Logged>) -> Entry {
    Entry {
        format: EntryFormat::V1,
        seq: view.seq + 1,
        prev: view.entry,
        time: at(10).max(view.time),
        write_id: WriteId::from_bytes([0; 16]),
        transactions,
    }
}

fn stored(entry: Entry) -> Stored {
    let digest = Digest::of(&entry.encode().unwrap());
    Stored { entry, digest }
}

/// A view with one ref at generation 1 and one used key.
fn one() -> View {
    let view = View::empty();
    let first = following(&view, vec![logged(Some("k"), vec![change("a/b", 1, None)])]);
    view.apply(stored(first)).unwrap()
}

#[test]
fn an_entry_that_follows_moves_the_view() {
    let view = one();
    let entry = following(&view, vec![logged(None, vec![change("a/b", 2, Some(1))])]);
    let next = view.apply(stored(entry)).unwrap();
    assert_eq!(
        (
            next.seq,
            next.state(&"a/b".parse().unwrap())
                .unwrap()
                .unwrap()
                .generation
        ),
        (2, 2)
    );
    assert_eq!(view.seq, 1);
}

#[test]
fn transactions_of_one_entry_take_effect_in_order() {
    let view = one();
    let changes = |generation, previous| {
        vec![logged(
            None,
            vec![change("a/b", generation, Some(previous))],
        )]
    };
    let both = [changes(2, 1), changes(3, 2)].concat();
    let next = view.apply(stored(following(&view, both))).unwrap();
    assert_eq!(
        next.state(&"a/b".parse().unwrap())
            .unwrap()
            .unwrap()
            .generation,
        3
    );
}

#[test]
fn entries_that_do_not_follow_are_corrupt() {
    let view = one();
    let good = following(&view, vec![logged(None, vec![change("a/c", 1, None)])]);
    let with = |edit: &dyn Fn(&mut Entry)| {
        let mut entry = good.clone();
        edit(&mut entry);
        entry
    };
    let cases = [
        with(&|entry| entry.seq = 3),
        with(&|entry| entry.prev = Some(Digest::of(b"forged"))),
        with(&|entry| entry.time = at(9)),
        with(&|entry| entry.transactions = vec![logged(Some("k"), vec![change("a/c", 1, None)])]),
        with(&|entry| entry.transactions[0].changes = vec![change("a/b", 3, Some(1))]),
        with(&|entry| entry.transactions[0].changes = vec![change("a/b", 2, Some(2))]),
        with(&|entry| entry.transactions[0].changes = vec![change("a/b", 1, None)]),
        with(&|entry| entry.transactions[0].changes = vec![change("a/c", 2, Some(1))]),
    ];
    for (number, entry) in cases.into_iter().enumerate() {
        let key = entry::key(entry.seq).to_string();
        let error = view.apply(stored(entry)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "case {number}");
        assert!(error.to_string().contains(&key), "{error}");
    }
    view.apply(stored(good)).unwrap();
}
