//! Blobs: those that live values name, or every one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Digest, ErrorKind, RefPath, Result, Telling};
use mainstay_store::Storage;

use super::{Findings, Latest, VerifyLevel, detail};
use crate::blobs::BlobStore;
use crate::blobs::index::Index;
use crate::{View, tree};

/// Checks blobs, `all` or those that are named, against an index whose packs have been checked.
pub(super) async fn check(
    (storage, latest): (&Arc<dyn Storage>, &mut Latest),
    view: &View,
    index: Index,
    (level, all): (VerifyLevel, bool),
    findings: &mut Findings,
) -> Result<()> {
    let mut blobs: BTreeMap<Digest, Option<RefPath>> = BTreeMap::new();
    if all {
        let manifests = index.manifests().into_values().flatten();
        blobs.extend(manifests.map(|entry| (Digest::from_bytes(entry.header.id.hash), None)));
    }
    let named = named(view).await;
    let (named, trees) = findings.note("log", named)?.unwrap_or_default();
    for (digest, path) in named {
        blobs.insert(digest, Some(path));
    }
    let mut reader = Reader {
        storage,
        latest,
        runs: None,
        store: BlobStore::with_index(Arc::clone(storage), index),
    };
    let mut seen = BTreeSet::new();
    for (root, path) in trees {
        let mut held = tree::reach(&reader.store, [root], &mut seen).await?;
        if !held.unread.is_empty() && reader.renew().await? {
            if !reader.latest.is_unchanged(&path).await? {
                continue;
            }
            let pages: Vec<Digest> = std::mem::take(&mut held.unread).into_keys().collect();
            seen.retain(|page| !pages.contains(page));
            let below = tree::reach(&reader.store, pages, &mut seen).await?;
            held.blobs.extend(below.blobs);
            held.unread = below.unread;
        }
        let by = |digest| (digest, Some(path.clone()));
        blobs.extend(held.blobs.into_iter().map(by));
        for (page, error) in held.unread {
            let object = format!("blob {page}");
            // What is missing is told of as a blob.
            if findings
                .note(&object, reader.store.find(&page).await)?
                .flatten()
                .is_some()
            {
                findings.error(object, error)?;
            }
        }
    }
    findings.telling.expect("blobs", blobs.len() as u64);
    for (digest, by) in blobs {
        findings.checked();
        let check = async |store: &BlobStore, telling: &Telling| {
            check_blob(store, &digest, level, telling).await
        };
        let mut checked = check(&reader.store, &findings.telling).await;
        // What is missing may have been collected, or have been written elsewhere, since it was named.
        if !matches!(checked, Ok(true)) && reader.renew().await? {
            checked = match &by {
                Some(path) if reader.latest.is_unchanged(path).await? => {
                    check(&reader.store, &findings.telling).await
                }
                _ => Ok(true),
            };
        }
        findings.telling.add("blobs", 1);
        let object = format!("blob {digest}");
        match checked {
            Ok(true) => {}
            Ok(false) => {
                let by = by.map(|path| path.to_string()).unwrap_or_default();
                findings.fault(
                    object,
                    "missing",
                    format!("named by {by}, no index knows it"),
                );
            }
            // What a blob is made of is gone or damaged: the blob itself may be named soundly.
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                findings.fault(object, "corrupt", detail(&error));
            }
            Err(error) => findings.error(object, error)?,
        }
    }
    Ok(())
}

/// Reads blobs where they lie.
struct Reader<'v> {
    storage: &'v Arc<dyn Storage>,
    latest: &'v mut Latest,
    /// The run of collection as of which it looks for them, if others have run meanwhile.
    runs: Option<u64>,
    store: BlobStore,
}

impl Reader<'_> {
    /// Looks where they lie now, and reports true, if a collection has run since verification began.
    async fn renew(&mut self) -> Result<bool> {
        let Some(runs) = self.latest.runs_since().await? else {
            return Ok(false);
        };
        if self.runs != Some(runs) {
            self.store = BlobStore::new(Arc::clone(self.storage));
            self.runs = Some(runs);
        }
        Ok(true)
    }
}

pub(super) type Named = BTreeMap<Digest, RefPath>;

/// The blobs and the roots of trees that live values name, and one ref that names each.
pub(super) async fn named(view: &View) -> Result<(Named, Named)> {
    view.read(|view| {
        let (mut blobs, mut trees) = (Named::new(), Named::new());
        for (path, state) in view.below("")? {
            if let Some(value) = &state.value {
                let by = |digest: &Digest| (*digest, path.clone());
                blobs.extend(value.blobs.iter().map(by));
                trees.extend(value.trees.iter().map(by));
            }
        }
        Ok((blobs, trees))
    })
    .await
}

/// Returns whether the blob is there, or what is wrong with it.
async fn check_blob(
    store: &BlobStore,
    digest: &Digest,
    level: VerifyLevel,
    telling: &Telling,
) -> Result<bool> {
    let Some(blob) = store.find(digest).await? else {
        return Ok(false);
    };
    match level {
        VerifyLevel::Quick | VerifyLevel::Sampled { .. } => blob.check_parts().await?,
        VerifyLevel::Full => {
            let mut pieces = blob.stream();
            while let Some(piece) = pieces.try_next().await? {
                telling.add("bytes", piece.len() as u64);
            }
        }
    }
    Ok(true)
}
