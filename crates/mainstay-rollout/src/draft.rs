//! A change in the making: refs to write, each with what it must be now.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::{Actor, Error, ErrorKind, NodeRef, RefPath, Result};
use mainstay_repo::{Expectation, Transaction, Value, View};
use serde::Serialize;

use crate::channel::{Channel, followed, pointee};
use crate::{ChannelConfig, Unit};

/// One pointer that a switch moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PointerMove {
    /// The pointer.
    pub pointer: RefPath,
    /// What it points to now; `None` for nothing.
    pub from: Option<NodeRef>,
    /// What it will point to; `None` for nothing.
    pub to: Option<NodeRef>,
}

/// What each pointer pointed to or is to point to.
pub(crate) type Pointers = BTreeMap<RefPath, Option<NodeRef>>;

/// A change in the making.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Draft {
    writes: Vec<(RefPath, Option<Value>, Expectation)>,
    checks: Vec<(RefPath, Expectation)>,
    pub(crate) moves: Vec<PointerMove>,
}

impl Draft {
    /// Writes a record where the view has what it has.
    pub(crate) fn write(&mut self, view: &View, path: RefPath, value: Value) -> Result<()> {
        let expectation = as_in(view, &path)?;
        self.writes.push((path, Some(value), expectation));
        Ok(())
    }

    /// Requires a ref to be as in the view.
    pub(crate) fn check(&mut self, view: &View, path: RefPath) -> Result<()> {
        let expectation = as_in(view, &path)?;
        self.checks.push((path, expectation));
        Ok(())
    }

    /// Makes `channel` serve `unit`: the current unit, its components, the pointers that follow.
    ///
    /// `restore` says where pointers that still follow go back to when a switch is undone. Returns
    /// what the pointers that follow point to now.
    pub(crate) fn serve(
        &mut self,
        channel: &Channel<'_>,
        unit: &Unit,
        restore: &Pointers,
    ) -> Result<Pointers> {
        let mut wanted: Pointers = channel
            .components()?
            .into_iter()
            .map(|path| (path, None))
            .collect();
        wanted.insert(channel.current_path()?, Some(unit.node.clone()));
        for (slot, node) in &unit.components {
            wanted.insert(channel.component_path(slot)?, Some(node.clone()));
        }
        self.check(channel.view, channel.config_path()?)?;
        let config = channel.config()?;
        let mut following = follows(&config, unit)?;
        let still_followed = restore
            .iter()
            .filter(|(path, _)| config.follows.contains_key(*path));
        following.extend(still_followed.map(|(path, to)| (path.clone(), to.clone())));
        let before = self.point(channel.view, following)?;
        self.point(channel.view, wanted)?;
        Ok(before)
    }

    /// Makes the pointers that follow by `config` point to the components of `unit`.
    pub(crate) fn align(&mut self, view: &View, unit: &Unit, config: &ChannelConfig) -> Result<()> {
        self.point(view, follows(config, unit)?).map(drop)
    }

    /// Moves pointers; returns what they point to now.
    fn point(&mut self, view: &View, wanted: Pointers) -> Result<Pointers> {
        let mut before = Pointers::new();
        for (pointer, to) in wanted {
            let from = match view.state(&pointer)? {
                Some(state) => pointee(&pointer, state)?,
                None => None,
            };
            before.insert(pointer.clone(), from.clone());
            let expectation = as_in(view, &pointer)?;
            if from == to {
                self.checks.push((pointer, expectation));
                continue;
            }
            let value = to.as_ref().map(Value::pointer);
            self.writes.push((pointer.clone(), value, expectation));
            self.moves.push(PointerMove { pointer, from, to });
        }
        Ok(before)
    }

    pub(crate) fn into_transaction(self, actor: Actor, reason: &str) -> Transaction {
        let mut transaction = Transaction::new(actor, reason);
        for (path, value, expectation) in self.writes {
            match value {
                Some(value) => transaction.set(path, value, expectation),
                None => transaction.delete(path, expectation),
            };
        }
        for (path, expectation) in self.checks {
            transaction.check(path, expectation);
        }
        transaction
    }
}

impl fmt::Display for PointerMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |node: &Option<NodeRef>| {
            node.as_ref()
                .map_or_else(|| "nothing".to_owned(), NodeRef::to_string)
        };
        write!(
            f,
            "{}: {} -> {}",
            self.pointer,
            shown(&self.from),
            shown(&self.to)
        )
    }
}

/// Expects a ref to be as the view has it.
fn as_in(view: &View, path: &RefPath) -> Result<Expectation> {
    let held = view.get(path)?;
    Ok(held.map_or(Expectation::Absent, |state| {
        Expectation::Generation(state.generation)
    }))
}

/// Returns where each followed pointer goes when `unit` serves; slots the unit lacks are left alone.
fn follows(config: &ChannelConfig, unit: &Unit) -> Result<Pointers> {
    let mut pointers = Pointers::new();
    for (path, slot) in &config.follows {
        let Some(node) = unit.components.get(slot) else {
            continue;
        };
        let (kind, name) = followed(path)?;
        if (node.kind(), node.name()) != (kind, &name) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "a followed pointer cannot point to the unit's component",
            )
            .context("pointer", path)
            .context("slot", slot)
            .context("component", node));
        }
        pointers.insert(path.clone(), Some(node.clone()));
    }
    Ok(pointers)
}
