//! Reading.

use mainstay_core::{Error, Result};
use mainstay_store::{ByteRange, Key, Object, ObjectMeta};
use rusqlite::{Connection, MAIN_DB, OptionalExtension as _, Transaction, params};

use super::error::failure;
use crate::tables::bounds::{Bounds, PAGE};
use crate::tables::chunk::{self, MAX_OBJECT_BYTES, Piece};

/// Heads up to this size come with their row; of larger ones only what is asked for is read.
const SMALL_BYTES: i64 = 64 << 10;

pub(super) fn get(
    connection: &mut Connection,
    namespace: &str,
    key: &Key,
    range: &ByteRange,
) -> Result<Option<Object>> {
    // Both questions must see the same object.
    let snapshot = connection.transaction().map_err(|error| failure(&error))?;
    let Some(row) = find(&snapshot, namespace, key).map_err(|error| failure(&error))? else {
        return Ok(None);
    };
    let size = u64::try_from(row.size)
        .ok()
        .filter(|size| *size <= MAX_OBJECT_BYTES)
        .ok_or_else(|| torn(key))?;
    if let Some(head) = row.small {
        let whole = head.len() as u64 == size;
        return whole
            .then(|| Some(Object::cut(&head.into(), range)))
            .ok_or_else(|| torn(key));
    }
    let range = range.within(size);
    let len = usize::try_from(range.end - range.start).map_err(|_| torn(key))?;
    let mut bytes = vec![0; len];
    let mut rest = bytes.as_mut_slice();
    for piece in chunk::pieces(range) {
        let len = usize::try_from(piece.len).map_err(|_| torn(key))?;
        let (part, after) = rest.split_at_mut_checked(len).ok_or_else(|| torn(key))?;
        rest = after;
        if !fill(&snapshot, row.id, &piece, part).map_err(|error| failure(&error))? {
            return Err(torn(key));
        }
    }
    Ok(Some(Object {
        bytes: bytes.into(),
        size,
    }))
}

/// Returns a page of a listing; a shorter one than [`PAGE`] is the last.
pub(super) fn list(
    connection: &Connection,
    namespace: &str,
    bounds: &Bounds,
) -> Result<Vec<ObjectMeta>> {
    let rows = || {
        let mut statement = connection.prepare_cached(
            "SELECT key, size FROM object WHERE namespace = ?1 AND key > ?2 AND key < ?3
             ORDER BY key LIMIT ?4",
        )?;
        let rows = statement.query_map(
            params![namespace, bounds.after, bounds.before, PAGE],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)),
        )?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    let rows = rows().map_err(|error| failure(&error))?;
    rows.into_iter()
        .map(|(key, size)| {
            let key = Key::new(key).map_err(|error| {
                Error::corrupt("object", "a row has a key that is none").with_source(error)
            })?;
            let size = u64::try_from(size).map_err(|_| torn(&key))?;
            Ok(ObjectMeta { key, size })
        })
        .collect()
}

struct Row {
    id: i64,
    size: i64,
    small: Option<Vec<u8>>,
}

fn find(snapshot: &Transaction<'_>, namespace: &str, key: &Key) -> rusqlite::Result<Option<Row>> {
    snapshot
        .prepare_cached(
            "SELECT id, size, CASE WHEN size <= ?3 THEN head END FROM object
             WHERE namespace = ?1 AND key = ?2",
        )?
        .query_row(params![namespace, key.as_str(), SMALL_BYTES], |row| {
            Ok(Row {
                id: row.get(0)?,
                size: row.get(1)?,
                small: row.get(2)?,
            })
        })
        .optional()
}

/// Reads a part of a row in place; `false` when there is no such part.
fn fill(
    snapshot: &Transaction<'_>,
    object: i64,
    piece: &Piece,
    part: &mut [u8],
) -> rusqlite::Result<bool> {
    let (table, column, row) = match piece.number {
        0 => ("object", "head", Some(object)),
        number => {
            let row = snapshot
                .prepare_cached("SELECT id FROM chunk WHERE object = ?1 AND number = ?2")?
                .query_row(params![object, number], |row| row.get(0))
                .optional()?;
            ("chunk", "bytes", row)
        }
    };
    let Some(row) = row else { return Ok(false) };
    let blob = snapshot.blob_open(MAIN_DB, table, column, row, true)?;
    let Ok(start) = usize::try_from(piece.start) else {
        return Ok(false);
    };
    if blob.len() < start.saturating_add(part.len()) {
        return Ok(false);
    }
    blob.read_at_exact(part, start)?;
    Ok(true)
}

fn torn(key: &Key) -> Error {
    Error::corrupt(key, "rows of the object are missing or too short")
}
