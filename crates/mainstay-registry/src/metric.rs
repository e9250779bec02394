//! A measured number.

use std::cmp::Ordering;
use std::fmt;

use mainstay_core::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A measured number: any `f64`, because a training that diverged reports NaN or infinity.
///
/// In JSON a number; NaN and the infinities are the strings MLflow uses, `"NaN"`, `"Infinity"` and
/// `"-Infinity"`. A finite value of 2⁵³ or more, which canonical JSON holds only as far as it is not
/// spelled as an integer, is a string in exponent form, `"1e17"`.
///
/// ```
/// use mainstay_registry::Metric;
///
/// assert_eq!(serde_json::to_string(&Metric::new(0.5))?, "0.5");
/// assert_eq!(serde_json::to_string(&Metric::new(f64::NAN))?, r#""NaN""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Metric(f64);

const FIRST_UNSAFE: f64 = 9_007_199_254_740_992.0;

impl Metric {
    /// Wraps a number.
    #[must_use]
    pub const fn new(value: f64) -> Self {
        Self(value)
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Reads a metric as it stands in a record.
    pub(crate) fn from_json(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::Number(number) => number.as_f64().map(Self),
            serde_json::Value::String(text) => parse(text).map(Self),
            _ => None,
        }
    }
}

impl From<f64> for Metric {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

/// NaN equals NaN, so that a record equals itself.
impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        let both_nan = self.0.is_nan() && other.0.is_nan();
        both_nan || self.0.partial_cmp(&other.0) == Some(Ordering::Equal)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match spelled(self.0) {
            Some(text) => f.write_str(&text),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match spelled(self.0) {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Self::from_json(&value).ok_or_else(|| {
            de::Error::custom(Error::invalid(
                "a metric is a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
            ))
        })
    }
}

fn spelled(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".into())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "Infinity" } else { "-Infinity" }.into())
    } else if value.abs() >= FIRST_UNSAFE {
        Some(format!("{value:e}"))
    } else {
        None
    }
}

fn parse(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => text
            .parse::<f64>()
            .ok()
            .filter(|value| value.is_finite() && spelled(*value).as_deref() == Some(text)),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::canon;
    use proptest::prelude::*;

    use super::*;

    fn survives(value: f64) {
        let bytes = canon::to_vec(&Metric::new(value)).unwrap();
        assert_eq!(
            canon::from_slice::<Metric>(&bytes).unwrap(),
            Metric::new(value)
        );
        // The log decodes records without knowing their type.
        let json: serde_json::Value = canon::from_slice(&bytes).unwrap();
        assert_eq!(Metric::from_json(&json), Some(Metric::new(value)));
    }

    #[test]
    fn numbers_outside_canonical_json_survive_it() {
        for value in [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            1e17,
            -9_007_199_254_740_992.0,
            f64::MAX,
            f64::MIN_POSITIVE,
        ] {
            survives(value);
        }
    }

    #[test]
    fn other_strings_are_refused() {
        for bad in [r#""nan""#, r#""1""#, r#""inf""#, r#""""#, "null", "[1]"] {
            assert!(serde_json::from_str::<Metric>(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_number_survives_canonical_json(value in proptest::num::f64::ANY) {
            survives(value);
        }
    }
}
