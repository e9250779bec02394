//! Comparing the columns that both snapshots have.

use super::distribution::{Categories, Cdf, float, in_buckets};
use super::measure::{self, Measures, Noise};
use super::{CategoryDrift, ChiSquare, ColumnDiff, Drift, DriftThresholds, StatsPair, Verdict};
use crate::Column;
use crate::stats::ColumnStats;

/// Compares pairs of columns and orders them, the most drifted first.
pub(super) fn compare(
    pairs: &[(&Column, &Column)],
    thresholds: &DriftThresholds,
) -> Vec<ColumnDiff> {
    let mut columns: Vec<(f64, ColumnDiff)> = pairs
        .iter()
        .map(|(before, after)| {
            let diff = compare_pair(before, after, thresholds);
            (severity(&diff.drift), diff)
        })
        .collect();
    columns.sort_by(|(severity_a, a), (severity_b, b)| {
        b.verdict
            .cmp(&a.verdict)
            .then(severity_b.total_cmp(severity_a))
            .then_with(|| a.name.cmp(&b.name))
    });
    columns.into_iter().map(|(_, diff)| diff).collect()
}

fn compare_pair(before: &Column, after: &Column, thresholds: &DriftThresholds) -> ColumnDiff {
    let (missing_before, missing_after) = (missing(&before.stats), missing(&after.stats));
    let (rows_before, rows_after) = (float(before.stats.count), float(after.stats.count));
    let same_type = before.logical_type == after.logical_type;
    let categories = Categories::of(&before.stats, &after.stats).filter(|_| same_type);
    let values = match &categories {
        Some(categories) => Some(categories.counts.clone()),
        None if same_type => in_buckets(&before.stats, &after.stats),
        None => None,
    };
    let (measures, noise) = measure(before, after, values.as_deref()).unwrap_or_default();
    let chi_square = values.as_deref().and_then(ChiSquare::of);
    let counts = ((missing_before, missing_after), (rows_before, rows_after));
    let drift = Drift {
        chi_square,
        categories: categories.as_ref().map(CategoryDrift::of),
        missing_p_value: measure::missing_p_value(counts.0, counts.1),
        psi: measures.psi,
        ks: measures.ks,
        js: measures.js,
        shift: measures.shift,
        missing: if rows_before > 0.0 && rows_after > 0.0 {
            missing_after / rows_after - missing_before / rows_before
        } else {
            0.0
        },
    };
    let noise = Noise {
        missing: measure::missing_noise(counts.0, counts.1),
        cramers_v: measure::unless(chi_square.is_some_and(|test| test.p_value < 0.01)),
        ..noise
    };
    // Nothing can be measured of a table that lost all its rows, and nothing is as bad.
    let changed = before.digest != after.digest;
    let is_emptied = rows_before > 0.0 && rows_after <= 0.0;
    let verdict = if same_type && !is_emptied {
        thresholds.judge(&after.name, (changed && rows_before > 0.0, &drift), &noise)
    } else {
        Verdict::Fail
    };
    ColumnDiff {
        name: after.name.clone(),
        changed,
        stats: StatsPair {
            before: before.stats.clone(),
            after: after.stats.clone(),
        },
        drift,
        verdict,
    }
}

/// Measures a pair as numbers, or by how often each value occurs; `None` when neither can be compared.
fn measure(
    before: &Column,
    after: &Column,
    values: Option<&[(f64, f64)]>,
) -> Option<(Measures, Noise)> {
    let comparable = before.logical_type == after.logical_type
        || is_number(&before.logical_type) && is_number(&after.logical_type);
    if !comparable {
        return None;
    }
    match (Cdf::of(&before.stats), Cdf::of(&after.stats)) {
        (Some(before), Some(after)) => Some(measure::numeric(&before, &after)),
        _ => measure::categorical(values?),
    }
}

/// Reports whether a logical type is a plain number, whatever its width.
fn is_number(logical_type: &str) -> bool {
    ["int", "uint", "float", "decimal("].iter().any(|prefix| {
        logical_type
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
    })
}

/// Counts the rows without a value that has a place among others.
fn missing(stats: &ColumnStats) -> f64 {
    float(stats.nulls + stats.nans.unwrap_or(0) + stats.infinities.unwrap_or(0))
}

/// Weighs a drift for the order of the columns.
///
/// How many rows moved says little about how bad it is: a new year and a wrong unit can touch the same
/// rows. So distance counts where there is one, and shares are doubled to stand beside it: the shift
/// of a fair coin that lands on one side only is two of its deviations.
fn severity(drift: &Drift) -> f64 {
    let shares = drift.ks.unwrap_or(0.0).max(drift.missing.abs());
    drift.shift.unwrap_or(0.0).max(2.0 * shares)
}
