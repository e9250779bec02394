//! Opening by URL.

use std::collections::BTreeMap;

use mainstay_core::ErrorKind;
use mainstay_store_sql::{DatabaseUrl, open, options_from_env};

/// The URL of each database, its feature, and whether this build has it.
const DATABASES: [(&str, &str, bool); 2] = [
    ("sqlite:absent.db", "sqlite", cfg!(feature = "sqlite")),
    (
        "postgres://localhost/absent",
        "postgres",
        cfg!(feature = "postgres"),
    ),
];

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_database_that_is_not_built_in_is_unsupported_and_its_feature_named() {
    for (url, feature, _) in DATABASES.iter().filter(|(_, _, built)| !built) {
        let url = DatabaseUrl::parse(url).unwrap();
        let error = open(&url, &options(&[])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let named = error
            .contexts()
            .any(|context| context == ("feature", feature));
        assert!(named, "{error}");
    }
}

#[tokio::test]
async fn an_option_that_the_database_does_not_have_is_named_but_not_its_value() {
    for (url, _, _) in DATABASES.iter().filter(|(_, _, built)| *built) {
        let options = options(&[("no_such_option", "5ec7e7")]);
        let url = DatabaseUrl::parse(url).unwrap();
        let error = open(&url, &options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let told = format!("{error:?}");
        assert!(
            told.contains("no_such_option") && !told.contains("5ec7e7"),
            "{told}"
        );
    }
}

#[test]
fn of_the_environment_only_options_of_the_database_are_taken() {
    let variables = [
        ("PGPASSWORD", "5ec7e7"),
        ("PGHOST", "db"),
        ("PGPASSFILE", "/root/.pgpass"),
        ("PGTZ", "UTC"),
        ("HOME", "/root"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let url = DatabaseUrl::parse("postgres://db/m").unwrap();
    let picked = options_from_env(&url, variables.clone());
    assert_eq!(picked, options(&[("password", "5ec7e7"), ("host", "db")]));
    let url = DatabaseUrl::parse("sqlite:a.db").unwrap();
    let picked = options_from_env(&url, variables);
    assert_eq!(picked, options(&[]));
}
