//! Packs of which too little is needed: which of them wait, and which have waited long enough.

use std::cmp::Reverse;

use mainstay_core::Timestamp;

use super::CollectOptions;
use super::plan::{Allowed, Survey, Waiting};
use crate::blobs::pack::{FOOTER_LEN, HEADER_LEN, PackId};

/// A pack is not written again for less than this.
const LEAST_UNUSED: u64 = 4096;

const UNNEEDED: &str = "no live ref and no kept history needs it";
const UNUSED: &str = "too much of it is of no use";

/// A pack that is of no use, or of little.
struct Candidate {
    unused: u64,
    pack: PackId,
    because: &'static str,
    /// Since when it waits.
    since: Option<Timestamp>,
}

impl Candidate {
    /// Those that cost nothing go first, of these those that have a place among the waiting, of these
    /// those that free most. So nothing loses its place to what comes later and may itself not go.
    fn rank(&self) -> (bool, bool, Reverse<u64>, PackId) {
        let costs = self.because == UNUSED;
        (costs, self.since.is_none(), Reverse(self.unused), self.pack)
    }
}

impl Survey {
    /// Decides which packs go, and which of them have waited long enough; returns how many bytes may yet be
    /// written again.
    pub(super) fn choose_condemned(
        &mut self,
        options: &CollectOptions,
        now: Timestamp,
        allowed: Option<&Allowed<'_>>,
    ) -> u64 {
        let mut candidates = self.candidates(options);
        candidates.sort_unstable_by_key(Candidate::rank);
        let (mut budget, bounds) = (options.max_repack_bytes, options.bounds);
        for candidate in candidates {
            let (pack, since) = (candidate.pack, candidate.since);
            let waited = since.is_some_and(|since| now.saturating_since(since) >= options.grace);
            let used = self.used_bytes(pack);
            if waited
                && used <= budget
                && self.condemn.len() < bounds.refs
                && allowed.is_none_or(|allowed| allowed.condemns(&pack))
            {
                budget -= used;
                self.condemn.insert(pack, candidate.because);
            } else if self.waiting.len() < bounds.waiting {
                let waiting = Waiting::new(since.unwrap_or(now), candidate.because);
                self.waiting.insert(pack, waiting);
            }
        }
        budget
    }

    fn candidates(&self, options: &CollectOptions) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for pack in self.catalog.packs.keys().copied() {
            if !self.is_sound(pack) {
                continue;
            }
            let size = self.size(pack);
            let fixed = (HEADER_LEN + FOOTER_LEN) as u64;
            let unused = size.saturating_sub(self.used_bytes(pack) + fixed);
            let limit = size * u64::from(options.max_unused_percent) / 100;
            let (unused, because) = if !self.used.contains_key(&pack) {
                (size, UNNEEDED)
            } else if unused > limit && unused >= LEAST_UNUSED {
                (unused, UNUSED)
            } else {
                continue;
            };
            candidates.push(Candidate {
                unused,
                pack,
                because,
                since: self.collected.run.waiting_since(pack),
            });
        }
        candidates
    }
}
