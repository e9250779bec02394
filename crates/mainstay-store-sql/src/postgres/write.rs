//! Writing.

use bytes::Bytes;
use deadpool_postgres::Client;
use mainstay_core::Result;
use mainstay_store::{Key, PutOutcome};

use super::error::{failure, write_failure};
use crate::tables::chunk;

/// Creates an object in one statement, so that a client that stalls holds no lock.
pub(super) async fn create(
    client: &Client,
    namespace: &str,
    key: &Key,
    bytes: &Bytes,
) -> Result<PutOutcome> {
    let (key, size) = (key.as_str(), size(bytes));
    let mut rows = chunk::rows(bytes);
    let head = rows.next().unwrap_or_default();
    let rest: Vec<Bytes> = rows.collect();
    let written = if rest.is_empty() {
        let statement = "
            INSERT INTO mainstay.object (namespace, key, size, head) VALUES ($1, $2, $3, $4)
            ON CONFLICT (namespace, key) DO NOTHING";
        let statement = client.prepare_cached(statement).await;
        let statement = statement.map_err(|error| failure(&error))?;
        client
            .execute(&statement, &[&namespace, &key, &size, &head.as_ref()])
            .await
    } else {
        let statement = "
            WITH created AS (
                INSERT INTO mainstay.object (namespace, key, size, head) VALUES ($1, $2, $3, $4)
                ON CONFLICT (namespace, key) DO NOTHING RETURNING id
            )
            INSERT INTO mainstay.chunk (object, number, bytes)
            SELECT created.id, rest.number, rest.bytes
            FROM created, unnest($5::bytea[]) WITH ORDINALITY AS rest (bytes, number)";
        let statement = client.prepare_cached(statement).await;
        let statement = statement.map_err(|error| failure(&error))?;
        let rest: Vec<&[u8]> = rest.iter().map(AsRef::as_ref).collect();
        client
            .execute(
                &statement,
                &[&namespace, &key, &size, &head.as_ref(), &rest],
            )
            .await
    };
    match written.map_err(|error| write_failure(&error))? {
        0 => Ok(PutOutcome::Exists),
        _ => Ok(PutOutcome::Written),
    }
}

/// Creates or replaces an object.
pub(super) async fn overwrite(
    client: &mut Client,
    namespace: &str,
    key: &Key,
    bytes: &Bytes,
) -> Result<PutOutcome> {
    let mut rows = chunk::rows(bytes);
    let head = rows.next().unwrap_or_default();
    let written = async {
        let transaction = client.transaction().await?;
        // From here on the row is locked, whoever made it. Its chunks are deleted by a statement of
        // their own, which sees those of a writer that this one waited for.
        let statement = "
            INSERT INTO mainstay.object (namespace, key, size, head) VALUES ($1, $2, $3, $4)
            ON CONFLICT (namespace, key) DO UPDATE SET size = excluded.size, head = excluded.head
            RETURNING id";
        let statement = transaction.prepare_cached(statement).await?;
        let (key, size) = (key.as_str(), size(bytes));
        let object: i64 = transaction
            .query_one(&statement, &[&namespace, &key, &size, &head.as_ref()])
            .await?
            .try_get(0)?;
        let statement = "DELETE FROM mainstay.chunk WHERE object = $1";
        let statement = transaction.prepare_cached(statement).await?;
        transaction.execute(&statement, &[&object]).await?;
        let statement = "INSERT INTO mainstay.chunk (object, number, bytes) VALUES ($1, $2, $3)";
        for (row, number) in rows.zip(1_i64..) {
            let statement = transaction.prepare_cached(statement).await?;
            transaction
                .execute(&statement, &[&object, &number, &row.as_ref()])
                .await?;
        }
        transaction.commit().await
    };
    let written: Result<(), tokio_postgres::Error> = written.await;
    written.map_err(|error| write_failure(&error))?;
    Ok(PutOutcome::Written)
}

pub(super) async fn delete(client: &Client, namespace: &str, key: &Key) -> Result<()> {
    let statement = "DELETE FROM mainstay.object WHERE namespace = $1 AND key = $2";
    let statement = client.prepare_cached(statement).await;
    let statement = statement.map_err(|error| failure(&error))?;
    client
        .execute(&statement, &[&namespace, &key.as_str()])
        .await
        .map_err(|error| write_failure(&error))?;
    Ok(())
}

/// Objects are limited to far less than what does not fit.
fn size(bytes: &Bytes) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}
