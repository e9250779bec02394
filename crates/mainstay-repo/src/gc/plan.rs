//! What a run would do, and why.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use mainstay_core::{BulkDigest, Digest, Error, ErrorKind, Result, Telling, Timestamp};
use serde::{Deserialize, Serialize};

use super::CollectOptions;
use super::apply::unless_overtaken;
use super::catalog::Catalog;
use super::mark;
use super::needed::{self, Needed};
use super::scattered::PlannedDefragmentation;
use super::state::Collected;
use super::sweep::{PlannedCheckpoints, Sweep};
use crate::View;
use crate::blobs::object;
use crate::blobs::pack::PackId;
use crate::blobs::record::{Entry, Kind};
use crate::repo::Inner;

const BROKEN: &str = "holds the manifest of a blob of which something is collected";
const RESCUE: &str = "condemned, yet the only place of something needed";

/// What collecting would do: print it, store it, apply it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CollectionPlan {
    /// The log entry it was made at.
    pub head: u64,
    /// The digest of that entry.
    pub entry: Option<Digest>,
    /// What it was made with.
    pub options: CollectOptions,
    /// History is kept from the state after this log entry on.
    pub kept_from: u64,
    /// How many packs stay as they are.
    pub keep: u64,
    /// The bytes of those.
    pub kept_bytes: u64,
    /// Packs that would go and wait: for a grace, or for another run.
    pub wait: Vec<PlannedPack>,
    /// Packs whose needed part is written again, before they are condemned.
    pub repack: Vec<PlannedPack>,
    /// Packs that are condemned.
    pub condemn: Vec<PlannedPack>,
    /// Packs condemned by an earlier run, that are deleted.
    pub delete: Vec<PlannedPack>,
    /// What is brought together; nothing unless that was asked for.
    #[serde(default)]
    pub defragment: PlannedDefragmentation,
    /// What happens to checkpoints.
    #[serde(default)]
    pub checkpoints: PlannedCheckpoints,
    /// How many bytes this run deletes, less what it writes again.
    pub freed_bytes: i64,
}

/// One pack in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedPack {
    /// Its hash.
    pub pack: BulkDigest,
    /// Its size.
    pub bytes: u64,
    /// How many of its bytes are needed.
    pub used_bytes: u64,
    /// Why.
    pub because: String,
}

impl PlannedPack {
    fn id(&self) -> PackId {
        PackId(*self.pack.as_bytes())
    }
}

/// What an earlier plan allows a run to touch.
#[derive(Debug)]
pub(super) struct Allowed<'a> {
    condemn: HashSet<PackId>,
    delete: HashSet<PackId>,
    checkpoints: &'a PlannedCheckpoints,
}

impl<'a> Allowed<'a> {
    pub(super) fn by(plan: &'a CollectionPlan) -> Self {
        let ids = |packs: &[PlannedPack]| packs.iter().map(PlannedPack::id).collect();
        let mut condemn: HashSet<PackId> = ids(&plan.condemn);
        condemn.extend(plan.repack.iter().map(PlannedPack::id));
        Self {
            condemn,
            delete: ids(&plan.delete),
            checkpoints: &plan.checkpoints,
        }
    }

    /// Reports whether a pack may be condemned.
    pub(super) fn condemns(&self, pack: &PackId) -> bool {
        self.condemn.contains(pack)
    }
}

/// A pack that would go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) since: Timestamp,
    because: &'static str,
}

impl Waiting {
    pub(super) fn new(since: Timestamp, because: &'static str) -> Self {
        Self { since, because }
    }
}

