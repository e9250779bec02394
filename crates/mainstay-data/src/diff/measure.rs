//! Measures of how far a distribution moved, and how far sampling alone moves them.

use statrs::function::erf::erfc;

use super::distribution::Cdf;

/// Into how many bins the baseline is cut for the PSI.
const BINS: u8 = 10;
/// What is added to every bin's count, so that an empty one has a logarithm.
const PSEUDO_COUNT: f64 = 0.5;
/// The 99th percentile of the standard normal distribution, one-sided.
const Z_99: f64 = 2.326_347_874_040_841;
/// The same, two-sided.
const Z_99_TWO_SIDED: f64 = 2.575_829_303_548_901;
/// The 99th percentile of the Kolmogorov distribution.
const KOLMOGOROV_99: f64 = 1.628;

/// The measures of one column, without the missing values.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measures {
    pub(super) psi: Option<f64>,
    pub(super) ks: Option<f64>,
    pub(super) js: Option<f64>,
    pub(super) shift: Option<f64>,
}

/// What the measures stay below with 99 % probability when nothing drifted and both sides are
/// independent samples.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noise {
    pub(super) psi: f64,
    pub(super) ks: f64,
    pub(super) missing: f64,
    pub(super) js: f64,
    pub(super) cramers_v: f64,
}

/// Measures a numeric column.
///
/// The bins are cut at the deciles of `before`; equal deciles are one.
pub(super) fn numeric(before: &Cdf, after: &Cdf) -> (Measures, Noise) {
    let mut edges: Vec<f64> = (1..BINS)
        .filter_map(|i| before.quantile(f64::from(i) / f64::from(BINS)))
        .collect();
    edges.dedup();
    let bins = bins(before, after, &edges);
    let samples = 1.0 / before.count + 1.0 / after.count;
    let measures = Measures {
        psi: Some(psi(&bins, before.count, after.count)),
        ks: Some(kolmogorov_smirnov(before, after)),
        js: Some(jensen_shannon(&bins)),
        shift: shift(before, after),
    };
    let psi_noise = psi_noise(bins.len(), samples);
    let noise = Noise {
        psi: psi_noise,
        ks: KOLMOGOROV_99 * samples.sqrt() + before.resolution + after.resolution,
        js: unless(measures.psi > Some(psi_noise)),
        ..Noise::default()
    };
    (measures, noise)
}

/// Measures a categorical column by the counts of its values, or of buckets of them; `None` when a side has
/// no value.
pub(super) fn categorical(counts: &[(f64, f64)]) -> Option<(Measures, Noise)> {
    let n: f64 = counts.iter().map(|(count, _)| count).sum();
    let m: f64 = counts.iter().map(|(_, count)| count).sum();
    if n <= 0.0 || m <= 0.0 {
        return None;
    }
    let bins: Vec<(f64, f64)> = counts.iter().map(|(a, b)| (a / n, b / m)).collect();
    let psi = psi(&bins, n, m);
    let psi_noise = psi_noise(bins.len(), 1.0 / n + 1.0 / m);
    let total_variation = bins.iter().map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0;
    let measures = Measures {
        psi: Some(psi),
        ks: Some(total_variation),
        js: Some(jensen_shannon(&bins)),
        shift: None,
    };
    let noise = Noise {
        psi: psi_noise,
        // The total variation has no handy distribution; both measures see the same counts, so one
        // is noise when the other is.
        ks: unless(psi > psi_noise),
        js: unless(psi > psi_noise),
        ..Noise::default()
    };
    Some((measures, noise))
}

/// The noise of a measure without a distribution of its own, which is at most 1: nothing where another
/// one of the same counts is more than noise.
pub(super) fn unless(significant: bool) -> f64 {
    if significant { 0.0 } else { 1.0 }
}

/// Returns how likely two shares differ as much when they are one: the two-proportion z test, two-sided.
/// `None` when all values or none are missing.
///
/// Source: Fleiss, *Statistical Methods for Rates and Proportions*, 1981, 2.3, without correction.
pub(super) fn missing_p_value(missing: (f64, f64), count: (f64, f64)) -> Option<f64> {
    let pooled = (missing.0 + missing.1) / (count.0 + count.1);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / count.0 + 1.0 / count.1)).sqrt();
    let z = (missing.0 / count.0 - missing.1 / count.1).abs() / deviation;
    z.is_finite().then(|| erfc(z / std::f64::consts::SQRT_2))
}

/// Returns how far the difference of two shares strays at 99 % when they are one: the two-proportion
/// z test. `missing` and `count` are of both sides.
pub(super) fn missing_noise(missing: (f64, f64), count: (f64, f64)) -> f64 {
    let pooled = (missing.0 + missing.1) / (count.0 + count.1);
    Z_99_TWO_SIDED * (pooled * (1.0 - pooled) * (1.0 / count.0 + 1.0 / count.1)).sqrt()
}

