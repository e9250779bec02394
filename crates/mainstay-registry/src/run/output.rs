//! What a run made, so that it is found from the run.

use mainstay_core::{Name, NodeKind, NodeRef, RefPath, Result};
use mainstay_repo::{Value, View};
use serde::{Deserialize, Serialize};

use super::record::FORMAT;
use crate::record::RunUse;
use crate::refs::held;

/// Something a run made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunOutput {
    /// The version; it may have been deleted since.
    pub output: NodeRef,
    /// The step that the run had reached, of a checkpoint.
    pub step: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    output: NodeRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<i64>,
}

const KIND: &str = "run.output";

/// Returns the ref that records that a run made `output`, and its value.
pub(crate) fn output(made: &RunUse, output: &NodeRef) -> Result<(RefPath, Value)> {
    let path = RefPath::from_names(&[
        NodeKind::Run.as_str().parse()?,
        made.run.name().clone(),
        "output".parse::<Name>()?,
        made.run.version().clone(),
        output.kind().as_str().parse()?,
        output.name().clone(),
        output.version().clone(),
    ])?;
    let stored = Stored {
        format: FORMAT,
        output: output.clone(),
        step: made.step,
    };
    Ok((path, Value::new(KIND, &stored)?))
}

/// Lists what a run made: by step, then as it was made.
pub(crate) fn outputs(view: &View, run: &NodeRef) -> Result<Vec<RunOutput>> {
    let prefix = format!("{}/{}/output/{}", NodeKind::Run, run.name(), run.version());
    let mut outputs = Vec::new();
    for (path, state) in view.below(&prefix)? {
        let value = held(path, state)?;
        value.check_format(KIND, u64::from(FORMAT))?;
        let stored: Stored = value.decode(KIND)?;
        let output = RunOutput {
            output: stored.output,
            step: stored.step,
        };
        outputs.push((state.seq, output));
    }
    outputs.sort_by_key(|(seq, output)| (output.step, *seq));
    Ok(outputs.into_iter().map(|(_, output)| output).collect())
}
