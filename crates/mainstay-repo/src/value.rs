//! What a ref holds.

use mainstay_core::{Digest, Edge, Error, ErrorKind, NodeRef, Result, Timestamp, canon};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The value of a ref: a typed record, the blobs it holds, and the lineage it brings.
///
/// Blobs and edges stand beside the record, so that collection and lineage never parse a domain's
/// JSON and are always of the same commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an on-storage record; a new field is a new format version"
)]
pub struct Value {
    /// The record's type, as `data.snapshot` or `pointer`; the owning crate chooses it.
    pub kind: String,
    /// The record.
    pub record: serde_json::Value,
    /// The blobs the record needs, sorted, without repetition.
    pub blobs: Vec<Digest>,
    /// The roots of the trees whose pages and entries' blobs the record needs, sorted, without
    /// repetition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<Digest>,
    /// What the thing depends on, sorted, without repetition.
    pub edges: Vec<Edge>,
}

impl Value {
    /// The kind of a moving name; see [`Value::pointer`].
    pub const POINTER: &'static str = "pointer";

    /// Creates a value without blobs and edges.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when `record` has no canonical JSON.
    pub fn new<T: Serialize>(kind: impl Into<String>, record: &T) -> Result<Self> {
        // Through the canonical spelling, so that the record is what will be read back: 1.0 is 1.
        let record = canon::from_slice(&canon::to_vec(record)?).map_err(|error| {
            Error::invalid("record would not be readable once stored").with_source(error)
        })?;
        Ok(Self {
            kind: kind.into(),
            record,
            blobs: Vec::new(),
            trees: Vec::new(),
            edges: Vec::new(),
        })
    }

    /// Creates the value of a tag, label, alias or stage: the version it points to.
    #[must_use]
    pub fn pointer(to: &NodeRef) -> Self {
        Self {
            kind: Self::POINTER.into(),
            record: serde_json::json!({ "to": to }),
            blobs: Vec::new(),
            trees: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// Sets the blobs, in any order.
    #[must_use]
    pub fn with_blobs(mut self, blobs: impl IntoIterator<Item = Digest>) -> Self {
        self.blobs = blobs.into_iter().collect();
        self.sorted()
    }

    /// Sets the roots of trees, in any order; see [`TreeBuilder`](crate::TreeBuilder).
    #[must_use]
    pub fn with_trees(mut self, trees: impl IntoIterator<Item = Digest>) -> Self {
        self.trees = trees.into_iter().collect();
        self.sorted()
    }

    /// Sets the edges, in any order.
    #[must_use]
    pub fn with_edges(mut self, edges: impl IntoIterator<Item = Edge>) -> Self {
        self.edges = edges.into_iter().collect();
        self.sorted()
    }

    /// Decodes the record as `T` if the value is of `kind`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the kind differs or the record
    /// does not fit.
    pub fn decode<T: DeserializeOwned>(&self, kind: &str) -> Result<T> {
        self.check_kind(kind)?;
        T::deserialize(&self.record).map_err(|error| {
            Error::corrupt(kind, "record does not fit its kind").with_source(error)
        })
    }

    /// Checks that the record is of `kind` and that its member `format` is `format`, before the rest
    /// of it is read: a newer record need not fit today's fields.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] when the record has a greater format: a newer Mainstay wrote it;
    /// [`ErrorKind::Corrupt`] when the kind differs or the format is any other.
    pub fn check_format(&self, kind: &str, format: u64) -> Result<()> {
        self.check_kind(kind)?;
        match self
            .record
            .get("format")
            .and_then(serde_json::Value::as_u64)
        {
            Some(found) if found == format => Ok(()),
            Some(newer) if newer > format => Err(Error::new(
                ErrorKind::Incompatible,
                format!("written by a newer Mainstay: format {newer}, this one reads {format}"),
            )
            .context("record", kind)),
            _ => Err(Error::corrupt(kind, "a record without a known format")),
        }
    }

    fn check_kind(&self, kind: &str) -> Result<()> {
        if self.kind == kind {
            Ok(())
        } else {
            let expected = format!("expected a record of kind {kind}");
            Err(Error::corrupt(&self.kind, expected))
        }
    }

    /// Returns the version a pointer points to; `None` for any other value.
    #[must_use]
    pub fn pointee(&self) -> Option<NodeRef> {
        if self.kind != Self::POINTER {
            return None;
        }
        self.record.get("to")?.as_str()?.parse().ok()
    }

    /// Puts blobs and edges into their order.
    pub(crate) fn sorted(mut self) -> Self {
        self.blobs.sort_unstable();
        self.blobs.dedup();
        self.trees.sort_unstable();
        self.trees.dedup();
        self.edges.sort_unstable();
        self.edges.dedup();
        self
    }

    /// Checks the rules of stored values that the types do not enforce.
    pub(crate) fn check(&self) -> Result<()> {
        let kind_fits =
            (1..=128).contains(&self.kind.len()) && !self.kind.chars().any(char::is_control);
        if !kind_fits {
            return Err(Error::invalid(
                "the kind of a value is 1 to 128 bytes without control characters",
            ));
        }
        let sorted = self.blobs.is_sorted_by(|a, b| a < b)
            && self.trees.is_sorted_by(|a, b| a < b)
            && self.edges.is_sorted_by(|a, b| a < b);
        if !sorted {
            return Err(Error::invalid(
                "blobs, trees and edges are sorted, without repetition",
            ));
        }
        Ok(())
    }

    /// Computes the digest of the record: what people pin with `sha256:…`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the record has no canonical JSON.
    pub fn record_digest(&self) -> Result<Digest> {
        canon::digest(&self.record)
    }
}

/// A ref as of some commit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RefState {
    /// The value; `None` after a deletion, which leaves this tombstone.
    pub value: Option<Value>,
    /// How often the ref has changed: 1 after its creation, never reset.
    pub generation: u64,
    /// The log entry that changed it last.
    pub seq: u64,
    /// The time of that entry.
    pub time: Timestamp,
}
