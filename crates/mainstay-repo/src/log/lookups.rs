//! The blobs that one call has looked up.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Digest, Error, ErrorKind, RefPath, Result};

use crate::blobs::reliance::Unreliable;
use crate::repo::Inner;
use crate::{View, gc};

/// What is known of blobs as of one run of collection, so that repeated attempts do not look again.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// The run; `None` before the first look.
    run: Option<u64>,
    found: BTreeSet<Digest>,
    unreliable: Option<Unreliable>,
}

/// What is known of the blobs of a transaction.
pub(super) enum Verdict {
    Found,
    Refused(Error),
    /// They have to be looked up.
    Unknown,
}

impl Lookups {
    /// Tells whether blobs may be named by a commit on a view after `run` runs of collection; each
    /// comes with a ref that names it.
    pub(super) fn verdict(&self, run: u64, blobs: &BTreeMap<Digest, RefPath>) -> Verdict {
        if blobs.is_empty() {
            return Verdict::Found;
        }
        // What was found after a later run was sound before it, too.
        if self.run.is_none_or(|seen| seen < run) {
            return Verdict::Unknown;
        }
        if let Some((unreliable, path)) = self.unreliable_of(blobs) {
            return Verdict::Refused(refusal(unreliable).context("ref", path));
        }
        if blobs.keys().all(|digest| self.found.contains(digest)) {
            Verdict::Found
        } else {
            Verdict::Unknown
        }
    }

    fn unreliable_of<'a>(
        &self,
        blobs: &'a BTreeMap<Digest, RefPath>,
    ) -> Option<(Unreliable, &'a RefPath)> {
        let unreliable = self.unreliable?;
        let (Unreliable::Missing(digest) | Unreliable::Condemned(digest)) = unreliable;
        blobs.get(&digest).map(|path| (unreliable, path))
    }

    /// Looks whether blobs are stored, as of `view` in packs that no collection has condemned.
    ///
    /// In memory as a rule; costs requests for blobs that another process stored.
    pub(super) async fn look_up(
        &mut self,
        inner: &Inner,
        view: &View,
        blobs: &BTreeMap<Digest, RefPath>,
    ) -> Result<()> {
        let mut condemned = gc::condemned(&inner.blobs, view).await?;
        loop {
            if self.run != Some(condemned.run) {
                *self = Self::default();
            }
            let unknown = blobs.keys().filter(|digest| !self.found.contains(*digest));
            let unknown: Vec<Digest> = unknown.copied().collect();
            let looked = inner.blobs.unreliable(unknown.iter().copied(), &condemned);
            let error = match looked.await {
                Ok(unreliable) => {
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
