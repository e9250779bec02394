//! Why something is kept, and what it takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{BulkDigest, Digest, RefPath, Result, Timestamp};
use serde::Serialize;

use super::CollectOptions;
use super::catalog::Catalog;
use super::mark::{self, Named};
use super::needed::Needed;
use super::state::Collected;
use crate::blobs::record::{Entry, RecordId};
use crate::log::walk;
use crate::repo::Inner;
use crate::{Value, View, tree};

/// The most changes of history that an explanation names.
const MAX_HISTORY: usize = 100;

/// Why a blob is kept, or that it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlobExplanation {
    /// The blob.
    pub blob: Digest,
    /// Whether it is stored.
    pub stored: bool,
    /// The live refs that name it.
    pub refs: Vec<RefPath>,
    /// Changes in the kept history that name it, oldest first; at most 100.
    pub history: Vec<NamedBy>,
    /// The packs that hold a part of it.
    pub packs: Vec<HoldingPack>,
    /// The stored bytes of its parts.
    pub stored_bytes: u64,
}

/// A change that set a value with the blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NamedBy {
    /// The ref.
    #[serde(rename = "ref")]
    pub path: RefPath,
    /// The log entry.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
}

/// A pack with a part of a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HoldingPack {
    /// Its hash.
    pub pack: BulkDigest,
    /// Whether it has been condemned.
    pub condemned: bool,
}

/// What refs take, and what would go with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefExplanation {
    /// The refs that hold a value.
    pub refs: u64,
    /// The blobs they name.
    pub blobs: u64,
    /// The stored bytes of those.
    pub stored_bytes: u64,
    /// The stored bytes that no other live ref needs: what deleting the refs frees, once they have
    /// left the kept history.
    pub exclusive_bytes: u64,
}

/// Explains a blob.
pub(crate) async fn blob(
    inner: &Arc<Inner>,
    digest: &Digest,
    options: &CollectOptions,
) -> Result<BlobExplanation> {
    let view = inner.refresh().await?;
    let refs = candidates(&view, digest).await?;
    let now = inner.options.clock.now();
    let from = mark::kept_from(inner, &view, options, now).await?;
    let mut history = candidates(&from, digest).await?;
    let mut entries = walk::forwards(Arc::clone(inner), from.seq.into());
    while let Some(entry) = entries.try_next().await? {
        history.extend(entry.changes.into_iter().filter_map(|change| {
            let by = NamedBy {
                path: change.path,
                seq: change.seq,
                time: change.time,
            };
            Candidate::of(by, change.value.as_ref()?, digest)
        }));
    }
    let trees = refs.iter().chain(&history).flat_map(|named| &named.trees);
    let trees: BTreeSet<Digest> = trees.copied().collect();
    let holders = tree::holders(&inner.blobs, &trees, digest).await?;
    let names = |named: &Candidate| {
        named.trees.is_empty() || named.trees.iter().any(|root| holders.contains(root))
    };
    let refs = refs.into_iter().filter(names);
    let refs: Vec<RefPath> = refs.map(|named| named.by.path).collect();
    let history = history.into_iter().filter(names);
    let mut history: Vec<NamedBy> = history.map(|named| named.by).collect();
    history.sort_by(|a, b| (a.seq, &a.path).cmp(&(b.seq, &b.path)));
    history.truncate(MAX_HISTORY);

    let catalog = Catalog::load(&inner.storage).await?;
    let collected = Collected::read(&view).await?;
    let manifest = RecordId::manifest(digest);
    let stored = catalog.holders(&manifest).next().is_some();
    let mut records = BTreeSet::from([manifest]);
    let parts = catalog.made(stored.then_some(*digest), |_| true).await?;
    if let Some(Ok(made)) = parts.blobs.get(digest) {
        records.extend(parts.of(made).map(|place| catalog.record(place)));
    }
    let packs: BTreeSet<_> = records.iter().flat_map(|id| catalog.holders(id)).collect();
    let packs = packs.into_iter().map(|pack| HoldingPack {
        pack: BulkDigest::from_bytes(pack.0),
        condemned: collected.is_condemned(pack),
    });
    Ok(BlobExplanation {
        blob: *digest,
        stored,
        refs,
        history,
        packs: packs.collect(),
        stored_bytes: stored_bytes(&catalog, records.into_iter()),
    })
}

/// A value that names a blob, or may name it by a tree.
struct Candidate {
    by: NamedBy,
    /// The trees that tell; none when the value itself names the blob.
    trees: Vec<Digest>,
}

impl Candidate {
    fn of(by: NamedBy, value: &Value, digest: &Digest) -> Option<Self> {
        let is_named = value.blobs.binary_search(digest).is_ok();
        let trees = if is_named {
            Vec::new()
        } else {
            value.trees.clone()
        };
        (is_named || !trees.is_empty()).then_some(Self { by, trees })
    }
}

async fn candidates(view: &View, digest: &Digest) -> Result<Vec<Candidate>> {
    view.read(|view| {
        let candidates = view.below("")?.filter_map(|(path, state)| {
            let by = NamedBy {
                path: path.clone(),
                seq: state.seq,
                time: state.time,
            };
            Candidate::of(by, state.value.as_ref()?, digest)
        });
        Ok(candidates.collect())
    })
    .await
}

/// Explains the refs below a prefix, or the one ref of that path.
pub(crate) async fn refs(inner: &Arc<Inner>, prefix: &str) -> Result<RefExplanation> {
    let view = inner.refresh().await?;
    let split = view.read(|view| {
        let (mut count, mut theirs, mut others) = (0, Named::default(), Named::default());
        for (path, state) in view.below("")? {
            let Some(value) = &state.value else {
                continue;
            };
            if path.as_str() == prefix || path.is_below(prefix) {
                count += 1;
                theirs.add(value);
            } else {
                others.add(value);
            }
        }
        Ok((count, theirs, others))
    });
    let (refs, theirs, others) = split.await?;
    let theirs = theirs.blobs(&inner.blobs).await?;
    let others = others.blobs(&inner.blobs).await?;
    let catalog = Catalog::load(&inner.storage).await?;
    let blobs = theirs.len() as u64;
    let all = theirs.union(&others).copied();
    let parts = catalog.made(all, |_| true).await?;
    let theirs = Needed::of(&catalog, &parts, &[], &theirs)?;
    let others = Needed::of(&catalog, &parts, &[], &others)?;
    let exclusive = theirs.ids(&catalog);
    let exclusive = exclusive.filter(|id| !others.contains(&catalog, id));
    Ok(RefExplanation {
        refs,
        blobs,
        stored_bytes: stored_bytes(&catalog, theirs.ids(&catalog)),
        exclusive_bytes: stored_bytes(&catalog, exclusive),
    })
}

/// What records take in packs and index, each counted once.
fn stored_bytes(catalog: &Catalog, records: impl Iterator<Item = RecordId>) -> u64 {
    let entries = records.filter_map(|id| {
        let pack = catalog.holders(&id).next()?;
        catalog.packs.get(&pack)?.entry(&id)
    });
    entries
        .map(|entry| entry.header.record_len() + Entry::LEN as u64)
        .sum()
}
