//! What is told of a version that was registered.

use std::io::{self, Write};

use mainstay::registry::tensor::{NamedTensors, TensorSummary};
use mainstay::registry::{Registered, Reproduced};
use serde::Serialize;

use super::signature::Origin;
use crate::text::{BOLD, CAUTION, Cell, Fields, Line, joined};

#[derive(Serialize)]
pub(super) struct Document<'r> {
    #[serde(flatten)]
    pub(super) registered: &'r Registered,
    /// `None` when it has no signature.
    pub(super) signature_from: Option<&'r Origin>,
}

impl Document<'_> {
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let registered = self.registered;
        let mut fields = Fields::new()
            .with("version", Cell::new(&registered.node, BOLD))
            .with_some("bump", registered.bump)
            .with("artifact", registered.artifact)
            .with_some("signature", self.signature_from)
            .with("reproducibility", registered.reproducibility_digest);
        if let Reproduced::Reused { of } = &registered.reproduced {
            fields = fields.with(
                "reproduced",
                format!("the files of {of}, from the same inputs"),
            );
        }
        fields.write(out)?;
        for reason in &registered.reasons {
            writeln!(out, "  {}", Line(&reason.to_string()))?;
        }
        let Reproduced::Differs { of, tensors } = &registered.reproduced else {
            return Ok(());
        };
        let tensors = tensors.as_deref();
        if tensors.is_some_and(|found| found.is_same_tensors() && !found.other_files) {
            return writeln!(
                out,
                "the tensors of {of} in other files, from the same inputs"
            );
        }
        let what = format!("not deterministic: other files than {of}, from the same inputs");
        writeln!(out, "{CAUTION}{what}{CAUTION:#}")?;
        tensors.map_or(Ok(()), |found| differing(found, out))
    }
}

fn differing(found: &TensorSummary, out: &mut dyn Write) -> io::Result<()> {
    for (what, tensors) in [
        ("added", &found.added),
        ("removed", &found.removed),
        ("reshaped", &found.reshaped),
        ("changed", &found.changed),
        ("perhaps changed", &found.undecided),
    ] {
        if tensors.count > 0 {
            let line = format!("  tensors {what}: {}", few(tensors));
            writeln!(out, "{}", Line(&line))?;
        }
    }
    Ok(())
}

fn few(tensors: &NamedTensors) -> String {
    let named = joined(&tensors.names);
    match tensors.count.saturating_sub(tensors.names.len() as u64) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
