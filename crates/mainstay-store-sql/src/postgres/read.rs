//! Reading.

use deadpool_postgres::Client;
use mainstay_core::{Error, Result};
use mainstay_store::{ByteRange, Key, Object, ObjectMeta};
use tokio_postgres::Row;

use super::error::failure;
use crate::tables::bounds::{Bounds, PAGE};
use crate::tables::chunk::{self, CHUNK_BYTES, MAX_OBJECT_BYTES};

/// Reads the rows of a range, cut to it, in one statement and so of one object.
///
/// The range is `$3` to `$4`; when `$3` is negative, so many last bytes. `$5` is the size of a chunk.
/// The first row is always there, and empty when the range begins behind it.
const GET: &str = "
    WITH found AS (
        SELECT id, size, head,
            CASE WHEN $3::bigint < 0 THEN greatest(size + $3, 0) ELSE least($3, size) END AS begins,
            least($4::bigint, size) AS ends
        FROM mainstay.object WHERE namespace = $1 AND key = $2
    )
    SELECT size, 0::bigint AS number,
        CASE WHEN begins < $5::bigint
            THEN substring(head FROM begins::int + 1 FOR greatest(ends - begins, 0)::int)
            ELSE ''::bytea
        END AS bytes
    FROM found
    UNION ALL
    SELECT size, number, substring(
        bytes FROM greatest(begins - number * $5, 0)::int + 1
        FOR (least(ends - number * $5, $5) - greatest(begins - number * $5, 0))::int
    )
    FROM found JOIN mainstay.chunk ON object = id
    WHERE begins < ends AND number BETWEEN begins / $5 AND (ends - 1) / $5
    ORDER BY number";

pub(super) async fn get(
    client: &Client,
    namespace: &str,
    key: &Key,
    range: &ByteRange,
) -> Result<Option<Object>> {
    let (begins, ends) = match range {
        ByteRange::Offsets(range) => (signed(range.start), signed(range.end)),
        // Zero is not negative: nothing of the end is everything behind it.
        ByteRange::Last(0) => (i64::MAX, i64::MAX),
        ByteRange::Last(count) => (-signed(*count), i64::MAX),
        _ => (0, i64::MAX),
    };
    let rows = async {
        let statement = client.prepare_cached(GET).await?;
        let chunk = signed(CHUNK_BYTES);
        client
            .query(
                &statement,
                &[&namespace, &key.as_str(), &begins, &ends, &chunk],
            )
            .await
    };
    let rows = rows.await.map_err(|error| failure(&error))?;
    match rows.split_first() {
        None => Ok(None),
        Some((head, chunks)) => object(key, range, head, chunks).map(Some),
    }
}

/// Returns a page of a listing; a shorter one than [`PAGE`] is the last.
pub(super) async fn list(
    client: &Client,
    namespace: &str,
    bounds: &Bounds,
) -> Result<Vec<ObjectMeta>> {
    let rows = async {
        let statement = "
            SELECT key, size FROM mainstay.object
            WHERE namespace = $1 AND key > $2 AND key < $3 ORDER BY key LIMIT $4";
        let statement = client.prepare_cached(statement).await?;
        let page = i64::try_from(PAGE).unwrap_or(i64::MAX);
        client
            .query(
                &statement,
                &[&namespace, &bounds.after, &bounds.before, &page],
            )
            .await
    };
    let rows = rows.await.map_err(|error| failure(&error))?;
    rows.iter().map(meta).collect()
}

fn object(key: &Key, range: &ByteRange, head: &Row, chunks: &[Row]) -> Result<Object> {
    let size = unsigned(head, 0).filter(|size| *size <= MAX_OBJECT_BYTES);
    let size = size.ok_or_else(|| torn(key))?;
    let mut chunks = chunks.iter();
    let pieces = chunk::pieces(range.within(size)).map(|piece| {
        let row = match piece.number {
            0 => head,
            _ => chunks.next()?,
        };
        let bytes: &[u8] = row.try_get(2).ok()?;
        let fits = unsigned(row, 1) == Some(piece.number) && bytes.len() as u64 == piece.len;
        fits.then_some(bytes)
    });
    let pieces: Option<Vec<&[u8]>> = pieces.collect();
    let pieces = pieces.ok_or_else(|| torn(key))?;
    Ok(Object {
        bytes: pieces.concat().into(),
        size,
    })
}

fn meta(row: &Row) -> Result<ObjectMeta> {
    let key = row.try_get::<_, String>(0).ok().map(Key::new);
    let (Some(Ok(key)), Some(size)) = (key, unsigned(row, 1)) else {
        return Err(Error::corrupt("object", "a row has a bad key or size"));
    };
    Ok(ObjectMeta { key, size })
}

fn unsigned(row: &Row, column: usize) -> Option<u64> {
    let number: i64 = row.try_get(column).ok()?;
    u64::try_from(number).ok()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn torn(key: &Key) -> Error {
    Error::corrupt(key, "rows of the object are missing or too short")
}
