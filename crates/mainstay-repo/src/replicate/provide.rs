//! Blobs: what is to be committed finds them in the target.

use std::collections::BTreeSet;

use mainstay_core::{Digest, Error, Result};

use super::read::{Change, Incoming};
use super::run::Run;
use crate::blobs::copy::Copier;
use crate::{View, gc};

/// So many blobs are remembered, at 32 bytes each.
const MAX_SOUND: usize = 1_000_000;

impl Run<'_> {
    /// Sees to it that the target holds the blobs of what is to be committed.
    pub(super) async fn provide(&mut self, incoming: &[Incoming], view: &View) -> Result<()> {
        let changes: Vec<&Change> = incoming.iter().flat_map(|i| &i.changes).collect();
        let named = view.read(|view| {
            let mut named = BTreeSet::new();
            for change in &changes {
                let state = view.state(&change.target)?;
                let is_new = state.is_none_or(|state| state.generation < change.generation);
                let value = change.value.as_ref().filter(|_| is_new);
                named.extend(value.into_iter().flat_map(|value| &value.blobs));
            }
            Ok(named)
        });
        let mut wanted: BTreeSet<Digest> = named.await?;
        let blobs = &self.target.inner.blobs;
        let condemned = gc::condemned(blobs, view).await?;
        if self.sound_as_of != condemned.run || self.sound.len() > MAX_SOUND {
            self.sound.clear();
            self.sound_as_of = condemned.run;
        }
        wanted.retain(|blob| !self.sound.contains(blob) && !self.collected.contains(blob));
        if wanted.is_empty() {
            return Ok(());
        }
        let lacking = blobs.lacking(&wanted, &condemned).await?;
        self.report.blobs_already_there += (wanted.len() - lacking.len()) as u64;
        let begin = || self.target.ingest();
        let copier = Copier::new(
            &self.source.inner.blobs,
            &begin,
            (self.options.check, self.options.limits.session_bytes),
            self.options.progress.clone(),
            &mut self.copied,
        );
        let missing = copier.copy(&lacking).await?;
        self.check_collected(&changes, &missing).await?;
        self.sound.extend(wanted.difference(&missing));
        self.collected.extend(missing);
        Ok(())
    }

    /// Makes sure that only past values name blobs that the source does not hold.
    async fn check_collected(&self, changes: &[&Change], missing: &BTreeSet<Digest>) -> Result<()> {
        if missing.is_empty() {
            return Ok(());
        }
        let view = self.source.view().await?;
        let damaged = view.read(|view| {
            for change in changes {
                let value = change.value.as_ref();
                let blobs = value.into_iter().flat_map(|value| &value.blobs);
                let Some(blob) = blobs.copied().find(|blob| missing.contains(blob)) else {
                    continue;
                };
                let state = view.state(&change.source)?;
                if state.is_some_and(|state| state.generation == change.generation) {
                    return Ok(Some((blob, change.source.clone())));
                }
            }
            Ok(None)
        });
        match damaged.await? {
            None => Ok(()),
            Some((blob, path)) => Err(Error::corrupt(
                format!("blob {blob}"),
                "a ref of the source names it, and the source does not hold it",
            )
            .context("ref", path)),
        }
    }
}
