//! Opening a database by its URL.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::Result;
use mainstay_store::Storage;

#[cfg(not(feature = "postgres"))]
use crate::absent::postgres as open_postgres;
#[cfg(not(feature = "sqlite"))]
use crate::absent::sqlite as open_sqlite;
#[cfg(feature = "postgres")]
use crate::postgres::open as open_postgres;
#[cfg(feature = "sqlite")]
use crate::sqlite::open as open_sqlite;
use crate::url::{DatabaseUrl, Place};

/// The environment variables of PostgreSQL's own tools, and the options they stand for.
const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGPORT", "port"),
    ("PGDATABASE", "database"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGAPPNAME", "application_name"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
];

/// Opens the storage in the database at `url`.
///
/// A SQLite file is made if it is absent, in a directory that is there. The tables of a PostgreSQL
/// database are made by the first write.
///
/// | option | means | unless given |
/// |---|---|---|
/// | `namespace` | which of the workspaces in the database: 1 to 63 of `a-z 0-9 - _` | `main` |
/// | `max_object_bytes` | larger objects are refused; 1 MiB to 256 MiB | 64 MiB |
/// | `read_only` | `true` refuses writes, and reads a PostgreSQL standby, which lags behind | `false` |
///
/// PostgreSQL also has these, named as its own tools do:
///
/// | option | means | unless given |
/// |---|---|---|
/// | `host`, `port`, `database`, `user` | what the URL leaves out | `localhost`, 5432, none, the system's user |
/// | `password` | the password | none |
/// | `sslmode` | `require` or `verify-full`: encrypted, with the server's certificate and name verified; `prefer`: so if the server offers it; `disable` | `require`; `disable` for a Unix socket and the loopback device |
/// | `sslrootcert` | a PEM file of the certificates to trust | the system's |
/// | `connect_timeout` | seconds | 10 |
/// | `application_name` | what the server calls the sessions | `mainstay` |
/// | `max_connections` | at most so many connections, 1 to 1000 | 8 |
///
/// Upper and lower case of names are the same, and what the URL says wins. Nothing is read from the
/// environment: see [`options_from_env`]. Failed operations are tried again as
/// [`RetryStorage`](mainstay_store::RetryStorage) does by default.
///
/// Sessions have settings of their own, so a pooler between client and server must pool sessions,
/// not transactions.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) for an option that the database does
/// not have, or a bad value;
/// [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) when this build lacks the
/// database's feature;
/// [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when the tables were made by
/// a newer Mainstay, or no encrypted connection can be made;
/// [`ErrorKind::Unavailable`](mainstay_core::ErrorKind::Unavailable) when the server cannot be
/// reached, or is a standby that was to be written.
#[tracing::instrument(name = "sql_open", skip_all, err(level = "debug"))]
pub async fn open(
    url: &DatabaseUrl,
    options: &BTreeMap<String, String>,
) -> Result<Arc<dyn Storage>> {
    let opened = connect(url, options).await;
    opened.map_err(|error| error.operation("open storage").context("url", url))
}

/// Picks from environment variables those that are options of the database at `url`: none for
/// SQLite; for PostgreSQL `PGHOST`, `PGPORT`, `PGDATABASE`, `PGUSER`, `PGPASSWORD`, `PGSSLMODE`,
/// `PGSSLROOTCERT`, `PGAPPNAME` and `PGCONNECT_TIMEOUT`.
#[must_use]
pub fn options_from_env(
    url: &DatabaseUrl,
    variables: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let known = match &url.place {
        Place::Sqlite(_) => &[][..],
        Place::Postgres(_) => VARIABLES,
    };
    let options = variables.into_iter().filter_map(|(name, value)| {
        let (_, option) = known.iter().find(|(variable, _)| *variable == name)?;
        Some(((*option).to_owned(), value))
    });
    options.collect()
}

async fn connect(
    url: &DatabaseUrl,
    options: &BTreeMap<String, String>,
) -> Result<Arc<dyn Storage>> {
    let mut joined: BTreeMap<_, _> = options
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    joined.extend(url.parameters.clone());
    match &url.place {
        Place::Sqlite(file) => open_sqlite(file, joined).await,
        Place::Postgres(server) => open_postgres(server, joined).await,
    }
}
