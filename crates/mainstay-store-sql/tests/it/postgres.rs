//! PostgreSQL, on the server of `MAINSTAY_TEST_POSTGRES_URL`.
//!
//! The role must be able to create databases and to end the sessions of others. Without the
//! variable every test says that it is skipped, and passes.

mod conformance;
mod format;
mod interrupted;
mod objects;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use mainstay_core::{IdSource as _, RandomIds, Result};
use mainstay_store::Storage;
use mainstay_store_sql::DatabaseUrl;
use tokio_postgres::{Client, NoTls};

const URL: &str = "MAINSTAY_TEST_POSTGRES_URL";

/// The server's URL, or `None` after saying that the test is skipped.
fn server() -> Option<String> {
    let url = std::env::var(URL).ok();
    if url.is_none() {
        let mut stdout = std::io::stdout().lock();
        writeln!(
            stdout,
            "skipped: {URL} is not set, so PostgreSQL was not tested"
        )
        .unwrap();
    }
    url
}

/// A name that no other test and no other run has.
fn unique() -> String {
    let id = RandomIds::default().write_id().unwrap().to_string();
    format!("t{}", &id.to_ascii_lowercase()[..16])
}

/// The URL with options.
fn with(url: &str, options: &[(&str, &str)]) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.query_pairs_mut().extend_pairs(options);
    url.to_string()
}

/// The URL of a namespace that no one else uses.
fn namespace(url: &str) -> String {
    with(url, &[("namespace", &unique())])
}

async fn open(url: &str) -> Result<Arc<dyn Storage>> {
    mainstay_store_sql::open(&DatabaseUrl::parse(url)?, &BTreeMap::new()).await
}

/// A session beside the storage's own.
async fn session(url: &str) -> Client {
    let mut url = url::Url::parse(url).unwrap();
    url.set_query(None);
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await.unwrap();
    // Ends when the client is dropped, or is ended.
    tokio::spawn(async { connection.await.is_ok() });
    client
}

/// A database of a test's own, dropped in the end.
struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    async fn create(server: &str) -> Self {
        let name = unique();
        let session = session(server).await;
        let statement = format!("CREATE DATABASE {name} TEMPLATE template0");
        session.batch_execute(&statement).await.unwrap();
        let mut url = url::Url::parse(server).unwrap();
        url.set_path(&name);
        Self {
            server: server.to_owned(),
            name,
            url: url.to_string(),
        }
    }

    async fn drop(self) {
        let session = session(&self.server).await;
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        session.batch_execute(&statement).await.unwrap();
    }
}
