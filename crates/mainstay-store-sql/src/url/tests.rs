use mainstay_core::ErrorKind;

use super::*;

#[test]
fn a_sqlite_url_names_a_file() {
    for (url, file) in [
        ("sqlite:models.db", "models.db"),
        ("sqlite:./a/models.db?namespace=x", "./a/models.db"),
        ("sqlite:///srv/models.db", "/srv/models.db"),
        ("sqlite:/srv/models.db", "/srv/models.db"),
        ("sqlite:///srv/team%20a/%23.db", "/srv/team a/#.db"),
    ] {
        let url = DatabaseUrl::parse(url).unwrap();
        assert_eq!(url.file(), Some(Path::new(file)));
    }
}

#[test]
fn a_postgres_url_is_shown_without_user_and_options() {
    for (url, shown) in [
        ("postgres://db/mainstay", "postgres://db/mainstay"),
        ("postgresql://ada@db:5433/m", "postgres://db:5433/m"),
        (
            "postgres://[::1]/m?sslmode=disable&namespace=x",
            "postgres://::1/m?namespace=x",
        ),
        (
            "postgres://%2Frun%2Fpostgresql/m",
            "postgres:///run/postgresql/m",
        ),
        ("postgres:///m", "postgres:///m"),
        ("postgres://", "postgres:///"),
    ] {
        assert_eq!(DatabaseUrl::parse(url).unwrap().to_string(), shown, "{url}");
    }
}

#[test]
fn user_and_options_are_read() {
    let url = DatabaseUrl::parse("postgres://a%40b@db/m?SSLMODE=disable&namespace=x").unwrap();
    let Place::Postgres(server) = &url.place else {
        panic!("{url}")
    };
    assert_eq!(server.user.as_deref(), Some("a@b"));
    let names: Vec<_> = url.parameters.keys().map(String::as_str).collect();
    assert_eq!(names, ["namespace", "sslmode"]);
}

#[test]
fn other_urls_are_refused_without_repeating_what_may_be_secret() {
    for url in [
        "5ec7e7",
        "sqlite:",
        "sqlite://",
        "sqlite://5ec7e7/a.db",
        "sqlite:a.db#5ec7e7",
        "sqlite:a.db?5ec7e7",
        "sqlite:a%00.db",
        "sqlite:%ff.db",
        "http://5ec7e7/a",
        "postgres:5ec7e7",
        "postgres://ada:5ec7e7@db/m",
        "postgres://:5ec7e7@db/m",
        "postgres://db/m?password=5ec7e7",
        "postgres://db/m?PassWord=5ec7e7",
        "postgres://db/m?p%61ssword=5ec7e7",
        "postgres://db/m?sslmode=5ec7e7&sslmode=a",
        "postgres://db:5ec7e7/m",
        "postgres://db/m#5ec7e7",
    ] {
        let error = DatabaseUrl::parse(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
        assert!(!format!("{error:?}").contains("5ec7e7"), "{error:?}");
    }
}
