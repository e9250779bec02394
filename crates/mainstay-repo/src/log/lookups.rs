//! The blobs that one call has looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstay_core::{Digest, Error, ErrorKind, RefPath, Result};

use super::plan::{Named, NamedTree};
use crate::blobs::BlobStore;
use crate::blobs::condemned::Condemned;
use crate::blobs::reliance::Unreliable;
use crate::repo::Inner;
use crate::tree::Reached;
use crate::{View, gc, tree};

/// What is known of blobs as of one run of collection, so that repeated attempts do not look again.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// The run; `None` before the first look.
    run: Option<u64>,
    found: BTreeSet<Digest>,
    unreliable: Option<Unreliable>,
    /// What trees hold beyond the ones beside them, whatever was collected.
    held: BTreeMap<NamedTree, BTreeSet<Digest>>,
}

/// What is known of the blobs of a transaction.
pub(super) enum Verdict {
    Found,
    Refused(Error),
    /// They have to be looked up.
    Unknown,
}

impl Lookups {
    /// Tells whether blobs and trees may be named by a commit on a view after `run` runs of
    /// collection.
    pub(super) fn verdict(&self, run: u64, named: &Named) -> Verdict {
        if named.is_empty() {
            return Verdict::Found;
        }
        // What was found after a later run was sound before it, too.
        if self.run.is_none_or(|seen| seen < run) {
            return Verdict::Unknown;
        }
        if let Some((unreliable, path)) = self.unreliable_of(named) {
            return Verdict::Refused(refusal(unreliable).context("ref", path));
        }
        let is_found = |digest: &Digest| self.found.contains(digest);
        let is_held = |tree| {
            self.held
                .get(tree)
                .is_some_and(|held| held.iter().all(is_found))
        };
        if named.blobs.keys().all(is_found) && named.trees.keys().all(is_held) {
            Verdict::Found
        } else {
            Verdict::Unknown
        }
    }

    fn unreliable_of<'a>(&self, named: &'a Named) -> Option<(Unreliable, &'a RefPath)> {
        let unreliable = self.unreliable?;
        let (Unreliable::Missing(digest) | Unreliable::Condemned(digest)) = unreliable;
        let mut holding = named.trees.iter().filter(|(tree, _)| {
            let held = self.held.get(tree);
            tree.root == digest || held.is_some_and(|held| held.contains(&digest))
        });
        let path = named.blobs.get(&digest);
        let path = path.or_else(|| holding.next().map(|(_, path)| path));
        path.map(|path| (unreliable, path))
    }

    /// Looks whether blobs and what trees hold are stored, as of `view` in packs that no collection has
    /// condemned.
    ///
    /// In memory as a rule; costs requests for blobs that another process stored, and the reading of
    /// pages that are new.
    pub(super) async fn look_up(
        &mut self,
        inner: &Inner,
        view: &View,
        named: &Named,
    ) -> Result<()> {
        let mut condemned = gc::condemned(&inner.blobs, view).await?;
        loop {
            if self.run != Some(condemned.run) {
                *self = Self {
                    held: std::mem::take(&mut self.held),
                    ..Self::default()
                };
            }
            let error = match self.look(inner, named, &condemned).await {
                Ok((unreliable, unknown)) => {
                    self.unreliable = unreliable;
                    self.run = Some(condemned.run);
                    if self.unreliable.is_none() {
                        self.found.extend(unknown);
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Corrupt => error,
                Err(error) => return Err(error),
            };
            // A collection may have deleted what it condemned after the view.
            let newest = inner.refresh().await?;
            let now = gc::condemned(&inner.blobs, &newest).await?;
            if now.run == condemned.run {
                return Err(error);
            }
            condemned = now;
        }
    }

    /// Looks at what is not known; returns what it was, and a blob among it that must not be named.
    async fn look(
        &mut self,
        inner: &Inner,
        named: &Named,
        condemned: &Arc<Condemned>,
    ) -> Result<(Option<Unreliable>, BTreeSet<Digest>)> {
        let store = &inner.blobs;
        let mut blobs: BTreeSet<Digest> = named.blobs.keys().copied().collect();
        for tree in named.trees.keys() {
            if !self.held.contains_key(tree) {
                let missing = (Some(Unreliable::Missing(tree.root)), BTreeSet::new());
                if store.find(&tree.root).await?.is_none() {
                    return Ok(missing);
                }
                let beside = tree.beside.map(|root| (store, root));
                let reached = tree::novel(beside, (store, tree.root)).await?;
                if lacks_a_page(store, &reached).await? {
                    return Ok(missing);
                }
                self.held.insert(*tree, reached.whole()?);
            }
            blobs.extend(self.held.get(tree).into_iter().flatten());
        }
        blobs.retain(|digest| !self.found.contains(digest));
        let unreliable = store.unreliable(blobs.iter().copied(), condemned).await?;
        Ok((unreliable, blobs))
    }
}

/// Whether a page of a tree is not stored, be it that it never was or that it has been collected.
async fn lacks_a_page(store: &BlobStore, reached: &Reached) -> Result<bool> {
    for page in reached.unread.keys() {
        if store.find(page).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn refusal(unreliable: Unreliable) -> Error {
    match unreliable {
        Unreliable::Missing(digest) => {
            Error::invalid("blob is not stored; finish its ingest first").context("blob", digest)
        }
        Unreliable::Condemned(digest) => Error::new(
            ErrorKind::Conflict,
            "blob was condemned by a collection; store it again",
        )
        .context("blob", digest),
    }
}
