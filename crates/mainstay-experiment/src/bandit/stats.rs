//! What is known of each arm, counted by many replicas without coordination.

use std::collections::BTreeMap;

use mainstay_core::{Error, ErrorKind, Name, Result};
use serde::{Deserialize, Serialize};

// Counts are stored as JSON numbers, which are exact up to here.
const MAX_COUNT: u64 = (1 << 53) - 1;

/// Successes and failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "an outcome is binary")]
pub struct Counts {
    /// How many times the arm's outcome was good.
    pub successes: u64,
    /// How many times it was not.
    pub failures: u64,
}

impl Counts {
    /// One success.
    pub const SUCCESS: Self = Self {
        successes: 1,
        failures: 0,
    };
    /// One failure.
    pub const FAILURE: Self = Self {
        successes: 0,
        failures: 1,
    };

    fn checked_add(self, other: Self) -> Option<Self> {
        let add = |a: u64, b: u64| a.checked_add(b).filter(|sum| *sum <= MAX_COUNT);
        Some(Self {
            successes: add(self.successes, other.successes)?,
            failures: add(self.failures, other.failures)?,
        })
    }

    fn max(self, other: Self) -> Self {
        Self {
            successes: self.successes.max(other.successes),
            failures: self.failures.max(other.failures),
        }
    }
}

/// The outcomes of every arm, as counters that replicas own and anyone may merge.
///
/// Each replica counts in its own register and never in another's. Counters only grow, so merging
/// takes the larger of two states of a register: any number of merges, repeated and in any order,
/// gives the same state, and nothing is counted twice. Totals are the sums over the replicas.
///
/// A replica that restarts without its register must take a new name.
///
/// ```
/// use mainstay_experiment::{ArmStats, Counts};
///
/// let mut here = ArmStats::new(["a".parse()?, "b".parse()?])?;
/// let mut there = here.clone();
/// here.record(&"replica-1".parse()?, 0, Counts::SUCCESS)?;
/// there.record(&"replica-2".parse()?, 0, Counts::FAILURE)?;
/// here.merge(&there)?;
/// here.merge(&there)?;
/// assert_eq!(here.totals()[0], Counts { successes: 1, failures: 1 });
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Registers", into = "Registers")]
pub struct ArmStats {
    registers: Registers,
    totals: Vec<Counts>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registers {
    arms: Vec<Name>,
    replicas: BTreeMap<Name, Vec<Counts>>,
}

impl ArmStats {
    /// Creates the statistics of untried arms.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when there is no arm, more than [`MAX_ARMS`](crate::MAX_ARMS), or two
    /// of one name.
    pub fn new(arms: impl IntoIterator<Item = Name>) -> Result<Self> {
        let arms = arms.into_iter().take(crate::MAX_ARMS + 1).collect();
        Self::try_from(Registers {
            arms,
            replicas: BTreeMap::new(),
        })
    }

    /// Counts outcomes of an arm in the register of `replica`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when there is no such arm, or a counter would pass 2⁵³ − 1.
    pub fn record(&mut self, replica: &Name, arm: usize, outcomes: Counts) -> Result<()> {
        let arms = self.totals.len();
        let Some(total) = self.totals.get_mut(arm) else {
            return Err(Error::invalid("no such arm")
                .context("arm", arm)
                .context("arms", arms));
        };
        // A register is never above the total, so it cannot overflow first.
        *total = total
            .checked_add(outcomes)
            .ok_or_else(|| Error::invalid("counter would pass 2^53 - 1").context("arm", arm))?;
        if !self.registers.replicas.contains_key(replica) {
            let empty = vec![Counts::default(); arms];
            self.registers.replicas.insert(replica.clone(), empty);
        }
        if let Some(register) = self.registers.replicas.get_mut(replica) {
            register[arm].successes += outcomes.successes;
            register[arm].failures += outcomes.failures;
        }
        Ok(())
    }

    /// Takes in what another copy knows: commutative, associative, idempotent.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] when the arms differ; [`ErrorKind::Invalid`] when a sum would
    /// pass 2⁵³ − 1. `self` is unchanged then.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.registers.arms != other.registers.arms {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "statistics of different arms cannot be merged",
            ));
        }
        let mut registers = self.registers.clone();
        for (replica, theirs) in &other.registers.replicas {
            match registers.replicas.get_mut(replica) {
                Some(ours) => {
                    for (our, their) in ours.iter_mut().zip(theirs) {
                        *our = our.max(*their);
                    }
                }
                None => {
                    registers.replicas.insert(replica.clone(), theirs.clone());
                }
            }
        }
        *self = Self::try_from(registers)?;
        Ok(())
    }

    /// Returns the arms, in the order given.
    #[must_use]
    pub fn arms(&self) -> &[Name] {
        &self.registers.arms
    }

    /// Returns the outcomes of each arm over all replicas.
    #[must_use]
    pub fn totals(&self) -> &[Counts] {
        &self.totals
    }
}

impl TryFrom<Registers> for ArmStats {
    type Error = Error;

    fn try_from(registers: Registers) -> Result<Self> {
        let arms = registers.arms.len();
        if arms == 0 || arms > crate::MAX_ARMS {
            return Err(Error::invalid("a bandit has 1 to 1,024 arms"));
        }
        let mut names: Vec<&Name> = registers.arms.iter().collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::invalid("two arms of one name").context("arm", pair[0]));
        }
        let mut totals = vec![Counts::default(); arms];
        for (replica, register) in &registers.replicas {
            if register.len() != arms {
                return Err(
                    Error::invalid("a register has one entry an arm").context("replica", replica)
                );
            }
            for (total, counts) in totals.iter_mut().zip(register) {
                *total = total.checked_add(*counts).ok_or_else(|| {
                    Error::invalid("counter would pass 2^53 - 1").context("replica", replica)
                })?;
            }
        }
        Ok(Self { registers, totals })
    }
}

impl From<ArmStats> for Registers {
    fn from(stats: ArmStats) -> Self {
        stats.registers
    }
}
