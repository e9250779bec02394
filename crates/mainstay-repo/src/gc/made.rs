//! Of what blobs are made: which of their manifests count, and what those name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mainstay_core::{Digest, Error, Result};
use mainstay_store::StorageExt as _;

use super::catalog::Catalog;
use crate::blobs::manifest::{Body, ChunkRef, ListRef, Manifest, decode_list};
use crate::blobs::pack::PackId;
use crate::blobs::record::RecordId;

/// What a blob is made of.
#[derive(Debug)]
pub(crate) struct Made {
    /// The packs with the manifests that count.
    pub(crate) packs: Vec<PackId>,
    /// The lists and chunks that those name.
    pub(crate) parts: Vec<RecordId>,
}

/// The manifests of each blob: the pack that one lies in, and what it names.
type Copies = BTreeMap<Digest, Vec<(PackId, Result<Vec<RecordId>>)>>;

impl Catalog {
    /// Reads of what each blob is made; a blob of which no manifest can be read comes as an error.
    ///
    /// A blob may have several manifests: it was stored twice at once, cut in two ways, or a session
    /// that was stalled made one known whose parts had been collected. Readers may come upon any that is
    /// whole, so all of these count: those that lie in `sound` packs with all their parts, or else those
    /// whose parts are anywhere. Where none is whole something is damaged, and all count.
    pub(crate) async fn made(
        &self,
        blobs: impl IntoIterator<Item = Digest> + Send,
        sound: impl Fn(PackId) -> bool + Send + Sync,
    ) -> Result<BTreeMap<Digest, Result<Made>>> {
        let (mut made, mut left) = (BTreeMap::new(), BTreeSet::new());
        let is_held = |id: &RecordId| self.holders(id).any(&sound);
        for (digest, copies) in self.copies(blobs, &sound).await? {
            match whole(&copies, is_held) {
                Some(whole) => drop(made.insert(digest, Ok(whole))),
                None => drop(left.insert(digest)),
            }
        }
        let is_held = |id: &RecordId| self.holders(id).next().is_some();
        for (digest, copies) in self.copies(left, |_| true).await? {
            let of_blob = whole(&copies, is_held).map_or_else(|| all(&digest, copies), Ok);
            made.insert(digest, of_blob);
        }
        Ok(made)
    }

    /// Reads the manifests of blobs in some packs, pack by pack, and the lists that they name.
    async fn copies(
        &self,
        blobs: impl IntoIterator<Item = Digest> + Send,
        among: impl Fn(PackId) -> bool + Send,
    ) -> Result<Copies> {
        let (mut copies, mut by_pack) = (Copies::new(), BTreeMap::<PackId, Vec<Digest>>::new());
        for digest in blobs {
            copies.insert(digest, Vec::new());
            let id = RecordId::manifest(&digest);
            for pack in self.holders(&id).filter(|pack| among(*pack)) {
                by_pack.entry(pack).or_default().push(digest);
            }
        }
        let mut listed: Vec<(Digest, PackId, ListRef)> = Vec::new();
        self.telling.expect("packs", by_pack.len() as u64);
        for (pack, digests) in by_pack {
            let stored = self.storage.get_all(&pack.key()?).await?;
            self.telling.add("packs", 1);
            let Some(bytes) = stored else {
                continue;
            };
            self.telling.add("bytes", bytes.len() as u64);
            for digest in digests {
                let id = RecordId::manifest(&digest);
                let manifest = self.open(pack, &bytes, &id).and_then(|bytes| {
                    Manifest::decode(&bytes, &digest).map_err(|damage| damage.of(id))
                });
                let parts = manifest.map(|manifest| match manifest.body {
                    Body::Inline(_) => Vec::new(),
                    Body::Chunks(chunks) => chunks.iter().map(ChunkRef::id).collect(),
                    Body::Lists(lists) => {
                        listed.extend(lists.iter().map(|list| (digest, pack, *list)));
                        lists.iter().map(ListRef::id).collect()
                    }
                });
                copies.entry(digest).or_default().push((pack, parts));
            }
        }
        let chunks = self.chunks(&listed).await?;
        for (digest, pack, list) in listed {
            let copy = copies.get_mut(&digest).into_iter().flatten();
            for (_, parts) in copy.filter(|(other, _)| *other == pack) {
                match (&mut *parts, chunks.get(&list.id())) {
                    (Ok(parts), Some(Ok(chunks))) => parts.extend(chunks),
                    (Ok(_), _) => *parts = Err(Error::corrupt(list.id(), "cannot be read")),
                    (Err(_), _) => {}
                }
            }
        }
        Ok(copies)
    }

    /// Reads the chunks that lists name.
    async fn chunks(
        &self,
        listed: &[(Digest, PackId, ListRef)],
    ) -> Result<HashMap<RecordId, Result<Vec<RecordId>>>> {
        let refs: HashMap<RecordId, ListRef> =
            listed.iter().map(|(.., list)| (list.id(), *list)).collect();
        let lists: BTreeSet<RecordId> = listed.iter().map(|(.., list)| list.id()).collect();
        let mut chunks = HashMap::new();
        self.read(lists, |id, read| {
            let decoded = read.and_then(|bytes| match refs.get(&id) {
                Some(list) => decode_list(&bytes, list.chunks as usize, list.size)
                    .map_err(|damage| damage.of(id)),
                None => Ok(Vec::new()),
            });
            chunks.insert(
                id,
                decoded.map(|list| list.iter().map(ChunkRef::id).collect()),
            );
            Ok(())
        })
        .await?;
        Ok(chunks)
    }
}

/// The manifests all of whose parts are held; `None` when there are none.
fn whole(
    copies: &[(PackId, Result<Vec<RecordId>>)],
    is_held: impl Fn(&RecordId) -> bool,
) -> Option<Made> {
    let readable = copies
        .iter()
        .filter_map(|(pack, parts)| Some((pack, parts.as_ref().ok()?)));
    let whole: Vec<_> = readable
        .filter(|(_, parts)| parts.iter().all(&is_held))
        .collect();
    (!whole.is_empty()).then(|| Made {
        packs: whole.iter().map(|(pack, _)| **pack).collect(),
        parts: whole
            .iter()
            .flat_map(|(_, parts)| *parts)
            .copied()
            .collect(),
    })
}

/// All manifests, of which none is whole.
fn all(digest: &Digest, copies: Vec<(PackId, Result<Vec<RecordId>>)>) -> Result<Made> {
    let mut made = None;
    let mut failed = Error::corrupt(RecordId::manifest(digest), "missing");
    let packs: Vec<PackId> = copies.iter().map(|(pack, _)| *pack).collect();
    for (_, parts) in copies {
        match parts {
            Ok(parts) => made.get_or_insert_with(Vec::new).extend(parts),
            Err(error) => failed = error,
        }
    }
    made.map_or(Err(failed), |parts| Ok(Made { packs, parts }))
}
