//! Options that decide how a service is reached.

use std::collections::BTreeMap;

use mainstay_core::ErrorKind;
use mainstay_hostile::Dialect;
use mainstay_store::{PutOutcome, StorageExt as _};
use mainstay_store_object::{connect, open};

use crate::server::{SERVICES, key, start};

fn with(options: &BTreeMap<String, String>, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut options = options.clone();
    for &(name, value) in changes {
        options.insert(name.to_owned(), value.to_owned());
    }
    options
}

#[tokio::test]
async fn plain_http_is_refused_unless_allowed_and_the_error_says_how() {
    let everything = [SERVICES.as_slice(), &[Dialect::WebDav]].concat();
    for dialect in everything {
        let server = start(dialect).await;
        let allowed = server.client_options();
        let mut options = allowed.clone();
        options.remove("allow_http");
        // Who names the emulator has said enough.
        options.remove("azure_storage_use_emulator");
        let options = with(
            &options,
            match dialect {
                Dialect::Azure => &[("azure_storage_account_name", "devstoreaccount1")],
                _ => &[],
            },
        );
        for forbidden in [options.clone(), with(&options, &[("allow_http", "false")])] {
            let error = open(&server.url(), &forbidden).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{dialect:?}");
            let told = format!("{error:?}");
            assert!(
                told.contains("allow_http") && !told.contains("5ec7e7"),
                "{told}"
            );
        }
        assert_eq!(server.request_count(), 0);
        open(&server.url(), &allowed).map(drop).unwrap();
    }
}

#[tokio::test]
async fn an_endpoint_hidden_in_a_key_file_is_found_out_by_the_first_request() {
    let server = start(Dialect::Gcs).await;
    let endpoint = server.endpoint();
    let service_account = format!(
        r#"{{"disable_oauth":true,"gcs_base_url":"{endpoint}","client_email":"","private_key":"","private_key_id":""}}"#
    );
    let options = [("google_service_account_key".to_owned(), service_account)].into();
    let storage = open(&server.url(), &options).unwrap();
    let error = storage.create(&key("log/1"), "1".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("allow_http") && !error.is_ambiguous(),
        "{error:?}"
    );
    assert_eq!(server.request_count(), 0);
}

#[tokio::test]
async fn requests_go_through_a_proxy_but_not_to_who_is_excluded() {
    let server = start(Dialect::S3).await;
    let proxied = with(
        &server.client_options(),
        &[
            ("aws_endpoint", "http://s3.invalid"),
            ("proxy_url", &server.endpoint()),
        ],
    );
    // Nobody has that name, so what arrives came through the proxy.
    let storage = connect(&server.url(), &proxied).unwrap();
    let created = storage.create(&key("log/1"), "1".into()).await.unwrap();
    assert_eq!((created, server.objects().len()), (PutOutcome::Written, 1));

    let excluded = with(&proxied, &[("proxy_excludes", "s3.invalid")]);
    let storage = connect(&server.url(), &excluded).unwrap();
    let error = storage.get_all(&key("log/1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn the_emulator_is_reached_at_an_endpoint_with_or_without_the_account_in_it() {
    let server = start(Dialect::Azure).await;
    let options = server.client_options();
    for (number, endpoint) in ["", "/", "/devstoreaccount1", "/devstoreaccount1/"]
        .into_iter()
        .enumerate()
    {
        let endpoint = format!("{}{endpoint}", server.endpoint());
        let storage = connect(
            &server.url(),
            &with(&options, &[("azure_endpoint", &endpoint)]),
        );
        let log = key(&format!("log/{number}"));
        let created = storage.unwrap().create(&log, "1".into()).await.unwrap();
        assert_eq!(created, PutOutcome::Written, "{endpoint}");
    }
    // As a service with an account, it needs the permission.
    let service = [
        ("azure_storage_account_name", "devstoreaccount1"),
        ("azure_storage_account_key", "c2VjcmV0"),
        (
            "azure_endpoint",
            &format!("{}/devstoreaccount1", server.endpoint()),
        ),
        ("azure_allow_http", "true"),
    ];
    let storage = connect(&server.url(), &with(&BTreeMap::new(), &service)).unwrap();
    assert_eq!(storage.get_all(&key("log/1")).await.unwrap().unwrap(), "1");
}
