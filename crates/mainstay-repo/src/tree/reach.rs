//! What trees hold: their pages, and the blobs that their entries need.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::stream;
use mainstay_core::{Digest, Error, ErrorKind, Result};

use super::TreeChange;
use super::diff::Differ;
use super::page::{Page, Place};
use crate::blobs::BlobStore;

/// How many pages are read at a time.
const READS: usize = 16;

/// What was found to be held.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// Pages, and what entries need.
    pub(crate) blobs: BTreeSet<Digest>,
    /// Pages that are gone or damaged: what they hold is not known.
    pub(crate) unread: BTreeMap<Digest, Error>,
}

impl Reached {
    /// Returns what is held.
    ///
    /// # Errors
    /// The first damage.
    pub(crate) fn whole(mut self) -> Result<BTreeSet<Digest>> {
        match self.unread.pop_first() {
            Some((_, error)) => Err(error),
            None => Ok(self.blobs),
        }
    }
}

/// Finds all that trees hold beyond pages that were `seen`, which are added to; each page is read once.
///
/// # Errors
/// Those of the storage; what is gone or damaged is told.
pub(crate) async fn reach(
    store: &BlobStore,
    roots: impl IntoIterator<Item = Digest>,
    seen: &mut BTreeSet<Digest>,
) -> Result<Reached> {
    let mut reached = Reached::default();
    let each = |digest| {
        reached.blobs.insert(digest);
    };
    go_through(store, roots, seen, (each, &mut reached.unread)).await?;
    Ok(reached)
}

/// Finds the same, tree after tree, what entries need in the order of their keys; some perhaps again.
///
/// # Errors
/// Those of the storage, and the first damage.
pub(crate) async fn in_order(
    store: &BlobStore,
    roots: impl IntoIterator<Item = Digest>,
    seen: &mut BTreeSet<Digest>,
) -> Result<Vec<Digest>> {
    let (mut order, mut unread) = (Vec::new(), BTreeMap::new());
    let each = |digest| order.push(digest);
    go_through(store, roots, seen, (each, &mut unread)).await?;
    match unread.pop_first() {
        Some((_, error)) => Err(error),
        None => Ok(order),
    }
}

/// Goes through trees, level by level of all of them, each level in order.
async fn go_through(
    store: &BlobStore,
    roots: impl IntoIterator<Item = Digest>,
    seen: &mut BTreeSet<Digest>,
    (mut each, unread): (impl FnMut(Digest), &mut BTreeMap<Digest, Error>),
) -> Result<()> {
    let mut level: Vec<Place> = roots.into_iter().map(Place::root).collect();
    while !level.is_empty() {
        level.retain(|place| seen.insert(place.page));
        for place in &level {
            each(place.page);
        }
        let reads = stream::iter(std::mem::take(&mut level)).map(|place| async move {
            let page = place.load(store).await;
            (place, page)
        });
        let mut reads = reads.buffered(READS);
        while let Some((place, page)) = reads.next().await {
            match page {
                Ok(Page::Leaf(entries)) => {
                    let blobs = entries.into_iter().flat_map(|entry| entry.blobs);
                    blobs.for_each(&mut each);
                }
                Ok(Page::Branch { level: at, pages }) => {
                    level.extend(place.children(&pages, at));
                }
                Err(error) if is_damage(&error) => {
                    unread.insert(place.page, error);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Finds which of some trees hold a blob, or have it as a page; each page is read once.
///
/// # Errors
/// Those of the storage and of the pages.
pub(crate) async fn holders(
    store: &BlobStore,
    roots: &BTreeSet<Digest>,
    blob: &Digest,
) -> Result<BTreeSet<Digest>> {
    let mut above: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
    let (mut holding, mut seen) = (vec![*blob], BTreeSet::new());
    let mut next: Vec<Place> = roots.iter().copied().map(Place::root).collect();
    while let Some(place) = next.pop() {
        if !seen.insert(place.page) {
            continue;
        }
        match place.load(store).await? {
            Page::Leaf(entries) => {
                if entries.iter().any(|entry| entry.blobs.contains(blob)) {
                    holding.push(place.page);
                }
            }
            Page::Branch { level, pages } => {
                for child in place.children(&pages, level) {
                    above.entry(child.page).or_default().push(place.page);
                    next.push(child);
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    while let Some(page) = holding.pop() {
        if found.insert(page) {
            holding.extend(above.get(&page).into_iter().flatten());
        }
    }
    Ok(&found & roots)
}

/// Finds what a tree holds beyond what an earlier one does: its new pages, and the blobs of the entries
/// that are new or changed. Where that one is damaged, or is `None`, all that the tree holds.
///
/// # Errors
/// As [`reach`].
///
/// Complexity: O(d log n) pages for d differences.
pub(crate) async fn novel(
    before: Option<(&BlobStore, Digest)>,
    (store, root): (&BlobStore, Digest),
) -> Result<Reached> {
    if let Some((before_store, before)) = before {
        match beyond((before_store, before), (store, root)).await {
            Err(error) if is_damage(&error) => {}
            found => return found,
        }
    }
    reach(store, [root], &mut BTreeSet::new()).await
}

async fn beyond(
    (before_store, before): (&BlobStore, Digest),
    (store, root): (&BlobStore, Digest),
) -> Result<Reached> {
    let mut reached = Reached::default();
    let mut differ = Differ::new((before_store.clone(), before), (store.clone(), root));
    while let Some(change) = differ.next().await? {
        if let TreeChange::Added(entry) | TreeChange::Changed { after: entry, .. } = change {
            reached.blobs.extend(entry.blobs);
        }
    }
    reached.blobs.extend(differ.opened);
    Ok(reached)
}

fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible)
}
