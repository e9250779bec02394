//! The states of many replicas: of each the newest, whatever came how often and in what order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::object::{ReplicaId, ReplicaState};
use super::registers::Registers;

/// The newest known state of each replica.
///
/// Taking states in is commutative, associative and idempotent: a later state of a replica holds all
/// that an earlier one does.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct States(BTreeMap<ReplicaId, ReplicaState>);

impl States {
    /// Takes a state in, unless it is known or a later one is.
    pub(super) fn insert(&mut self, state: ReplicaState) {
        match self.0.entry(state.id) {
            Entry::Vacant(free) => drop(free.insert(state)),
            Entry::Occupied(mut known) if known.get().sequence < state.sequence => {
                drop(known.insert(state));
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Forgets the states of eras up to `through`.
    pub(super) fn forget(&mut self, through: u64) {
        self.0.retain(|id, _| id.era > through);
    }

    pub(super) fn knows(&self, id: &ReplicaId) -> bool {
        self.0.contains_key(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ReplicaState> {
        self.0.values()
    }

    /// Adds up what they hold, in addition to `base`.
    pub(super) fn total(&self, mut base: Registers) -> Registers {
        for state in self.iter() {
            base.merge(&state.registers);
        }
        base
    }
}
