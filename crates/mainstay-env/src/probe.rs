//! Probes: each looks for one fact in the tree of files and the variables it is given.

use std::collections::BTreeMap;

use crate::{Fact, Failure, ProbeReport};

pub(crate) mod container;
pub(crate) mod cpu;
pub(crate) mod git;
pub(crate) mod gpu;
pub(crate) mod os;
pub(crate) mod project;
pub(crate) mod python;
pub(crate) mod rust;
pub(crate) mod tree;
pub(crate) mod variables;

use tree::Tree;

/// What every probe looks at.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    /// The files.
    pub(crate) tree: &'a Tree,
    /// The environment variables.
    pub(crate) variables: &'a Variables,
}

/// Where environment variables come from.
#[derive(Debug, Clone)]
pub(crate) enum Variables {
    /// This process; asked by name, never listed.
    Process,
    /// Given ones.
    Given(BTreeMap<String, String>),
    /// None: those of another system are not known.
    Unknown,
}

impl Variables {
    /// Returns a variable that is set, not empty and UTF-8.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        match self {
            Self::Process => std::env::var(name).ok(),
            Self::Given(variables) => variables.get(name).cloned(),
            Self::Unknown => None,
        }
        .filter(|value| !value.is_empty())
    }
}

/// What a probe found, and a note for people on where or why.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) fact: Fact<T>,
    pub(crate) detail: Option<String>,
}

impl<T> Found<T> {
    pub(crate) fn known(value: T, detail: impl Into<String>) -> Self {
        Self {
            fact: Fact::Known(value),
            detail: Some(detail.into()),
        }
    }

    pub(crate) fn absent() -> Self {
        Self {
            fact: Fact::Absent,
            detail: None,
        }
    }

    pub(crate) fn failed(failure: Failure, detail: impl Into<String>) -> Self {
        Self {
            fact: Fact::Failed(failure),
            detail: Some(detail.into()),
        }
    }

    pub(crate) fn not_collected(detail: impl Into<String>) -> Self {
        Self {
            fact: Fact::NotCollected,
            detail: Some(detail.into()),
        }
    }

    /// Adds the report to `reports` and returns the fact.
    pub(crate) fn report(self, probe: &str, reports: &mut Vec<ProbeReport>) -> Fact<T> {
        reports.push(ProbeReport {
            probe: probe.into(),
            outcome: self.fact.outcome().into(),
            detail: self.detail.as_deref().map(crate::secrets::clean),
        });
        self.fact
    }
}
