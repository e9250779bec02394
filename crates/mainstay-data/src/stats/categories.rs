//! Exact counts of the values of a column that has few different ones.

use std::collections::BTreeMap;

use super::spelling::IntegerMeaning;
use super::{Category, ScalarValue};
use crate::slots::Scalar;

/// More different values are not counted one by one.
const MAX_CATEGORIES: usize = 64;
/// Longer texts are not categories.
const MAX_TEXT_BYTES: usize = 256;

/// Counts values until there are too many different ones.
#[derive(Debug)]
pub(super) enum Categories {
    Counting {
        bools: [u64; 2],
        integers: BTreeMap<i128, u64>,
        texts: BTreeMap<Box<str>, u64>,
    },
    TooMany,
}

impl Categories {
    pub(super) fn new() -> Self {
        Self::Counting {
            bools: [0; 2],
            integers: BTreeMap::new(),
            texts: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, value: Scalar<'_>) {
        let Self::Counting {
            bools,
            integers,
            texts,
        } = self
        else {
            return;
        };
        let few = match value {
            Scalar::Bool(value) => {
                bools[usize::from(value)] += 1;
                true
            }
            Scalar::Int(number) => {
                *integers.entry(number).or_default() += 1;
                integers.len() <= MAX_CATEGORIES
            }
            Scalar::Text(text) => {
                // Looked up first: an entry would copy the text of every row.
                match texts.get_mut(text) {
                    Some(count) => *count += 1,
                    None => drop(texts.insert(text.into(), 1)),
                }
                texts.len() <= MAX_CATEGORIES && text.len() <= MAX_TEXT_BYTES
            }
            Scalar::Float(_) | Scalar::Decimal(_) | Scalar::Bytes(_) | Scalar::Other => false,
        };
        if !few {
            *self = Self::TooMany;
        }
    }

    /// Returns the values by falling count; `None` when there were too many or none.
    pub(super) fn finish(self) -> Option<Vec<Category>> {
        let Self::Counting {
            bools,
            integers,
            texts,
        } = self
        else {
            return None;
        };
        let bools = [false, true].into_iter().zip(bools);
        let bools = bools.map(|(value, count)| (ScalarValue::Bool(value), count));
        let integers = integers
            .into_iter()
            .map(|(value, count)| (IntegerMeaning::Number.spell(value), count));
        let texts = texts
            .into_iter()
            .map(|(value, count)| (ScalarValue::Text(value.into()), count));
        let mut categories: Vec<Category> = bools
            .chain(integers)
            .chain(texts)
            .filter(|(_, count)| *count > 0)
            .map(|(value, count)| Category { value, count })
            .collect();
        // Stable, so that equal counts stay in the order of their values.
        categories.sort_by_key(|category| std::cmp::Reverse(category.count));
        (!categories.is_empty()).then_some(categories)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_come_by_falling_count_then_by_value() {
        let mut categories = Categories::new();
        for text in ["b", "c", "a", "c"] {
            categories.add(Scalar::Text(text));
        }
        let found: Vec<_> = categories
            .finish()
            .unwrap()
            .into_iter()
            .map(|category| (category.value, category.count))
            .collect();
        let text = |text: &str| ScalarValue::Text(text.into());
        assert_eq!(found, [(text("c"), 2), (text("a"), 1), (text("b"), 1)]);
    }

    #[test]
    fn more_than_64_values_are_not_counted() {
        let mut categories = Categories::new();
        for number in 0..65 {
            categories.add(Scalar::Int(number % 64));
        }
        let Categories::Counting { .. } = categories else {
            panic!("64 values are few");
        };
        categories.add(Scalar::Int(64));
        assert_eq!(categories.finish(), None);
    }
}
