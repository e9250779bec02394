//! Breaking the glass: promotions in spite of gates that said no, and the record each leaves.

use mainstay_core::{Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::format::{Formatted, decode};
use crate::gate::GateResult;
use crate::names::model_id;
use crate::promote::PromoteReport;
use crate::refs::{self, Family};

/// The longest reason in bytes: it stands in the log beside the usual one.
const MAX_WHY_BYTES: usize = 1_024;

/// A promotion in spite of gates that said no.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Overruling {
    /// The format of this record.
    pub format: u32,
    /// The version.
    pub model: NodeRef,
    /// The stage it came from.
    pub from: Name,
    /// The stage it entered.
    pub to: Name,
    /// Why the gates were overruled.
    pub why: String,
    /// The gates that said no.
    pub gates: Vec<GateResult>,
}

impl Formatted for Overruling {
    const KIND: &'static str = "model.overruling";
    const NEWEST: u32 = 1;

    fn format(&self) -> u32 {
        self.format
    }

    fn least_format(&self) -> u32 {
        1
    }
}

impl Overruling {
    /// Returns what a promotion overruled; `None` when no gate said no.
    pub(crate) fn of(report: &PromoteReport) -> Option<Self> {
        let why = report.overruled.clone()?;
        let said_no = report.gates.iter().filter(|result| !result.passed);
        Some(Self {
            format: 1,
            model: report.model.clone(),
            from: report.from.clone(),
            to: report.to.clone(),
            why,
            gates: said_no.cloned().collect(),
        })
    }

    pub(crate) fn write(&self, view: &View, transaction: &mut Transaction) -> Result<()> {
        let path = refs::of(self.model.name(), Family::Overruled, self.model.version())?;
        let expectation = refs::unchanged(view, &path)?;
        transaction.set(path, Value::new(Self::KIND, self)?, expectation);
        Ok(())
    }
}

/// Refuses to break the glass without saying why.
pub(crate) fn check_why(why: &str) -> Result<()> {
    let acceptable = (1..=MAX_WHY_BYTES).contains(&why.len())
        && why.trim() == why
        && !why.chars().any(char::is_control);
    if acceptable {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "say why gates are overruled: 1 to {MAX_WHY_BYTES} bytes on one line"
        )))
    }
}

/// Lists the versions of a model that entered a stage in spite of its gates, the last time each did so,
/// in order of version. Deleting a version does not delete what it says here.
///
/// # Errors
/// [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote one.
pub fn overrulings(view: &View, model: &Name) -> Result<Vec<Overruling>> {
    let model = model_id(view, model)?;
    let prefix = format!("{}/{model}/{}", NodeKind::Model, Family::Overruled.as_str());
    let values = view.below(&prefix)?;
    values
        .filter_map(|(_, state)| state.value.as_ref())
        .map(decode)
        .collect()
}
