//! The tensors of a model, as far as their headers and stored chunks tell.

use mainstay_core::{ErrorKind, Result};
use mainstay_registry::tensor::{NamedTensors, TensorSummary};
use serde::Serialize;

/// How many tensors of a kind of change the line names.
const NAMED: usize = 3;

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tensors {
    /// No safetensors file changed.
    Same,
    /// Some did.
    Compared(TensorSummary),
    /// They are too many, or a file that its name calls safetensors is none that can be read; says why.
    NotCompared(String),
}

impl Tensors {
    /// What a file of the user's is wrong about does not hide the rest; missing and damaged bytes are
    /// errors.
    pub(super) fn of(found: Result<Option<TensorSummary>>) -> Result<Self> {
        match found {
            Ok(None) => Ok(Self::Same),
            Ok(Some(summary)) => Ok(Self::Compared(summary)),
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported) => {
                Ok(Self::NotCompared(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// What is known by name, or why nothing is.
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Self::Same => Vec::new(),
            Self::NotCompared(why) => vec![why.clone()],
            Self::Compared(found) => kinds(found).into_iter().flat_map(named).collect(),
        }
    }

    pub(super) fn summary(&self) -> Option<String> {
        match self {
            Self::Same => None,
            Self::NotCompared(_) => Some("tensors were not compared".to_owned()),
            Self::Compared(found) if found.is_same_tensors() => {
                Some("tensors are the same".to_owned())
            }
            Self::Compared(found) => Some(told(found)),
        }
    }
}

fn kinds(found: &TensorSummary) -> [(&'static str, &NamedTensors); 5] {
    [
        ("added", &found.added),
        ("removed", &found.removed),
        ("reshaped", &found.reshaped),
        ("changed", &found.changed),
        ("perhaps changed", &found.undecided),
    ]
}

fn named((how, tensors): (&str, &NamedTensors)) -> Vec<String> {
    let names = tensors.names.iter();
    let mut lines: Vec<String> = names.map(|name| format!("{name} {how}")).collect();
    let more = tensors.count - lines.len() as u64;
    if more > 0 {
        lines.push(format!("{more} more {how}"));
    }
    lines
}

fn told(found: &TensorSummary) -> String {
    let kinds = kinds(found);
    let some = kinds.iter().filter(|(_, tensors)| tensors.count > 0);
    let counts: Vec<String> = some.map(|(how, tensors)| counted(how, tensors)).collect();
    format!(
        "tensors: {}, {} % of {} stored bytes shared",
        counts.join(", "),
        percent(found.shared_bytes, found.bytes),
        found.bytes
    )
}

fn counted(how: &str, tensors: &NamedTensors) -> String {
    let named = &tensors.names[..tensors.names.len().min(NAMED)];
    let more = if tensors.count > named.len() as u64 {
        ", …"
    } else {
        ""
    };
    format!("{} {how} ({}{more})", tensors.count, named.join(", "))
}

/// Rounded down: all of it is all of it.
fn percent(part: u64, whole: u64) -> u128 {
    u128::from(part) * 100 / u128::from(whole.max(1))
}
