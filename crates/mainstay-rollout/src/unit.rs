//! Deployment units: what is served together and rolled back together.

use std::collections::BTreeMap;

use mainstay_core::{
    Digest, Edge, EdgeKind, Error, Name, NodeKind, NodeRef, Result, Timestamp, canon,
};
use mainstay_repo::{RefState, Value, View};
use serde::{Deserialize, Serialize};

use crate::record;

/// The kind of a unit's record.
const KIND: &str = "deployment.unit";

/// The most slots a unit can have.
const MAX_SLOTS: usize = 64;

/// The longest configuration in bytes of canonical JSON.
const MAX_CONFIG_BYTES: usize = 64 * 1_024;

/// A deployment unit to create: immutable components by slot, and a small configuration.
///
/// The slots `model`, `prompt`, `data`, `env` and `code` hold a component of that kind; any other
/// slot, such as `reranker`, holds any kind but a unit, a channel or a rollout.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UnitSpec {
    /// The name; versions of it are numbered from 1.
    pub name: Name,
    /// What the unit is made of, 1 to 64 slots.
    pub components: BTreeMap<Name, NodeRef>,
    /// What a service needs to know besides, at most 64 KiB of canonical JSON. No secrets: it is
    /// readable by whoever reads the repository.
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// A stored deployment unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Unit {
    /// Which version.
    pub node: NodeRef,
    /// The digest of its record: what `sha256:…` selects.
    pub digest: Digest,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it is made of, by slot.
    pub components: BTreeMap<Name, NodeRef>,
    /// What a service needs to know besides.
    pub config: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    components: BTreeMap<Name, NodeRef>,
    config: serde_json::Map<String, serde_json::Value>,
}

impl UnitSpec {
    /// Begins a unit without components.
    #[must_use]
    pub fn new(name: Name) -> Self {
        Self {
            name,
            components: BTreeMap::new(),
            config: serde_json::Map::new(),
        }
    }

    /// Sets the component of a slot.
    #[must_use]
    pub fn with_component(mut self, slot: Name, component: NodeRef) -> Self {
        self.components.insert(slot, component);
        self
    }

    /// Sets the configuration.
    #[must_use]
    pub fn with_config(mut self, config: serde_json::Map<String, serde_json::Value>) -> Self {
        self.config = config;
        self
    }

    /// Checks everything but whether the components exist.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |why: &str| Err(Error::invalid(why).context("unit", &self.name));
        if self.components.is_empty() || self.components.len() > MAX_SLOTS {
            return refuse("a unit has 1 to 64 components");
        }
        if canon::to_vec(&self.config)?.len() > MAX_CONFIG_BYTES {
            return refuse("the configuration is longer than 64 KiB");
        }
        self.components
            .iter()
            .try_for_each(|(slot, node)| check_slot(slot, node))
            .map_err(|error| error.context("unit", &self.name))
    }

    /// Returns the value to store, with an edge to each component.
    pub(crate) fn value(&self) -> Result<Value> {
        let record = Record {
            components: self.components.clone(),
            config: self.config.clone(),
        };
        let edges = self.components.iter().map(|(slot, node)| {
            Edge::new(EdgeKind::Contains, node.clone()).with_role(slot.clone())
        });
        Ok(record::encode(KIND, &record)?.with_edges(edges))
    }
}

impl Unit {
    /// Reads a unit.
    pub(crate) fn read(view: &View, node: &NodeRef) -> Result<Self> {
        match view.get(&node.ref_path())? {
            Some(state) if node.kind() == NodeKind::Unit => Self::decode(node.clone(), state),
            _ => Err(Error::not_found("unit", node)),
        }
    }

    /// Decodes the unit that `state` holds.
    pub(crate) fn decode(node: NodeRef, state: &RefState) -> Result<Self> {
        let value = state
            .value
            .as_ref()
            .ok_or_else(|| Error::not_found("unit", &node))?;
        let Record { components, config } = record::decode(value, KIND, &node)?;
        Ok(Self {
            digest: value.record_digest()?,
            created_at: state.time,
            node,
            components,
            config,
        })
    }
}

fn check_slot(slot: &Name, node: &NodeRef) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::invalid(why)
            .context("slot", slot)
            .context("component", node))
    };
    // Stored under this name below the channel, where `latest` is reserved.
    if slot.as_str() == "latest" {
        return refuse("a slot cannot be named latest");
    }
    let named_kind = [
        NodeKind::Model,
        NodeKind::Prompt,
        NodeKind::Data,
        NodeKind::Env,
        NodeKind::Code,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == slot.as_str());
    match (named_kind, node.kind()) {
        (_, NodeKind::Unit | NodeKind::Channel | NodeKind::Rollout) => {
            refuse("a unit, a channel or a rollout cannot be a component")
        }
        (Some(expected), actual) if expected != actual => {
            refuse("the slot is reserved for another kind")
        }
        _ => Ok(()),
    }
}
