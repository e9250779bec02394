//! Whether a blob may be named by a commit: all of it is stored, in packs that are not condemned.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt as _;
use mainstay_core::{Digest, ErrorKind, Result};
use mainstay_store::StorageExt as _;

use super::blob::fetch::{self, open_within};
use super::condemned::Condemned;
use super::index::Location;
use super::manifest::Manifest;
use super::pack::PackId;
use super::record::RecordId;
use super::{Blob, BlobStore};

/// What sessions of this process have seen.
#[derive(Debug, Default)]
pub(super) struct Reliance {
    known: Mutex<Arc<Condemned>>,
    vouched: Mutex<Vouched>,
}

/// Blobs whose every part was in packs not condemned as of a run.
#[derive(Debug, Default)]
struct Vouched {
    run: u64,
    blobs: HashSet<Digest>,
}

impl Reliance {
    /// Takes note of blobs that are stored, none of them in packs condemned as of `run`.
    pub(super) fn vouch(&self, run: u64, blobs: Vec<Digest>) {
        let mut vouched = self.vouched.lock().unwrap_or_else(PoisonError::into_inner);
        if vouched.run < run {
            *vouched = Vouched {
                run,
                blobs: HashSet::new(),
            };
        }
        if vouched.run == run {
            vouched.blobs.extend(blobs);
        }
    }

    fn is_vouched(&self, run: u64, blob: &Digest) -> bool {
        let vouched = self.vouched.lock().unwrap_or_else(PoisonError::into_inner);
        vouched.run == run && vouched.blobs.contains(blob)
    }
}

/// Why a blob must not be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreliable {
    /// It is not stored.
    Missing(Digest),
    /// A collection has condemned some of it.
    Condemned(Digest),
}

