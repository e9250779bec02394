//! Reading entries from the storage.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, Result};
use mainstay_store::Storage;

use super::entry::{self, Entry, MAX_ENTRY_BYTES};
use crate::{View, seal};

/// How many entries are read at once where many are needed.
pub(crate) const READ_AHEAD: usize = 16;

/// An entry and the digest of its stored bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) entry: Entry,
    pub(crate) digest: Digest,
}

impl Stored {
    /// Decodes what `log/<seq>` holds.
    pub(crate) fn decode(seq: u64, bytes: &[u8]) -> Result<Self> {
        Ok(Self {
            entry: Entry::decode(seq, bytes)?,
            digest: Digest::of(bytes),
        })
    }
}

/// Reads the bytes of an entry, unchecked but of bounded size; `None` when there is none.
pub(crate) async fn read_raw(storage: &dyn Storage, seq: u64) -> Result<Option<Bytes>> {
    seal::read(storage, &entry::key(seq), MAX_ENTRY_BYTES).await
}

/// Reads an entry; `None` when there is none.
pub(crate) async fn read(storage: &dyn Storage, seq: u64) -> Result<Option<Stored>> {
    match read_raw(storage, seq).await? {
        Some(bytes) => Stored::decode(seq, &bytes).map(Some),
        None => Ok(None),
    }
}

/// Reads an entry that must be there.
pub(crate) async fn read_existing(storage: &dyn Storage, seq: u64) -> Result<Stored> {
    read(storage, seq).await?.ok_or_else(|| missing(seq))
}

/// The error for a gap in the log.
pub(crate) fn missing(seq: u64) -> Error {
    Error::corrupt(entry::key(seq), "log entry is missing")
}

/// Folds every entry after `view`, up to the head of the log or to `last`.
///
/// `window` entries are read at once at first, more as more turn up. A gap in the log no wider than
/// the window is found.
///
/// # Errors
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) on a gap or an entry that does not follow.
pub(crate) async fn catch_up(
    storage: &dyn Storage,
    mut view: View,
    last: u64,
    mut window: usize,
) -> Result<View> {
    while view.seq < last {
        let upto = view.seq.saturating_add(window as u64).min(last);
        let batch: Vec<Option<Stored>> = stream::iter(view.seq + 1..=upto)
            .map(|seq| read(storage, seq))
            .buffered(READ_AHEAD)
            .try_collect()
            .await?;
        let mut batch = batch.into_iter();
        for stored in batch.by_ref().map_while(|stored| stored) {
            view = view.apply(stored)?;
        }
        if view.seq < upto {
            if !batch.any(|stored| stored.is_some()) {
                break;
            }
            // Others committed while the window was read, unless the entry is still not there.
            let next = view.seq + 1;
            view = view.apply(read_existing(storage, next).await?)?;
        }
        window = (window * 2).min(READ_AHEAD);
    }
    Ok(view)
}
