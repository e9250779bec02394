//! Who names a version: one scan of neighbours.

use std::ops::Bound;

use mainstay_core::{EdgeKind, Name, NodeRef, RefPath, Result};

use super::View;
use super::read::Miss;
use super::scan::Merged;
use crate::checkpoint::link::{self, Linked};

/// A version that depends on another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Dependent {
    /// How it depends.
    pub kind: EdgeKind,
    /// In which role.
    pub role: Option<Name>,
    /// The version that depends.
    pub from: NodeRef,
}

/// A ref that points to a version or depends on it, or did so once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Mention {
    /// The ref.
    pub path: RefPath,
    /// How the version at the ref depends; `None` for a ref that points.
    pub edge: Option<EdgeKind>,
    /// The log entry that said so last.
    pub seq: u64,
}

impl View {
    /// Lists the versions that say, or said until they were deleted or set again, that they depend on
    /// `node`; in order.
    ///
    /// Reads one range of the view, whatever else the repository holds. Complexity: O(log n + result).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn dependents(&self, node: &NodeRef) -> Result<Vec<Dependent>> {
        let mut dependents: Vec<Dependent> = self
            .links(node, 0)?
            .filter_map(|(linked, _)| match linked {
                Linked::Dependent(dependent) => Some(dependent),
                Linked::Name(_) => None,
            })
            .collect();
        dependents.sort_unstable();
        Ok(dependents)
    }

    /// Lists the refs that point to `node`, as tags, aliases, stages and channels do; in order.
    ///
    /// Complexity: O(log n) for each ref that does or did.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn names(&self, node: &NodeRef) -> Result<Vec<RefPath>> {
        let (mut names, mut missed) = (Vec::new(), None);
        for (linked, _) in self.links(node, 0)? {
            let Linked::Name(path) = linked else {
                continue;
            };
            // Asks for all that is missing before it gives up.
            match self.get(&path) {
                Ok(state) => {
                    let value = state.and_then(|state| state.value.as_ref());
                    if value.and_then(crate::Value::pointee).as_ref() == Some(node) {
                        names.push(path);
                    }
                }
                Err(error) => missed = Some(error),
            }
        }
        names.sort_unstable();
        missed.map_or(Ok(names), Err)
    }

    /// Lists the refs that log entries after `after` made point to `node` or depend on it, whatever became
    /// of them since; a version that depends in several ways is listed for each. In no order.
    ///
    /// Complexity: O(log n + those of all times).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn mentions(&self, node: &NodeRef, after: u64) -> Result<Vec<Mention>> {
        let mentions = self.links(node, after)?.map(|(linked, seq)| match linked {
            Linked::Dependent(dependent) => Mention {
                path: dependent.from.ref_path(),
                edge: Some(dependent.kind),
                seq,
            },
            Linked::Name(path) => Mention {
                path,
                edge: None,
                seq,
            },
        });
        Ok(mentions.collect())
    }

    /// Reads the links to a version that entries after `after` stated.
    fn links(&self, node: &NodeRef, after: u64) -> Result<impl Iterator<Item = (Linked, u64)>> {
        let prefix = link::prefix(node);
        let base = self.base.links.scan(
            {
                let prefix = prefix.clone();
                move |link: &String| *link < prefix
            },
            {
                let prefix = prefix.clone();
                move |link: &String| link.starts_with(&prefix)
            },
        );
        let base = base.map_err(|slots| self.miss(slots.into_iter().map(Miss::Link)))?;
        let from = prefix.clone();
        let changed = self
            .links
            .range((Bound::Included(prefix.clone()), Bound::Unbounded))
            .take_while(move |(link, _)| link.starts_with(&from));
        let stated = Merged::new(changed, base).filter(move |(_, seq)| **seq > after);
        Ok(stated.filter_map(move |(text, seq)| {
            let linked = link::linked(&text[prefix.len()..])?;
            Some((linked, *seq))
        }))
    }
}
