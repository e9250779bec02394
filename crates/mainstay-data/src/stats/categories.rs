//! Exact counts of the values of a column that has few different ones.

use super::spelling::IntegerMeaning;
use super::{Category, ScalarValue};

/// More different values are not counted one by one.
const MAX_CATEGORIES: usize = 64;
/// Longer texts are not categories.
const MAX_TEXT_BYTES: usize = 256;
/// Places of the hash table: four for each value, so that few share one.
const PLACES: usize = 256;

/// Counts values until there are too many different ones.
#[derive(Debug)]
pub(super) enum Categories {
    Counting {
        bools: [u64; 2],
        integers: Counts<i128>,
        texts: Counts<Box<str>>,
    },
    TooMany,
}

impl Categories {
    pub(super) fn new() -> Self {
        Self::Counting {
            bools: [0; 2],
            integers: Counts::new(),
            texts: Counts::new(),
        }
    }

    #[inline]
    pub(super) fn add_bool(&mut self, value: bool, times: u64) {
        if let Self::Counting { bools, .. } = self {
            bools[usize::from(value)] += times;
        }
    }

    /// Adds an integer, of which `hash` is a function.
    #[inline]
    pub(super) fn add_integer(&mut self, hash: u64, number: i128) {
        if let Self::Counting { integers, .. } = self {
            integers.add((hash, &number), 1, |key| key, |key| *key);
            if integers.entries.len() > MAX_CATEGORIES {
                *self = Self::TooMany;
            }
        }
    }

    /// Adds a text, of which `hash` is a function.
    #[inline]
    pub(super) fn add_text(&mut self, hash: u64, text: &str, times: u64) {
        if let Self::Counting { texts, .. } = self {
            texts.add((hash, text), times, |key| key, |key| key.into());
            if texts.entries.len() > MAX_CATEGORIES || text.len() > MAX_TEXT_BYTES {
                *self = Self::TooMany;
            }
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
        let integers = integers.in_order();
        let integers = integers.map(|(value, count)| (IntegerMeaning::Number.spell(value), count));
        let texts = texts.in_order();
        let texts = texts.map(|(value, count)| (ScalarValue::Text(value.into()), count));
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

/// Counts of at most one key more than are counted: a hash table with linear probing.
#[derive(Debug)]
pub(super) struct Counts<K> {
    entries: Vec<(K, u64)>,
    /// By hash, the number of an entry, from 1; 0 for none.
    places: Box<[u8; PLACES]>,
}

impl<K: Ord> Counts<K> {
    fn new() -> Self {
        Self {
            entries: Vec::new(),
            places: Box::new([0; PLACES]),
        }
    }

    #[inline]
    fn add<Q: PartialEq + ?Sized>(
        &mut self,
        (hash, key): (u64, &Q),
        times: u64,
        as_key: impl Fn(&K) -> &Q,
        copy: impl Fn(&Q) -> K,
    ) {
        let [_, mut place, ..] = hash.to_le_bytes();
        loop {
            let number = &mut self.places[usize::from(place)];
            let Some(index) = number.checked_sub(1) else {
                self.entries.push((copy(key), times));
                *number = u8::try_from(self.entries.len()).unwrap_or(u8::MAX);
                return;
            };
            let (found, count) = &mut self.entries[usize::from(index)];
            if as_key(found) == key {
                *count += times;
                return;
            }
            place = place.wrapping_add(1);
        }
    }

    fn in_order(mut self) -> impl Iterator<Item = (K, u64)> {
        self.entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_come_by_falling_count_then_by_value() {
        let mut categories = Categories::new();
        // All in one place of the table.
        for text in ["b", "c", "a", "c"] {
            categories.add_text(0xff00, text, 1);
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
            categories.add_integer(7, number % 64);
        }
        let Categories::Counting { .. } = categories else {
            panic!("64 values are few");
        };
        categories.add_integer(7, 64);
        assert_eq!(categories.finish(), None);
    }
}
