//! A channel as of one view: its refs and what they hold.

use std::collections::BTreeMap;

use mainstay_core::{Error, Name, NodeKind, NodeRef, RefPath, Result};
use mainstay_repo::{RefState, Series, Value, View};
use serde::{Deserialize, Serialize};

use crate::record;
use crate::{Event, Input, RolloutSpec, RolloutState};

pub(crate) const CONFIG_KIND: &str = "channel.config";
pub(crate) const SPEC_KIND: &str = "rollout.spec";
pub(crate) const STATE_KIND: &str = "rollout.state";

/// Which pointers of other kinds a channel moves along with its unit.
///
/// A followed ref, such as `prompt/support/label/production` or `model/fraud/alias/champion`, is
/// pointed to the unit's component of that slot in the same log entry that switches the channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ChannelConfig {
    /// The slot whose component each ref follows.
    pub follows: BTreeMap<RefPath, Name>,
}

impl ChannelConfig {
    /// Makes `pointer` follow the component of `slot`.
    #[must_use]
    pub fn with_follow(mut self, slot: Name, pointer: RefPath) -> Self {
        self.follows.insert(pointer, slot);
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.follows
            .keys()
            .try_for_each(|path| followed(path).map(drop))
    }
}

/// Reads the kind and name of the things that a followed ref may point to.
pub(crate) fn followed(path: &RefPath) -> Result<(NodeKind, Name)> {
    let parse = || -> Option<(NodeKind, Name)> {
        let segments: Vec<&str> = path.segments().collect();
        let [kind, name, family, pointer] = segments[..] else {
            return None;
        };
        let (kind, name): (NodeKind, Name) = (kind.parse().ok()?, name.parse().ok()?);
        let own = matches!(kind, NodeKind::Unit | NodeKind::Channel | NodeKind::Rollout);
        let pointer = pointer.parse().ok()?;
        Series::new(kind, name.clone())
            .pointer(family, &pointer)
            .ok()?;
        (!own).then_some((kind, name))
    };
    parse().ok_or_else(|| {
        Error::invalid(
            "only a tag, label, alias or stage can be followed: kind/name/family/pointer",
        )
        .context("ref", path)
    })
}

/// A channel as of one view.
#[derive(Debug, Clone)]
pub(crate) struct Channel<'v> {
    pub(crate) view: &'v View,
    pub(crate) name: Name,
}

/// A rollout as of one view.
#[derive(Debug, Clone)]
pub(crate) struct Rollout {
    pub(crate) node: NodeRef,
    pub(crate) spec: RolloutSpec,
    pub(crate) state: RolloutState,
    pub(crate) state_path: RefPath,
    pub(crate) state_seq: u64,
}

impl Rollout {
    /// Says what `input` leads to.
    pub(crate) fn decide(&self, input: &Input) -> Result<Vec<Event>> {
        self.spec.decide(&self.state, input)
    }

    /// Returns the state after `events`, which one input led to.
    pub(crate) fn after(&self, events: &[Event]) -> Result<RolloutState> {
        let mut state = self.state.clone();
        state.window = None;
        events
            .iter()
            .try_fold(state, |state, event| self.spec.evolve(state, event))
    }

    /// Returns the state after `input`.
    pub(crate) fn apply(&self, input: &Input) -> Result<RolloutState> {
        self.after(&self.decide(input)?)
    }
}

impl<'v> Channel<'v> {
    pub(crate) fn new(view: &'v View, name: &Name) -> Self {
        Self {
            view,
            name: name.clone(),
        }
    }

    /// Names the ref of the unit that serves.
    pub(crate) fn current_path(&self) -> Result<RefPath> {
        self.path("current")
    }

    /// Names the ref of the configuration.
    pub(crate) fn config_path(&self) -> Result<RefPath> {
        self.path("config")
    }

    /// Names the ref of the component in `slot`.
    pub(crate) fn component_path(&self, slot: &Name) -> Result<RefPath> {
        Series::new(NodeKind::Channel, self.name.clone()).pointer("component", slot)
    }

    /// Names the ref of a rollout's state.
    pub(crate) fn state_path(&self, rollout: &NodeRef) -> Result<RefPath> {
        self.rollouts().pointer("state", rollout.version())
    }