/// What the repository is found to be, and what follows.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) view: View,
    pub(super) kept_from: u64,
    pub(super) catalog: Catalog,
    /// How large the packs become that are written.
    pub(super) pack_limit: usize,
    pub(super) collected: Collected,
    /// What is needed of each pack that is not condemned, or is the only place.
    pub(super) used: BTreeMap<PackId, Vec<Entry>>,
    pub(super) waiting: BTreeMap<PackId, Waiting>,
    /// Packs to condemn, and why; what is used of them is written again.
    pub(super) condemn: BTreeMap<PackId, &'static str>,
    /// Condemned packs that hold what is needed.
    pub(super) rescue: BTreeSet<PackId>,
    pub(super) delete: BTreeSet<PackId>,
    pub(super) scattered: PlannedDefragmentation,
    pub(super) sweep: Sweep,
    pub(super) telling: Telling,
    needed: Needed,
}

impl Survey {
    /// Looks at the repository; with `allowed`, nothing else is condemned or deleted for its own sake.
    pub(super) async fn of(
        inner: &Arc<Inner>,
        options: &CollectOptions,
        allowed: Option<&Allowed<'_>>,
        telling: Telling,
    ) -> Result<Self> {
        let view = inner.refresh().await?;
        let collected = Collected::read(&view).await?;
        let generation = collected.generation;
        let found = (view, collected, telling);
        let survey = Self::of_view(inner, options, found, allowed).await;
        unless_overtaken(inner, generation, survey).await
    }

    async fn of_view(
        inner: &Arc<Inner>,
        options: &CollectOptions,
        (view, collected, telling): (View, Collected, Telling),
        allowed: Option<&Allowed<'_>>,
    ) -> Result<Self> {
        let now = inner.options.clock.now();
        let from = mark::kept_from(inner, &view, options, now).await?;
        let marked = mark::mark(inner, (&from, &view), &telling).await?;
        // After the log: what an entry names was in the index before.
        let catalog = Catalog::load(&inner.storage).await?;
        let catalog = catalog.with_telling(telling.clone());
        if let Some((_, error)) = catalog.damaged.iter().next() {
            let why = "repair the repository before collecting";
            return Err(Error::new(ErrorKind::Corrupt, why).context("damage", error));
        }
        let sound = |pack| !collected.is_condemned(pack);
        let needed = needed::needed(&catalog, marked, sound).await?;
        let checkpoints = allowed.map(|allowed| allowed.checkpoints);
        let sweep = Sweep::of(inner, &view, (options, now), checkpoints).await?;
        let mut survey = Self {
            collected,
            kept_from: from.seq,
            view,
            pack_limit: object::limit(&*inner.storage, inner.options.pack_limit()),
            catalog,
            used: BTreeMap::new(),
            waiting: BTreeMap::new(),
            condemn: BTreeMap::new(),
            rescue: BTreeSet::new(),
            delete: BTreeSet::new(),
            scattered: PlannedDefragmentation::default(),
            sweep,
            telling,
            needed,
        };
        survey.choose_places();
        let budget = survey.choose_condemned(options, now, allowed);
        survey.choose_scattered((options, now), allowed, budget);
        survey.add_broken().await?;
        survey.choose_deleted(options, now, allowed);
        Ok(survey)
    }

    pub(super) fn needed(&self) -> &Needed {
        &self.needed
    }

    /// Whether records may stay in a pack.
    pub(super) fn is_sound(&self, pack: PackId) -> bool {
        self.catalog.is_stored(pack) && !self.collected.is_condemned(pack)
    }

    /// Decides from which pack each needed record is used: where it is in several, from the one of
    /// which most is needed.
    fn choose_places(&mut self) {
        let mut weights: BTreeMap<PackId, u64> = BTreeMap::new();
        for id in self.needed.ids(&self.catalog) {
            for pack in self.needed.packs(&self.catalog, &id) {
                let entry = self
                    .catalog
                    .packs
                    .get(&pack)
                    .and_then(|pack| pack.entry(&id));
                let bytes = entry.map_or(0, |entry| entry.header.record_len());
                *weights.entry(pack).or_default() += bytes;
            }
        }
        let (mut used, mut rescue) = (BTreeMap::<_, Vec<Entry>>::new(), BTreeSet::new());
        for id in self.needed.ids(&self.catalog) {
            let sound = |pack: &PackId| self.is_sound(*pack);
            let weight = |pack: &PackId| (weights.get(pack).copied(), Reverse(*pack));
            let holders = || self.needed.packs(&self.catalog, &id);
            let best = holders().filter(sound).max_by_key(weight);
            let pack = match best {
                Some(pack) => pack,
                None => match holders().max_by_key(weight) {
                    Some(condemned) => {
                        rescue.insert(condemned);
                        condemned
                    }
                    // Damage, which verification tells of.
                    None => continue,
                },
            };
            if let Some(entry) = self
                .catalog
                .packs
                .get(&pack)
                .and_then(|pack| pack.entry(&id))
            {
                used.entry(pack).or_default().push(entry);
            }
        }
        (self.used, self.rescue) = (used, rescue);
    }

