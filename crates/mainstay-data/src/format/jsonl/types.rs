//! What the values of a JSON column are.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use mainstay_core::Result;
use serde::{Deserialize, Serialize};

use crate::digest::Profile;
use crate::logical::logical_types;

/// How the values of a column of JSON lines become values of its logical type.
///
/// A logical type alone does not tell whether `"1"` is a text of one character or of three. The null of
/// JSON, and a key that is missing, is null in every type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JsonType {
    /// `true` and `false`.
    Bool,
    /// Integers of 64 bits.
    Int64,
    /// Numbers, each the nearest double.
    Float64,
    /// Strings.
    Utf8,
    /// Values of different kinds, each as its JSON text without white space: `utf8`.
    Json,
    /// Arrays.
    List(Box<JsonType>),
    /// Objects, by key; every key in the order of its bytes.
    Struct(BTreeMap<String, JsonType>),
}

impl JsonType {
    /// Returns the Arrow type that values are read as.
    pub(crate) fn arrow(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Utf8 | Self::Json => DataType::Utf8,
            Self::List(item) => DataType::new_list(item.arrow(), true),
            Self::Struct(fields) => DataType::Struct(arrow_fields(fields)),
        }
    }

    /// Spells the type as logical types are, but for JSON text, which is `json`.
    pub(crate) fn spelled(&self) -> String {
        match self {
            Self::Bool => "bool".to_owned(),
            Self::Int64 => "int64".to_owned(),
            Self::Float64 => "float64".to_owned(),
            Self::Utf8 => "utf8".to_owned(),
            Self::Json => "json".to_owned(),
            Self::List(item) => format!("list({})", item.spelled()),
            Self::Struct(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(name, of)| {
                    let name = serde_json::Value::from(name.as_str());
                    format!("{name}:{}", of.spelled())
                });
                format!("struct({})", fields.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Spells the logical type.
    ///
    /// # Errors
    /// [`Unsupported`](mainstay_core::ErrorKind::Unsupported) when it is nested too deep.
    pub(crate) fn logical_type(&self) -> Result<String> {
        let schema = Schema::new(vec![Field::new("json", self.arrow(), true)]);
        Ok(logical_types(&schema, Profile::Strict)?.concat())
    }
}

pub(super) fn arrow_fields(fields: &BTreeMap<String, JsonType>) -> Fields {
    let fields = fields.iter();
    fields
        .map(|(name, of)| Field::new(name, of.arrow(), true))
        .collect()
}
