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
            .links(node)?
            .filter_map(|linked| match linked {
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
        for linked in self.links(node)? {
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

    fn links(&self, node: &NodeRef) -> Result<impl Iterator<Item = Linked>> {
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
        Ok(Merged::new(changed, base)
            .filter_map(move |(text, _)| link::linked(&text[prefix.len()..])))
    }
}
