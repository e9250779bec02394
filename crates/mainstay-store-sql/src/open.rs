//! Opening a database by its URL.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::Result;
use mainstay_store::Storage;

use crate::absent::postgres as open_postgres;
#[cfg(not(feature = "sqlite"))]
use crate::absent::sqlite as open_sqlite;
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

/// Opens the storage at `url`, see [`DatabaseUrl`]; the tables are made if they are absent.
///
/// | option | means | unless given |
/// |---|---|---|
/// | `namespace` | which of the workspaces in the database: 1 to 63 of `a-z 0-9 - _` | `main` |
/// | `max_object_bytes` | larger objects are refused; 1 MiB to 256 MiB | 64 MiB |
/// | `read_only` | `true` refuses writes and makes no tables | `false` |
///
/// Upper and lower case of names are the same, and what the URL says counts. Nothing is read from
/// the environment: see [`options_from_env`]. Failed operations are tried again as [`RetryStorage`](mainstay_store::RetryStorage)
/// does by default.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) for another URL, one with a password in it, or an option that the database
/// does not have; [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) when this build lacks the database's feature;
/// [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when the tables were made by a newer Mainstay;
/// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when a database that is opened to be read holds no tables.
#[tracing::instrument(name = "sql_open", skip_all, err(level = "debug"))]
pub async fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Storage>> {
    let url = DatabaseUrl::parse(url)?;
    let opened = connect(&url, options).await;
    opened.map_err(|error| error.operation("open storage").context("url", &url))
}

/// Picks from environment variables those that are options of the database at `url`; SQLite has
/// none.
///
/// # Errors
/// As [`open`], of the URL.
pub fn options_from_env(
    url: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>> {
    let known = match DatabaseUrl::parse(url)?.place {
        Place::Sqlite(_) => &[][..],
        Place::Postgres(_) => VARIABLES,
    };
    let options = variables.into_iter().filter_map(|(name, value)| {
        let (_, option) = known.iter().find(|(variable, _)| *variable == name)?;
        Some(((*option).to_owned(), value))
    });
    Ok(options.collect())
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
