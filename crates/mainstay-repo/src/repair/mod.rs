//! Repair: makes the best of a damaged repository, and never makes it worse.

mod blobs;
mod checkpoints;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Digest, Progress, RefPath, Result, Telling};
use mainstay_store::Storage;
use serde::Serialize;

use crate::blobs::BlobStore;
use crate::gc::catalog::is_damage;
use crate::log::read::{self, READ_AHEAD};
use crate::options::{PACK_BYTES, pack_limit};
use crate::view::Source;
use crate::{View, checkpoint, descriptor, gc, tree};

/// How to repair.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RepairOptions {
    /// Whether to do it; otherwise only to say what would be done, which is the default.
    pub apply: bool,
    /// Is told how many `packs` and `blobs` have been looked at, and how many `bytes` of them have been
    /// read.
    pub progress: Option<Arc<dyn Progress>>,
    /// How many bytes a pack has at most that is written; see
    /// [`RepoOptions::pack_bytes`](crate::RepoOptions::pack_bytes), whose default this has.
    pub pack_bytes: usize,
}

impl Default for RepairOptions {
    fn default() -> Self {
        Self {
            apply: false,
            progress: None,
            pack_bytes: PACK_BYTES,
        }
    }
}

impl RepairOptions {
    /// Sets whether to do it.
    #[must_use]
    pub fn with_apply(mut self, apply: bool) -> Self {
        self.apply = apply;
        self
    }

    /// Sets who is told how far it is.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Sets how large packs become; what is out of bounds is taken as the bound.
    #[must_use]
    pub fn with_pack_bytes(mut self, bytes: usize) -> Self {
        self.pack_bytes = bytes;
        self
    }
}

/// What repair did, or would do, and what cannot be helped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// Whether it was done.
    pub applied: bool,
    /// What was done, or would be, in order.
    pub actions: Vec<RepairAction>,
    /// Blobs that live refs name and that cannot be read: after the repair, or as it is now when
    /// nothing was done.
    pub lost: Vec<Lost>,
}

/// One thing that repair does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RepairAction {
    /// The object.
    pub object: String,
    /// What is done:
    /// `index` (its records are made findable again), `salvage` (what is good in it is written again),
    /// `forget` (the index no longer names it), `delete` (it says nothing that is not known
    /// elsewhere) or `leave` (it is damaged, and nothing is known elsewhere).
    pub action: &'static str,
    /// Why.
    pub detail: String,
}

/// A blob that is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lost {
    /// A ref that names it.
    #[serde(rename = "ref")]
    pub path: RefPath,
    /// The blob.
    pub blob: Digest,
    /// What is wrong.
    pub detail: String,
}

impl RepairReport {
    fn act(&mut self, object: impl Display, action: &'static str, detail: impl Display) {
        self.actions.push(RepairAction {
            object: object.to_string(),
            action,
            detail: detail.to_string(),
        });
    }
}

/// Repairs the repository on `storage`, also one that is too damaged to be opened, or says what it
/// would do.
///
/// The index is made again from the packs, which describe themselves; what is good in a damaged pack
/// is written again; checkpoints that are damaged are deleted if the log is sound, from which they
/// are made again. The log cannot be repaired. Whatever could be read before can be read after, and a
/// second repair has nothing to do. Reads every byte. Nobody else should write meanwhile.
///
/// What a writer that died had not published yet is no object, so it is not looked at: a local storage
/// drops it when it is opened, others need not.
///
/// # Errors
/// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no repository,
/// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it, and those
/// of the storage. Damage is in the report.
#[tracing::instrument(skip_all, fields(apply = options.apply), err(level = "debug"))]
pub async fn repair(storage: Arc<dyn Storage>, options: &RepairOptions) -> Result<RepairReport> {
    match descriptor::check(&*storage).await {
        // Nothing but the identity of the repository is in it.
        Err(error) if error.kind() == mainstay_core::ErrorKind::Corrupt => {}
        checked => checked?,
    }
    let telling = Telling::new(options.progress.clone());
    let mut report = RepairReport {
        applied: options.apply,
        ..RepairReport::default()
    };
    let folded = read::catch_up(&*storage, View::empty(), u64::MAX, READ_AHEAD).await;
    let view = match folded {
        Ok(view) => {
            checkpoints::repair(&*storage, &view, &mut report).await?;
            Some(view)
        }
        Err(error) if is_damage(&error) => {
            report.act("log", "leave", &error);
            from_checkpoint(&storage).await?
        }
        Err(error) => return Err(error),
    };
    let condemned = match &view {
        Some(view) => gc::condemned_in(view, &Arc::default()).await?,
        None => Arc::default(),
    };
    let packs = (&*condemned, pack_limit(options.pack_bytes));
    blobs::repair(&storage, packs, &mut report, &telling).await?;
    if let Some(view) = view {
        report.lost = lost(&storage, &view, &telling).await?;
    }
    Ok(report)
}

/// The newest view when the log is not sound from the beginning.
async fn from_checkpoint(storage: &Arc<dyn Storage>) -> Result<Option<View>> {
    let source = Arc::new(Source::new(Arc::clone(storage)));
    let read = async {
        let base = checkpoint::newest(&source).await?;
        let view = read::catch_up(&**storage, base, u64::MAX, READ_AHEAD).await?;
        view.load("").await?;
        Ok(view)
    };
    match read.await {
        Ok(view) => Ok(Some(view)),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads every blob that a live ref names.
async fn lost(storage: &Arc<dyn Storage>, view: &View, telling: &Telling) -> Result<Vec<Lost>> {
    let named = view.read(|view| {
        let (mut named, mut trees) = (Vec::new(), BTreeMap::new());
        for (path, state) in view.below("")? {
            let blobs = state.value.iter().flat_map(|value| &value.blobs);
            named.extend(blobs.map(|blob| (*blob, path.clone())));
            let roots = state.value.iter().flat_map(|value| &value.trees);
            trees.extend(roots.map(|root| (*root, path.clone())));
        }
        Ok((named, trees))
    });
    let (mut named, trees) = named.await?;
    let store = BlobStore::new(Arc::clone(storage));
    let mut seen = BTreeSet::new();
    for (root, path) in trees {
        // What cannot be read of it is found to be so below.
        let held = tree::reach(&store, [root], &mut seen).await?;
        named.extend(held.blobs.into_iter().map(|blob| (blob, path.clone())));
    }
    named.sort();
    telling.expect("blobs", named.len() as u64);
    let mut lost = Vec::new();
    let mut last: Option<(Digest, Option<String>)> = None;
    for (blob, path) in named {
        let detail = match &last {
            Some((known, detail)) if *known == blob => detail.clone(),
            _ => what_is_wrong(&store, &blob, telling).await?,
        };
        telling.add("blobs", 1);
        last = Some((blob, detail.clone()));
        lost.extend(detail.map(|detail| Lost { path, blob, detail }));
    }
    lost.sort_by(|a, b| (&a.path, a.blob).cmp(&(&b.path, b.blob)));
    Ok(lost)
}

/// Reads a blob; says why it cannot be read.
async fn what_is_wrong(
    store: &BlobStore,
    digest: &Digest,
    telling: &Telling,
) -> Result<Option<String>> {
    let read = async {
        let Some(blob) = store.find(digest).await? else {
            return Ok(Some("no index knows it".to_owned()));
        };
        let mut pieces = blob.stream();
        while let Some(piece) = pieces.try_next().await? {
            telling.add("bytes", piece.len() as u64);
        }
        Ok(None)
    };
    match read.await {
        Err(error) if is_damage(&error) => Ok(Some(error.to_string())),
        read => read,
    }
}
