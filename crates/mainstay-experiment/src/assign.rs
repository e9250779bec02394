//! Stable assignment of units to arms: specification `vH1`, `docs/formats/assignment.md`.

use mainstay_core::{Error, Name, Result};

mod key;
#[cfg(test)]
mod tests;

/// The most arms a [`Split`] can have.
pub const MAX_ARMS: usize = 1_024;

// 2^64: how many buckets there are.
const BUCKETS: u128 = 1 << 64;

/// Splits units (users, sessions, requests) over arms by weight: a function of the unit's key alone.
///
/// The unit interval is cut into one range an arm, in the order given. A unit's position in it is a
/// hash of namespace, salt and unit, so it never moves while those stay; only the cuts move with the
/// weights. Hence with two arms a change of weights moves units in one direction only: when the
/// canary's share grows, units join the canary and none leaves it. Keep the order of the arms.
///
/// A new salt makes an independent split.
///
/// ```
/// use mainstay_experiment::Split;
///
/// let split = Split::new("checkout", "rollout:web@3", [("canary".parse()?, 1), ("control".parse()?, 19)])?;
/// let assignment = split.assign("user-2");
/// assert_eq!(assignment.name.as_str(), "control");
/// assert_eq!(assignment.propensity, 0.95);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    prefix: Box<[u8]>,
    arms: Box<[Arm]>,
    // One range for each arm with a weight above zero; the last ends at u64::MAX.
    ranges: Box<[Range]>,
}

/// One arm of a [`Split`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Arm {
    /// Its name.
    pub name: Name,
    /// Its weight relative to the others.
    pub weight: u32,
    /// The probability that a unit is assigned to it, in `0..=1`.
    pub propensity: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    // The last bucket of the range, inclusive.
    last: u64,
    arm: usize,
}

/// What a unit got.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Assignment<'split> {
    /// The index of the arm, in the order given to [`Split::new`].
    pub arm: usize,
    /// The arm's name.
    pub name: &'split Name,
    /// The unit's position as a 64-bit fixed-point fraction of one.
    pub bucket: u64,
    /// The probability that a unit is assigned to this arm, in `0..=1`; log it with the decision.
    pub propensity: f64,
}

impl Split {
    /// Creates a split of `namespace` under `salt`; both may be any text.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when there is no arm, more than
    /// [`MAX_ARMS`], no weight above zero, or two arms of one name.
    pub fn new(
        namespace: &str,
        salt: &str,
        arms: impl IntoIterator<Item = (Name, u32)>,
    ) -> Result<Self> {
        let weighted: Vec<(Name, u32)> = arms.into_iter().take(MAX_ARMS + 1).collect();
        check(&weighted)
            .map_err(|error| error.operation("split").context("namespace", namespace))?;
        let total: u128 = weighted.iter().map(|(_, weight)| u128::from(*weight)).sum();

        let mut ranges = Vec::with_capacity(weighted.len());
        let mut arms = Vec::with_capacity(weighted.len());
        let (mut cumulative, mut start) = (0, 0);
        for (name, weight) in weighted {
            cumulative += u128::from(weight);
            let end = cumulative * BUCKETS / total;
            if weight > 0 {
                // At most 2^64 - 1, and above the range before: the total is below 2^64.
                let last = u64::try_from(end - 1).unwrap_or(u64::MAX);
                let arm = arms.len();
                ranges.push(Range { last, arm });
            }
            let propensity = share_of_buckets(end - start);
            arms.push(Arm {
                name,
                weight,
                propensity,
            });
            start = end;
        }
        Ok(Self {
            prefix: key::prefix(namespace, salt).into(),
            arms: arms.into(),
            ranges: ranges.into(),
        })
    }

    /// Assigns a unit; equal keys always get the same arm.
    ///
    /// The key is taken as its UTF-8 bytes, not normalized. Does not allocate. Complexity: O(length
    /// of the key + number of arms).
    #[must_use]
    pub fn assign(&self, unit: &str) -> Assignment<'_> {
        self.at(key::bucket(&self.prefix, unit))
    }

    /// Returns the assignment of the units whose position is `bucket`.
    #[must_use]
    pub fn at(&self, bucket: u64) -> Assignment<'_> {
        let arm = self
            .ranges
            .iter()
            .find(|range| bucket <= range.last)
            .map_or(0, |range| range.arm);
        Assignment {
            arm,
            name: &self.arms[arm].name,
            bucket,
            propensity: self.arms[arm].propensity,
        }
    }

    /// Returns the arms, in the order given.
    #[must_use]
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }
}

fn check(arms: &[(Name, u32)]) -> Result<()> {
    if arms.is_empty() || arms.len() > MAX_ARMS {
        return Err(Error::invalid("a split has 1 to 1,024 arms"));
    }
    if arms.iter().all(|(_, weight)| *weight == 0) {
        return Err(Error::invalid("a split needs a weight above zero"));
    }
    let mut names: Vec<&Name> = arms.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::invalid("two arms of one name").context("arm", pair[0])),
        None => Ok(()),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a probability is wanted to 53 bits"
)]
fn share_of_buckets(buckets: u128) -> f64 {
    buckets as f64 / BUCKETS as f64
}
