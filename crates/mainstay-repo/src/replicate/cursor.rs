//! How far a replication has come, as the target's log tells it.

use mainstay_core::{Actor, Digest, RefPath, Result, Timestamp, WriteId, canon};
use serde::{Deserialize, Serialize};

use super::scope::Scope;
use crate::{Value, View};

const KIND: &str = "replica";
const FORMAT: u64 = 1;

/// A place in the source's log: behind a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The entry of the transaction.
    pub(super) seq: u64,
    /// The digest of the entry.
    pub(super) entry: Digest,
    /// How many of the entry's transactions are before the place.
    pub(super) transactions: u64,
}

impl Position {
    /// The place behind the transaction that follows `before`, which is of entry `seq`.
    pub(super) fn after(before: Option<Self>, seq: u64, entry: Digest) -> Self {
        let same = before.filter(|before| before.seq == seq);
        Self {
            seq,
            entry,
            transactions: same.map_or(0, |before| before.transactions) + 1,
        }
    }
}

/// The record of a cursor. `docs/formats/replica.md` is normative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u64,
    source: WriteId,
    from: String,
    into: String,
    refs: Vec<String>,
    seq: u64,
    entry: Digest,
    transactions: u64,
    time: Timestamp,
    by: Actor,
    collected: Vec<Digest>,
}

impl Record {
    fn of(value: &Value) -> Result<Self> {
        value.check_format(KIND, FORMAT)?;
        value.decode(KIND)
    }
}

/// One selection of refs on its way from one repository into another.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) source: WriteId,
    pub(super) scope: Scope,
    /// Who replicates.
    pub(super) by: Actor,
    /// The ref of the cursor.
    pub(super) path: RefPath,
}

impl Stream {
    pub(super) fn new(source: WriteId, scope: Scope, by: Actor) -> Result<Self> {
        let name = canon::digest(&scope)?.to_hex();
        let path = RefPath::new(&format!("replica/{source}/{name}"))?;
        Ok(Self {
            source,
            scope,
            by,
            path,
        })
    }

    /// Reads how far the target has come; `None` before the first transaction.
    pub(super) fn position(&self, view: &View) -> Result<Option<Position>> {
        let held = view.get(&self.path)?.and_then(|state| state.value.as_ref());
        let record = held.map(Record::of).transpose()?;
        Ok(record.map(|record| Position {
            seq: record.seq,
            entry: record.entry,
            transactions: record.transactions,
        }))
    }

    /// The cursor's value at a place whose entry is of `time`; behind a transaction of whose values
    /// these blobs were left out.
    pub(super) fn value(
        &self,
        at: &Position,
        time: Timestamp,
        collected: Vec<Digest>,
    ) -> Result<Value> {
        let record = Record {
            format: FORMAT,
            source: self.source,
            from: self.scope.from.clone(),
            into: self.scope.into.clone(),
            refs: self.scope.refs.clone(),
            seq: at.seq,
            entry: at.entry,
            transactions: at.transactions,
            time,
            by: self.by.clone(),
            collected,
        };
        Value::new(KIND, &record)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{ReplicateOptions, hostile};

    #[test]
    fn the_stored_cursor_is_that_of_version_1() {
        let options = ReplicateOptions::default()
            .with_refs(["model/fraud", "data"])
            .with_namespace("mirror/acme");
        let scope = Scope::of(&options).unwrap();
        let by = Actor::new("Ada <ada@example.org>").unwrap();
        let stream = Stream::new(WriteId::from_bytes([0xab; 16]), scope, by).unwrap();
        assert_eq!(
            stream.path.as_str(),
            "replica/abababababababababababababababab/\
             fa17fe163e0b6af9a102f8f022e3f4ee2c8970f9eba92e0728cb6023ab9d39a6"
        );
        let at = Position {
            seq: 12,
            entry: Digest::of(b"entry"),
            transactions: 2,
        };
        let time = "2026-01-01T00:00:01.5Z".parse().unwrap();
        let value = stream.value(&at, time, vec![Digest::of(b"blob")]).unwrap();
        let golden = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/golden/replica/v1/cursor.json"
        );
        let golden = std::fs::read(golden).unwrap();
        assert_eq!(canon::to_vec(&value).unwrap(), golden);
        let read: Value = canon::from_slice(&golden).unwrap();
        assert_eq!(read, value);
    }

    #[test]
    fn a_newer_cursor_is_refused() {
        let value = Value::new(KIND, &serde_json::json!({ "format": 2 })).unwrap();
        let refused = value.check_format(KIND, FORMAT).unwrap_err();
        assert_eq!(refused.kind(), mainstay_core::ErrorKind::Incompatible);
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written_or_refused(record in hostile::near(json!({
            "by": "ada",
            "collected": [],
            "entry": Digest::of(b"entry"),
            "format": 1,
            "from": "",
            "into": "mirror",
            "refs": ["model/fraud"],
            "seq": 12,
            "source": "ab".repeat(16),
            "time": "2026-01-01T00:00:00.000000Z",
            "transactions": 2,
        }))) {
            let value = Value { record: record.clone(), ..Value::new(KIND, &1).unwrap() };
            if let Ok(read) = Record::of(&value) {
                prop_assert_eq!(serde_json::to_value(&read).unwrap(), record);
            }
        }
    }
}
