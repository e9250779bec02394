//! Compiled versions in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::{Error, NodeRef, Result};
use mainstay_repo::RefState;

use crate::{Compiled, record};

/// The cache is emptied when it holds this many versions, which bounds it by their size.
const MAX_VERSIONS: usize = 1_024;

/// Compiled versions by version and log entry; a version never changes, so nothing expires.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<BTreeMap<(NodeRef, u64), Arc<Compiled>>>);

impl Cache {
    /// Returns the compiled version that `state` holds.
    pub(super) fn get_or_compile(&self, node: &NodeRef, state: &RefState) -> Result<Arc<Compiled>> {
        let key = (node.clone(), state.seq);
        if let Some(compiled) = self.lock().get(&key) {
            return Ok(Arc::clone(compiled));
        }
        // Compiled outside the lock; two callers may both do so once.
        let compiled = Arc::new(compile(node, state)?);
        let mut cached = self.lock();
        if cached.len() >= MAX_VERSIONS {
            cached.clear();
        }
        cached.insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(NodeRef, u64), Arc<Compiled>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compile(node: &NodeRef, state: &RefState) -> Result<Compiled> {
    let value = state
        .value
        .as_ref()
        .ok_or_else(|| Error::not_found("prompt", node))?;
    let content = record::decode(value).map_err(|error| error.context("prompt", node))?;
    Compiled::new(content).map_err(|error| {
        Error::corrupt(node, "a published prompt does not compile").with_source(error)
    })
}
