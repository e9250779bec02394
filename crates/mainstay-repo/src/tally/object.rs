//! The objects of tallies: their keys and bytes.
//!
//! Normative: `docs/formats/tally.md`.

use bytes::Bytes;
use mainstay_core::{Digest, Error, ErrorKind, Result, WriteId};
use mainstay_store::{Key, Prefix, Storage};
use serde::{Deserialize, Serialize};

use super::TallyName;
use super::registers::{RegisterRecord, Registers};
use crate::seal::{self, Format};

/// Everything that belongs to tallies.
pub(crate) const DIRECTORY: &str = "tally";
/// The greatest size of an object.
const MAX_BYTES: u64 = 16 << 20;

/// What a replica has counted in an era so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReplicaState {
    pub(super) id: ReplicaId,
    /// Counts the states of the replica in this era, from 1; a later one holds all that an earlier
    /// one does.
    pub(super) sequence: u64,
    pub(super) registers: Registers,
}

/// A replica in one era of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReplicaId {
    pub(super) era: u64,
    pub(super) replica: WriteId,
}

/// What all replicas have counted in all eras up to one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Base {
    pub(super) through: u64,
    pub(super) registers: Registers,
}

/// What a key below `tally/<subject>/` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectName {
    Replica { id: ReplicaId, sequence: u64 },
    Base { through: u64, digest: Digest },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplicaRecord {
    format: Format,
    subject: TallyName,
    era: u64,
    replica: WriteId,
    sequence: u64,
    registers: Vec<RegisterRecord>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseRecord {
    format: Format,
    subject: TallyName,
    through: u64,
    registers: Vec<RegisterRecord>,
}

/// The directory of a subject.
pub(super) fn directory(subject: &TallyName) -> Result<Prefix> {
    Prefix::directory(&format!("{DIRECTORY}/{}", subject.segment()))
}

impl ObjectName {
    /// The object's key.
    pub(super) fn key(&self, subject: &TallyName) -> Result<Key> {
        let name = match self {
            Self::Replica { id, sequence } => {
                format!("{:020}-{}-{sequence:020}", id.era, id.replica)
            }
            Self::Base { through, digest } => format!("{through:020}-base-{}", digest.to_hex()),
        };
        Key::new(format!("{DIRECTORY}/{}/{name}", subject.segment()))
    }

    /// Reads a key back; `None` for one that is of no tally.
    pub(crate) fn parse(key: &Key) -> Option<Self> {
        let (_, name) = key.as_str().strip_prefix("tally/")?.split_once('/')?;
        let mut parts = name.splitn(3, '-');
        let era = number(parts.next()?)?;
        let middle = parts.next()?;
        let end = parts.next()?;
        if middle == "base" {
            let digest = format!("sha256:{end}").parse().ok()?;
            return Some(Self::Base {
                through: era,
                digest,
            });
        }
        let replica = middle.parse().ok()?;
        let id = ReplicaId { era, replica };
        let sequence = number(end)?;
        Some(Self::Replica { id, sequence })
    }

    /// The era it is of: no object of an era that has been compacted counts any more.
    pub(super) fn era(&self) -> u64 {
        match self {
            Self::Replica { id, .. } => id.era,
            Self::Base { through, .. } => *through,
        }
    }
}

/// A number from 1 as 20 digits.
fn number(digits: &str) -> Option<u64> {
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| digits.parse().ok()).flatten();
    number.filter(|number| *number > 0)
}

impl ReplicaState {
    pub(super) fn name(&self) -> ObjectName {
        ObjectName::Replica {
            id: self.id,
            sequence: self.sequence,
        }
    }

    /// # Errors
    /// [`ErrorKind::Invalid`] naming the register that is beyond what can be stored, or when there is
    /// too much of them.
    pub(super) fn encode(&self, subject: &TallyName) -> Result<Bytes> {
        bounded(seal::encode(&ReplicaRecord {
            format: Format,
            subject: subject.clone(),
            era: self.id.era,
            replica: self.id.replica,
            sequence: self.sequence,
            registers: self.registers.to_records()?,
        })?)
    }

