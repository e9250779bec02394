//! The tables in the file; `docs/formats/sql-storage.md` is their description.

use mainstay_core::{Error, Result};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use super::connection;
use super::error::failure;
use crate::tables::format;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE format (version INTEGER NOT NULL) STRICT;
    INSERT INTO format VALUES (1);
    CREATE TABLE object (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL COLLATE BINARY,
        key TEXT NOT NULL COLLATE BINARY,
        size INTEGER NOT NULL,
        head BLOB NOT NULL,
        UNIQUE (namespace, key)
    ) STRICT;
    CREATE TABLE chunk (
        id INTEGER PRIMARY KEY,
        object INTEGER NOT NULL,
        number INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        UNIQUE (object, number)
    ) STRICT;
"];

/// Makes or migrates the tables where that is needed, once among all processes that try.
pub(super) fn prepare(connection: &mut Connection) -> Result<()> {
    let current = is_current(connection)?;
    // Not before: another application's file is left as it is.
    connection::turn_on_log(connection)?;
    if current {
        return Ok(());
    }
    let migrated = |connection: &mut Connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = version(&transaction)?;
        let steps = match found.and_then(|found| format::missing(found, MIGRATIONS)) {
            Ok(steps) => steps,
            Err(error) => return Ok(Err(error)),
        };
        for step in steps {
            transaction.execute_batch(step)?;
        }
        transaction.execute("UPDATE format SET version = ?1", [format::VERSION])?;
        transaction.commit()?;
        Ok(Ok(()))
    };
    migrated(connection).map_err(|error| failure(&error))?
}

/// Reports whether the tables are there and of the version of this build.
///
/// # Errors
/// [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when they are newer, and
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the file belongs to another
/// application.
pub(super) fn is_current(connection: &mut Connection) -> Result<bool> {
    let transaction = connection.transaction().map_err(|error| failure(&error))?;
    let found = version(&transaction).map_err(|error| failure(&error))??;
    Ok(format::missing(found, MIGRATIONS)?.is_empty())
}

fn version(transaction: &Transaction<'_>) -> rusqlite::Result<Result<i64>> {
    let tables = "SELECT count(*), count(*) FILTER (WHERE name = 'format') FROM sqlite_schema";
    let (tables, ours): (i64, i64) =
        transaction.query_row(tables, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if ours == 0 {
        return Ok(match tables {
            0 => Ok(0),
            _ => Err(Error::invalid(
                "the file is the database of another application",
            )),
        });
    }
    let version = transaction
        .query_row("SELECT version FROM format", [], |row| row.get(0))
        .optional()?;
    // The table is made and filled at once, so an empty one is damage.
    Ok(Ok(version.unwrap_or(-1)))
}
