//! Receipts: what a promotion with an idempotency key answered, so that a repeated call gets the same.

use mainstay_core::{Digest, Error, ErrorKind, Name, NodeRef, RefPath, Result, canon};
use mainstay_repo::{Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::format::{Formatted, decode};
use crate::gate::GateResult;
use crate::names::model_id;
use crate::promote::{PromoteReport, PromoteSpec};
use crate::refs::{self, Family};

const MAX_KEY_BYTES: usize = 256;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Receipt {
    format: u32,
    key: String,
    /// The digest of what was asked for.
    request: Digest,
    model: NodeRef,
    from: Name,
    to: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    displaced: Option<NodeRef>,
    gates: Vec<GateResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overruled: Option<String>,
}

impl Formatted for Receipt {
    const KIND: &'static str = "model.promotion";
    const NEWEST: u32 = 1;

    fn format(&self) -> u32 {
        self.format
    }

    fn least_format(&self) -> u32 {
        1
    }
}

/// Where the receipt for a call belongs, and what the call asks for.
pub(crate) struct Slot {
    model: Name,
    name: Name,
    key: String,
    request: Digest,
}

impl Slot {
    /// Returns the slot of a call that has a key.
    pub(crate) fn of(spec: &PromoteSpec) -> Result<Option<Self>> {
        let Some(key) = &spec.idempotency_key else {
            return Ok(None);
        };
        if !(1..=MAX_KEY_BYTES).contains(&key.len()) || key.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "an idempotency key is 1 to {MAX_KEY_BYTES} bytes on one line"
            )));
        }
        // Keys are free text, refs are names.
        let name: Name = Digest::of(key.as_bytes()).to_hex().parse()?;
        let asked = (
            spec.model.to_string(),
            &spec.to,
            spec.incumbent.to_string(),
            &spec.gates,
            &spec.metrics,
            &spec.overrule,
        );
        Ok(Some(Self {
            model: spec.model.name.clone(),
            name,
            key: key.clone(),
            request: canon::digest(&asked)?,
        }))
    }

    fn path(&self, view: &View) -> Result<RefPath> {
        refs::of(&model_id(view, &self.model)?, Family::Promotion, &self.name)
    }

    /// Returns the answer that the key got already.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when the key stands for another request.
    pub(crate) fn answered(&self, view: &View) -> Result<Option<PromoteReport>> {
        let path = self.path(view)?;
        let Some(state) = view.get(&path)? else {
            return Ok(None);
        };
        let receipt: Receipt = decode(refs::held(&path, state)?)?;
        if receipt.request != self.request {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "the idempotency key stands for another promotion",
            )
            .context("key", self.key.escape_debug()));
        }
        Ok(Some(PromoteReport {
            model: receipt.model,
            from: receipt.from,
            to: receipt.to,
            displaced: receipt.displaced,
            gates: receipt.gates,
            overruled: receipt.overruled,
            seq: Some(state.seq),
        }))
    }

    pub(crate) fn fill(
        &self,
        report: &PromoteReport,
        view: &View,
        transaction: &mut Transaction,
    ) -> Result<()> {
        let receipt = Receipt {
            format: 1,
            key: self.key.clone(),
            request: self.request,
            model: report.model.clone(),
            from: report.from.clone(),
            to: report.to.clone(),
            displaced: report.displaced.clone(),
            gates: report.gates.clone(),
            overruled: report.overruled.clone(),
        };
        let path = self.path(view)?;
        let expectation = refs::unchanged(view, &path)?;
        transaction.set(path, Value::new(Receipt::KIND, &receipt)?, expectation);
        Ok(())
    }
}
