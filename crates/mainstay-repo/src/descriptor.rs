//! `mainstay.json`: says that a storage holds a repository, and in which format.

use mainstay_core::{Error, ErrorKind, Result, Timestamp, WriteId};
use mainstay_store::{Key, Storage, StorageExt as _};
use serde::{Deserialize, Serialize};

use crate::seal::{self, Format};
use crate::{RepoOptions, keys};

const MAX_BYTES: u64 = 64 << 10;

/// How blobs are cut into chunks: gear hashing, 8, 64 and 128 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Chunking {
    #[serde(rename = "gear-8-64-128")]
    Gear8_64_128,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Descriptor {
    format: Format,
    chunking: Chunking,
    id: WriteId,
    created: Timestamp,
}

/// Marks the storage as a repository unless it is one; of racing creators one wins.
pub(crate) async fn create(storage: &dyn Storage, options: &RepoOptions) -> Result<()> {
    match check(storage).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        checked => return checked,
    }
    let descriptor = Descriptor {
        format: Format,
        chunking: Chunking::Gear8_64_128,
        id: options.ids.write_id()?,
        created: options.clock.now(),
    };
    let created = storage.create(&key(), seal::encode(&descriptor)?).await;
    match (created, check(storage).await) {
        // Whether this descriptor or another's stands there makes no difference to a creator.
        (_, Ok(())) => Ok(()),
        (Err(error), Err(_)) => Err(error.context("object", key())),
        (Ok(_), Err(error)) => Err(error),
    }
}

/// Checks that the storage holds a repository this version can read.
pub(crate) async fn check(storage: &dyn Storage) -> Result<()> {
    id(storage).await.map(drop)
}

/// Reads what names the repository on the storage, once it is checked.
pub(crate) async fn id(storage: &dyn Storage) -> Result<WriteId> {
    match seal::read(storage, &key(), MAX_BYTES).await? {
        Some(bytes) => seal::decode::<Descriptor>(&key(), &bytes).map(|found| found.id),
        None => Err(Error::new(
            ErrorKind::NotFound,
            "no repository here; create one with Repo::create or `mainstay init`",
        )
        .context("object", key())),
    }
}

/// The key of the descriptor.
pub(crate) fn key() -> Key {
    keys::trusted("mainstay.json")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hostile;

    fn sample() -> serde_json::Value {
        json!({
            "chunking": "gear-8-64-128",
            "created": "2026-01-01T00:00:00.000000Z",
            "format": 1,
            "id": "ab".repeat(16),
        })
    }

    fn check(bytes: &[u8]) {
        if let Ok(descriptor) = seal::decode::<Descriptor>(&key(), bytes) {
            assert_eq!(seal::encode(&descriptor).unwrap(), bytes);
        }
    }

    proptest! {
        #[test]
        fn a_descriptor_is_read_as_it_was_written_or_refused(record in hostile::near(sample())) {
            // Not every number can be stored.
            if let Ok(bytes) = seal::encode(&record) {
                check(&bytes);
            }
        }

        #[test]
        fn damaged_bytes_are_no_descriptor(
            bytes in hostile::bytes_near(seal::encode(&sample()).unwrap().into()),
        ) {
            check(&bytes);
        }
    }

    #[test]
    fn the_sample_is_a_descriptor() {
        let bytes = seal::encode(&sample()).unwrap();
        assert!(seal::decode::<Descriptor>(&key(), &bytes).is_ok());
    }
}
