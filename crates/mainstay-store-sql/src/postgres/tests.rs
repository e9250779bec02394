//! What is not seen from outside, on the server of `MAINSTAY_TEST_POSTGRES_URL`.

use crate::DatabaseUrl;
use crate::url;

use super::*;

async fn storage() -> Option<PostgresStorage> {
    let text = std::env::var("MAINSTAY_TEST_POSTGRES_URL").ok()?;
    let url = DatabaseUrl::parse(&text).unwrap();
    let url::Place::Postgres(server) = &url.place else {
        panic!("{url} is not of PostgreSQL")
    };
    let mut options = Options::new(BTreeMap::new());
    let settings = Settings::take(&mut options).unwrap();
    let config = Config::take(server, &mut options).unwrap();
    Some(PostgresStorage::open(&config, settings).await.unwrap())
}

#[tokio::test]
async fn sessions_wait_for_the_disk_whatever_the_server_is_set_to() {
    let Some(storage) = storage().await else {
        return;
    };
    let client = storage.writer().await.unwrap();
    // As a session begins on a server that is set to be lax.
    client
        .batch_execute("SET synchronous_commit = off")
        .await
        .unwrap();
    client.simple_query(session::SETTINGS).await.unwrap();
    for (setting, wanted) in [
        ("synchronous_commit", "on"),
        ("search_path", "pg_catalog"),
        ("default_transaction_isolation", "read committed"),
    ] {
        let query = "SELECT current_setting($1)";
        let row = client.query_one(query, &[&setting]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), wanted, "{setting}");
    }
}