impl BlobStore {
    /// The packs this process knows to be condemned.
    pub(crate) fn condemned(&self) -> Arc<Condemned> {
        let known = self.shared.reliance.known.lock();
        Arc::clone(&known.unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note of condemned packs; returns the newest that are known.
    pub(crate) fn learn_condemned(&self, condemned: Arc<Condemned>) -> Arc<Condemned> {
        let known = self.shared.reliance.known.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if known.run < condemned.run {
            *known = condemned;
        }
        Arc::clone(&known)
    }

    /// Returns the records a blob is made of, its manifest included; none when it is not stored.
    pub(crate) async fn records_of(&self, digest: &Digest) -> Result<Vec<RecordId>> {
        let Some(blob) = self.find(digest).await? else {
            return Ok(Vec::new());
        };
        let mut records = vec![RecordId::manifest(digest)];
        records.extend(blob.lists());
        let mut parts = blob.parts();
        while let Some(part) = parts.try_next().await? {
            records.push(part.id());
        }
        Ok(records)
    }

    /// Finds a blob among `blobs` that a commit must not name when these packs are condemned.
    ///
    /// Costs one request for each pack with manifests of blobs that no session of this process has
    /// stored since the last run; none before the first run.
    pub(crate) async fn unreliable(
        &self,
        blobs: impl IntoIterator<Item = Digest>,
        condemned: &Arc<Condemned>,
    ) -> Result<Option<Unreliable>> {
        self.shared.index.condemn(condemned).await?;
        let mut unchecked: BTreeMap<PackId, Vec<Location>> = BTreeMap::new();
        for digest in blobs {
            let id = RecordId::manifest(&digest);
            let Some(location) = self.shared.index.find(&id).await? else {
                return Ok(Some(Unreliable::Missing(digest)));
            };
            if condemned.contains(&location.pack) {
                return Ok(Some(Unreliable::Condemned(digest)));
            }
            let vouched = self.shared.reliance.is_vouched(condemned.run, &digest);
            if condemned.run > 0 && !vouched {
                unchecked.entry(location.pack).or_default().push(location);
            }
        }
        for (pack, locations) in unchecked {
            let found = self.check_pack(pack, &locations, condemned).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Returns those of `blobs` that are not stored whole in packs that are not condemned.
    ///
    /// Looks at every part, whether or not anything has ever been collected. Costs a listing of the
    /// index and one request for each pack with many of the manifests, or for each manifest.
    pub(crate) async fn lacking(
        &self,
        blobs: &BTreeSet<Digest>,
        condemned: &Arc<Condemned>,
    ) -> Result<BTreeSet<Digest>> {
        self.shared.index.condemn_for_writing(condemned).await?;
        let (mut lacking, by_pack) = self.by_pack(blobs).await?;
        for (pack, locations) in by_pack {
            if condemned.contains(&pack) {
                lacking.extend(locations.iter().map(digest_of));
                continue;
            }
            for (digest, manifest) in self.manifests_in(pack, &locations).await? {
                let is_sound = match manifest {
                    Some(manifest) => self.is_sound(manifest, condemned).await?,
                    None => false,
                };
                if !is_sound {
                    lacking.insert(digest);
                }
            }
        }
        Ok(lacking)
    }

    /// Finds the manifests of blobs, by the packs they lie in; returns also the blobs without one.
    pub(super) async fn by_pack(
        &self,
        blobs: &BTreeSet<Digest>,
    ) -> Result<(BTreeSet<Digest>, BTreeMap<PackId, Vec<Location>>)> {
        self.shared.index.refresh_for_writing().await?;
        let mut missing = BTreeSet::new();
        let mut by_pack: BTreeMap<PackId, Vec<Location>> = BTreeMap::new();
        for digest in blobs {
            match self.shared.index.get(&RecordId::manifest(digest)) {
                Some(location) => by_pack.entry(location.pack).or_default().push(location),
                None => {
                    missing.insert(*digest);
                }
            }
        }
        Ok((missing, by_pack))
    }

    /// Reads manifests that lie in one pack, the pack whole when they are many; `None` for one that is
    /// gone.
    pub(super) async fn manifests_in(
        &self,
        pack: PackId,
        locations: &[Location],
    ) -> Result<Vec<(Digest, Option<Manifest>)>> {
        /// So many manifests are worth reading a pack whole.
        const MANY: usize = 8;
        let whole = if locations.len() < MANY {
            None
        } else {
            self.shared.storage.get_all(&pack.key()?).await?
        };
        let mut manifests = Vec::with_capacity(locations.len());
        for location in locations {
            let (id, digest) = (location.entry.header.id, digest_of(location));
            let bytes = match &whole {
                Some(whole) => Some(open_within(pack, &location.entry, whole, 0)?),
                None => self.shared.record(&id).await?,
            };
            let manifest = bytes.map(|bytes| Manifest::decode(&bytes, &digest));
            let manifest = manifest.transpose().map_err(|damage| damage.of(id))?;
            manifests.push((digest, manifest));
        }
        Ok(manifests)
    }

    /// Checks blobs whose manifests lie in one pack.
    async fn check_pack(
        &self,
        pack: PackId,
        locations: &[Location],
        condemned: &Condemned,
    ) -> Result<Option<Unreliable>> {
        for (digest, manifest) in self.manifests_in(pack, locations).await? {
            let is_sound = match manifest {
                Some(manifest) => self.is_sound(manifest, condemned).await?,
                None => false,
            };
            if !is_sound {
                return Ok(Some(Unreliable::Condemned(digest)));
            }
        }
        Ok(None)
    }

    /// Reports whether every part of a blob is in a pack that is not condemned.
    async fn is_sound(&self, manifest: Manifest, condemned: &Condemned) -> Result<bool> {
        let blob = Blob::new(Arc::clone(&self.shared), manifest);
        for list in blob.lists() {
            match self.shared.index.find(&list).await? {
                Some(location) if !condemned.contains(&location.pack) => {}
                _ => return Ok(false),
            }
        }
        let mut parts = blob.parts();
        while let Some(part) = parts.try_next().await? {
            match fetch::locate(Arc::clone(&self.shared), blob.digest(), part).await {
                Ok(located) if !condemned.contains(&located.pack()) => {}
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// The blob whose manifest lies there.
fn digest_of(location: &Location) -> Digest {
    Digest::from_bytes(location.entry.header.id.hash)
}
