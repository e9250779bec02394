//! Whether a blob may be named by a commit: all of it is stored, in packs that are not condemned.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt as _;
use mainstay_core::{Digest, ErrorKind, Result};
use mainstay_store::StorageExt as _;

use super::blob::fetch;
use super::condemned::Condemned;
use super::index::Location;
use super::manifest::Manifest;
use super::pack::PackId;
use super::record::RecordId;
use super::requests::open_within;
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

    /// Returns the records a blob is made of, its manifest included: by a manifest all of whose parts are
    /// in packs that are not condemned, or else by all there are; none when it is not stored.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when a list is damaged and no other manifest makes up for it.
    pub(crate) async fn records_of(
        &self,
        digest: &Digest,
        condemned: &Condemned,
    ) -> Result<Vec<RecordId>> {
        let (mut records, mut failed) = (Vec::new(), None);
        let mut next = self.find(digest).await?;
        while let Some(blob) = next {
            if self.is_sound(&blob, condemned).await? {
                return blob.records().await;
            }
            match blob.records().await {
                Ok(of_manifest) => records.extend(of_manifest),
                Err(error) if error.kind() == ErrorKind::Corrupt => failed = Some(error),
                Err(error) => return Err(error),
            }
            next = blob.another().await?;
        }
        failed.map_or(Ok(records), Err)
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
            for (digest, blob) in self.blobs_in(pack, &locations).await? {
                if !self.is_any_sound(blob, condemned).await? {
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
    pub(super) async fn blobs_in(
        &self,
        pack: PackId,
        locations: &[Location],
    ) -> Result<Vec<(Digest, Option<Blob>)>> {
        /// So many manifests are worth reading a pack whole.
        const MANY: usize = 8;
        let whole = if locations.len() < MANY {
            None
        } else {
            self.shared.storage.get_all(&pack.key()?).await?
        };
        let mut blobs = Vec::with_capacity(locations.len());
        for location in locations {
            let digest = digest_of(location);
            let opened = whole.as_ref().and_then(|whole| {
                let bytes = open_within(pack, &location.entry, whole, 0).ok()?;
                let manifest = Manifest::decode(&bytes, &digest).ok()?;
                Some(Blob::new(Arc::clone(&self.shared), manifest, pack))
            });
            let blob = match opened {
                Some(blob) => Some(blob),
                // It may lie elsewhere, too, or by now.
                None => self.find(&digest).await?,
            };
            blobs.push((digest, blob));
        }
        Ok(blobs)
    }

    /// Checks blobs whose manifests lie in one pack.
    async fn check_pack(
        &self,
        pack: PackId,
        locations: &[Location],
        condemned: &Condemned,
    ) -> Result<Option<Unreliable>> {
        for (digest, blob) in self.blobs_in(pack, locations).await? {
            if !self.is_any_sound(blob, condemned).await? {
                return Ok(Some(Unreliable::Condemned(digest)));
            }
        }
        Ok(None)
    }

    /// Reports whether a blob is sound by any of its manifests.
    async fn is_any_sound(&self, mut blob: Option<Blob>, condemned: &Condemned) -> Result<bool> {
        while let Some(tried) = blob {
            if self.is_sound(&tried, condemned).await? {
                return Ok(true);
            }
            blob = tried.another().await?;
        }
        Ok(false)
    }

    /// Reports whether the manifest of a blob and every part that it names are in packs that are not
    /// condemned.
    async fn is_sound(&self, blob: &Blob, condemned: &Condemned) -> Result<bool> {
        if condemned.contains(&blob.pack()) {
            return Ok(false);
        }
        for list in blob.lists() {
            match self.shared.index.find(&list).await? {
                Some(location) if !condemned.contains(&location.pack) => {}
                _ => return Ok(false),
            }
        }
        let mut parts = blob.parts();
        loop {
            let located = match parts.try_next().await {
                Ok(None) => return Ok(true),
                Ok(Some(part)) => {
                    fetch::locate(Arc::clone(&self.shared), blob.digest(), part).await
                }
                Err(error) => Err(error),
            };
            match located {
                Ok(located) if !condemned.contains(&located.pack()) => {}
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The blob whose manifest lies there.
fn digest_of(location: &Location) -> Digest {
    Digest::from_bytes(location.entry.header.id.hash)
}
