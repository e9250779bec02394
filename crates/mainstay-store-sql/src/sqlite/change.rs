//! Changes, as statements within a transaction.

use bytes::Bytes;
use mainstay_store::{Key, PutMode, PutOutcome};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::tables::chunk;

/// What a writer asks for.
#[derive(Debug)]
pub(super) enum Change {
    Put(Key, Bytes, PutMode),
    Delete(Key),
}

impl Change {
    /// Returns about how many bytes it writes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Put(_, bytes, _) => bytes.len(),
            Self::Delete(_) => 0,
        }
    }

    /// Makes the change; a deletion is always `Written`.
    pub(super) fn apply(
        &self,
        transaction: &Transaction<'_>,
        namespace: &str,
    ) -> rusqlite::Result<PutOutcome> {
        match self {
            Self::Put(key, bytes, mode) => {
                if *mode == PutMode::Overwrite {
                    delete(transaction, namespace, key)?;
                }
                create(transaction, namespace, key, bytes)
            }
            Self::Delete(key) => {
                delete(transaction, namespace, key)?;
                Ok(PutOutcome::Written)
            }
        }
    }
}

fn create(
    transaction: &Transaction<'_>,
    namespace: &str,
    key: &Key,
    bytes: &Bytes,
) -> rusqlite::Result<PutOutcome> {
    let mut rows = chunk::rows(bytes);
    let head = rows.next().unwrap_or_default();
    let created = transaction
        .prepare_cached(
            "INSERT INTO object (namespace, key, size, head) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![namespace, key.as_str(), bytes.len(), head.as_ref()])?;
    if created == 0 {
        return Ok(PutOutcome::Exists);
    }
    let object = transaction.last_insert_rowid();
    for (row, number) in rows.zip(1_u32..) {
        transaction
            .prepare_cached("INSERT INTO chunk (object, number, bytes) VALUES (?1, ?2, ?3)")?
            .execute(params![object, number, row.as_ref()])?;
    }
    Ok(PutOutcome::Written)
}

fn delete(transaction: &Transaction<'_>, namespace: &str, key: &Key) -> rusqlite::Result<()> {
    let object: Option<i64> = transaction
        .prepare_cached("DELETE FROM object WHERE namespace = ?1 AND key = ?2 RETURNING id")?
        .query_row(params![namespace, key.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(object) = object {
        transaction
            .prepare_cached("DELETE FROM chunk WHERE object = ?1")?
            .execute([object])?;
    }
    Ok(())
}
