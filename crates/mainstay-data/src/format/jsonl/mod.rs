//! Reading JSON lines: a JSON object a line, each a row, each of its keys a column.
//!
//! A missing key is null. A blank line is no row. The types of the columns are found over all files of a
//! table; `docs/formats/data-snapshot.md` has the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

mod build;
mod columns;
mod infer;
mod lines;
mod spell;
mod spelled;
mod types;
mod walk;

pub(crate) use infer::Inference;
pub(crate) use spelled::write_spelled;
pub use types::JsonType;

use super::OpenTable;
use crate::source::Source;
use build::Batches;
use lines::Lines;
use spelled::Spelled;

/// Names and types of the columns of the JSON lines files of a table, in the order of the columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct JsonSchema {
    columns: Vec<(String, JsonType)>,
    /// Whether values are read as they are spelled.
    spelled: bool,
}

impl JsonSchema {
    pub(crate) fn new(columns: Vec<(String, JsonType)>) -> Self {
        Self {
            columns,
            spelled: false,
        }
    }

    /// The same columns, of which every value is text as it is spelled, and one more, last, that is the line.
    pub(super) fn as_text(&self) -> Self {
        Self {
            columns: self.columns.clone(),
            spelled: true,
        }
    }

    pub(crate) fn type_of(&self, name: &str) -> Option<&JsonType> {
        let mut columns = self.columns.iter();
        columns
            .find(|(known, _)| known == name)
            .map(|(_, json_type)| json_type)
    }

    /// Reports whether the columns of both have the same types, in any order.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        let sorted = |schema: &Self| -> BTreeMap<_, _> { schema.columns.iter().cloned().collect() };
        sorted(self) == sorted(other)
    }

    fn arrow(&self) -> Schema {
        let columns = self.columns.iter();
        if self.spelled {
            return spelled::schema(columns.map(|(name, _)| name.as_str()));
        }
        let fields = columns.map(|(name, of)| Field::new(name, of.arrow(), true));
        Schema::new(fields.collect::<Vec<_>>())
    }
}

/// Opens a JSON lines file; reads only the columns in `wanted`, in the order of the columns, when given and not
/// as they are spelled.
pub(super) fn open(source: &Source, types: &JsonSchema, wanted: Option<&[String]>) -> OpenTable {
    let schema: SchemaRef = Arc::new(types.arrow());
    if types.spelled {
        return OpenTable {
            batches: Box::new(Spelled::new(Lines::open(source), &schema)),
            schema,
        };
    }
    let columns = types.columns.iter().map(|(name, of)| {
        let is_wanted = wanted.is_none_or(|wanted| wanted.contains(name));
        (name.clone(), is_wanted.then(|| of.clone()))
    });
    OpenTable {
        batches: Box::new(Batches::new(
            Lines::open(source),
            &schema,
            columns.collect(),
        )),
        schema,
    }
}
