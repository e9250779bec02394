//! The format of a log entry; its normative page is `docs/formats/log.md`.

use std::collections::BTreeSet;

use mainstay_core::{Actor, Digest, Error, RefPath, Result, Timestamp, WriteId};
use mainstay_store::Key;
use serde::{Deserialize, Serialize};

use crate::seal;
use crate::{RefState, Value, keys};

/// The largest stored entry in bytes.
pub(crate) const MAX_ENTRY_BYTES: u64 = 16 << 20;
/// The most changes in one entry.
pub(crate) const MAX_CHANGES: usize = 100_000;
/// The longest reason in bytes.
pub(crate) const MAX_REASON_BYTES: usize = 4_096;
/// The longest idempotency key in bytes.
pub(crate) const MAX_IDEMPOTENCY_KEY_BYTES: usize = 256;

/// One object below `log/`: transactions that were committed together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) format: EntryFormat,
    pub(crate) seq: u64,
    pub(crate) prev: Option<Digest>,
    pub(crate) time: Timestamp,
    pub(crate) write_id: WriteId,
    pub(crate) transactions: Vec<Logged>,
}

/// Which format an entry has: the least that can say what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub(crate) enum EntryFormat {
    V1,
    /// Values name trees.
    V2,
}

impl From<EntryFormat> for u64 {
    fn from(format: EntryFormat) -> Self {
        match format {
            EntryFormat::V1 => 1,
            EntryFormat::V2 => 2,
        }
    }
}

impl TryFrom<u64> for EntryFormat {
    type Error = &'static str;

    fn try_from(format: u64) -> Result<Self, &'static str> {
        match format {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            _ => Err("no format of a log entry"),
        }
    }
}

/// One transaction as the log keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logged {
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idempotency_key: Option<String>,
    /// The digest of what was asked for; there exactly when there is a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Digest>,
    pub(crate) changes: Vec<LoggedChange>,
}

/// One change as the log keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoggedChange {
    #[serde(rename = "ref")]
    pub(crate) path: RefPath,
    pub(crate) generation: u64,
    pub(crate) previous: Option<u64>,
    pub(crate) value: Option<Value>,
}

impl Entry {
    /// Encodes the entry as it is stored.
    #[cfg(test)]
    pub(crate) fn encode(&self) -> Result<bytes::Bytes> {
        let mut draft = super::draft::Draft::new(self.seq, self.prev, self.time, self.write_id)?;
        for transaction in &self.transactions {
            let encoded = draft.encode(transaction)?;
            draft.push(
                &encoded.bytes,
                transaction.changes.len(),
                transaction.format(),
            );
        }
        Ok(draft.seal())
    }

    /// Decodes what `log/<seq>` holds.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the bytes are not an entry with
    /// that number, [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when they are
    /// of a newer format.
    pub(crate) fn decode(seq: u64, bytes: &[u8]) -> Result<Self> {
        let object = key(seq);
        let entry: Self = seal::decode_up_to(EntryFormat::V2.into(), &object, bytes)?;
        if entry.seq != seq {
            let why = format!("holds the entry with number {}", entry.seq);
            return Err(Error::corrupt(object, why));
        }
        match entry.check() {
            Ok(()) => Ok(entry),
            Err(cause) => {
                Err(Error::corrupt(object, "entry breaks a rule of the log").with_source(cause))
            }
        }
    }

    /// Checks the rules that need nothing but the entry itself.
    fn check(&self) -> Result<()> {
        self.check_place()?;
        if self.transactions.is_empty() {
            return Err(Error::invalid("entry without transactions"));
        }
        let changes: usize = self.transactions.iter().map(|t| t.changes.len()).sum();
        if changes > MAX_CHANGES {
            return Err(Error::invalid(format!(
                "{changes} changes; the log takes at most {MAX_CHANGES} at once"
            )));
        }
        let format = self.transactions.iter().map(Logged::format).max();
        if format != Some(self.format) {
            return Err(Error::invalid("members of another format"));
        }
        self.transactions
            .iter()
            .try_for_each(|transaction| transaction.check(self.seq))
    }

    /// Checks that it says which entry it follows.
    pub(super) fn check_place(&self) -> Result<()> {
        if self.prev.is_none() == (self.seq == 1) {
            Ok(())
        } else {
            let why = "every entry but the first names the one before it";
            Err(Error::invalid(why))
        }
    }
}

impl Logged {
    /// The format of an entry with it.
    pub(super) fn format(&self) -> EntryFormat {
        let mut values = self
            .changes
            .iter()
            .filter_map(|change| change.value.as_ref());
        if values.any(|value| !value.trees.is_empty()) {
            EntryFormat::V2
        } else {
            EntryFormat::V1
        }
    }

    /// Checks the rules that need nothing but the transaction itself.
    pub(super) fn check(&self, seq: u64) -> Result<()> {
        check_reason(&self.reason)?;
        if let Some(key) = &self.idempotency_key {
            check_idempotency_key(key)?;
        }
        if self.idempotency_key.is_some() != self.request.is_some() {
            return Err(Error::invalid(
                "idempotency key and request digest go together",
            ));
        }
        if self.changes.is_empty() {
            return Err(Error::invalid("transaction without changes"));
        }
        let mut paths = BTreeSet::new();
        for change in &self.changes {
            if !paths.insert(&change.path) {
                return Err(Error::invalid("ref changed twice in one transaction")
                    .context("ref", &change.path));
            }
            change.check(seq)?;
        }
        Ok(())
    }
}

impl LoggedChange {
    /// What the change makes of its ref in entry `seq`.
    pub(crate) fn into_state(self, seq: u64, time: Timestamp) -> (RefPath, RefState) {
        let state = RefState {
            value: self.value,
            generation: self.generation,
            seq,
            time,
        };
        (self.path, state)
    }

    fn check(&self, seq: u64) -> Result<()> {
        let numbered = match self.previous {
            None => self.generation == 1,
            Some(previous) => self.generation > 1 && (1..=seq).contains(&previous),
        };
        if !numbered {
            return Err(
                Error::invalid("generation and previous change do not fit together")
                    .context("ref", &self.path),
            );
        }
        match &self.value {
            Some(value) => value.check().map_err(|e| e.context("ref", &self.path)),
            None => Ok(()),
        }
    }
}

/// Checks the length of a reason.
pub(crate) fn check_reason(reason: &str) -> Result<()> {
    if reason.len() <= MAX_REASON_BYTES {
        Ok(())
    } else {
        Err(Error::invalid("reason too long")
            .context("bytes", reason.len())
            .context("most", MAX_REASON_BYTES))
    }
}

/// Checks the form of an idempotency key.
pub(crate) fn check_idempotency_key(key: &str) -> Result<()> {
    if (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len()) && !key.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(Error::invalid(
            "an idempotency key is 1 to 256 bytes without control characters",
        ))
    }
}

/// The key of an entry.
pub(crate) fn key(seq: u64) -> Key {
    keys::numbered("log", seq)
}

#[cfg(test)]
mod tests;
