//! Files of metrics: a point a line, `milliseconds value step`, and then what it was measured on.

use mainstay_core::{Error, Result, Timestamp};

use super::disk::{Disk, fail};
use crate::run::Point;

/// The longest file of one metric in bytes.
const MAX_METRIC_BYTES: usize = 64 << 20;

/// Reads the points of a metric, in the order they were logged in.
pub(super) fn points(disk: &Disk, path: &str) -> Result<Vec<Point>> {
    let text = disk.text(path, MAX_METRIC_BYTES)?.unwrap_or_default();
    let lines = (1_usize..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            point(line).map_err(|error| {
                let error = error.context("line", number);
                fail(error, &disk.root().join(path))
            })
        })
        .collect()
}

/// Reads a line. Without a step, as MLflow wrote before 1.0, the step is 0.
pub(super) fn point(line: &str) -> Result<Point> {
    let bad = || Error::invalid("not a point: milliseconds, a number, a step");
    let mut fields = line.trim().split(' ');
    let mut field = || fields.next();
    let millis: i64 = field()
        .and_then(|field| field.parse().ok())
        .ok_or_else(bad)?;
    let value: f64 = field()
        .and_then(|field| field.parse().ok())
        .ok_or_else(bad)?;
    let step: i64 = field()
        .map_or(Some(0), |field| field.parse().ok())
        .ok_or_else(bad)?;
    Ok(Point::new(step, time(millis)?, value))
}

/// Reads MLflow's milliseconds since 1970.
pub(super) fn time(millis: i64) -> Result<Timestamp> {
    let micros = millis.checked_mul(1_000);
    let time = micros.map(Timestamp::from_unix_micros);
    time.filter(|time| Some(time.as_unix_micros()) == micros)
        .ok_or_else(|| Error::invalid("a time beyond the year 9999").context("time", millis))
}
