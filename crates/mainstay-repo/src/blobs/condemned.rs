//! Packs that collections have condemned: nothing new may rely on them.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use mainstay_core::Result;

use super::pack::PackId;

/// The packs condemned as of one run of collection, deleted ones included: an identity that may be
/// deleted any moment, by a collector that was stalled, is never used again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Condemned {
    /// How many runs have been committed; 0 when nothing has ever been collected.
    pub(crate) run: u64,
    pub(crate) packs: HashSet<PackId>,
}

impl Condemned {
    pub(crate) fn contains(&self, pack: &PackId) -> bool {
        self.packs.contains(pack)
    }
}

type Ask = dyn Fn() -> BoxFuture<'static, Result<Arc<Condemned>>> + Send + Sync;

/// Where a session learns what is condemned when it begins.
#[derive(Clone)]
pub(crate) struct CondemnedSource(Arc<Ask>);

impl CondemnedSource {
    pub(crate) fn new(
        ask: impl Fn() -> BoxFuture<'static, Result<Arc<Condemned>>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(ask))
    }

    pub(super) fn ask(&self) -> BoxFuture<'static, Result<Arc<Condemned>>> {
        (self.0)()
    }
}

impl fmt::Debug for CondemnedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CondemnedSource")
    }
}
