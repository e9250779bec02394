//! What changed between two things, part by part, the most telling first.

mod concern;
mod describe;
mod diff;
mod events;
mod html;
mod markdown;
mod section;
mod slots;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use mainstay_core::{EdgeKind, Error, NodeKind, NodeRef, Result};
use mainstay_repo::{Repo, Value, View};
use serde::Serialize;
use tracing::instrument;

use concern::{Concern, Span};
use slots::{Pair, pairs};

pub use describe::{Describe, Describers, Description, Severity};
pub use diff::{Difference, JsonDiff, MAX_DIFFERENCES, diff};
pub use events::{Event, MAX_EVENTS};
pub use section::{Section, SectionLayout};

/// What changed from `a` to `b`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The one thing.
    pub a: NodeRef,
    /// The other.
    pub b: NodeRef,
    /// Their parts, the most telling first.
    pub components: Vec<Component>,
    /// Who committed what about these things, and why; oldest first, see
    /// [`ranked_events`](Self::ranked_events).
    pub events: Vec<Event>,
    /// At least how many older log entries that may tell more were left out; 0 when none was.
    pub events_omitted: u64,
}

/// One part and how it changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Component {
    /// Which part: a slot of the unit, as `model`, or an input of one, as `model/train`.
    pub slot: String,
    /// Its kind.
    pub kind: NodeKind,
    /// Whether it changed.
    pub changed: bool,
    /// What it was; `None` when it was added.
    pub a: Option<NodeRef>,
    /// What it is; `None` when it was removed.
    pub b: Option<NodeRef>,
    /// How much the change matters.
    pub severity: Severity,
    /// The change in one line.
    pub summary: String,
    /// The change in full, as the describer of the kind gives it; by default a [`JsonDiff`].
    pub detail: serde_json::Value,
    /// The change in full for people; no part of the JSON, which has the detail.
    #[serde(skip)]
    pub sections: Vec<Section>,
}

/// Says what changed between two versions of one kind.
///
/// Two things with parts (edges [`EdgeKind::Contains`], a deployment unit) are compared slot by slot;
/// two others are one part each. A part that changed is followed one level deeper: to the data, code
/// and environment it used, of which those that changed are listed as `slot/role`.
///
/// The events begin after the earlier of the two was committed. Until the later one was, they are whatever
/// touched either, a part, another version or a name of these, or came from one; from then on, up to
/// the view, only what made a name point to one, rolled one out, or deleted one: its promotion comes after
/// its making.
///
/// `describers` say what a change of each kind means; without one, the two records are compared
/// member by member.
///
/// # Errors
/// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when `a` or `b` is not in the view,
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when they are of two kinds, and the errors
/// of the describers.
///
/// # Complexity
/// O(n log n) in the refs of the things compared and those that ever named one, and a read for each log
/// entry that changed one of them, at most some [`MAX_EVENTS`] of those listed; however long the log is.
/// Beside it what the describers do.
pub async fn changed(
    repo: &Repo,
    view: &View,
    a: &NodeRef,
    b: &NodeRef,
    describers: &Describers,
) -> Result<Change> {
    let made = view.read(|view| {
        let (a, b) = (view.get(&a.ref_path())?, view.get(&b.ref_path())?);
        Ok([a, b].map(|state| state.map_or(0, |state| state.seq)))
    });
    let [a_made, b_made] = made.await?;
    let made = a_made.max(b_made);
    let span = Span {
        after: a_made.min(b_made),
        upto: if a == b { made } else { view.seq() },
        made,
    };
    compared(repo, view, (a, b), span, describers).await
}

/// As [`changed`], with what happened after the entry `span.0`, up to the entry `span.1`: what a channel
/// served at two times is compared with all that touched it between the two.
///
/// # Errors
/// As [`changed`].
pub async fn changed_within(
    repo: &Repo,
    view: &View,
    (a, b): (&NodeRef, &NodeRef),
    span: (u64, u64),
    describers: &Describers,
) -> Result<Change> {
    let (after, upto) = span;
    let span = Span {
        after,
        upto,
        made: upto,
    };
    compared(repo, view, (a, b), span, describers).await
}

