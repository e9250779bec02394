//! Web servers.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_hostile::{Dialect, Fault, Rule, Verb};
use mainstay_repo::{Repo, RepoOptions, Value};
use mainstay_store::{ByteRange, MemoryStorage, Prefix, PutMode, Storage as _, StorageExt as _};
use mainstay_store_object::{open, options_from_env};

use crate::server::{key, start};

#[tokio::test]
async fn a_web_server_is_read_and_listed_below_a_prefix() {
    let server = start(Dialect::WebDav).await;
    for (path, content) in [
        ("other/log/1", "not this"),
        ("Team A/log/1", "0123456789"),
        ("Team A/log/10", "ten"),
        ("Team A/log/2", "two"),
        ("Team A/pack/1", ""),
    ] {
        server.insert(path, content);
    }
    let url = format!("{}/Team%20A", server.url());
    let storage = open(&url, &server.client_options()).unwrap();
    assert_eq!(
        storage.get_all(&key("log/1")).await.unwrap().unwrap(),
        "0123456789"
    );
    for (range, part) in [
        (ByteRange::Offsets(2..4), "23"),
        (ByteRange::Offsets(8..99), "89"),
        (ByteRange::Offsets(50..99), ""),
        (ByteRange::Last(3), "789"),
    ] {
        let object = storage.get(&key("log/1"), range).await.unwrap().unwrap();
        assert_eq!((object.bytes, object.size), (part.into(), 10));
    }
    assert_eq!(storage.get_all(&key("log/3")).await.unwrap(), None);
    assert_eq!(storage.get_all(&key("pack/1")).await.unwrap().unwrap(), "");

    let listed = async |prefix: Prefix, after: Option<&str>| {
        let after = after.map(key);
        let listing = storage.list(&prefix, after.as_ref());
        let keys = listing.map_ok(|object| object.key.to_string());
        keys.try_collect::<Vec<_>>().await.unwrap()
    };
    let log = Prefix::directory("log").unwrap();
    assert_eq!(
        listed(Prefix::all(), None).await,
        ["log/1", "log/10", "log/2", "pack/1"]
    );
    assert_eq!(
        listed(log.clone(), None).await,
        ["log/1", "log/10", "log/2"]
    );
    assert_eq!(listed(log, Some("log/1")).await, ["log/10", "log/2"]);
}

#[tokio::test]
async fn a_web_server_is_never_written_to() {
    let server = start(Dialect::WebDav).await;
    let storage = open(&server.url(), &server.client_options()).unwrap();
    assert!(storage.capabilities().read_only);
    for mode in [PutMode::Create, PutMode::Overwrite] {
        let error = storage
            .put(&key("log/1"), "1".into(), mode)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
    let error = storage.delete(&key("log/1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(server.request_count(), 0);
}

#[tokio::test]
async fn a_server_that_does_not_list_says_so_at_once() {
    let server = start(Dialect::WebDav).await;
    server.insert("log/1", "1");
    server.add(
        Rule::new(Fault::Refused(405))
            .on(Verb::List)
            .times(u64::MAX),
    );
    let storage = open(&server.url(), &server.client_options()).unwrap();
    let listed: Result<Vec<_>, _> = storage.list(&Prefix::all(), None).try_collect().await;
    assert_eq!(listed.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(server.request_count(), 1);
    assert_eq!(storage.get_all(&key("log/1")).await.unwrap().unwrap(), "1");
}

#[tokio::test]
async fn a_repository_that_was_copied_to_a_web_server_is_read_there() {
    let written = Arc::new(MemoryStorage::new());
    let repo = Repo::create(Arc::clone(&written) as _, RepoOptions::default())
        .await
        .unwrap();
    let mut ingest = repo.ingest();
    let stored = ingest.bytes("weights".into()).await.unwrap();
    ingest.finish().await.unwrap();
    let value = Value::new("case", &1).unwrap().with_blobs([stored.digest]);
    crate::lost_answers::set(&repo, "case/1", value).await;

    let server = start(Dialect::WebDav).await;
    let keys = written
        .list(&Prefix::all(), None)
        .map_ok(|object| object.key);
    for key in keys.try_collect::<Vec<_>>().await.unwrap() {
        let bytes = written.get_all(&key).await.unwrap().unwrap();
        server.insert(&format!("mirror/{key}"), bytes);
    }
    let url = format!("{}/mirror", server.url());
    let storage = open(&url, &server.client_options()).unwrap();
    let mirror = Repo::open(storage, RepoOptions::default()).await.unwrap();
    assert_eq!(mirror.view().await.unwrap().seq(), 1);
    let blob = mirror.blob(&stored.digest).await.unwrap().unwrap();
    assert_eq!(blob.bytes().await.unwrap(), "weights");
}

#[test]
fn its_options_have_variables_that_no_request_can_set() {
    let variables = [
        ("MAINSTAY_HTTP_TIMEOUT", "9 seconds"),
        ("HTTP_PROXY_URL", "http://evil.example"),
        ("MAINSTAY_HTTP_NONSENSE", "1"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = options_from_env("https://server/a", variables).unwrap();
    assert_eq!(
        options.into_iter().collect::<Vec<_>>(),
        [("mainstay_http_timeout".to_owned(), "9 seconds".to_owned())]
    );
    let options = [("mainstay_http_timeout".to_owned(), "9 seconds".to_owned())].into();
    open("https://server/a", &options).map(drop).unwrap();
}
