//! The tables on the server; `docs/formats/sql-storage.md` is their description.

use deadpool_postgres::{Client, GenericClient};
use mainstay_core::Result;

use super::error::failure;
use crate::tables::format;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE mainstay.format (version bigint NOT NULL);
    INSERT INTO mainstay.format VALUES (1);
    CREATE TABLE mainstay.object (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        namespace text COLLATE \"C\" NOT NULL,
        key text COLLATE \"C\" NOT NULL,
        size bigint NOT NULL,
        head bytea NOT NULL
    );
    CREATE UNIQUE INDEX object_key ON mainstay.object (namespace, key) INCLUDE (size);
    CREATE TABLE mainstay.chunk (
        object bigint NOT NULL REFERENCES mainstay.object ON DELETE CASCADE,
        number bigint NOT NULL,
        bytes bytea NOT NULL,
        PRIMARY KEY (object, number)
    );
    ALTER TABLE mainstay.object ALTER COLUMN head SET STORAGE EXTERNAL;
    ALTER TABLE mainstay.chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;
"];

/// Held while the tables are made; the number is the same in every process.
const LOCK: i64 = 0x6d61_696e_7374_6179;

/// Makes or migrates the tables where that is needed, once among all processes that try.
pub(super) async fn prepare(client: &mut Client) -> Result<()> {
    let transaction = client
        .transaction()
        .await
        .map_err(|error| failure(&error))?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await
        .map_err(|error| failure(&error))?;
    let found = version(&transaction).await?;
    let steps = format::missing(found, MIGRATIONS)?;
    if steps.is_empty() {
        return Ok(());
    }
    make_schema(&transaction)
        .await
        .map_err(|error| failure(&error))?;
    for step in steps {
        let made = transaction.batch_execute(step).await;
        made.map_err(|error| failure(&error))?;
    }
    transaction
        .execute(
            "UPDATE mainstay.format SET version = $1",
            &[&format::VERSION],
        )
        .await
        .map_err(|error| failure(&error))?;
    transaction.commit().await.map_err(|error| failure(&error))
}

/// Reports whether the tables are there and need no migration.
///
/// # Errors
/// [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when they are newer.
pub(super) async fn are_there(client: &Client) -> Result<bool> {
    let found = version(client).await?;
    Ok(format::missing(found, MIGRATIONS)?.is_empty())
}

async fn version(client: &impl GenericClient) -> Result<i64> {
    let read = async {
        // Asked of the catalog, whose tables show what others have committed; `to_regclass` may
        // answer from a cache.
        let there = "
            SELECT EXISTS (
                SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE nspname = 'mainstay' AND relname = 'format'
            )";
        if !client.query_one(there, &[]).await?.try_get(0)? {
            return Ok(0);
        }
        let row = client
            .query_opt("SELECT version FROM mainstay.format", &[])
            .await?;
        // The table is made and filled at once, so an empty one is damage.
        row.map_or(Ok(-1), |row| row.try_get(0))
    };
    read.await.map_err(|error| failure(&error))
}

/// An administrator may have made it for a role that must not.
async fn make_schema(client: &impl GenericClient) -> Result<(), tokio_postgres::Error> {
    let there = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'mainstay')";
    if client.query_one(there, &[]).await?.try_get(0)? {
        return Ok(());
    }
    client.batch_execute("CREATE SCHEMA mainstay").await
}
