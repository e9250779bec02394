//! JSON scalars of the inference configuration.

use std::fmt;

use mainstay_core::{Error, Result};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest integer every JSON reader agrees on: 2⁵³ − 1.
const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;

/// A JSON scalar: a truth value, a finite number, or text.
///
/// A number is one `f64`, so `1` and `1.0` are the same parameter and have the same digest. Integers
/// beyond ±(2⁵³ − 1) are refused when read.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "JSON has these scalars; null is said by leaving the parameter out"
)]
pub enum Scalar {
    /// A truth value.
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// Text.
    Text(String),
}

impl Scalar {
    /// Checks that a number is finite.
    pub(crate) fn validate(&self, parameter: &str) -> Result<()> {
        match self {
            Self::Number(number) if !number.is_finite() => {
                Err(Error::invalid("a parameter must be a finite number")
                    .context("parameter", parameter))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u32> for Scalar {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            // Written as integers, so that every output spells them as canonical JSON does.
            Self::Number(value) if value.fract() == 0.0 && value.abs() <= MAX_INTEGER =>
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "whole and within ±(2⁵³ − 1)"
                )]
                serializer.serialize_i64(*value as i64)
            }
            Self::Number(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a truth value, a finite number or text")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "what would lose precision is refused"
    )]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
        integer(value as f64)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "what would lose precision is refused"
    )]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
        integer(value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar, E> {
        if value.is_finite() {
            Ok(Scalar::Number(value))
        } else {
            Err(E::custom("number is not finite"))
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.into()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(value))
    }
}

fn integer<E: de::Error>(value: f64) -> Result<Scalar, E> {
    if value.abs() <= MAX_INTEGER {
        Ok(Scalar::Number(value))
    } else {
        Err(E::custom(
            "integer beyond 2^53 - 1 has no one meaning in JSON",
        ))
    }
}
