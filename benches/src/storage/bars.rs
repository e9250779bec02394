//! What the project wants to see, whichever machine it is.

use serde::Serialize;

use super::report::{BackendFacts, ResultRow};
use super::wrappers::{ENCRYPT, WrapperRow};

/// A figure that is wanted and the one that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Bar {
    /// What is wanted.
    pub name: String,
    /// The least that is wanted, or the most.
    pub wanted: f64,
    /// Whether it is the most.
    pub at_most: bool,
    /// What was found.
    pub found: f64,
    /// Whether it is met.
    pub met: bool,
}

impl Bar {
    fn at_least(name: String, wanted: f64, found: f64) -> Self {
        Self {
            name,
            wanted,
            at_most: false,
            found,
            met: found >= wanted,
        }
    }

    fn at_most(name: String, wanted: f64, found: f64) -> Self {
        Self {
            name,
            wanted,
            at_most: true,
            found,
            met: found <= wanted,
        }
    }
}

pub(super) fn bars(
    backends: &[BackendFacts],
    results: &[ResultRow],
    wrappers: &[WrapperRow],
) -> Vec<Bar> {
    let value = |metric: &str, backend: &str| {
        let row = results.iter().find(|row| row.metric.name == metric);
        row.and_then(|row| row.of(backend))
    };
    let mut bars = Vec::new();
    for facts in backends {
        let name = &facts.name;
        let wanted = match (facts.backend, facts.durability) {
            ("memory", _) => 100_000.0,
            (_, Some("strict")) => 20_000.0,
            _ => continue,
        };
        bars.extend(value("get_4k", name).map(|found| {
            Bar::at_least(
                format!("{name}: reads of 4 KiB a second, cached, one thread"),
                wanted,
                found,
            )
        }));
        let unsynced = format!("{} none", facts.target);
        let times = value("commit_blobs", name).zip(value("commit_blobs", &unsynced));
        bars.extend(times.map(|(synced, unsynced)| {
            let title = format!("{name}: commit of many blobs, in times of that without sync");
            Bar::at_most(title, 2.0, synced / unsynced)
        }));
    }
    bars.extend(["get", "put"].into_iter().filter_map(|operation| {
        let rows = wrappers.iter().filter(|row| {
            (row.backend, row.operation) == ("local", operation) && row.wrapper != ENCRYPT
        });
        let worst = rows.max_by(|a, b| a.overhead_percent.total_cmp(&b.overhead_percent))?;
        let title = format!(
            "local: % that the costliest wrapper adds to a {operation} of 4 KiB ({})",
            worst.wrapper
        );
        Some(Bar::at_most(title, 5.0, worst.overhead_percent))
    }));
    bars
}
