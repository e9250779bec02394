use mainstay_core::ErrorKind;

use super::*;
use crate::DatabaseUrl;
use crate::url;

fn config(text: &str, pairs: &[(&str, &str)]) -> Result<Config> {
    let url = DatabaseUrl::parse(text).unwrap();
    let url::Place::Postgres(server) = &url.place else {
        panic!("{url}")
    };
    let pairs = pairs
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let mut options = Options::new(url.parameters.clone().into_iter().chain(pairs).collect());
    let config = Config::take(server, &mut options)?;
    options.finish()?;
    Ok(config)
}

#[test]
fn the_network_is_encrypted_unless_it_is_asked_for_otherwise() {
    for (url, encryption) in [
        ("postgres://db/m", Encryption::Required),
        ("postgres://10.0.0.1/m", Encryption::Required),
        ("postgres://localhost.example.org/m", Encryption::Required),
        ("postgres://db/m?sslmode=verify-full", Encryption::Required),
        ("postgres://db/m?sslmode=prefer", Encryption::Offered),
        ("postgres://db/m?sslmode=disable", Encryption::Off),
        ("postgres:///m", Encryption::Off),
        ("postgres://localhost/m", Encryption::Off),
        ("postgres://127.0.0.2/m", Encryption::Off),
        ("postgres://[::1]/m", Encryption::Off),
        ("postgres://%2Frun%2Fpostgresql/m", Encryption::Off),
        (
            "postgres://localhost/m?sslmode=require",
            Encryption::Required,
        ),
    ] {
        assert_eq!(config(url, &[]).unwrap().encryption, encryption, "{url}");
    }
}

#[test]
fn the_url_wins_over_the_options_and_they_over_the_defaults() {
    let options = [
        ("host", "other"),
        ("port", "1"),
        ("database", "o"),
        ("user", "u"),
    ];
    for (url, place) in [
        ("postgres://db:5433/m", "db:5433/m"),
        ("postgres://db/m", "db:1/m"),
        ("postgres:///m", "other:1/m"),
        ("postgres://", "other:1/o"),
    ] {
        assert_eq!(config(url, &options).unwrap().place.to_string(), place);
    }
    let config = config("postgres:///m", &[]).unwrap();
    assert_eq!(config.place.to_string(), "localhost:5432/m");
}

#[test]
fn what_is_missing_or_wrong_is_named_and_no_value_repeated() {
    for (url, option, value) in [
        ("postgres://db", "user", "5ec7e7"),
        ("postgres://db/m", "port", "5ec7e7"),
        ("postgres://db/m", "sslmode", "5ec7e7"),
        ("postgres://db/m", "sslmode", "allow"),
        ("postgres://db/m", "sslmode", "verify-ca"),
        ("postgres://db/m", "connect_timeout", "-5ec7e7"),
        ("postgres://db/m", "max_connections", "0"),
        ("postgres://db/m", "no_such_option", "5ec7e7"),
    ] {
        let error = config(url, &[(option, value)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{option}");
        assert!(!format!("{error:?}").contains("5ec7e7"), "{error:?}");
    }
}

#[test]
fn neither_user_nor_password_is_shown() {
    let options = [("password", "5ec7e7"), ("user", "5ec7e7")];
    let config = config("postgres://db/m", &options).unwrap();
    assert_eq!(config.client().get_password(), Some(&b"5ec7e7"[..]));
    assert!(!format!("{config:?}").contains("5ec7e7"));
}
