//! Points of metrics, and blocks of them as they are stored.

use std::collections::BTreeMap;
use std::ops::Bound;

use mainstay_core::{Error, ErrorKind, Result, Timestamp, canon};
use serde::{Deserialize, Serialize};

use super::record::FORMAT;
use crate::metric::Metric;
use crate::text;

/// The most points that one [`RunLog`](super::RunLog) takes.
pub const MAX_BATCH_POINTS: usize = 100_000;

/// What a number in canonical JSON holds exactly.
const MAX_EXACT: u64 = (1 << 53) - 1;

/// One measurement of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Point {
    /// The step of the run: -(2⁵³ - 1) to 2⁵³ - 1.
    pub step: i64,
    /// When it was measured: less than 2⁵³ microseconds, 285 years, from 1970.
    pub time: Timestamp,
    /// What was measured.
    pub value: Metric,
}

impl Point {
    /// Creates a point.
    #[must_use]
    pub fn new(step: i64, time: Timestamp, value: impl Into<Metric>) -> Self {
        Self {
            step,
            time,
            value: value.into(),
        }
    }

    fn check(self) -> Result<()> {
        for (what, number) in [("step", self.step), ("time", self.time.as_unix_micros())] {
            if number.unsigned_abs() > MAX_EXACT {
                let error = Error::invalid("beyond what a point of a series can say");
                return Err(error.context(what, number));
            }
        }
        Ok(())
    }

    /// What the latest of several points is the greatest in.
    fn age(&self) -> (i64, Timestamp) {
        (self.step, self.time)
    }
}

/// A series without its points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SeriesInfo {
    /// How many points it has.
    pub points: u64,
    /// The least step.
    pub first_step: i64,
    /// The greatest step.
    pub last_step: i64,
    /// The point with the greatest step, of these the latest, of these the one logged last.
    pub latest: Point,
}

impl SeriesInfo {
    fn of(points: &[StoredPoint]) -> Option<Self> {
        let mut points = points.iter().map(StoredPoint::point);
        let first = points.next()?;
        let start = Self {
            points: 1,
            first_step: first.step,
            last_step: first.step,
            latest: first,
        };
        Some(points.fold(start, |sum, point| {
            sum.followed_by(Self {
                points: 1,
                first_step: point.step,
                last_step: point.step,
                latest: point,
            })
        }))
    }

    /// Adds what was logged later.
    pub(super) fn followed_by(self, later: Self) -> Self {
        let newer = later.latest.age() >= self.latest.age();
        Self {
            points: self.points + later.points,
            first_step: self.first_step.min(later.first_step),
            last_step: self.last_step.max(later.last_step),
            latest: if newer { later.latest } else { self.latest },
        }
    }

    /// Reports whether it may have points within these steps.
    fn overlaps(&self, steps: (Bound<i64>, Bound<i64>)) -> bool {
        let begins = match steps.0 {
            Bound::Included(from) => self.last_step >= from,
            Bound::Excluded(from) => self.last_step > from,
            Bound::Unbounded => true,
        };
        let ends = match steps.1 {
            Bound::Included(to) => self.first_step <= to,
            Bound::Excluded(to) => self.first_step < to,
            Bound::Unbounded => true,
        };
        begins && ends
    }
}

/// A point as it is stored: `[step, microseconds, value]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct StoredPoint(i64, i64, Metric);

impl StoredPoint {
    fn point(&self) -> Point {
        Point::new(self.0, Timestamp::from_unix_micros(self.1), self.2)
    }
}

impl From<Point> for StoredPoint {
    fn from(point: Point) -> Self {
        Self(point.step, point.time.as_unix_micros(), point.value)
    }
}

/// Points of several series, each in the order they were logged in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    format: u32,
    points: BTreeMap<String, Vec<StoredPoint>>,
}

impl Block {
    pub(super) const KIND: &'static str = "run.points";

    pub(super) fn empty() -> Self {
        Self {
            format: FORMAT,
            points: BTreeMap::new(),
        }
    }

    /// Takes points that a user logs.
    pub(super) fn of(points: &BTreeMap<String, Vec<Point>>) -> Result<Self> {
        text::check_keys("metrics", points.keys())?;
        if points.values().map(Vec::len).sum::<usize>() > MAX_BATCH_POINTS {
            let limit = format!("more than {MAX_BATCH_POINTS} points at once");
            return Err(Error::invalid(limit));
        }
        let mut block = Self::empty();
        for (key, series) in points {
            for point in series {
                point
                    .check()
                    .map_err(|error| error.context("metric", key))?;
            }
            let series: Vec<StoredPoint> = series.iter().map(|point| (*point).into()).collect();
            if !series.is_empty() {
                block.points.insert(key.clone(), series);
            }
        }
        Ok(block)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub(super) fn count(&self) -> u64 {
        self.points.values().map(|series| series.len() as u64).sum()
    }

    /// Adds what was logged later.
    pub(super) fn extend(&mut self, later: &Self) {
        for (key, series) in &later.points {
            self.points.entry(key.clone()).or_default().extend(series);
        }
    }

    pub(super) fn info(&self) -> BTreeMap<String, SeriesInfo> {
        let series = self.points.iter();
        series
            .filter_map(|(key, points)| Some((key.clone(), SeriesInfo::of(points)?)))
            .collect()
    }

    /// Returns the points of one series within these steps, in the order they were logged in.
    pub(super) fn within(
        &self,
        key: &str,
        steps: (Bound<i64>, Bound<i64>),
    ) -> impl Iterator<Item = Point> {
        let series = self.points.get(key).into_iter().flatten();
        series
            .map(StoredPoint::point)
            .filter(move |point| std::ops::RangeBounds::contains(&steps, &point.step))
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        canon::to_vec(self)
    }

    /// Reads the content of a segment's blob.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let block: Self = canon::from_slice(bytes)?;
        if block.format == FORMAT {
            Ok(block)
        } else {
            Err(Error::new(
                ErrorKind::Corrupt,
                "points of an unknown format",
            ))
        }
    }
}

/// What a segment of the series of a run holds; its points are in a blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Segment {
    format: u32,
    pub(super) blob: mainstay_core::Digest,
    series: BTreeMap<String, StoredInfo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredInfo {
    points: u64,
    first_step: i64,
    last_step: i64,
    latest: StoredPoint,
}

impl StoredInfo {
    fn info(&self) -> SeriesInfo {
        SeriesInfo {
            points: self.points,
            first_step: self.first_step,
            last_step: self.last_step,
            latest: self.latest.point(),
        }
    }
}

impl Segment {
    pub(super) const KIND: &'static str = "run.segment";

    pub(super) fn of(blob: mainstay_core::Digest, block: &Block) -> Self {
        let series = block.info().into_iter().map(|(key, info)| {
            let stored = StoredInfo {
                points: info.points,
                first_step: info.first_step,
                last_step: info.last_step,
                latest: info.latest.into(),
            };
            (key, stored)
        });
        Self {
            format: FORMAT,
            blob,
            series: series.collect(),
        }
    }

    pub(super) fn info(&self) -> impl Iterator<Item = (&String, SeriesInfo)> {
        self.series.iter().map(|(key, stored)| (key, stored.info()))
    }

    /// Reports whether its blob may have points of a series within these steps.
    pub(super) fn holds(&self, key: &str, steps: (Bound<i64>, Bound<i64>)) -> bool {
        let stored = self.series.get(key);
        stored.is_some_and(|stored| stored.info().overlaps(steps))
    }
}

#[cfg(test)]
mod tests;
