//! Blobs: what is to be committed finds them in the target.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Digest, Error, Result};

use super::read::{Change, Incoming};
use super::run::Run;
use crate::blobs::copy::Copier;
use crate::log::plan::beside;
use crate::{View, gc, tree};

/// So many blobs are remembered, at 32 bytes each.
const MAX_SOUND: usize = 1_000_000;

/// The roots of trees, each with one that the target has beside it.
type Trees = BTreeSet<(Digest, Option<Digest>)>;

impl Run<'_> {
    /// Sees to it that the target holds the blobs of what is to be committed.
    pub(super) async fn provide(&mut self, incoming: &[Incoming], view: &View) -> Result<()> {
        let changes: Vec<&Change> = incoming.iter().flat_map(|i| &i.changes).collect();
        let named = view.read(|view| {
            let (mut named, mut trees) = (BTreeSet::new(), BTreeSet::new());
            for change in &changes {
                let state = view.state(&change.target)?;
                let is_new = state.is_none_or(|state| state.generation < change.generation);
                let value = change.value.as_ref().filter(|_| is_new);
                let Some(value) = value else {
                    continue;
                };
                named.extend(&value.blobs);
                if !value.trees.is_empty() {
                    let beside = beside(view, &change.target)?;
                    trees.extend(value.trees.iter().map(|root| (*root, beside)));
                }
            }
            Ok((named, trees))
        });
        let (mut wanted, trees): (BTreeSet<Digest>, Trees) = named.await?;
        let held = self.held(&trees).await?;
        wanted.extend(held.values().flatten());
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
        let mut missing = copier.copy(&lacking).await?;
        // A tree of which something is gone goes as a whole.
        for (root, held) in &held {
            if !held.is_disjoint(&missing) || !held.is_disjoint(&self.collected) {
                missing.insert(*root);
            }
        }
        self.check_collected(&changes, &missing).await?;
        self.sound.extend(wanted.difference(&missing));
        self.collected.extend(missing);
        Ok(())
    }

    /// What trees of the source hold beyond the trees that the target has beside them.
    async fn held(&self, trees: &Trees) -> Result<BTreeMap<Digest, BTreeSet<Digest>>> {
        let mut held = BTreeMap::new();
        for (root, beside) in trees {
            if self.collected.contains(root) {
                continue;
            }
            let beside = beside.map(|root| (&self.target.inner.blobs, root));
            let found = tree::novel(beside, (&self.source.inner.blobs, *root)).await?;
            held.insert(*root, found.blobs);
        }
        Ok(held)
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
                let named = value.into_iter();
                let blobs = named.flat_map(|value| value.blobs.iter().chain(&value.trees));
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
