//! What a run found.

use mainstay::store::Storage;
use mainstay::{Error, ErrorKind, Result, Timestamp};
use serde::Serialize;

use super::metric::{Measured, Metric, median};
use super::target::Target;
use super::{Bar, EncryptionRow, Machine, Scale, WrapperRow};

/// Everything that a run found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of the JSON form; fields may be added to it.
    pub format: u32,
    /// When it began.
    pub date: Timestamp,
    /// `release` or `debug`; figures of a debug build mean nothing.
    pub build: &'static str,
    /// What the written bytes came from.
    pub seed: u64,
    /// How much work was done.
    pub scale: Scale,
    /// Where it ran.
    pub machine: Machine,
    /// What was measured.
    pub backends: Vec<BackendFacts>,
    /// What was found, a row for each metric.
    pub results: Vec<ResultRow>,
    /// What wrappers cost.
    pub wrappers: Vec<WrapperRow>,
    /// How fast the encrypting wrapper is.
    pub encryption: Vec<EncryptionRow>,
    /// What the project wants to see.
    pub bars: Vec<Bar>,
    /// What went wrong.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Returns the report as JSON.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when it cannot be written as JSON.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write the report as JSON").with_source(cause)
        })
    }

    /// Returns the report as a page of Markdown whose tables are aligned.
    pub fn markdown(&self) -> String {
        super::markdown::page(self)
    }

    /// Draws the results as SVG.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when drawing fails.
    pub fn chart(&self) -> Result<String> {
        super::chart::draw(self)
    }
}

/// A storage that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackendFacts {
    /// What it is called.
    pub name: String,
    /// What its target is called.
    pub target: String,
    /// Where it is, without credentials.
    pub url: String,
    /// What it is, as `local` or `s3`.
    pub backend: &'static str,
    /// Whether acknowledged writes survive a crash of the machine.
    pub durable: bool,
    /// Of a directory: `strict`, `batch` or `none`.
    pub durability: Option<&'static str>,
    /// Of a directory.
    pub file_system: Option<&'static str>,
}

impl BackendFacts {
    pub(super) fn new(target: &Target, storage: &dyn Storage) -> Self {
        let capabilities = storage.capabilities();
        Self {
            name: target.name.clone(),
            target: target.name.clone(),
            url: target.location.to_string(),
            backend: capabilities.backend,
            durable: capabilities.durable,
            durability: None,
            file_system: None,
        }
    }
}

/// A metric of every backend that has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ResultRow {
    /// The work it was measured at.
    pub workload: &'static str,
    /// What was measured.
    #[serde(flatten)]
    pub metric: Metric,
    /// Its values.
    pub backends: Vec<Spread>,
}

impl ResultRow {
    /// Returns the median of the backend with this name.
    pub(super) fn of(&self, backend: &str) -> Option<f64> {
        let found = self
            .backends
            .iter()
            .find(|spread| spread.backend == backend);
        found.map(|spread| spread.median)
    }
}

/// A metric of one backend, over the repetitions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spread {
    /// The backend's name.
    pub backend: String,
    /// The middle value.
    pub median: f64,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub most: f64,
    /// How many values there are.
    pub repetitions: usize,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// The backend's name.
    pub backend: String,
    /// The work that failed, or `open` or `remove`.
    pub workload: &'static str,
    /// Why.
    pub error: String,
}

impl Failure {
    pub(super) fn new(backend: &str, workload: &'static str, error: &Error) -> Self {
        let first = std::error::Error::source(error);
        let causes = std::iter::successors(first, |cause| cause.source());
        let mut texts = vec![error.to_string()];
        texts.extend(causes.map(ToString::to_string));
        Self {
            backend: backend.into(),
            workload,
            error: texts.join(": "),
        }
    }
}

/// The values found so far, of backends that go by their index.
#[derive(Debug, Default)]
pub(super) struct Results(Vec<Collected>);

#[derive(Debug)]
struct Collected {
    workload: &'static str,
    metric: Metric,
    values: Vec<(usize, f64)>,
}

impl Results {
    pub(super) fn add(&mut self, workload: &'static str, backend: usize, measured: Vec<Measured>) {
        for Measured { metric, value } in measured {
            match self.0.iter_mut().find(|row| row.metric == metric) {
                Some(row) => row.values.push((backend, value)),
                None => self.0.push(Collected {
                    workload,
                    metric,
                    values: vec![(backend, value)],
                }),
            }
        }
    }

    pub(super) fn rows(self, backends: &[BackendFacts]) -> Vec<ResultRow> {
        let row = |collected: Collected| ResultRow {
            backends: backends
                .iter()
                .enumerate()
                .filter_map(|(index, facts)| spread(&facts.name, &collected.values_of(index)))
                .collect(),
            workload: collected.workload,
            metric: collected.metric,
        };
        self.0.into_iter().map(row).collect()
    }
}

impl Collected {
    fn values_of(&self, backend: usize) -> Vec<f64> {
        let own = self.values.iter().filter(|(index, _)| *index == backend);
        own.map(|(_, value)| *value).collect()
    }
}

fn spread(backend: &str, values: &[f64]) -> Option<Spread> {
    Some(Spread {
        backend: backend.into(),
        median: median(values)?,
        least: values.iter().copied().reduce(f64::min)?,
        most: values.iter().copied().reduce(f64::max)?,
        repetitions: values.len(),
    })
}
