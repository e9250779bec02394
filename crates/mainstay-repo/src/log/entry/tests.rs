use mainstay_core::{ErrorKind, canon};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn digest() -> Digest {
    Digest::of(b"the entry before")
}

/// A good entry as JSON, without its seal.
fn good() -> Json {
    json!({
        "format": 1,
        "seq": 7,
        "prev": digest(),
        "time": "2026-01-01T00:00:00.000000Z",
        "write_id": "000102030405060708090a0b0c0d0e0f",
        "transactions": [{
            "actor": "ada",
            "reason": "why",
            "idempotency_key": "job-1",
            "request": digest(),
            "changes": [
                {"ref": "model/a/version/1", "generation": 1, "previous": null, "value": {
                    "kind": "model", "record": {"x": [1, 2.5, null]}, "blobs": [digest()],
                    "edges": [{"kind": "used", "to": "data:d@1"}],
                }},
                {"ref": "model/a/alias/best", "generation": 3, "previous": 6, "value": null},
            ],
        }],
    })
}

fn decode(json: &Json) -> Result<Entry> {
    Entry::decode(7, &seal::encode(json).unwrap())
}

#[test]
fn an_entry_round_trips() {
    let entry = decode(&good()).unwrap();
    let bytes = entry.encode().unwrap();
    assert_eq!(bytes, seal::encode(&good()).unwrap());
    assert_eq!(Entry::decode(7, &bytes).unwrap(), entry);
}

#[test]
fn every_broken_rule_is_corrupt_and_names_the_entry() {
    let cases: &[(&str, Json)] = &[
        ("/seq", json!(8)),
        ("/prev", Json::Null),
        ("/time", json!("2026-01-01T00:00:00Z")),
        ("/write_id", json!("00")),
        ("/transactions", json!([])),
        ("/transactions/0/actor", json!("")),
        ("/transactions/0/reason", json!("x".repeat(4_097))),
        ("/transactions/0/idempotency_key", json!("")),
        ("/transactions/0/idempotency_key", json!("a\nb")),
        ("/transactions/0/idempotency_key", json!("k".repeat(257))),
        ("/transactions/0/changes", json!([])),
        ("/transactions/0/changes/0/ref", json!("model")),
        ("/transactions/0/changes/0/ref", json!("model/a/alias/best")),
        (
            "/transactions/0/changes/0/ref",
            json!("model/u\u{308}/version/1"),
        ),
        ("/transactions/0/changes/0/generation", json!(0)),
        ("/transactions/0/changes/0/generation", json!(2)),
        ("/transactions/0/changes/1/generation", json!(1)),
        ("/transactions/0/changes/1/previous", json!(8)),
        ("/transactions/0/changes/1/previous", json!(0)),
        ("/transactions/0/changes/0/value/kind", json!("")),
        (
            "/transactions/0/changes/0/value/blobs",
            json!([digest(), digest()]),
        ),
        (
            "/transactions/0/changes/0/value/edges/0/to",
            json!("nothing"),
        ),
        ("/transactions/0/changes/0/value/edges/0/role", Json::Null),
    ];
    for (at, value) in cases {
        let mut json = good();
        match json.pointer_mut(at) {
            Some(place) => *place = value.clone(),
            None => json["transactions"][0]["changes"][0]["value"]["edges"][0]["role"] = Json::Null,
        }
        let error = decode(&json).expect_err(at);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{at}");
        assert!(
            error.to_string().contains("log/00000000000000000007"),
            "{error}"
        );
    }
}

#[test]
fn missing_and_unknown_members_are_corrupt() {
    let mut json = good();
    json["more"] = json!(1);
    assert_eq!(decode(&json).unwrap_err().kind(), ErrorKind::Corrupt);
    for member in ["seq", "prev", "time", "write_id", "transactions"] {
        let mut json = good();
        json.as_object_mut().unwrap().remove(member);
        assert_eq!(
            decode(&json).unwrap_err().kind(),
            ErrorKind::Corrupt,
            "{member}"
        );
    }
    for member in ["request", "idempotency_key", "reason", "changes"] {
        let mut json = good();
        json["transactions"][0]
            .as_object_mut()
            .unwrap()
            .remove(member);
        assert_eq!(
            decode(&json).unwrap_err().kind(),
            ErrorKind::Corrupt,
            "{member}"
        );
    }
}

#[test]
fn limits_refuse_before_anything_is_written() {
    let mut entry = decode(&good()).unwrap();
    let change = entry.transactions[0].changes[0].clone();
    let numbered = |number: usize| LoggedChange {
        path: format!("a/b{number}").parse().unwrap(),
        value: None,
        ..change.clone()
    };
    entry.transactions[0].changes = (0..=MAX_CHANGES).map(numbered).collect();
    assert_eq!(entry.encode().unwrap_err().kind(), ErrorKind::Invalid);
    entry.transactions[0].changes.pop();
    entry.encode().unwrap();
    let mut large = change.clone();
    large.value = Some(Value::new("x", &"y".repeat(16 << 20)).unwrap());
    entry.transactions[0].changes = vec![large];
    let error = entry.encode().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("blobs"), "{error}");
}

#[test]
fn every_single_flipped_bit_of_an_entry_is_found() {
    let bytes = seal::encode(&good()).unwrap();
    for at in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        let error = Entry::decode(7, &flipped).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible),
            "{at}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(bytes: Vec<u8>) {
        prop_assert!(Entry::decode(1, &bytes).is_err());
    }

    #[test]
    fn mutated_and_resealed_entries_decode_to_themselves_or_are_refused(
        at: prop::sample::Index, with in any::<Vec<u8>>(), cut in 0_usize..20,
    ) {
        let mut body = canon::to_vec(&good()).unwrap();
        let at = at.index(body.len());
        let end = (at + cut).min(body.len());
        body.splice(at..end, with);
        let mut sealed = format!("{{\"check\":\"{}\",", Digest::of(&body)).into_bytes();
        sealed.extend(body.into_iter().skip(1));
        if let Ok(entry) = Entry::decode(7, &sealed) {
            prop_assert_eq!(entry.encode().unwrap(), sealed);
        }
    }
}
