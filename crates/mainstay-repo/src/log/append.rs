//! Creating the next entry, whatever the storage answers.

use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result, WriteId};
use mainstay_store::{PutOutcome, Storage, StorageExt as _};

use super::entry::{self, Entry};
use super::read;
use crate::backoff::back_off;
use crate::repo::Inner;

/// How often a write whose fate is unknown is repeated when the entry is not there.
const MAX_REPEATS: u32 = 5;

/// Whose entry has the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Us,
    Another,
}

/// Creates `log/<seq>`. A lost answer is resolved by reading back: the bytes hold our write id.
///
/// `in_doubt` says that a call with the same bytes was dropped: it may have taken effect, or may yet.
///
/// # Errors
/// An [ambiguous](Error::is_ambiguous) [`ErrorKind::Unavailable`] naming seq and write id when it
/// cannot be found out whether the entry was created; any other error means it was not.
pub(super) async fn append(
    inner: &Inner,
    seq: u64,
    write_id: WriteId,
    bytes: &Bytes,
    mut in_doubt: bool,
) -> Result<Holder> {
    let storage = &*inner.storage;
    let mut repeats = 0;
    loop {
        let failure = match storage.create(&entry::key(seq), bytes.clone()).await {
            Ok(PutOutcome::Written) => return Ok(Holder::Us),
            Ok(PutOutcome::Exists) => None,
            Err(failure) => Some(failure),
        };
        // What exists may be our own: a layer below repeats a write whose answer it lost.
        in_doubt |= failure.as_ref().is_none_or(Error::is_ambiguous);
        let cause = match (holder(storage, seq, (write_id, bytes)).await, failure) {
            (Ok(Some(holder)), _) => return Ok(holder),
            (Ok(None), None) => return Err(read::missing(seq)),
            (Ok(None), Some(_)) if in_doubt && repeats < MAX_REPEATS => {
                back_off(&*inner.options.timer, write_id, repeats).await;
                repeats += 1;
                continue;
            }
            (Err(cause), None) => cause,
            (Err(cause), Some(_)) if in_doubt => cause,
            (Ok(None) | Err(_), Some(failure)) => failure,
        };
        return Err(if in_doubt {
            unknown_fate(seq, write_id, cause)
        } else {
            cause.context("object", entry::key(seq))
        });
    }
}

/// Reads back whose entry has the number; `None` when there is no entry.
async fn holder(
    storage: &dyn Storage,
    seq: u64,
    (write_id, bytes): (WriteId, &Bytes),
) -> Result<Option<Holder>> {
    let Some(stored) = read::read_raw(storage, seq).await? else {
        return Ok(None);
    };
    if stored == *bytes {
        return Ok(Some(Holder::Us));
    }
    match Entry::decode(seq, &stored) {
        Ok(_) => Ok(Some(Holder::Another)),
        // A newer release's: whoever goes on from it is told so.
        Err(error) if error.kind() == ErrorKind::Incompatible && !names(&stored, write_id) => {
            Ok(Some(Holder::Another))
        }
        // Ours, if damaged, must not pass for another's.
        Err(error) => Err(error),
    }
}

/// Reports whether an entry holds a write id, if it is no other.
fn names(stored: &[u8], write_id: WriteId) -> bool {
    let id = write_id.to_string();
    stored
        .windows(id.len())
        .any(|window| window == id.as_bytes())
}

fn unknown_fate(seq: u64, write_id: WriteId, cause: Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "cannot tell whether the commit took effect; repeat it with an idempotency key",
    )
    .ambiguous()
    .context("seq", seq)
    .context("write_id", write_id)
    .with_source(cause)
}
