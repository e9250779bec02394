//! An entry in the making: each transaction is encoded once, and spliced when the entry is sealed.

use bytes::Bytes;
use mainstay_core::{Digest, Error, Result, Timestamp, WriteId, canon};

use super::entry::{Entry, EntryFormat, Logged, MAX_CHANGES, MAX_ENTRY_BYTES};
use crate::seal;

/// Between this and the bracket that closes it lie the transactions of an entry.
const OPENING: &[u8] = br#""transactions":["#;

const FORMAT_1: &[u8] = br#""format":1,"#;
/// As long as the other.
const FORMAT_2: &[u8] = br#""format":2,"#;

/// What will be an entry, as canonical JSON without its seal.
#[derive(Debug)]
pub(super) struct Draft {
    seq: u64,
    /// Up to the first transaction.
    head: Vec<u8>,
    /// The transactions, with commas between.
    transactions: Vec<u8>,
    /// From behind the last transaction.
    tail: Vec<u8>,
    changes: usize,
    format: EntryFormat,
}

/// A transaction that may be put into a draft.
#[derive(Debug)]
pub(super) struct Encoded {
    /// As readers will see it.
    pub(super) logged: Logged,
    pub(super) bytes: Vec<u8>,
}

impl Draft {
    /// Begins the entry after the one with digest `prev`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when only entry 1 follows none, or it
    /// follows one.
    pub(super) fn new(
        seq: u64,
        prev: Option<Digest>,
        time: Timestamp,
        write_id: WriteId,
    ) -> Result<Self> {
        let entry = Entry {
            format: EntryFormat::V1,
            seq,
            prev,
            time,
            write_id,
            transactions: Vec::new(),
        };
        entry.check_place()?;
        let mut head = canon::to_vec(&entry)?;
        // Nothing before it is text that others chose.
        let opening = head.windows(OPENING.len()).position(|at| at == OPENING);
        let opening = opening.ok_or_else(|| Error::invalid("an entry holds transactions"))?;
        let tail = head.split_off(opening + OPENING.len());
        Ok(Self {
            seq,
            head,
            transactions: Vec::new(),
            tail,
            changes: 0,
            format: EntryFormat::V1,
        })
    }

    /// Encodes a transaction and reads it back: a value may be spelled otherwise in canonical JSON, and
    /// what others plan on is what will be read.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when no entry can hold it.
    pub(super) fn encode(&self, logged: &Logged) -> Result<Encoded> {
        logged.check(self.seq)?;
        if logged.changes.len() > MAX_CHANGES {
            return Err(Error::invalid(format!(
                "{} changes; the log takes at most {MAX_CHANGES} at once",
                logged.changes.len()
            )));
        }
        let bytes = canon::to_vec(logged)?;
        let alone = self.fixed_len() + bytes.len();
        if alone as u64 > MAX_ENTRY_BYTES {
            return Err(Error::invalid(format!(
                "transaction takes {alone} bytes; the log takes at most {MAX_ENTRY_BYTES}: \
                 put large content into blobs"
            )));
        }
        let logged = read_back(logged, &bytes).map_err(|cause| {
            Error::invalid("a record would not be readable once stored").with_source(cause)
        })?;
        Ok(Encoded { logged, bytes })
    }

    /// Reports whether a transaction fits in besides the others.
    pub(super) fn has_room(&self, next: &Encoded) -> bool {
        let len = self.fixed_len() + self.transactions.len() + 1 + next.bytes.len();
        len as u64 <= MAX_ENTRY_BYTES && self.changes + next.logged.changes.len() <= MAX_CHANGES
    }

    /// Adds a transaction for which there is room, and which takes that format.
    pub(super) fn push(&mut self, bytes: &[u8], changes: usize, format: EntryFormat) {
        if self.format < format {
            self.format = EntryFormat::V2;
            // Nothing before it is text that others chose.
            let format = self
                .head
                .windows(FORMAT_1.len())
                .position(|at| at == FORMAT_1);
            if let Some(at) = format {
                self.head[at..at + FORMAT_2.len()].copy_from_slice(FORMAT_2);
            }
        }
        if !self.transactions.is_empty() {
            self.transactions.push(b',');
        }
        self.transactions.extend_from_slice(bytes);
        self.changes += changes;
    }

    /// Encodes the entry, which holds a transaction, as it is stored.
    pub(super) fn seal(&self) -> Bytes {
        let body = [&*self.head, &*self.transactions, &*self.tail].concat();
        seal::seal(&body)
    }

    /// The stored bytes that are not of transactions.
    fn fixed_len(&self) -> usize {
        seal::opening_len() + self.head.len() + self.tail.len()
    }
}

/// Reads the encoding of a transaction as strictly as readers of the entry will.
fn read_back(written: &Logged, bytes: &[u8]) -> Result<Logged> {
    // As deep as in an entry, as readers follow no deeper nesting than 128.
    let nested = [b"[[", bytes, b"]]"].concat();
    let read: serde_json::Result<[[Logged; 1]; 1]> = serde_json::from_slice(&nested);
    let [[read]] = read.map_err(|cause| Error::invalid("not readable").with_source(cause))?;
    // Equal values have one spelling.
    if read != *written && canon::to_vec(&read)? != bytes {
        return Err(Error::invalid("not canonical JSON once read"));
    }
    Ok(read)
}
