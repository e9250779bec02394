//! Which checkpoints are worth keeping.

use std::collections::BTreeSet;

/// So many of the newest always are.
const NEWEST: usize = 2;

/// Chooses the checkpoints that stay out of those of entries `numbers`, as of entry `head`.
///
/// They are the newest two, and of the others as few as leave no gap wider than `percent` percent of
/// its age in entries, unless it was wider: so an older state is folded from a checkpoint that is
/// nearer the older it is not. Choosing again later, among what stayed, widens no gap beyond that.
/// Complexity: O(n); of checkpoints all along the log O(log n) stay.
pub(crate) fn kept(numbers: &BTreeSet<u64>, head: u64, percent: u8) -> BTreeSet<u64> {
    let mut older = numbers.iter().rev().copied().peekable();
    let mut kept: Vec<u64> = older.by_ref().take(NEWEST).collect();
    while let (Some(&after), Some(nearest)) = (kept.last(), older.next()) {
        let age = u128::from(head.saturating_sub(after));
        let reach = age * u128::from(percent) / 100;
        let mut furthest = nearest;
        while let Some(next) = older.next_if(|next| u128::from(after - next) <= reach) {
            furthest = next;
        }
        kept.push(furthest);
    }
    kept.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sweeps every `sweep` entries of a log with a checkpoint every `every`.
    fn swept(head: u64, every: u64, sweep: u64) -> BTreeSet<u64> {
        let mut standing = BTreeSet::new();
        for seq in (every..=head).step_by(usize::try_from(every).unwrap()) {
            standing.insert(seq);
            if seq % sweep < every {
                standing = kept(&standing, seq, 12);
            }
        }
        kept(&standing, head, 12)
    }

    #[test]
    fn of_a_long_log_few_checkpoints_stay_and_no_gap_is_wide_for_its_age() {
        for (head, sweep) in [(100_000, 1_000), (1_000_000, 256), (1_000_000, 900_000)] {
            let kept = swept(head, 256, sweep);
            let doublings = f64::from(u32::try_from(head / 256).unwrap()).log2();
            #[expect(clippy::cast_precision_loss, reason = "few")]
            let count = kept.len() as f64;
            assert!(count < 10.0 * doublings, "{count} of {head}");
            let newest: Vec<u64> = kept.iter().rev().take(2).copied().collect();
            assert_eq!(newest, [head / 256 * 256, head / 256 * 256 - 256]);
            let numbers: Vec<u64> = kept.iter().copied().collect();
            for pair in numbers.windows(2) {
                let (gap, age) = (pair[1] - pair[0], head - pair[1]);
                assert!(gap <= (age * 12 / 100).max(256), "{pair:?} at {head}");
            }
        }
    }

    #[test]
    fn what_stayed_stays_when_nothing_has_changed_and_two_always_stay() {
        let all: BTreeSet<u64> = (1..500).map(|n| n * 3).collect();
        let once = kept(&all, 1_500, 12);
        assert!(once.len() < all.len() / 2);
        assert_eq!(kept(&once, 1_500, 12), once);
        assert_eq!(kept(&all, 1_500, 0), all);
        let widest = kept(&all, 1_500, u8::MAX);
        assert_eq!(widest, [3, 597, 1_245, 1_428, 1_479, 1_494, 1_497].into());
        for few in [BTreeSet::new(), [7].into(), [7, 8].into()] {
            assert_eq!(kept(&few, 9, 100), few);
        }
    }
}
