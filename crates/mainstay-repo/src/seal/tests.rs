use mainstay_store::{MemoryStorage, StorageExt as _};
use proptest::prelude::*;
use serde_json::json;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: Format,
    text: String,
}

fn record(text: &str) -> Record {
    Record {
        format: Format,
        text: text.into(),
    }
}

fn key() -> Key {
    Key::new("log/1").unwrap()
}

/// Seals any object, as a later version or a forger would.
fn sealed(body: &serde_json::Value) -> Bytes {
    encode(body).unwrap()
}

#[test]
fn a_seal_is_the_digest_of_the_rest() {
    let bytes = encode(&record("é")).unwrap();
    let body = br#"{"format":1,"text":"\xc3\xa9"}"#;
    let body = String::from_utf8_lossy(body).replace("\\xc3\\xa9", "é");
    let check = Digest::of(body.as_bytes());
    assert_eq!(
        bytes,
        format!("{{\"check\":\"{check}\",{}", &body[1..]).as_bytes()
    );
    assert_eq!(decode::<Record>(&key(), &bytes).unwrap(), record("é"));
}

#[test]
fn a_newer_format_is_incompatible_sealed_or_not() {
    let newer = json!({"format": 2, "text": 7, "more": []});
    for bytes in [sealed(&newer), newer.to_string().into()] {
        let error = decode::<Record>(&key(), &bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        let text = error.to_string();
        assert!(
            text.contains("format 2") && text.contains('1') && text.contains("log/1"),
            "{text}"
        );
    }
}

#[test]
fn what_is_not_exactly_the_record_is_corrupt() {
    let bodies = [
        json!({"format": 0, "text": ""}),
        json!({"format": 1}),
        json!({"format": 1, "text": "", "more": 1}),
        json!({"format": "1", "text": ""}),
        json!({"text": ""}),
    ];
    let good = encode(&record("")).unwrap();
    let spaced = [&good[..good.len() - 1], b" }"].concat();
    let mut all: Vec<Bytes> = bodies.iter().map(sealed).collect();
    all.extend([spaced.into(), Bytes::new(), "{}".into(), good.slice(1..)]);
    for bytes in all {
        let error = decode::<Record>(&key(), &bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bytes:?}");
        assert!(error.to_string().contains("log/1"), "{error}");
    }
}

#[tokio::test]
async fn an_object_over_the_limit_is_refused_unread() {
    let storage = MemoryStorage::new();
    storage
        .create(&key(), vec![b' '; 11].into())
        .await
        .map(drop)
        .unwrap();
    let error = read(&storage, &key(), 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(read(&storage, &key(), 11).await.unwrap().unwrap().len(), 11);
}

proptest! {
    #[test]
    fn every_flipped_bit_is_found(text in ".{0,40}", at: prop::sample::Index, bit in 0_u8..8) {
        let mut bytes = encode(&record(&text)).unwrap().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(decode::<Record>(&key(), &bytes).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes: Vec<u8>) {
        prop_assert!(decode::<Record>(&key(), &bytes).is_err());
    }
}
