//! Blobs: those that live values name, or every one.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Digest, ErrorKind, RefPath, Result};
use mainstay_store::Storage;

use super::{Findings, VerifyLevel, detail};
use crate::View;
use crate::blobs::BlobStore;
use crate::blobs::index::Index;

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
    for (digest, path) in findings.note("log", named(view).await)?.unwrap_or_default() {
        blobs.insert(digest, Some(path.to_string()));
    }
    let store = BlobStore::with_index(Arc::clone(storage), index);
    for (digest, named_by) in blobs {
        findings.checked();
        let object = format!("blob {digest}");
        match check_blob(&store, &digest, level).await {
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

/// The blobs that live values name, and one ref that names each.
async fn named(view: &View) -> Result<BTreeMap<Digest, RefPath>> {
    view.read(|view| {
        let blobs = view.below("")?.flat_map(|(path, state)| {
            let blobs = state.value.iter().flat_map(|value| &value.blobs);
            blobs.map(|digest| (*digest, path.clone()))
        });
        Ok(blobs.collect())
    })
    .await
}

/// Returns whether the blob is there, or what is wrong with it.
async fn check_blob(store: &BlobStore, digest: &Digest, level: VerifyLevel) -> Result<bool> {
    let Some(blob) = store.find(digest).await? else {
        return Ok(false);
    };
    match level {
        VerifyLevel::Quick | VerifyLevel::Sampled { .. } => blob.check_parts().await?,
        VerifyLevel::Full => {
            let mut pieces = blob.stream();
            while pieces.try_next().await?.is_some() {}
        }
    }
    Ok(true)
}
