//! Which packs to write again so that blobs are read by fewer requests.
//!
//! What is written again comes to lie in the order of reading, so what a choice of packs saves can be
//! computed: records are laid out as they would be, and requests counted as readers make them.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::CollectOptions;
use super::needed::{NEWEST_TIMES, Needed};
use super::plan::{Allowed, Survey, Waiting};
use crate::blobs::batches::Rehearsal;
use crate::blobs::pack::{FOOTER_LEN, HEADER_LEN, PackId};
use crate::blobs::record::{Entry, Kind};
use crate::blobs::requests::Requests;

const SCATTERED: &str = "what is read together lies in too many pieces";

/// What bringing together saves: counted are the requests that read every blob once which live refs reach,
/// but for those most of whose chunks are also in blobs named later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedDefragmentation {
    /// How many packs go for it, in this run or once they have waited.
    pub packs: u64,
    /// How many bytes of them are written again.
    pub bytes: u64,
    /// How many requests it is now.
    pub requests: u64,
    /// How many it is when all that goes has been written again.
    pub requests_after: u64,
}

/// What a rewrite may cost.
#[derive(Debug, Clone, Copy)]
struct Worth {
    bytes_per_request: u64,
    bytes: u64,
    packs: usize,
}

/// Packs that are worth to be written again.
#[derive(Debug, Default)]
struct Chosen {
    packs: BTreeSet<PackId>,
    bytes: u64,
    /// The [weight](Scattered::weight) of the requests that are left.
    weight: u64,
}

impl Survey {
    /// Lets packs go or wait because what is read together lies scattered over them; `budget` is how many
    /// bytes this run may yet write again.
    pub(super) fn choose_scattered(
        &mut self,
        (options, now): (&CollectOptions, Timestamp),
        allowed: Option<&Allowed<'_>>,
        budget: u64,
    ) {
        if options.defragment_bytes_per_request == 0 {
            return;
        }
        let scattered = Scattered::of(self);
        let mut goes: BTreeSet<PackId> = self.condemn.keys().copied().collect();
        goes.extend(&self.rescue);
        let worth = |bytes, packs| Worth {
            bytes_per_request: options.defragment_bytes_per_request,
            bytes,
            packs,
        };
        let is_candidate = |pack: &PackId| self.is_sound(*pack) && !self.waiting.contains_key(pack);
        let since = |pack: &PackId| self.collected.run.waiting_since(*pack);
        let is_ready = |pack: &PackId| {
            let waited =
                since(pack).is_some_and(|since| now.saturating_since(since) >= options.grace);
            waited && allowed.is_none_or(|allowed| allowed.condemns(pack)) && is_candidate(pack)
        };
        let room = options.bounds.refs.saturating_sub(self.condemn.len());
        let ready = scattered.choose(&goes, is_ready, worth(budget, room));

        goes.extend(&ready.packs);
        goes.extend(self.waiting.keys());
        let room = options.bounds.waiting.saturating_sub(self.waiting.len());
        let worth = worth(options.max_repack_bytes, room);
        let later = scattered.choose(&goes, is_candidate, worth);
        goes.extend(&later.packs);
        self.scattered = PlannedDefragmentation {
            packs: (ready.packs.len() + later.packs.len()) as u64,
            bytes: ready.bytes + later.bytes,
            requests: scattered.requests(&scattered.at),
            requests_after: scattered.requests(&scattered.moved(&goes)),
        };
        let wait = |pack: &PackId| (*pack, Waiting::new(since(pack).unwrap_or(now), SCATTERED));
        let wait: Vec<_> = later.packs.iter().map(wait).collect();
        self.waiting.extend(wait);
        let condemned = ready.packs.into_iter();
        self.condemn.extend(condemned.map(|pack| (pack, SCATTERED)));
    }
}

/// Where each needed record lies, by its turn in the order of reading.
type Places = Vec<Option<(PackId, Entry)>>;

