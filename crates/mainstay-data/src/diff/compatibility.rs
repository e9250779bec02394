//! Whether readers of one version's columns can read the other's data.

use serde::Serialize;

use super::fits::fits;
use super::schema;
use crate::Column;

/// Verdicts in the words of Confluent's schema registry, for tables.
///
/// A reader asks for its columns by name. It can read data that have each of them, in a type whose
/// values all fit into its own, and without nulls where it allows none. Further columns do not matter. Lists
/// and maps fit where what they hold does, structs where each field of the reader's does. A
/// renamed column is one missing and one more. So to add a column is compatible forward alone, to drop one
/// backward alone, and to widen a type backward alone.
///
/// In a registry a field with a default may be missing. Columns have no defaults, and that a column
/// allows nulls says little, as most writers let all columns allow them: no column may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Compatibility {
    /// Whether readers of the later columns can read the earlier data.
    pub backward: bool,
    /// Whether readers of the earlier columns can read the later data.
    pub forward: bool,
    /// Both.
    pub full: bool,
    /// Why not.
    pub reasons: Vec<Incompatibility>,
}

/// Why a reader cannot read a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Incompatibility {
    /// Which readers.
    pub direction: Direction,
    /// The column.
    pub column: String,
    /// What the reader meets.
    pub reason: String,
}

/// Which readers read which data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "two versions have two directions")]
pub enum Direction {
    /// Readers of the later columns, earlier data.
    Backward,
    /// Readers of the earlier columns, later data.
    Forward,
}

impl Direction {
    /// Returns its name: `backward` or `forward`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Backward => "backward",
            Self::Forward => "forward",
        }
    }

    /// Says what it means when versions are not compatible in this direction.
    #[must_use]
    pub fn failure(self) -> &'static str {
        match self {
            Self::Backward => "readers of the later columns fail on the earlier data",
            Self::Forward => "readers of the earlier columns fail on the later data",
        }
    }
}

impl Compatibility {
    /// Returns why readers of one direction fail; nothing when they do not.
    pub fn reasons_of(&self, direction: Direction) -> impl Iterator<Item = &Incompatibility> {
        let reasons = self.reasons.iter();
        reasons.filter(move |reason| reason.direction == direction)
    }

    /// Compares the columns of two versions.
    #[must_use]
    pub fn between(before: &[Column], after: &[Column]) -> Self {
        let backward = unreadable(Direction::Backward, after, before);
        let forward = unreadable(Direction::Forward, before, after);
        Self {
            backward: backward.is_empty(),
            forward: forward.is_empty(),
            full: backward.is_empty() && forward.is_empty(),
            reasons: backward.into_iter().chain(forward).collect(),
        }
    }
}

fn unreadable(direction: Direction, reader: &[Column], data: &[Column]) -> Vec<Incompatibility> {
    let reason = |wanted: &Column| {
        let Some(found) = data.iter().find(|column| column.name == wanted.name) else {
            return Some("it is missing".to_owned());
        };
        let (found_type, wanted_type) = schema::types(found, wanted);
        if !fits(&found_type, &wanted_type) {
            return Some(format!("{found_type} does not fit into {wanted_type}"));
        }
        let nulls = found.nullable && !wanted.nullable;
        nulls.then(|| "it allows nulls, and the reader allows none".to_owned())
    };
    let reasons = reader.iter().filter_map(|wanted| {
        Some(Incompatibility {
            direction,
            column: wanted.name.clone(),
            reason: reason(wanted)?,
        })
    });
    reasons.collect()
}
