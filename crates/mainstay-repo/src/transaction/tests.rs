use proptest::prelude::*;

use super::*;

fn transaction(actor: &str, reason: &str, paths: &[&str]) -> Transaction {
    let mut transaction = Transaction::new(Actor::new(actor).unwrap(), reason);
    for path in paths {
        let value = Value::new("note", path).unwrap();
        transaction.set(path.parse().unwrap(), value, Expectation::Any);
    }
    transaction.idempotency_key("key");
    transaction
}

fn request(transaction: &Transaction) -> Digest {
    transaction.validated_request().unwrap().unwrap()
}

#[test]
fn a_request_is_what_is_asked_not_by_whom_why_or_in_which_order() {
    let a = transaction("ada", "first try", &["a/b", "a/c"]);
    let b = transaction("grace", "again", &["a/c", "a/b"]);
    assert_eq!(request(&a), request(&b));
    let mut other = a.clone();
    other.check("a/d".parse().unwrap(), Expectation::Absent);
    assert_ne!(request(&a), request(&other));
    let mut other = a.clone();
    other.changes[0].expectation = Expectation::Absent;
    assert_ne!(request(&a), request(&other));
    let mut other = a.clone();
    other.changes[0].action = Action::Delete;
    assert_ne!(request(&a), request(&other));
}

#[test]
fn bad_transactions_are_invalid() {
    let empty = transaction("ada", "", &[]);
    let mut checks = empty.clone();
    checks.check("a/b".parse().unwrap(), Expectation::Absent);
    let mut twice = transaction("ada", "", &["a/b"]);
    twice.check("a/b".parse().unwrap(), Expectation::Any);
    let long = transaction("ada", &"x".repeat(4_097), &["a/b"]);
    let mut key = transaction("ada", "", &["a/b"]);
    key.idempotency_key("k".repeat(257));
    for bad in [empty, checks, twice, long, key] {
        let error = bad.validated_request().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad:?}");
    }
}

#[test]
fn a_conflict_says_what_was_expected_and_found() {
    let conflict = Conflict {
        path: "a/b".parse().unwrap(),
        expected: Expectation::Generation(3),
        current: Some(RefState {
            value: None,
            generation: 4,
            seq: 9,
            time: Timestamp::UNIX_EPOCH,
        }),
    };
    let text = conflict.into_error().to_string();
    for part in ["a/b", "generation 3", "deleted, generation 4"] {
        assert!(text.contains(part), "{text}");
    }
}

proptest! {
    #[test]
    fn blobs_and_edges_are_stored_in_order(bytes in prop::collection::vec(any::<[u8; 32]>(), 0..6)) {
        let mut value = Value::new("note", &1).unwrap();
        value.blobs = bytes.into_iter().map(Digest::from_bytes).collect();
        let mut transaction = transaction("ada", "", &[]);
        transaction.set("a/b".parse().unwrap(), value, Expectation::Any);
        let Action::Set(value) = &transaction.changes[0].action else { unreachable!() };
        prop_assert!(value.check().is_ok());
    }
}