    /// Decodes what stands under a replica's key.
    fn decode(key: &Key, bytes: &[u8]) -> Result<(TallyName, Self)> {
        let record: ReplicaRecord = seal::decode(key, bytes)?;
        let state = Self {
            id: ReplicaId {
                era: record.era,
                replica: record.replica,
            },
            sequence: record.sequence,
            registers: registers(key, &record.registers)?,
        };
        Ok((record.subject, state))
    }
}

impl Base {
    /// Encodes it; what it is called follows from its bytes.
    ///
    /// # Errors
    /// As [`ReplicaState::encode`].
    pub(super) fn encode(&self, subject: &TallyName) -> Result<(ObjectName, Bytes)> {
        let bytes = bounded(seal::encode(&BaseRecord {
            format: Format,
            subject: subject.clone(),
            through: self.through,
            registers: self.registers.to_records()?,
        })?)?;
        let name = ObjectName::Base {
            through: self.through,
            digest: Digest::of(&bytes),
        };
        Ok((name, bytes))
    }

    /// Decodes what stands under a base's key.
    fn decode(key: &Key, bytes: &[u8]) -> Result<(TallyName, Self)> {
        let record: BaseRecord = seal::decode(key, bytes)?;
        let base = Self {
            through: record.through,
            registers: registers(key, &record.registers)?,
        };
        Ok((record.subject, base))
    }
}

/// A decoded object.
#[derive(Debug)]
pub(super) enum Decoded {
    Replica(ReplicaState),
    Base(Base),
}

/// Decodes an object, and checks that it is what its key says.
///
/// # Errors
/// [`ErrorKind::Corrupt`] naming the key; [`ErrorKind::Incompatible`] when a newer Mainstay wrote it.
pub(super) fn decode(key: &Key, bytes: &[u8]) -> Result<(TallyName, Decoded)> {
    let named = ObjectName::parse(key);
    let (subject, name, decoded) = match named {
        Some(ObjectName::Replica { .. }) => {
            let (subject, state) = ReplicaState::decode(key, bytes)?;
            (subject, state.name(), Decoded::Replica(state))
        }
        Some(ObjectName::Base { .. }) => {
            let (subject, base) = Base::decode(key, bytes)?;
            let digest = Digest::of(bytes);
            let through = base.through;
            let name = ObjectName::Base { through, digest };
            (subject, name, Decoded::Base(base))
        }
        None => return Err(Error::corrupt(key, "not the key of a tally")),
    };
    if name.key(&subject).is_ok_and(|expected| expected == *key) {
        Ok((subject, decoded))
    } else {
        Err(Error::corrupt(key, "not what its key says"))
    }
}

/// Reads and decodes an object; `None` when it is absent.
pub(super) async fn read(storage: &dyn Storage, key: &Key) -> Result<Option<(TallyName, Decoded)>> {
    match seal::read(storage, key, MAX_BYTES).await? {
        Some(bytes) => decode(key, &bytes).map(Some),
        None => Ok(None),
    }
}

/// Checks an object; `None` when it is absent, which it is whenever it is of no more use.
pub(crate) async fn check(storage: &dyn Storage, key: &Key) -> Result<Option<()>> {
    Ok(read(storage, key).await?.map(drop))
}

fn registers(key: &Key, records: &[RegisterRecord]) -> Result<Registers> {
    Registers::from_records(records)
        .map_err(|error| Error::corrupt(key, "registers that cannot be").with_source(error))
}

fn bounded(bytes: Bytes) -> Result<Bytes> {
    if bytes.len() as u64 <= MAX_BYTES {
        Ok(bytes)
    } else {
        let error = Error::new(ErrorKind::Invalid, "registers of more than 16 MiB");
        Err(error.context("bytes", bytes.len()))
    }
}
