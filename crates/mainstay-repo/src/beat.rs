//! Beats: when a thing was last known to be alive, outside of the log.
//!
//! One small object a thing, overwritten each time. It is what somebody said last, no part of the
//! state: no view, no history and no replica has it.
//!
//! Normative: `docs/formats/beat.md`.

use mainstay_core::{Digest, Error, NodeRef, Result, Timestamp};
use mainstay_store::{Key, PutMode, Storage};
use serde::{Deserialize, Serialize};
use tracing::instrument;

use crate::seal::{self, Format};
use crate::{Repo, keys};

pub(crate) const DIRECTORY: &str = "beat";
/// Far more than the longest reference takes.
const MAX_BYTES: u64 = 4_096;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Beat {
    format: Format,
    of: NodeRef,
    time: Timestamp,
}

impl Repo {
    /// Says that a thing is alive now, by the clock the repository was opened with. Returns the time.
    ///
    /// One write of less than 4 KiB, whatever the repository holds, and no log entry. Of several
    /// writers the last counts, whatever their clocks say.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use mainstay_core::NodeRef;
    /// # use mainstay_repo::{Repo, RepoOptions};
    /// # use mainstay_store::MemoryStorage;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
    /// let service: NodeRef = "deployment:checkout@1".parse()?;
    /// let seen = repo.beat(&service).await?;
    /// assert_eq!(repo.last_beat(&service).await?, Some(seen));
    /// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Those of the storage.
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn beat(&self, of: &NodeRef) -> Result<Timestamp> {
        let beat = Beat {
            format: Format,
            of: of.clone(),
            time: self.now(),
        };
        let storage = &self.inner.storage;
        let _written = storage
            .put(&key(of), seal::encode(&beat)?, PutMode::Overwrite)
            .await?;
        Ok(beat.time)
    }

    /// Returns when a thing was last said to be alive; `None` when it never was, or
    /// [is forgotten](Self::forget_beat).
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) naming the object when it is damaged,
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it. The next
    /// beat replaces either.
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn last_beat(&self, of: &NodeRef) -> Result<Option<Timestamp>> {
        let beat = read(&*self.inner.storage, &key(of)).await?;
        Ok(beat.map(|beat| beat.time))
    }

    /// Removes what [`beat`](Self::beat) wrote; of what is not there, nothing.
    ///
    /// # Errors
    /// Those of the storage.
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn forget_beat(&self, of: &NodeRef) -> Result<()> {
        self.inner.storage.delete(&key(of)).await
    }
}

/// Reads the beat that stands under a key; `None` when there is none.
pub(crate) async fn read(storage: &dyn Storage, key: &Key) -> Result<Option<Beat>> {
    let bytes = seal::read(storage, key, MAX_BYTES).await?;
    bytes.map(|bytes| decode(key, &bytes)).transpose()
}

fn decode(key: &Key, bytes: &[u8]) -> Result<Beat> {
    let beat: Beat = seal::decode(key, bytes)?;
    if self::key(&beat.of) == *key {
        Ok(beat)
    } else {
        Err(Error::corrupt(key, "not what its key says"))
    }
}

fn key(of: &NodeRef) -> Key {
    keys::addressed(DIRECTORY, &Digest::of(of.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hostile;

    const OF: &str = "deployment:web@1";

    fn sample() -> serde_json::Value {
        json!({ "format": 1, "of": OF, "time": "2026-01-01T00:00:00.000000Z" })
    }

    /// What is read under the key of [`OF`] is exactly what is stored for it.
    fn check(bytes: &[u8]) {
        if let Ok(beat) = decode(&key(&OF.parse().unwrap()), bytes) {
            assert_eq!(
                (beat.of.to_string(), seal::encode(&beat).unwrap()),
                (OF.into(), bytes.to_vec().into())
            );
        }
    }

    proptest! {
        #[test]
        fn a_beat_is_read_as_it_was_written_or_refused(record in hostile::near(sample())) {
            // Not every number can be stored.
            if let Ok(bytes) = seal::encode(&record) {
                check(&bytes);
            }
        }

        #[test]
        fn damaged_bytes_are_no_beat(
            bytes in hostile::bytes_near(seal::encode(&sample()).unwrap().into()),
        ) {
            check(&bytes);
        }
    }
}
