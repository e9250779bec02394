//! What `EXISTS` says: which versions came from something, or something from them.

use std::collections::BTreeSet;

use mainstay_core::{Error, NodeKind, NodeRef, Result, Selector};
use mainstay_repo::{RefState, View};

use super::eval::{Datum, Subject, datum, text, time};
use super::find::{Found, Known, find};
use super::query::{Attribute, Direction, Exists, Expr, Field};
use super::rows::{Model, Row};
use super::runs::RunRow;
use crate::resolve::resolve_ever;

/// For each `EXISTS` of a query, the things for which it holds.
#[derive(Debug, Default)]
pub(super) struct Nearby<'q>(Vec<(&'q Exists, BTreeSet<NodeRef>)>);

impl<'q> Nearby<'q> {
    /// Walks the lineage once for each `EXISTS` of an expression.
    pub(super) fn of(view: &View, expr: Option<&'q Expr>) -> Result<Self> {
        let mut nearby = Self::default();
        if let Some(expr) = expr {
            nearby.add(view, expr)?;
        }
        Ok(nearby)
    }

    fn add(&mut self, view: &View, expr: &'q Expr) -> Result<()> {
        match expr {
            Expr::Is(_) => Ok(()),
            Expr::Not(one) => self.add(view, one),
            Expr::All(all) | Expr::Any(all) => all.iter().try_for_each(|one| self.add(view, one)),
            Expr::Exists(exists) => {
                let found = found(view, exists)?;
                self.0.push((exists, found));
                Ok(())
            }
        }
    }

    pub(super) fn holds(&self, exists: &Exists, node: &NodeRef) -> bool {
        let mut walked = self.0.iter();
        walked.any(|(of, found)| *of == exists && found.contains(node))
    }
}

/// Finds the things for which an `EXISTS` holds.
fn found(view: &View, exists: &Exists) -> Result<BTreeSet<NodeRef>> {
    match exists {
        Exists::Near {
            direction,
            within,
            of,
        } => {
            let start = match (of.kind, &of.selector) {
                (Some(kind), Selector::Named(version)) if kind != NodeKind::Model => {
                    NodeRef::new(kind, of.name.clone(), version.clone())
                }
                _ => resolve_ever(view, of)?,
            };
            let is_stored = !matches!(start.kind(), NodeKind::Code | NodeKind::Agent);
            if is_stored && view.state(&start.ref_path())?.is_none() {
                return Err(Error::not_found(start.kind().as_str(), start));
            }
            walk(view, &BTreeSet::from([start]), *direction, *within)
        }
        Exists::Has { kind, filter } => {
            let starts = matching(view, *kind, filter.as_deref())?;
            walk(view, &starts, Direction::Down, None)
        }
    }
}

/// Finds the things of a kind that meet a filter.
fn matching(view: &View, kind: NodeKind, filter: Option<&Expr>) -> Result<BTreeSet<NodeRef>> {
    if kind == NodeKind::Model {
        let known = Known::of(view, filter, &[])?;
        let found = find(view, &known, filter, &[])?;
        return found.iter().map(Found::node).collect();
    }
    let nearby = Nearby::of(view, filter)?;
    let mut matching = BTreeSet::new();
    for (path, state) in view.below(kind.as_str())? {
        let Some(node) = NodeRef::from_ref_path(path) else {
            continue;
        };
        let holds = match (filter, kind) {
            (None, _) => true,
            (Some(filter), NodeKind::Run) => filter.holds(&RunRow {
                view,
                node: &node,
                state,
                nearby: &nearby,
            })?,
            (Some(filter), _) => filter.holds(&(&node, state, &nearby))?,
        };
        if holds {
            matching.insert(node);
        }
    }
    Ok(matching)
}

/// A thing that is neither a model nor a run.
impl Subject for (&NodeRef, &RefState, &Nearby<'_>) {
    fn datum(&self, field: &Field) -> Result<Datum<'_>> {
        let (node, state, _) = self;
        Ok(match field {
            Field::Attribute(Attribute::Name) => text(Some(node.name().as_str())),
            Field::Attribute(Attribute::Label) => text(Some(node.version().as_str())),
            Field::Attribute(Attribute::Created) => time(Some(state.time)),
            // The parser lets no other through.
            _ => Datum::Missing,
        })
    }

    fn exists(&self, exists: &Exists) -> Result<bool> {
        let (node, _, nearby) = self;
        Ok(nearby.holds(exists, node))
    }
}

/// A version of a model.
impl Subject for (&Row<'_>, &Model<'_>, &Nearby<'_>) {
    fn datum(&self, field: &Field) -> Result<Datum<'_>> {
        datum(self.0, self.1, field)
    }

    fn exists(&self, exists: &Exists) -> Result<bool> {
        let (row, _, nearby) = self;
        Ok(nearby.holds(exists, &row.node()?))
    }
}

/// Returns what is reached from `starts` by at least one edge.
///
/// A level asks for all that it needs before it gives up, so that it is loaded at once. A walk down passes
/// through what was deleted; one up ends there, because what that came from stands in the log only.
fn walk(
    view: &View,
    starts: &BTreeSet<NodeRef>,
    direction: Direction,
    within: Option<u32>,
) -> Result<BTreeSet<NodeRef>> {
    let mut reached = BTreeSet::new();
    let mut level: Vec<NodeRef> = starts.iter().cloned().collect();
    let mut depth = 0;
    while !level.is_empty() && within.is_none_or(|within| depth < within) {
        let (mut next, mut missed) = (Vec::new(), None);
        for node in &level {
            let step = match direction {
                Direction::Up => up(view, node),
                Direction::Down => down(view, node),
            };
            match step {
                Ok(found) => {
                    for node in found {
                        // What the walk began with was gone through already.
                        if reached.insert(node.clone()) && !starts.contains(&node) {
                            next.push(node);
                        }
                    }
                }
                Err(error) => missed = Some(error),
            }
        }
        if let Some(error) = missed {
            return Err(error);
        }
        (level, depth) = (next, depth + 1);
    }
    Ok(reached)
}

fn up(view: &View, node: &NodeRef) -> Result<Vec<NodeRef>> {
    let state = view.get(&node.ref_path())?;
    let edges = state.and_then(|state| state.value.as_ref());
    let edges = edges.into_iter().flat_map(|value| &value.edges);
    Ok(edges.map(|edge| edge.to.clone()).collect())
}

fn down(view: &View, node: &NodeRef) -> Result<Vec<NodeRef>> {
    let (mut found, mut missed) = (Vec::new(), None);
    for dependent in view.dependents(node)? {
        match view.state(&dependent.from.ref_path()) {
            Ok(state) => {
                let value = state.and_then(|state| state.value.as_ref());
                // It may have been set again, without the edge.
                if value.is_none_or(|value| value.edges.iter().any(|edge| edge.to == *node)) {
                    found.push(dependent.from);
                }
            }
            Err(error) => missed = Some(error),
        }
    }
    missed.map_or(Ok(found), Err)
}