/// Cuts the line at `edges`, which rise, into the shares of both sides: up to and with the first edge,
/// between the edges, beyond the last. Leaves out bins that are empty on both sides.
fn bins(before: &Cdf, after: &Cdf, edges: &[f64]) -> Vec<(f64, f64)> {
    let heights = edges.iter().map(|&edge| (before.at(edge), after.at(edge)));
    let mut bins = Vec::new();
    let mut last = (0.0, 0.0);
    for height in heights.chain([(1.0, 1.0)]) {
        bins.push((height.0 - last.0, height.1 - last.1));
        last = height;
    }
    bins.retain(|&(p, q)| p > 0.0 || q > 0.0);
    bins
}

/// Computes the population stability index: the sum over the bins of (q − p) ln(q / p), where p and q
/// are the shares before and after, each bin's count raised by one half.
///
/// Source: Siddiqi, *Credit Risk Scorecards*, 2006. It lies in [0, ∞); below 0.1 is customarily called
/// stable, from 0.25 a major shift.
fn psi(bins: &[(f64, f64)], n: f64, m: f64) -> f64 {
    let added = PSEUDO_COUNT * f64::from(u32::try_from(bins.len()).unwrap_or(u32::MAX));
    let smooth = |share: f64, count: f64| (share * count + PSEUDO_COUNT) / (count + added);
    bins.iter()
        .map(|&(p, q)| (smooth(p, n), smooth(q, m)))
        .map(|(p, q)| (q - p) * (q / p).ln())
        .sum()
}

/// Returns the 99th percentile of the PSI of two samples of one distribution: about
/// (1/n + 1/m) χ² with one degree of freedom less than bins.
///
/// Source: Yurdakul and Naranjo, *Statistical properties of the population stability index*, Journal of
/// Risk Model Validation 14, 2020; the percentile of χ² by Wilson and Hilferty, PNAS 17, 1931.
fn psi_noise(bins: usize, samples: f64) -> f64 {
    let freedom = f64::from(u32::try_from(bins.saturating_sub(1)).unwrap_or(u32::MAX));
    if freedom <= 0.0 {
        return 0.0;
    }
    let spread = 2.0 / (9.0 * freedom);
    samples * freedom * (1.0 - spread + Z_99 * spread.sqrt()).powi(3)
}

/// Computes the Kolmogorov-Smirnov distance: the greatest difference of the two heights.
fn kolmogorov_smirnov(before: &Cdf, after: &Cdf) -> f64 {
    before
        .places()
        .chain(after.places())
        .flat_map(|x| {
            [
                before.at(x) - after.at(x),
                before.before(x) - after.before(x),
            ]
        })
        .map(f64::abs)
        .fold(0.0, f64::max)
}

/// Computes the Jensen-Shannon divergence in bits; it lies in [0, 1].
///
/// Source: Lin, *Divergence measures based on the Shannon entropy*, IEEE Transactions on Information
/// Theory 37, 1991.
fn jensen_shannon(bins: &[(f64, f64)]) -> f64 {
    let part = |share: f64, middle: f64| {
        if share > 0.0 {
            share * (share / middle).log2()
        } else {
            0.0
        }
    };
    let sum: f64 = bins
        .iter()
        .map(|&(p, q)| {
            let middle = f64::midpoint(p, q);
            part(p, middle) + part(q, middle)
        })
        .sum();
    (sum / 2.0).clamp(0.0, 1.0)
}

/// Computes the first Wasserstein distance, the area between the two curves, in standard deviations
/// of `before`; `None` when that deviation is zero or unknown, or the result overflows.
fn shift(before: &Cdf, after: &Cdf) -> Option<f64> {
    let deviation = before.std_dev.filter(|deviation| *deviation > 0.0)?;
    let mut places: Vec<f64> = before.places().chain(after.places()).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let area: f64 = places
        .windows(2)
        .map(|pair| {
            let left = before.at(pair[0]) - after.at(pair[0]);
            let right = before.before(pair[1]) - after.before(pair[1]);
            let width = pair[1] / deviation - pair[0] / deviation;
            width * mean_distance(left, right)
        })
        .sum();
    area.is_finite().then_some(area)
}

/// Returns the mean of the absolute value of a line from `a` to `b`.
fn mean_distance(a: f64, b: f64) -> f64 {
    if a * b >= 0.0 {
        f64::midpoint(a.abs(), b.abs())
    } else {
        (a * a + b * b) / (2.0 * (a.abs() + b.abs()))
    }
}

#[cfg(test)]
mod tests;
