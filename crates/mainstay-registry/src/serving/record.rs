//! The stored record. Normative description: `docs/formats/deployment.md`.

use mainstay_core::{Edge, EdgeKind, Name, NodeRef, Result};
use mainstay_repo::Value;
use serde::{Deserialize, Serialize};

/// The format this module writes and the newest it reads.
pub(super) const FORMAT: u32 = 1;

/// That one instance of a service serves one version of a model: immutable, and deleted when it does not
/// any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Deployment {
    /// The format of this record.
    pub format: u32,
    /// The service.
    pub service: Name,
    /// Its number among what the service ever served, from 1.
    pub number: u64,
    /// Which instance of the service.
    pub instance: Name,
    /// The version it serves.
    pub model: NodeRef,
}

impl Deployment {
    /// The kind of the [`Value`] that holds the record.
    pub const KIND: &'static str = "deployment.serving";

    /// Reads the record from the value of its ref.
    ///
    /// # Errors
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer format wrote it,
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when it is something else.
    pub fn from_value(value: &Value) -> Result<Self> {
        value.check_format(Self::KIND, u64::from(FORMAT))?;
        value.decode(Self::KIND)
    }

    pub(super) fn to_value(&self) -> Result<Value> {
        let edge = Edge::new(EdgeKind::Deploys, self.model.clone());
        Ok(Value::new(Self::KIND, self)?.with_edges([edge]))
    }
}
