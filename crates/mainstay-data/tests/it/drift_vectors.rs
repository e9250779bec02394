//! The measures of drift against those that `SciPy` computes of the same values.

use std::path::Path;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use mainstay_data::diff::{ColumnDiff, DatasetDiff};
use serde::Deserialize;

use crate::support::{column, datasets, rows, table};

/// What is exact but for rounding may be off by so much, relatively.
const ROUNDING: f64 = 1e-9;
/// What comes from percentiles may be off by so much.
const PERCENTILES: f64 = 0.02;

/// A case of `tests/reference/drift.json`, which `drift.py` wrote.
#[derive(Deserialize)]
struct Case {
    name: String,
    kind: Kind,
    before: Vec<Option<serde_json::Value>>,
    after: Vec<Option<serde_json::Value>>,
    expected: Expected,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Integers,
    Floats,
    Texts,
    /// Texts of which there are too many to count one by one.
    Buckets,
}

#[derive(Deserialize)]
struct Expected {
    psi: f64,
    js: f64,
    ks: f64,
    shift: Option<f64>,
    chi_square: Option<ExpectedTest>,
    missing_p_value: Option<f64>,
}

#[derive(Deserialize)]
struct ExpectedTest {
    statistic: f64,
    freedom: u32,
    p_value: f64,
    cramers_v: f64,
}

impl Kind {
    fn column(self, values: &[Option<serde_json::Value>]) -> ArrayRef {
        let values = values.iter().map(Option::as_ref);
        match self {
            Self::Integers => {
                let numbers = values.map(|value| value.and_then(serde_json::Value::as_i64));
                column(numbers.collect::<Int64Array>())
            }
            Self::Floats => {
                let numbers = values.map(|value| value.and_then(serde_json::Value::as_f64));
                column(numbers.collect::<Float64Array>())
            }
            Self::Texts | Self::Buckets => {
                let texts = values.map(|value| value.and_then(serde_json::Value::as_str));
                column(texts.collect::<StringArray>())
            }
        }
    }
}

impl Case {
    async fn compare(&self) -> ColumnDiff {
        let datasets = datasets().await;
        let version = async |values| {
            let table = table([("x", self.kind.column(values))]);
            datasets.snapshot(rows("d", table)).await.unwrap().node
        };
        let (before, after) = (version(&self.before).await, version(&self.after).await);
        let diff: DatasetDiff = datasets.compare(&before, &after).await.unwrap();
        diff.columns.into_iter().next().unwrap()
    }

    fn close(&self, what: &str, found: Option<f64>, expected: Option<f64>, tolerance: f64) {
        let close = match (found, expected) {
            (Some(found), Some(expected)) => {
                (found - expected).abs() <= tolerance.max(ROUNDING * expected.abs())
            }
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(
            close,
            "{}: {what} is {found:?} and not {expected:?}",
            self.name
        );
    }
}

#[tokio::test]
async fn measures_are_those_of_scipy() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/drift.json");
    let cases = std::fs::read(path).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        let ColumnDiff { drift, stats, .. } = case.compare().await;
        let expected = &case.expected;
        let (exact, rough) = match case.kind {
            Kind::Floats => (PERCENTILES, PERCENTILES),
            _ => (1e-12, 1e-9),
        };
        case.close("KS", drift.ks, Some(expected.ks), exact);
        case.close("PSI", drift.psi, Some(expected.psi), rough);
        case.close("JS", drift.js, Some(expected.js), rough);
        case.close("shift", drift.shift, expected.shift, rough);
        case.close(
            "p of missing values",
            drift.missing_p_value,
            expected.missing_p_value,
            1e-9,
        );
        let (found, expected) = (drift.chi_square, expected.chi_square.as_ref());
        let test = |what, found: Option<f64>, expected| case.close(what, found, expected, 1e-12);
        test(
            "chi-square",
            found.map(|test| test.statistic),
            expected.map(|test| test.statistic),
        );
        test(
            "p of chi-square",
            found.map(|test| test.p_value),
            expected.map(|test| test.p_value),
        );
        test(
            "Cramér's V",
            found.map(|test| test.cramers_v),
            expected.map(|test| test.cramers_v),
        );
        assert_eq!(
            found.map(|test| test.freedom),
            expected.map(|test| test.freedom),
            "{}",
            case.name
        );
        assert_eq!(
            stats.before.buckets.is_some(),
            case.kind == Kind::Buckets,
            "{}",
            case.name
        );
    }
}
