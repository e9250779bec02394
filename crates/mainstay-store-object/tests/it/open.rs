//! Opening by URL, without a request.

use std::collections::BTreeMap;

use mainstay_core::ErrorKind;
use mainstay_store_object::{open, options_from_env};

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The URL of each service.
const SERVICES: [&str; 4] = [
    "s3://bucket/a",
    "gs://bucket/a",
    "az://container/a",
    "https://server/a",
];

#[test]
fn an_option_that_the_service_does_not_have_is_named_but_not_its_value() {
    for url in SERVICES {
        let error = open(url, &options(&[("no_such_option", "5ec7e7")])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let told = format!("{error:?}");
        assert!(
            told.contains("no_such_option") && !told.contains("5ec7e7"),
            "{told}"
        );
    }
}

mod s3 {
    use super::*;

    #[test]
    fn options_of_the_service_are_taken_in_either_case_and_the_backend_is_named() {
        let options = options(&[("AWS_REGION", "eu-north-1"), ("aws_skip_signature", "true")]);
        let storage = open("s3://bucket/Some/prefix", &options).unwrap();
        let capabilities = storage.capabilities();
        assert_eq!(capabilities.backend, "s3");
        assert!(capabilities.durable && capabilities.shared && !capabilities.read_only);
    }

    #[test]
    fn an_option_with_a_bad_value_is_refused_without_repeating_it() {
        let error = open("s3://bucket", &options(&[("timeout", "5ec7e7")])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let told = format!("{error:?}");
        assert!(
            told.contains("Duration") && !told.contains("5ec7e7"),
            "{told}"
        );
    }

    #[test]
    fn of_the_environment_only_options_of_the_service_are_taken() {
        let variables = [
            ("AWS_REGION", "eu-north-1"),
            ("AWS_PAGER", "less"),
            ("HOME", "/root"),
            ("REGION", "elsewhere"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let picked = options_from_env("s3://bucket", variables).unwrap();
        assert_eq!(picked, options(&[("aws_region", "eu-north-1")]));
    }
}

#[test]
fn azure_opens_with_an_account_and_needs_one() {
    let account = options(&[("azure_storage_account_name", "account")]);
    assert_eq!(
        open("az://container/a", &account)
            .unwrap()
            .capabilities()
            .backend,
        "azure"
    );
    let error = open("az://container/a", &options(&[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn gcs_opens_without_credentials_for_public_buckets() {
    let public = options(&[("google_skip_signature", "true")]);
    assert_eq!(
        open("gs://bucket/a", &public)
            .unwrap()
            .capabilities()
            .backend,
        "gcs"
    );
}
