//! The least and greatest value of a column.

use arrow::datatypes::i256;

use super::spelling::{IntegerMeaning, decimal, hex};
use super::{Bound, ScalarValue};
use crate::slots::Scalar;

/// Longer texts and hex strings are cut.
const MAX_TEXT_BYTES: usize = 64;

/// The range of the values so far, in the order of their type: numbers by size, text and binary by
/// bytes.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    bools: Range<bool>,
    integers: Range<i128>,
    floats: Range<f64>,
    decimals: Range<i256>,
    texts: Range<Box<str>>,
    bytes: Range<Box<[u8]>>,
}

/// A least and greatest value; a column has values of one type, so one range of [`Bounds`] is filled.
#[derive(Debug)]
struct Range<T>(Option<(T, T)>);

impl<T> Default for Range<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Range<T> {
    /// Widens the range to hold `value`, which is copied only when it becomes an end.
    #[inline]
    fn add<V: PartialOrd + ?Sized>(
        &mut self,
        value: &V,
        as_value: impl Fn(&T) -> &V,
        copy: impl Fn(&V) -> T,
    ) {
        match &mut self.0 {
            None => self.0 = Some((copy(value), copy(value))),
            Some((min, max)) => {
                if value < as_value(min) {
                    *min = copy(value);
                }
                if value > as_value(max) {
                    *max = copy(value);
                }
            }
        }
    }
}

impl Bounds {
    /// Adds a value; a float must be finite.
    #[expect(
        clippy::inline_always,
        reason = "where it is called the kind of the value is known"
    )]
    #[inline(always)]
    pub(super) fn add(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Bool(value) => self.bools.add(&value, |v| v, |v| *v),
            Scalar::Int(value) => self.integers.add(&value, |v| v, |v| *v),
            Scalar::Float(value) => self.floats.add(&value, |v| v, |v| *v),
            Scalar::Decimal(value) => self.decimals.add(&value, |v| v, |v| *v),
            Scalar::Text(value) => self.texts.add(value, |v| v, |v| v.into()),
            Scalar::Bytes(value) => self.bytes.add(value, |v| v, |v| v.into()),
            Scalar::Other => {}
        }
    }

    /// Returns the least and the greatest value; `None` when none was added.
    pub(super) fn finish(self, meaning: IntegerMeaning, scale: i8) -> Option<(Bound, Bound)> {
        fn both<T>(range: Range<T>, spell: impl Fn(T) -> Bound) -> Option<(Bound, Bound)> {
            range.0.map(|(min, max)| (spell(min), spell(max)))
        }
        let whole = |value| Bound {
            value,
            truncated: false,
        };
        both(self.bools, |v| whole(ScalarValue::Bool(v)))
            .or_else(|| both(self.integers, |v| whole(meaning.spell(v))))
            // Canonical JSON has no negative zero.
            .or_else(|| both(self.floats, |v| whole(ScalarValue::Number(v + 0.0))))
            .or_else(|| {
                both(self.decimals, |v| {
                    whole(ScalarValue::Text(decimal(v, scale)))
                })
            })
            .or_else(|| both(self.texts, |v| cut(&v)))
            .or_else(|| both(self.bytes, |v| cut_bytes(&v)))
    }
}

fn cut(text: &str) -> Bound {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    Bound {
        value: ScalarValue::Text(text[..end].to_owned()),
        truncated: end < text.len(),
    }
}

fn cut_bytes(bytes: &[u8]) -> Bound {
    let end = bytes.len().min(MAX_TEXT_BYTES / 2);
    Bound {
        value: ScalarValue::Text(hex(&bytes[..end])),
        truncated: end < bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_at_a_character_and_says_so() {
        let mut bounds = Bounds::default();
        bounds.add(Scalar::Text(&"é".repeat(40)));
        bounds.add(Scalar::Text("a"));
        let (min, max) = bounds.finish(IntegerMeaning::Number, 0).unwrap();
        assert_eq!(min.value, ScalarValue::Text("a".into()));
        assert_eq!(max.value, ScalarValue::Text("é".repeat(32)));
        assert!(!min.truncated && max.truncated);
    }
}