#[instrument(skip_all, fields(a = %a, b = %b), err(level = "debug"))]
async fn compared(
    repo: &Repo,
    view: &View,
    (a, b): (&NodeRef, &NodeRef),
    span: Span,
    describers: &Describers,
) -> Result<Change> {
    let components = compare(view, a, b, describers)
        .await
        .map_err(|error| error.operation("compare"))?;
    let concern = Concern::of(a, b, &components);
    let (events, events_omitted) = events::of(repo, view, span, &concern)
        .await
        .map_err(|error| error.operation("read events"))?;
    Ok(Change {
        a: a.clone(),
        b: b.clone(),
        components,
        events,
        events_omitted,
    })
}

impl Change {
    /// Orders the events by how likely each explains a difference in behavior: by the severity of what it
    /// [explains](Event::explains), and of the same severity the latest first.
    #[must_use]
    pub fn ranked_events(&self) -> Vec<&Event> {
        let mut ranked: Vec<&Event> = self.events.iter().collect();
        ranked.sort_by_key(|event| Reverse((event.explains, event.seq)));
        ranked
    }
}

async fn compare(
    view: &View,
    a: &NodeRef,
    b: &NodeRef,
    describers: &Describers,
) -> Result<Vec<Component>> {
    if a.kind() != b.kind() {
        return Err(Error::invalid("two things of one kind can be compared")
            .context("a", a)
            .context("b", b));
    }
    let pairs = view.read(|view| {
        for node in [a, b] {
            if value(view, node)?.is_none() {
                return Err(Error::not_found(node.kind().as_str(), node));
            }
        }
        all_pairs(view, a, b)
    });
    let mut found = Vec::new();
    for pair in pairs.await? {
        found.push(component(view, pair, describers).await?);
    }
    found.sort_by_cached_key(|part| {
        let kind = telling(part.kind);
        (
            Reverse(part.severity),
            !part.changed,
            kind,
            part.slot.clone(),
        )
    });
    Ok(found)
}

/// Pairs the parts of both, and the inputs of those that changed.
fn all_pairs(view: &View, a: &NodeRef, b: &NodeRef) -> Result<Vec<Pair>> {
    let mut top = pairs(view, Some(a), Some(b), EdgeKind::Contains, None)?;
    if top.is_empty() {
        top.push(Pair {
            slot: a.kind().to_string(),
            a: Some(a.clone()),
            b: Some(b.clone()),
        });
    }
    // A unit may hold what its model used: said once, as a part of the unit.
    let mut said: BTreeSet<_> = top.iter().map(Pair::ends).collect();
    let mut all = Vec::new();
    for pair in top {
        let inputs = match (&pair.a, &pair.b) {
            (Some(a), Some(b)) if a != b => {
                pairs(view, Some(a), Some(b), EdgeKind::Used, Some(&pair.slot))?
            }
            _ => Vec::new(),
        };
        all.push(pair);
        all.extend(
            inputs
                .into_iter()
                .filter(|input| input.a != input.b && said.insert(input.ends())),
        );
    }
    Ok(all)
}

async fn component(view: &View, pair: Pair, describers: &Describers) -> Result<Component> {
    let description = match (&pair.a, &pair.b) {
        (Some(a), Some(b)) if a == b => Description::unchanged(),
        (Some(a), Some(b)) => match describers.describe(a, b).await? {
            Some(description) => description,
            None => {
                view.read(|view| describe::records(a, value(view, a)?, b, value(view, b)?))
                    .await?
            }
        },
        (None, Some(_)) => Description::new("added", Severity::High),
        (Some(_), None) => Description::new("removed", Severity::High),
        (None, None) => Description::unchanged(),
    };
    let kind = pair.a.as_ref().or(pair.b.as_ref()).map(NodeRef::kind);
    Ok(Component {
        slot: pair.slot,
        kind: kind.unwrap_or(NodeKind::Unit),
        changed: pair.a != pair.b,
        a: pair.a,
        b: pair.b,
        severity: description.severity,
        summary: description.summary,
        detail: description.detail,
        sections: description.sections,
    })
}

/// Orders what matters equally: causes before effects.
fn telling(kind: NodeKind) -> u8 {
    match kind {
        NodeKind::Data => 0,
        NodeKind::Prompt => 1,
        NodeKind::Code => 2,
        NodeKind::Env => 3,
        NodeKind::Model => 4,
        _ => 5,
    }
}

fn value<'v>(view: &'v View, node: &NodeRef) -> Result<Option<&'v Value>> {
    let state = view.get(&node.ref_path())?;
    Ok(state.and_then(|state| state.value.as_ref()))
}
