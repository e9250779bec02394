//! Creating the next entry, whatever the storage answers.

use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result, WriteId};
use mainstay_store::{PutOutcome, StorageExt as _};

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
/// # Errors
/// An [ambiguous](Error::is_ambiguous) [`ErrorKind::Unavailable`] naming seq and write id when it
/// cannot be found out whether the entry was created; any other error means it was not.
pub(super) async fn append(
    inner: &Inner,
    seq: u64,
    write_id: WriteId,
    bytes: &Bytes,
) -> Result<Holder> {
    let storage = &*inner.storage;
    let mut repeats = 0;
    loop {
        let failure = match storage.create(&entry::key(seq), bytes.clone()).await {
            Ok(PutOutcome::Written) => return Ok(Holder::Us),
            Ok(PutOutcome::Exists) => None,
            Err(error) => Some(error),
        };
        let certain = failure.as_ref().is_some_and(|error| !error.is_ambiguous());
        match (read::read_raw(storage, seq).await, failure) {
            (Ok(Some(stored)), _) if stored == *bytes => return Ok(Holder::Us),
            (Ok(Some(stored)), _) => {
                return match Entry::decode(seq, &stored) {
                    Ok(_) => Ok(Holder::Another),
                    Err(cause) => Err(unknown_fate(seq, write_id, cause)),
                };
            }
            (Ok(None), None) => return Err(read::missing(seq)),
            (_, Some(failure)) if certain => return Err(failure.context("object", entry::key(seq))),
            (Ok(None), Some(_)) if repeats < MAX_REPEATS => {
                back_off(&*inner.options.timer, write_id, repeats).await;
                repeats += 1;
            }
            (Ok(None), Some(cause)) | (Err(cause), _) => {
                return Err(unknown_fate(seq, write_id, cause));
            }
        }
    }
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
