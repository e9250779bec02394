//! Blobs: those that live values name, or every one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Digest, ErrorKind, RefPath, Result, Telling};
use mainstay_store::Storage;

use super::{Findings, VerifyLevel, detail};
use crate::blobs::BlobStore;
use crate::blobs::index::Index;
use crate::{View, tree};

/// Checks blobs, `all` or those that are named, against an index whose packs have been checked.
pub(super) async fn check(
    storage: &Arc<dyn Storage>,
    view: &View,
    index: Index,
    (level, all): (VerifyLevel, bool),
    findings: &mut Findings,
) -> Result<()> {
    let mut blobs: BTreeMap<Digest, Option<String>> = BTreeMap::new();
    if all {
        let manifests = index.manifests().into_values().flatten();
        blobs.extend(manifests.map(|entry| (Digest::from_bytes(entry.header.id.hash), None)));
    }
    let named = named(view).await;
    let (named, trees) = findings.note("log", named)?.unwrap_or_default();
    for (digest, path) in named {
        blobs.insert(digest, Some(path.to_string()));
    }
    let store = BlobStore::with_index(Arc::clone(storage), index);
    let mut seen = BTreeSet::new();
    for (root, path) in trees {
        let held = tree::reach(&store, [root], &mut seen).await?;
        let by = Some(path.to_string());
        blobs.extend(held.blobs.into_iter().map(|digest| (digest, by.clone())));
        for (page, error) in held.unread {
            let object = format!("blob {page}");
            // What is missing is told of as a blob.
            if findings
                .note(&object, store.find(&page).await)?
                .flatten()
                .is_some()
            {
                findings.error(object, error)?;
            }
        }
    }
    findings.telling.expect("blobs", blobs.len() as u64);
    for (digest, named_by) in blobs {
        findings.checked();
        let object = format!("blob {digest}");
        let checked = check_blob(&store, &digest, level, &findings.telling).await;
        findings.telling.add("blobs", 1);
        match checked {
            Ok(true) => {}
            Ok(false) => {
                let by = named_by.unwrap_or_default();
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
