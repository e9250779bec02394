//! Choosing rows at random, the same ones for the same seed.

use std::collections::{BTreeMap, BinaryHeap};

use mainstay_core::{Actor, Error, Name, NodeRef, Result};

use crate::Predicate;

/// How many rows a sample has.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SampleSize {
    /// So many, or all when there are fewer.
    Rows(u64),
    /// This share of all, more than 0 and at most 1, to the nearest row.
    Fraction(f64),
}

/// Which rows of a version to take, and how to record it.
///
/// ```
/// use mainstay_core::Actor;
/// use mainstay_data::{SampleSize, SampleSpec};
///
/// let source = "data:penguins@1".parse()?;
/// let spec = SampleSpec::new(source, SampleSize::Rows(60), 7, Actor::new("ada")?, "to look at")
///     .with_strata(["species"]);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SampleSpec {
    /// What is sampled.
    pub source: NodeRef,
    /// How many rows.
    pub size: SampleSize,
    /// Another seed is another sample.
    pub seed: u32,
    /// Columns each combination of whose values gets its share of the sample, to the nearest row.
    pub strata: Vec<String>,
    /// Which rows may be chosen; all of them when `None`. The size is that of a sample of those rows.
    pub filter: Option<Predicate>,
    /// The dataset the sample is a version of; `<source>-sample` when `None`.
    pub dataset: Option<Name>,
    /// Who takes it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl SampleSpec {
    /// Samples all rows alike.
    #[must_use]
    pub fn new(
        source: NodeRef,
        size: SampleSize,
        seed: u32,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            source,
            size,
            seed,
            strata: Vec::new(),
            filter: None,
            dataset: None,
            actor,
            reason: reason.into(),
        }
    }

    /// Samples each combination of the values of these columns in its proportion.
    #[must_use]
    pub fn with_strata<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.strata = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Chooses only among the rows of which `filter` is true.
    #[must_use]
    pub fn with_filter(mut self, filter: Predicate) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Sets the dataset that the sample is a version of.
    #[must_use]
    pub fn with_dataset(mut self, dataset: Name) -> Self {
        self.dataset = Some(dataset);
        self
    }

    /// Returns how many of `rows` to take.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when that is none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of the rows is not negative and not more than all"
    )]
    pub(crate) fn count(&self, rows: u64) -> Result<u64> {
        let count = match self.size {
            SampleSize::Rows(count) => count.min(rows),
            SampleSize::Fraction(share) if share > 0.0 && share <= 1.0 => {
                ((rows as f64 * share).round() as u64).min(rows)
            }
            SampleSize::Fraction(_) => {
                return Err(Error::invalid("a fraction is more than 0 and at most 1"));
            }
        };
        if count == 0 {
            return Err(Error::invalid("a sample without rows"));
        }
        Ok(count)
    }
}

/// A row by its place in the table, behind its random number.
type Drawn = (u64, u64);

/// Draws rows of one stratum after the other: those with the least random numbers, which makes every
/// set of rows as likely as any other.
#[derive(Debug)]
pub(crate) struct Draw {
    seed: u32,
    /// How many rows any stratum may give.
    most: usize,
    strata: BTreeMap<[u8; 32], Stratum>,
}

#[derive(Debug, Default)]
struct Stratum {
    rows: u64,
    /// The least so far, the greatest of them on top.
    least: BinaryHeap<Drawn>,
}

impl Draw {
    /// Prepares to draw at most `most` rows. Takes 16 bytes for each of them and for each stratum.
    pub(crate) fn new(seed: u32, most: u64) -> Self {
        Self {
            seed,
            most: usize::try_from(most).unwrap_or(usize::MAX),
            strata: BTreeMap::new(),
        }
    }

    /// Shows the row at a place.
    pub(crate) fn add(&mut self, row: u64, stratum: [u8; 32]) {
        let drawn = (self.number(row), row);
        let stratum = self.strata.entry(stratum).or_default();
        stratum.rows += 1;
        if stratum.least.len() < self.most {
            stratum.least.push(drawn);
        } else if stratum
            .least
            .peek()
            .is_some_and(|greatest| drawn < *greatest)
        {
            stratum.least.pop();
            stratum.least.push(drawn);
        }
    }

    /// Returns the places of `count` rows, in order.
    pub(crate) fn finish(self, count: u64) -> Vec<u64> {
        let shares = shares(self.strata.values().map(|stratum| stratum.rows), count);
        let mut rows = Vec::new();
        for (stratum, share) in self.strata.into_values().zip(shares) {
            let least = stratum.least.into_sorted_vec();
            let share = usize::try_from(share).unwrap_or(usize::MAX);
            rows.extend(least.into_iter().take(share).map(|(_, row)| row));
        }
        rows.sort_unstable();
        rows
    }

    fn number(&self, row: u64) -> u64 {
        let mut hasher = blake3::Hasher::new_derive_key("mainstay data-sample v1");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&row.to_le_bytes());
        crate::cells::first_64(hasher.finalize().as_bytes())
    }
}

/// Divides `count` in the proportions of `weights`, by largest remainder (Hamilton's method); `count`
/// is at most their sum. Of equal remainders the first comes first.
fn shares(weights: impl Iterator<Item = u64>, count: u64) -> Vec<u64> {
    let weights: Vec<u128> = weights.map(u128::from).collect();
    let total: u128 = weights.iter().sum::<u128>().max(1);
    let exact = weights.iter().map(|weight| weight * u128::from(count));
    let mut divided: Vec<(u128, u128)> = exact.map(|n| (n / total, n % total)).collect();
    let given: u128 = divided.iter().map(|(whole, _)| whole).sum();
    let mut order: Vec<usize> = (0..divided.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(divided[index].1));
    let left = usize::try_from(u128::from(count) - given).unwrap_or(0);
    for index in order.into_iter().take(left) {
        divided[index].0 += 1;
    }
    let whole = divided.into_iter().map(|(whole, _)| whole);
    whole
        .map(|whole| u64::try_from(whole).unwrap_or(u64::MAX))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_add_up_and_are_within_one_of_exact(
            weights in proptest::collection::vec(0_u64..1_000, 1..10),
            part in 0_u64..=100,
        ) {
            let total: u64 = weights.iter().sum();
            let count = total * part / 100;
            let shares = shares(weights.iter().copied(), count);
            prop_assert_eq!(shares.iter().sum::<u64>(), count);
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert!(share <= weight);
                prop_assert!((share * total).abs_diff(weight * count) < total.max(1));
            }
        }

        #[test]
        fn a_draw_is_a_set_of_so_many_rows_and_a_smaller_one_is_part_of_it(
            seed: u32,
            rows in 1_u64..200,
            counts in (1_u64..50, 1_u64..50),
        ) {
            let draw = |count: u64| {
                let count = count.min(rows);
                let mut draw = Draw::new(seed, count);
                (0..rows).for_each(|row| draw.add(row, [0; 32]));
                let drawn = draw.finish(count);
                assert!(drawn.len() as u64 == count && drawn.is_sorted_by(|a, b| a < b));
                drawn
            };
            let (few, many) = (draw(counts.0.min(counts.1)), draw(counts.0.max(counts.1)));
            prop_assert!(few.iter().all(|row| many.contains(row)));
        }
    }
}
