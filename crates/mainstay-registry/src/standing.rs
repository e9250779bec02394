//! Where a version stands, and moving it: the one writer of stages.

use std::collections::BTreeMap;

use mainstay_core::{Name, NodeRef, Result};
use mainstay_repo::{Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::format::{Formatted, decode};
use crate::gate::GateResult;
use crate::metric::Metric;
use crate::policy::{Stage, StagePolicy};
use crate::refs::{self, Family};

/// The stored stage of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    pub(crate) format: u32,
    /// The stage it is in.
    pub(crate) stage: Name,
    /// The stage it came from.
    pub(crate) from: Name,
    /// What was measured for its promotions; newer values replace older ones of the same name.
    pub(crate) metrics: BTreeMap<String, Metric>,
    /// The gates it passed to enter the stage.
    pub(crate) gates: Vec<GateResult>,
    /// Why it entered in spite of gates that said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) overruled: Option<String>,
}

impl Formatted for Status {
    const KIND: &'static str = "model.status";
    const NEWEST: u32 = 2;

    fn format(&self) -> u32 {
        self.format
    }

    fn least_format(&self) -> u32 {
        let of_gates = self.gates.iter().map(GateResult::format).max();
        of_gates
            .unwrap_or(1)
            .max(if self.overruled.is_some() { 2 } else { 1 })
    }
}

/// Where a version stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) stage: Name,
    /// The log entry that brought it there.
    pub(crate) since: u64,
    pub(crate) metrics: BTreeMap<String, Metric>,
}

/// Reads where a version stands; `registered` is the log entry that registered it.
pub(crate) fn standing(
    view: &View,
    policy: &StagePolicy,
    version: &NodeRef,
    registered: u64,
) -> Result<Standing> {
    let path = refs::of(version.name(), Family::Status, version.version())?;
    let Some(state) = view.get(&path)? else {
        return Ok(Standing {
            stage: policy.initial.clone(),
            since: registered,
            metrics: BTreeMap::new(),
        });
    };
    let status: Status = decode(refs::held(&path, state)?)?;
    Ok(Standing {
        stage: status.stage,
        since: state.seq,
        metrics: status.metrics,
    })
}

/// Returns the version that holds an exclusive stage. Complexity: O(log n).
pub(crate) fn holder(view: &View, model: &Name, stage: &Name) -> Result<Option<NodeRef>> {
    refs::target(view, &refs::of(model, Family::Stage, stage)?)
}

/// One version going into one stage.
pub(crate) struct Move<'m> {
    pub(crate) version: &'m NodeRef,
    pub(crate) from: &'m Standing,
    pub(crate) to: &'m Stage,
    pub(crate) metrics: BTreeMap<String, Metric>,
    pub(crate) gates: Vec<GateResult>,
    pub(crate) overruled: Option<String>,
}

impl Move<'_> {
    /// Adds the move to a transaction, and the retirement of whom it displaces; returns the latter.
    ///
    /// This is the only writer of stages, so the pointer of an exclusive stage and the status of its
    /// holder change together.
    pub(crate) fn write(
        self,
        view: &View,
        policy: &StagePolicy,
        transaction: &mut Transaction,
    ) -> Result<Option<NodeRef>> {
        let model = self.version.name();
        if policy
            .find(&self.from.stage)
            .is_some_and(|from| from.exclusive)
        {
            let path = refs::of(model, Family::Stage, &self.from.stage)?;
            let expectation = refs::unchanged(view, &path)?;
            transaction.delete(path, expectation);
        }
        let mut displaced = None;
        if self.to.exclusive {
            let path = refs::of(model, Family::Stage, &self.to.name)?;
            displaced = refs::target(view, &path)?.filter(|holder| holder != self.version);
            let expectation = refs::unchanged(view, &path)?;
            transaction.set(path, Value::pointer(self.version), expectation);
        }
        if let Some(holder) = &displaced {
            let registered = refs::version(view, holder)?.seq;
            let standing = standing(view, policy, holder, registered)?;
            let status = Status {
                format: 1,
                stage: policy.retired.clone(),
                from: standing.stage,
                metrics: standing.metrics,
                gates: Vec::new(),
                overruled: None,
            };
            set_status(view, holder, status, transaction)?;
        }
        let mut metrics = self.from.metrics.clone();
        metrics.extend(self.metrics);
        let status = Status {
            format: 1,
            stage: self.to.name.clone(),
            from: self.from.stage.clone(),
            metrics,
            gates: self.gates,
            overruled: self.overruled,
        };
        set_status(view, self.version, status, transaction)?;
        Ok(displaced)
    }
}

fn set_status(
    view: &View,
    version: &NodeRef,
    mut status: Status,
    transaction: &mut Transaction,
) -> Result<()> {
    status.format = status.least_format();
    let path = refs::of(version.name(), Family::Status, version.version())?;
    let expectation = refs::unchanged(view, &path)?;
    transaction.set(path, Value::new(Status::KIND, &status)?, expectation);
    Ok(())
}
