//! The commits a model was made with, before and after.

use std::fmt;

use mainstay_registry::CodeUse;
use serde::Serialize;

/// From one commit to another; at least one side is there.
#[derive(Debug, Serialize)]
pub(super) struct CodeRange {
    before: Option<CodeUse>,
    after: Option<CodeUse>,
}

impl CodeRange {
    /// `None` when nothing changed.
    pub(super) fn of(before: Option<&CodeUse>, after: Option<&CodeUse>) -> Option<Self> {
        (before != after).then(|| Self {
            before: before.cloned(),
            after: after.cloned(),
        })
    }
}

impl fmt::Display for CodeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |side: &Option<CodeUse>| side.as_ref().map(|code| code.repository.clone());
        let (before, after) = (name(&self.before), name(&self.after));
        match (before, after) {
            (Some(before), Some(after)) if before != after => {
                let (old, new) = (commit(self.before.as_ref()), commit(self.after.as_ref()));
                write!(f, "code {before} {old} → {after} {new}")
            }
            (before, after) => {
                let (old, new) = (commit(self.before.as_ref()), commit(self.after.as_ref()));
                let repository = before.or(after).map(|name| format!(" {name}"));
                write!(f, "code{} {old} → {new}", repository.unwrap_or_default())
            }
        }
    }
}

/// A commit for the eye: whole hashes of Git are cut.
fn commit(code: Option<&CodeUse>) -> String {
    const SHOWN: usize = 12;
    let Some(code) = code else {
        return "nothing".to_owned();
    };
    let commit = code.commit.as_str();
    let is_hash = matches!(commit.len(), 40 | 64) && commit.bytes().all(|b| b.is_ascii_hexdigit());
    let shown = if is_hash { &commit[..SHOWN] } else { commit };
    let dirty = if code.dirty { " (dirty)" } else { "" };
    format!("{shown}{dirty}")
}