/// The chunks of blobs that are read, and where they lie.
struct Scattered<'s> {
    needed: &'s Needed,
    at: Places,
    /// How many bytes of each pack are needed.
    used: BTreeMap<PackId, u64>,
    /// How large new packs are.
    pack_bytes: u64,
}

impl<'s> Scattered<'s> {
    fn of(survey: &'s Survey) -> Self {
        let needed = survey.needed();
        let mut at = vec![None; needed.len()];
        for (pack, entries) in &survey.used {
            for entry in entries
                .iter()
                .filter(|entry| entry.header.id.kind == Kind::Chunk)
            {
                let turn = needed.turn(&survey.catalog, &entry.header.id);
                if let Some(place) = at.get_mut(turn as usize) {
                    *place = Some((*pack, *entry));
                }
            }
        }
        let used = survey.used.keys();
        Self {
            needed,
            at,
            used: used.map(|pack| (*pack, survey.used_bytes(*pack))).collect(),
            pack_bytes: survey.pack_limit as u64,
        }
    }

    /// Chooses among packs such that writing them again, together with what `goes` anyway, is worth it.
    ///
    /// Packs are ranked by how many requests they add for each byte. Of some beginnings of that order the one
    /// is taken that saves most, what it costs taken off; then it is tried to add to it.
    fn choose(
        &self,
        goes: &BTreeSet<PackId>,
        is_eligible: impl Fn(&PackId) -> bool,
        worth: Worth,
    ) -> Chosen {
        let mut chosen = Chosen {
            weight: self.weight(&self.moved(goes)),
            ..Chosen::default()
        };
        let mut goes = goes.clone();
        loop {
            let left = Worth {
                bytes: worth.bytes - chosen.bytes,
                packs: worth.packs - chosen.packs.len(),
                ..worth
            };
            let ranked = self.ranked(&goes, &is_eligible, left);
            let tried = beginnings(ranked.len()).filter_map(|count| {
                let packs = &ranked[..count];
                let bytes: u64 = packs.iter().map(|pack| self.used[pack]).sum();
                let with = goes.iter().chain(packs).copied().collect();
                let weight = self.weight(&self.moved(&with));
                let saved = u128::from(chosen.weight.saturating_sub(weight));
                let gain = saved * u128::from(worth.bytes_per_request);
                let cost = u128::from(bytes) * u128::from(NEWEST_TIMES);
                let gain = gain.checked_sub(cost).filter(|gain| *gain > 0)?;
                Some((gain, count, bytes, weight))
            });
            // Of equal ones the smallest.
            let best = tried.reduce(|best, next| if next.0 > best.0 { next } else { best });
            let Some((_, count, bytes, weight)) = best else {
                return chosen;
            };
            goes.extend(&ranked[..count]);
            chosen.packs.extend(&ranked[..count]);
            chosen.bytes += bytes;
            chosen.weight = weight;
        }
    }

    /// The packs that requests go to which would not be needed if each batch lay in one piece, those first
    /// of which most do for a byte; as many as may be written again.
    fn ranked(
        &self,
        goes: &BTreeSet<PackId>,
        is_eligible: impl Fn(&PackId) -> bool,
        left: Worth,
    ) -> Vec<PackId> {
        let mut added: BTreeMap<PackId, u64> = BTreeMap::new();
        self.each_batch(&self.moved(goes), |requests, times| {
            let largest = requests.ranges().max_by_key(|(_, bytes)| *bytes);
            let rest = requests.ranges().filter(|range| Some(*range) != largest);
            rest.for_each(|(pack, _)| *added.entry(pack).or_default() += times);
        });
        let eligible = added.into_iter().filter(|(pack, _)| {
            self.used.contains_key(pack) && !goes.contains(pack) && is_eligible(pack)
        });
        let mut ranked: Vec<(PackId, u64, u64)> = eligible
            .map(|(pack, added)| (pack, added, self.used[&pack]))
            .collect();
        ranked.sort_unstable_by(|(a, added, bytes), (b, of_b, bytes_of_b)| {
            let a_rank = u128::from(*added) * u128::from(*bytes_of_b);
            let b_rank = u128::from(*of_b) * u128::from(*bytes);
            b_rank.cmp(&a_rank).then(a.cmp(b))
        });
        ranked.truncate(left.packs);
        let mut bytes = 0;
        let affordable = ranked.into_iter().take_while(|(_, _, used)| {
            bytes += used;
            bytes <= left.bytes
        });
        affordable.map(|(pack, ..)| pack).collect()
    }

