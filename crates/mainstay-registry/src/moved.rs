//! The versions that moved from stage to stage, kept with the views.

use std::sync::Arc;

use mainstay_core::{Name, NodeKind, RefPath, Result};
use mainstay_repo::{Projection, RefState, View};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use crate::format::decode;
use crate::standing::Status;

/// Which versions of a model are in which stage, but for those that never moved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moved {
    /// By stage: since which log entry, and the version.
    by_stage: RedBlackTreeMapSync<Name, RedBlackTreeSetSync<(u64, Name)>>,
    by_version: RedBlackTreeMapSync<Name, (u64, Name)>,
}

impl Moved {
    pub(crate) fn of(view: &View, model: &Name) -> Result<Arc<Self>> {
        view.project(&format!("{}/{model}/status", NodeKind::Model))
    }

    /// Returns the version that entered a stage last, and the log entry that brought it there.
    pub(crate) fn newest(&self, stage: &Name) -> Option<(u64, &Name)> {
        let (since, version) = self.by_stage.get(stage)?.last()?;
        Some((*since, version))
    }

    pub(crate) fn contains(&self, version: &Name) -> bool {
        self.by_version.contains_key(version)
    }

    fn forget(&mut self, version: &Name) {
        let Some((since, stage)) = self.by_version.get(version).cloned() else {
            return;
        };
        self.by_version.remove_mut(version);
        if let Some(versions) = self.by_stage.get_mut(&stage) {
            versions.remove_mut(&(since, version.clone()));
        }
    }
}

impl Projection for Moved {
    fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()> {
        let mut keys = path.segments().skip(3);
        let (Some(version), None) = (keys.next(), keys.next()) else {
            return Ok(());
        };
        let version: Name = version.parse()?;
        self.forget(&version);
        let Some(value) = &state.value else {
            return Ok(());
        };
        let stage = decode::<Status>(value)?.stage;
        let mut versions = self.by_stage.get(&stage).cloned().unwrap_or_default();
        versions.insert_mut((state.seq, version.clone()));
        self.by_stage.insert_mut(stage.clone(), versions);
        self.by_version.insert_mut(version, (state.seq, stage));
        Ok(())
    }
}
