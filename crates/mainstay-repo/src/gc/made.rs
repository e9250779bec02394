//! Of what blobs are made: which of their manifests count, and what those name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mainstay_core::{Digest, Error, Result};
use mainstay_store::StorageExt as _;

use super::catalog::Catalog;
use super::parts::{Held, Made, Named, Parts};
use crate::blobs::manifest::{Body, ChunkRef, ListRef, Manifest, decode_list};
use crate::blobs::pack::PackId;
use crate::blobs::record::RecordId;

/// The manifests of a blob: the pack that one lies in, and what it names.
type Copies = Vec<(PackId, Result<Named>)>;

/// Lists, and which manifests name them.
#[derive(Default)]
struct Lists {
    refs: HashMap<RecordId, ListRef>,
    named_by: Vec<(Digest, PackId, RecordId)>,
}

impl Catalog {
    /// Reads of what each blob is made; a blob of which no manifest can be read comes as an error.
    ///
    /// A blob may have several manifests: it was stored twice at once, cut in two ways, or a session
    /// that was stalled made one known whose parts had been collected. Readers may come upon any that is
    /// whole, so all of these count: those that lie in `sound` packs with all their parts, or else those
    /// whose parts are anywhere. Where none is whole something is damaged, and all count.
    pub(super) async fn made(
        &self,
        blobs: impl IntoIterator<Item = Digest> + Send,
        sound: impl Fn(PackId) -> bool + Send + Sync,
    ) -> Result<Parts> {
        let (mut parts, mut left) = (Parts::new(self), BTreeSet::new());
        let copies = self.copies(blobs, &sound, &mut parts).await?;
        let held = parts.held(|place| self.holders_of(place).any(&sound));
        for (digest, copies) in copies {
            match whole(copies, &held) {
                Ok(whole) => drop(parts.blobs.insert(digest, Ok(whole))),
                Err(_) => drop(left.insert(digest)),
            }
        }
        let copies = self.copies(left, |_| true, &mut parts).await?;
        let held = parts.held(|place| self.holders_of(place).next().is_some());
        for (digest, copies) in copies {
            let of_blob = whole(copies, &held).or_else(|copies| all(&digest, copies));
            parts.blobs.insert(digest, of_blob);
        }
        Ok(parts)
    }

    /// Reads the manifests of blobs in some packs, pack by pack, and the lists that they name.
    async fn copies(
        &self,
        blobs: impl IntoIterator<Item = Digest> + Send,
        among: impl Fn(PackId) -> bool + Send,
        parts: &mut Parts,
    ) -> Result<BTreeMap<Digest, Copies>> {
        let (mut copies, mut by_pack) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        for digest in blobs {
            copies.insert(digest, Copies::new());
            let id = RecordId::manifest(&digest);
            for pack in self.holders(&id).filter(|pack| among(*pack)) {
                by_pack.entry(pack).or_default().push(digest);
            }
        }
        let mut lists = Lists::default();
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
                let named = manifest.map(|manifest| match manifest.body {
                    Body::Inline(_) => Named::default(),
                    Body::Chunks(chunks) => parts.name(self, chunks.iter().map(ChunkRef::id)),
                    Body::Lists(refs) => {
                        lists.add((digest, pack), &refs);
                        parts.name(self, refs.iter().map(ListRef::id))
                    }
                });
                copies.entry(digest).or_default().push((pack, named));
            }
        }
        self.read_lists(&lists.refs, parts).await?;
        for (digest, pack, list) in lists.named_by {
            if parts.has_list(self, &list) {
                continue;
            }
            let of_blob = copies.get_mut(&digest).into_iter().flatten();
            for (_, named) in of_blob.filter(|(other, _)| *other == pack) {
                *named = Err(Error::corrupt(list, "cannot be read"));
            }
        }
        Ok(copies)
    }

    /// Reads what lists name.
    async fn read_lists(&self, refs: &HashMap<RecordId, ListRef>, parts: &mut Parts) -> Result<()> {
        let ids: BTreeSet<RecordId> = refs.keys().copied().collect();
        self.read(ids, |id, read| {
            if let (Some(list), Ok(bytes)) = (refs.get(&id), read)
                && let Ok(chunks) = decode_list(&bytes, list.chunks as usize, list.size)
            {
                parts.add_list(self, &id, chunks.iter().map(ChunkRef::id));
            }
            Ok(())
        })
        .await
    }
}

impl Lists {
    fn add(&mut self, (digest, pack): (Digest, PackId), refs: &[ListRef]) {
        for list in refs {
            self.refs.insert(list.id(), *list);
            self.named_by.push((digest, pack, list.id()));
        }
    }
}

/// Takes the manifests all of whose parts are held; gives all back when there are none.
fn whole(copies: Copies, held: &Held) -> Result<Made, Copies> {
    let is_whole =
        |(_, named): &(_, Result<Named>)| matches!(named, Ok(named) if held.holds(named));
    if !copies.iter().any(is_whole) {
        return Err(copies);
    }
    let whole = copies.into_iter().filter(is_whole);
    let whole = whole.filter_map(|(pack, named)| Some((pack, named.ok()?)));
    let (packs, manifests) = whole.unzip();
    Ok(Made { packs, manifests })
}

/// All manifests, of which none is whole.
fn all(digest: &Digest, copies: Copies) -> Result<Made> {
    let (mut packs, mut manifests) = (Vec::new(), Vec::new());
    let mut failed = Error::corrupt(RecordId::manifest(digest), "missing");
    for (pack, named) in copies {
        packs.push(pack);
        match named {
            Ok(named) => manifests.push(named),
            Err(error) => failed = error,
        }
    }
    if manifests.is_empty() {
        return Err(failed);
    }
    Ok(Made { packs, manifests })
}