    /// Returns the series of the channel's rollouts.
    pub(crate) fn rollouts(&self) -> Series {
        Series::new(NodeKind::Rollout, self.name.clone())
    }

    /// Returns the unit that serves, and the log entry that made it so.
    pub(crate) fn current(&self) -> Result<Option<(NodeRef, u64)>> {
        let path = self.current_path()?;
        let Some(state) = self.view.get(&path)? else {
            return Ok(None);
        };
        Ok(pointee(&path, state)?.map(|unit| (unit, state.seq)))
    }

    /// Returns the unit of a channel that must serve one.
    pub(crate) fn expect_current(&self) -> Result<(NodeRef, u64)> {
        self.current()?
            .ok_or_else(|| Error::corrupt(format!("channel/{}/current", self.name), "missing"))
    }

    pub(crate) fn config(&self) -> Result<ChannelConfig> {
        let stored = record::read(self.view, &self.config_path()?, CONFIG_KIND)?;
        Ok(stored.unwrap_or_default())
    }

    /// Lists the refs of the components that serve.
    pub(crate) fn components(&self) -> Result<Vec<RefPath>> {
        let refs = self
            .view
            .below(&format!("channel/{}/component", self.name))?;
        Ok(refs.map(|(path, _)| path.clone()).collect())
    }

    /// Names the rollouts, newest first.
    pub(crate) fn rollout_nodes(&self) -> Result<Vec<NodeRef>> {
        let newest_first = self.rollouts().versions(self.view)?.into_iter().rev();
        Ok(newest_first.map(|(node, _)| node).collect())
    }

    /// Reads the newest rollout.
    pub(crate) fn latest(&self) -> Result<Option<Rollout>> {
        let newest = self.rollout_nodes()?.into_iter().next();
        newest.map(|node| self.rollout(node)).transpose()
    }

    /// Reads the newest rollout of a channel that must have one.
    pub(crate) fn expect_latest(&self) -> Result<Rollout> {
        self.latest()?
            .ok_or_else(|| Error::not_found("channel", &self.name))
    }

    /// Reads the rollout that changed last: the newest, unless an older one was undone after it.
    pub(crate) fn last_changed(&self) -> Result<Rollout> {
        let mut last = self.expect_latest()?;
        for node in self.rollout_nodes()? {
            let changed = self.view.get(&self.state_path(&node)?)?;
            if changed.is_some_and(|state| state.seq > last.state_seq) {
                last = self.rollout(node)?;
            }
        }
        Ok(last)
    }

    /// Reads the rollout that brought the unit that serves.
    pub(crate) fn completed(&self) -> Result<Option<Rollout>> {
        for node in self.rollout_nodes()? {
            let rollout = self.rollout(node)?;
            if rollout.state.phase == crate::Phase::Completed {
                return Ok(Some(rollout));
            }
        }
        Ok(None)
    }

    fn rollout(&self, node: NodeRef) -> Result<Rollout> {
        let state_path = self.state_path(&node)?;
        let missing = |what: &RefPath| Error::corrupt(what, "a rollout has a spec and a state");
        let spec: RolloutSpec = record::read(self.view, &node.ref_path(), SPEC_KIND)?
            .ok_or_else(|| missing(&node.ref_path()))?;
        spec.check()
            .map_err(|error| Error::corrupt(&node, "bad rollout").with_source(error))?;
        let state = record::read(self.view, &state_path, STATE_KIND)?
            .ok_or_else(|| missing(&state_path))?;
        let state_seq = self.view.get(&state_path)?.map_or(0, |state| state.seq);
        Ok(Rollout {
            node,
            spec,
            state,
            state_path,
            state_seq,
        })
    }

    fn path(&self, last: &str) -> Result<RefPath> {
        RefPath::from_names(&[
            NodeKind::Channel.as_str().parse()?,
            self.name.clone(),
            last.parse()?,
        ])
    }
}

/// Returns what a pointer points to; `None` for a tombstone.
pub(crate) fn pointee(path: &RefPath, state: &RefState) -> Result<Option<NodeRef>> {
    let Some(value) = &state.value else {
        return Ok(None);
    };
    value
        .pointee()
        .map(Some)
        .ok_or_else(|| Error::corrupt(path, format!("expected a {}", Value::POINTER)))
}
