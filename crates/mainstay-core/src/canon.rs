//! Canonical JSON ([RFC 8785]): the one encoding that is hashed and stored.
//!
//! Two equal values always give the same bytes: object members sorted by UTF-16 code units, numbers
//! as ECMAScript prints them, no white space. Refused, because two readers could disagree on them:
//! NaN and infinities, integers beyond ±(2⁵³ − 1) whose digits a double would change, repeated
//! members, nesting deeper than 128.
//!
//! ```
//! use mainstay_core::canon;
//!
//! let value = serde_json::json!({"b": 1.0, "a": [true, "é"]});
//! assert_eq!(canon::to_vec(&value)?, r#"{"a":[true,"é"],"b":1}"#.as_bytes());
//! # Ok::<(), mainstay_core::Error>(())
//! ```
//!
//! [RFC 8785]: https://www.rfc-editor.org/rfc/rfc8785

use serde::Serialize;
use serde::de::DeserializeOwned;

mod numbers;

use crate::{Digest, Error, ErrorKind, Result};

/// Encodes `value` as canonical JSON.
///
/// # Errors
/// [`ErrorKind::Invalid`] when the value holds a number that is not finite, an integer beyond
/// ±(2⁵³ − 1) whose digits a double would change, or a map whose keys are not strings.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    numbers::check(value).map_err(not_encodable)?;
    serde_json_canonicalizer::to_vec(&value).map_err(not_encodable)
}

/// Computes the digest of `value`'s canonical JSON: the identity of a record.
///
/// # Errors
/// As [`to_vec`].
pub fn digest<T: Serialize + ?Sized>(value: &T) -> Result<Digest> {
    Ok(Digest::of(&to_vec(value)?))
}

/// Decodes stored canonical JSON.
///
/// # Errors
/// [`ErrorKind::Corrupt`] when the bytes are not JSON, do not fit `T`, or are not the canonical
/// spelling of what they say.
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let value: T = serde_json::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::Corrupt, "not the expected JSON").with_source(error)
    })?;
    if to_vec(&value)? != bytes {
        return Err(Error::new(ErrorKind::Corrupt, "not canonical JSON"));
    }
    Ok(value)
}

fn not_encodable(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid("value has no canonical JSON").with_source(cause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_examples_of_the_rfc_hold() {
        // RFC 8785, sections 3.2.2 and 3.2.3.
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
               "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        )
        .unwrap();
        let expected = "{\"literals\":[null,true,false],\
            \"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
            \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(
            String::from_utf8(to_vec(&value).unwrap()).unwrap(),
            expected
        );

        let keys = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        let order: Vec<String> = String::from_utf8(to_vec(&keys).unwrap())
            .unwrap()
            .split(',')
            .map(|member| member.rsplit(':').next().unwrap().replace('}', ""))
            .collect();
        assert_eq!(order, ["2", "4", "6", "7", "1", "5", "3"]);
    }

    #[test]
    fn numbers_without_one_meaning_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for value in [json_of(bad), to_vec(&[bad]), to_vec(&Some((1, bad)))] {
                assert_eq!(value.unwrap_err().kind(), ErrorKind::Invalid);
            }
        }
        for good in [(1_u64 << 53) - 1, 1 << 53, 100_000_000_000_000_000] {
            assert!(to_vec(&good).is_ok(), "{good}");
        }
        for bad in [(1_u64 << 53) + 1, 1 << 60, u64::MAX] {
            assert!(to_vec(&bad).is_err(), "{bad}");
        }
        assert!(to_vec(&-9_007_199_254_740_993_i64).is_err());
        assert!(to_vec(&1e300).is_ok());
    }

    fn json_of(number: f64) -> Result<Vec<u8>> {
        to_vec(&std::collections::BTreeMap::from([("metric", number)]))
    }

    #[test]
    fn other_spellings_of_the_same_value_are_corrupt() {
        for bad in [
            r#"{"a": 1}"#,
            r#"{"b":1,"a":2}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1,"a":1}"#,
            "{",
            "",
        ] {
            let error = from_slice::<Value>(bad.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_not_overflowed() {
        let bomb = "[".repeat(1_000_000);
        assert_eq!(
            from_slice::<Value>(bomb.as_bytes()).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }

    proptest! {
        #[test]
        fn encoding_then_decoding_gives_the_value_back(
            map in proptest::collection::btree_map(".*", proptest::num::f64::NORMAL, 0..8)
        ) {
            let bytes = to_vec(&map).unwrap();
            prop_assert_eq!(from_slice::<std::collections::BTreeMap<String, f64>>(&bytes).unwrap(), map);
        }

        #[test]
        fn what_is_encoded_reads_back_as_any_json(number in proptest::num::f64::NORMAL, n: i64) {
            for bytes in [to_vec(&number), to_vec(&n)].into_iter().flatten() {
                let value: Value = from_slice(&bytes).unwrap();
                prop_assert_eq!(to_vec(&value).unwrap(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_decoded_or_refused_without_panic(bytes: Vec<u8>) {
            drop(from_slice::<Value>(&bytes));
        }
    }
}