    /// What is used of some packs, in the order in which blobs are read.
    pub(super) fn used_of(&self, packs: impl Fn(&PackId) -> bool) -> Vec<(PackId, Entry)> {
        let used = self.used.iter().filter(|(pack, _)| packs(pack));
        let entries = used.flat_map(|(pack, entries)| entries.iter().map(|entry| (*pack, *entry)));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_cached_key(|(_, entry)| self.needed.turn(&self.catalog, &entry.header.id));
        entries
    }

    pub(super) fn used_bytes(&self, pack: PackId) -> u64 {
        let used = self.used.get(&pack).map_or(&[][..], Vec::as_slice);
        let lens = used.iter().map(|entry| entry.header.record_len());
        lens.sum::<u64>() + (used.len() * Entry::LEN) as u64
    }

    pub(super) fn size(&self, pack: PackId) -> u64 {
        let pack = self.catalog.packs.get(&pack);
        pack.and_then(|pack| pack.stored).unwrap_or(0)
    }

    /// Condemns the packs that hold a manifest of which something goes or is gone: a session that stored
    /// the blob again, cut otherwise, would take that manifest for good.
    async fn add_broken(&mut self) -> Result<()> {
        let of_log = [self.collected.condemned.len(), self.collected.deleted.len()];
        if self.condemn.is_empty() && of_log == [0, 0] {
            return Ok(());
        }
        let packs = self.catalog.packs.iter();
        let surviving = packs.filter(|(pack, _)| self.is_sound(**pack));
        let (mut unneeded, mut hollow) = (BTreeMap::<PackId, Vec<Digest>>::new(), BTreeSet::new());
        for (pack, known) in surviving {
            let ids = known.entries.iter().map(|entry| entry.header.id);
            for id in ids.filter(|id| id.kind == Kind::Manifest) {
                if !self.needed.contains(&self.catalog, &id) {
                    let digests = unneeded.entry(*pack).or_default();
                    digests.push(Digest::from_bytes(id.hash));
                } else if self.needed.is_hollow(&id, *pack) {
                    hollow.insert(*pack);
                }
            }
        }
        self.condemn_broken(hollow);
        let digests = unneeded.values().flatten().copied();
        let parts = self
            .catalog
            .made(digests, |pack| self.is_sound(pack))
            .await?;
        loop {
            let stays = |place| {
                self.needed.has(place)
                    || self
                        .catalog
                        .holders_of(place)
                        .any(|pack| self.is_sound(pack) && !self.condemn.contains_key(&pack))
            };
            let is_broken = |pack: &PackId, digest: &Digest| match parts.blobs.get(digest) {
                Some(Ok(made)) => !made.packs.contains(pack) || !parts.all(made, stays),
                _ => true,
            };
            let broken = unneeded.iter().filter(|(pack, blobs)| {
                let mut blobs = blobs.iter();
                !self.condemn.contains_key(pack) && blobs.any(|blob| is_broken(pack, blob))
            });
            let broken: BTreeSet<PackId> = broken.map(|(pack, _)| *pack).collect();
            if broken.is_empty() {
                return Ok(());
            }
            self.condemn_broken(broken);
        }
    }