    /// Where records lie once some packs have been written again.
    fn moved(&self, goes: &BTreeSet<PackId>) -> Places {
        let mut at = self.at.clone();
        let mut filling = Filling::new(self.pack_bytes);
        for (pack, entry) in at.iter_mut().flatten() {
            if goes.contains(pack) {
                (*pack, entry.offset) = filling.add(entry);
            }
        }
        at
    }

    /// How many requests reading takes.
    fn requests(&self, at: &Places) -> u64 {
        let mut count = 0;
        self.each_batch(at, |requests, _| count += requests.len() as u64);
        count
    }

    /// The same, those of the newest counted [more often](NEWEST_TIMES).
    fn weight(&self, at: &Places) -> u64 {
        let mut weight = 0;
        self.each_batch(at, |requests, times| {
            weight += requests.len() as u64 * times;
        });
        weight
    }

    /// Passes the requests of each batch that is read, and how often they count.
    fn each_batch(&self, at: &Places, mut each: impl FnMut(&Requests, u64)) {
        for read in self.needed.reads() {
            let mut rehearsal = Rehearsal::default();
            for (pack, entry) in read.chunks.iter().filter_map(|turn| at[turn as usize]) {
                if let Some(requests) = rehearsal.read(pack, entry) {
                    each(&requests, read.times);
                }
            }
            if let Some(requests) = rehearsal.end() {
                each(&requests, read.times);
            }
        }
    }
}

/// How many of so many to try: each number at first, then each larger by a quarter, then all.
fn beginnings(all: usize) -> impl Iterator<Item = usize> {
    let next = move |count: &usize| (*count < all).then(|| (count + (count / 4).max(1)).min(all));
    std::iter::successors((all > 0).then_some(1), next)
}

/// Packs that are filled one after the other, as a [builder](crate::blobs::pack::PackBuilder) would.
struct Filling {
    pack_bytes: u64,
    number: u64,
    records: u64,
    end: u64,
}

impl Filling {
    fn new(pack_bytes: u64) -> Self {
        Self {
            pack_bytes,
            number: 0,
            records: 0,
            end: HEADER_LEN as u64,
        }
    }

    /// Adds a record; returns where it comes to lie.
    fn add(&mut self, entry: &Entry) -> (PackId, u32) {
        let len = entry.header.record_len();
        let directory = (self.records + 1) * Entry::LEN as u64;
        let full = self.end + len + directory + FOOTER_LEN as u64;
        if self.records > 0 && full > self.pack_bytes {
            *self = Self {
                number: self.number + 1,
                ..Self::new(self.pack_bytes)
            };
        }
        let mut pack = [0; 32];
        pack[..8].copy_from_slice(&self.number.to_le_bytes());
        let offset = u32::try_from(self.end).unwrap_or(u32::MAX);
        self.records += 1;
        self.end += len;
        (PackId(pack), offset)
    }
}

#[cfg(test)]
mod tests {
    use super::beginnings;

    #[test]
    fn few_beginnings_are_tried_of_many() {
        assert_eq!(beginnings(0).count(), 0);
        assert_eq!(beginnings(6).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        let of_many: Vec<usize> = beginnings(10_000).collect();
        assert!(of_many.is_sorted_by(|a, b| a < b) && of_many.len() < 50);
        assert_eq!(of_many.last(), Some(&10_000));
    }
}
