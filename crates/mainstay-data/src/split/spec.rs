//! What a user writes to divide a table.

use std::collections::BTreeSet;

use mainstay_core::{Actor, Error, Name, NodeRef, Result};
use serde::{Deserialize, Serialize};

/// How rows find their part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum SplitRule {
    /// By a hash of the values of some columns.
    Hash {
        /// The columns; rows that are equal in them stay together.
        columns: Vec<String>,
        /// Another seed is another division.
        seed: u32,
        /// With columns here, each combination of their values is divided in the proportions of the
        /// parts, by falling hash rank. A row may then move when rows of its stratum are added. Rows that
        /// are equal in the columns above must be in one stratum.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stratify: Vec<String>,
    },
    /// By time: the first part holds the earliest rows. Rows of one time stay together.
    Time {
        /// The column: dates, timestamps, times, durations or integers; without nulls.
        column: String,
        /// Where each part but the first begins, as text of the column's type; without cuts, the parts
        /// are divided in their proportions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cuts: Vec<String>,
    },
}

impl SplitRule {
    /// Divides by a hash of these columns.
    pub fn hash<S: Into<String>>(columns: impl IntoIterator<Item = S>, seed: u32) -> Self {
        Self::Hash {
            columns: columns.into_iter().map(Into::into).collect(),
            seed,
            stratify: Vec::new(),
        }
    }

    /// Divides each combination of the values of `strata` in the proportions of the parts, by a hash of
    /// `columns`.
    pub fn stratified<S: Into<String>, T: Into<String>>(
        columns: impl IntoIterator<Item = S>,
        seed: u32,
        strata: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::Hash {
            columns: columns.into_iter().map(Into::into).collect(),
            seed,
            stratify: strata.into_iter().map(Into::into).collect(),
        }
    }

    /// Divides by time, in the proportions of the parts.
    pub fn time(column: impl Into<String>) -> Self {
        Self::Time {
            column: column.into(),
            cuts: Vec::new(),
        }
    }

    /// Divides by time, where each part but the first begins at a cut.
    pub fn time_cut<S: Into<String>>(
        column: impl Into<String>,
        cuts: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::Time {
            column: column.into(),
            cuts: cuts.into_iter().map(Into::into).collect(),
        }
    }

    /// The columns that decide.
    pub(crate) fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        let named = match self {
            Self::Hash {
                columns, stratify, ..
            } => columns.iter().chain(stratify).collect(),
            Self::Time { column, .. } => vec![column],
        };
        for column in named {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        columns
    }
}

/// One side of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitPart {
    /// What it is for: `train`, `validation`, `test`.
    pub role: Name,
    /// Its share of all weights; at least 1.
    pub weight: u32,
    /// The dataset it becomes a version of; that of the split's name and the role, `<name>-<role>`, when
    /// `None`.
    pub dataset: Option<Name>,
}

/// How to divide a version of a dataset, and how to record it.
///
/// ```
/// use mainstay_core::Actor;
/// use mainstay_data::split::{SplitRule, SplitSpec};
///
/// let source = "data:penguins@1".parse()?;
/// let by_island = SplitRule::hash(["island"], 7);
/// let spec = SplitSpec::new(source, by_island, Actor::new("ada")?, "for the classifier")
///     .with_part("train".parse()?, 8)
///     .with_part("test".parse()?, 2);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SplitSpec {
    /// What is divided.
    pub source: NodeRef,
    /// The split's name; that of the source's dataset unless set.
    pub name: Name,
    /// How rows find their part.
    pub rule: SplitRule,
    /// The parts: 2 to 64, with roles and datasets of their own.
    pub parts: Vec<SplitPart>,
    /// Who divides it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl SplitSpec {
    /// Creates a specification without parts.
    #[must_use]
    pub fn new(source: NodeRef, rule: SplitRule, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            name: source.name().clone(),
            source,
            rule,
            parts: Vec::new(),
            actor,
            reason: reason.into(),
        }
    }

    /// Sets the name, with which the datasets of the parts begin.
    #[must_use]
    pub fn with_name(mut self, name: Name) -> Self {
        self.name = name;
        self
    }

    /// Adds a part behind the others.
    #[must_use]
    pub fn with_part(mut self, role: Name, weight: u32) -> Self {
        self.parts.push(SplitPart {
            role,
            weight,
            dataset: None,
        });
        self
    }

    /// Adds a part that becomes a version of `dataset`.
    #[must_use]
    pub fn with_part_in(mut self, role: Name, weight: u32, dataset: Name) -> Self {
        self.parts.push(SplitPart {
            role,
            weight,
            dataset: Some(dataset),
        });
        self
    }

    /// Names the dataset of each part.
    pub(crate) fn datasets(&self) -> Result<Vec<Name>> {
        let parts = self.parts.iter();
        let names = parts.map(|part| match &part.dataset {
            Some(dataset) => Ok(dataset.clone()),
            None => format!("{}-{}", self.name, part.role).parse(),
        });
        names.collect()
    }

    /// Checks what does not depend on the data.
    pub(crate) fn check(&self) -> Result<()> {
        if !(2..=64).contains(&self.parts.len()) {
            return Err(
                Error::invalid("a split has 2 to 64 parts").context("parts", self.parts.len())
            );
        }
        let refuse = |why: &str, part: &SplitPart| {
            Err(Error::invalid(why.to_owned()).context("part", &part.role))
        };
        let mut roles = BTreeSet::new();
        let mut datasets = BTreeSet::from([self.source.name().clone()]);
        for (part, dataset) in self.parts.iter().zip(self.datasets()?) {
            if part.weight == 0 {
                return refuse("a part without weight", part);
            }
            if !roles.insert(&part.role) {
                return refuse("two parts of one role", part);
            }
            if !datasets.insert(dataset) {
                return refuse("a part has the dataset of another or of the source", part);
            }
        }
        match &self.rule {
            SplitRule::Hash { columns, .. } if columns.is_empty() => {
                Err(Error::invalid("no columns to divide by"))
            }
            SplitRule::Time { cuts, .. }
                if !cuts.is_empty() && cuts.len() + 1 != self.parts.len() =>
            {
                Err(Error::invalid("every part but the first begins at a cut")
                    .context("cuts", cuts.len()))
            }
            _ => Ok(()),
        }
    }
}
