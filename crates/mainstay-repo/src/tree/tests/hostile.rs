//! Pages that others made.

use mainstay_core::canon;

use super::*;
use crate::tree::page::{Child, Page};

fn decode(bytes: &[u8]) -> Result<Page> {
    Page::decode(&Digest::of(bytes), bytes)
}

async fn stored(repo: &Repo, bytes: &[u8]) -> Digest {
    let mut ingest = repo.ingest();
    let blob = ingest.bytes(Bytes::copy_from_slice(bytes)).await.unwrap();
    ingest.finish().await.unwrap();
    blob.digest
}

fn leaf(keys: &[&str]) -> Vec<u8> {
    let entries: Vec<TreeEntry> = keys.iter().map(|key| entry(key, 1)).collect();
    canon::to_vec(&json!({ "entries": entries, "format": 1, "level": 0 })).unwrap()
}

fn branch(level: u8, pages: &[(&str, u64, Digest)]) -> Vec<u8> {
    let child = |(first, entries, page): &(&str, u64, Digest)| Child {
        entries: *entries,
        first: (*first).to_owned(),
        page: *page,
    };
    let pages: Vec<Child> = pages.iter().map(child).collect();
    canon::to_vec(&json!({ "format": 1, "level": level, "pages": pages })).unwrap()
}

#[test]
fn pages_that_break_a_rule_are_corrupt_and_newer_ones_incompatible() {
    assert!(decode(&leaf(&["a", "b"])).is_ok());
    let page = Digest::of(b"");
    assert!(decode(&branch(1, &[("a", 1, page)])).is_ok());
    let other = |text: &str| text.as_bytes().to_vec();
    for bad in [
        leaf(&[]),
        leaf(&[""]),
        leaf(&["b", "a"]),
        leaf(&["a", "a"]),
        branch(0, &[("a", 1, page)]),
        branch(16, &[("a", 1, page)]),
        branch(1, &[]),
        branch(1, &[("a", 1, page), ("a", 1, page)]),
        other(r#"{"entries":[],"format":1,"level":0,"more":1}"#),
        other(r#"{"format":1,"level":0}"#),
        other(r#"{"format":0,"level":0}"#),
        other(""),
    ] {
        let error = decode(&bad).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Corrupt,
            "{}",
            String::from_utf8_lossy(&bad)
        );
    }
    let newer = decode(br#"{"format":2,"level":0,"runs":[]}"#).unwrap_err();
    assert_eq!(newer.kind(), ErrorKind::Incompatible);
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        at in 0_usize..500,
        with in any::<u8>(),
    ) {
        drop(decode(&bytes));
        let mut page = leaf(&["a", "b", "c"]);
        let at = at % page.len();
        page[at] = with;
        if let Ok(Page::Leaf(entries)) = decode(&page) {
            prop_assert!(entries.is_sorted_by(|a, b| a.key < b.key));
        }
    }
}

#[tokio::test]
async fn what_does_not_stand_where_it_should_is_corrupt() {
    let repo = memory().await;
    let low = stored(&repo, &leaf(&["a", "b"])).await;
    let high = stored(&repo, &leaf(&["m", "z"])).await;
    let good = stored(&repo, &branch(1, &[("a", 2, low), ("m", 2, high)])).await;
    assert_eq!(all(repo.tree(&good).entries()).await.len(), 4);
    for bad in [
        branch(1, &[("a", 3, low), ("m", 2, high)]),
        branch(1, &[("A", 2, low), ("m", 2, high)]),
        branch(2, &[("a", 2, low), ("m", 2, high)]),
        // A key that belongs below the next page.
        branch(1, &[("a", 2, low), ("m", 2, high), ("n", 2, low)]),
        branch(1, &[("a", 2, Digest::of(b"not stored"))]),
    ] {
        let tree = repo.tree(&stored(&repo, &bad).await);
        let read: Result<Vec<TreeEntry>> = tree.entries().try_collect().await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