    fn condemn_broken(&mut self, packs: BTreeSet<PackId>) {
        for pack in packs {
            self.waiting.remove(&pack);
            self.condemn.entry(pack).or_insert(BROKEN);
        }
    }

    fn choose_deleted(
        &mut self,
        options: &CollectOptions,
        now: Timestamp,
        allowed: Option<&Allowed<'_>>,
    ) {
        let is_allowed =
            |pack: &PackId| allowed.is_none_or(|allowed| allowed.delete.contains(pack));
        for (pack, since) in &self.collected.condemned {
            if now.saturating_since(*since) >= options.grace
                && !self.rescue.contains(pack)
                && is_allowed(pack)
                && self.delete.len() < options.bounds.refs
            {
                self.delete.insert(*pack);
            }
        }
        // Stored again by a session that was stalled, and of no use to it.
        let again =
            self.catalog.packs.keys().filter(|pack| {
                self.collected.deleted.contains(pack) && self.catalog.is_stored(**pack)
            });
        let again = again.filter(|pack| !self.rescue.contains(pack) && is_allowed(pack));
        let room = options.bounds.refs - self.delete.len();
        let again: Vec<PackId> = again.copied().take(room).collect();
        self.delete.extend(again);
    }

    /// The plan that follows.
    pub(super) fn plan(&self, options: &CollectOptions) -> CollectionPlan {
        let planned = |pack: PackId, because: &str| PlannedPack {
            pack: BulkDigest::from_bytes(pack.0),
            bytes: self.size(pack),
            used_bytes: self.used_bytes(pack),
            because: because.to_owned(),
        };
        let condemned = self
            .condemn
            .iter()
            .map(|(pack, because)| planned(*pack, because));
        let (mut repack, condemn): (Vec<_>, Vec<_>) =
            condemned.partition(|pack| pack.used_bytes > 0);
        repack.extend(self.rescue.iter().map(|pack| planned(*pack, RESCUE)));
        let waiting = self.waiting.iter().map(|(pack, waiting)| {
            let because = format!("{}, since {}", waiting.because, waiting.since);
            planned(*pack, &because)
        });
        let within_grace = self.collected.condemned.iter();
        let within_grace = within_grace
            .filter(|(pack, _)| !self.delete.contains(pack) && !self.rescue.contains(pack));
        let within_grace =
            within_grace.map(|(pack, since)| planned(*pack, &format!("condemned, since {since}")));
        let delete: Vec<_> = self
            .delete
            .iter()
            .map(|pack| planned(*pack, "condemned by an earlier run"))
            .collect();
        let kept: Vec<PackId> = self.catalog.packs.keys().copied().collect();
        let kept = kept.into_iter().filter(|pack| {
            self.is_sound(*pack)
                && !self.condemn.contains_key(pack)
                && !self.waiting.contains_key(pack)
        });
        let kept: Vec<u64> = kept.map(|pack| self.size(pack)).collect();
        let checkpoints = self.sweep.plan();
        let deleted: u64 = delete.iter().map(|pack| pack.bytes).sum();
        let deleted = deleted + checkpoints.delete_bytes;
        let written: u64 = repack.iter().map(|pack| pack.used_bytes).sum();
        CollectionPlan {
            head: self.view.seq,
            entry: self.view.entry,
            options: options.clone(),
            kept_from: self.kept_from,
            keep: kept.len() as u64,
            kept_bytes: kept.iter().sum(),
            wait: waiting.chain(within_grace).collect(),
            repack,
            condemn,
            delete,
            defragment: self.scattered.clone(),
            checkpoints,
            freed_bytes: i64::try_from(deleted).unwrap_or(i64::MAX)
                - i64::try_from(written).unwrap_or(i64::MAX),
        }
    }
}

/// Plans what a run would do now.
pub(crate) async fn plan(
    inner: &Arc<Inner>,
    options: &CollectOptions,
    telling: Telling,
) -> Result<CollectionPlan> {
    let survey = Survey::of(inner, options, None, telling).await?;
    Ok(survey.plan(options))
}
