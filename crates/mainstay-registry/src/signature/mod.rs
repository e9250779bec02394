//! Signatures: what a model takes and gives, in the shape MLflow writes into `MLmodel`.
//!
//! ```
//! use mainstay_registry::signature::Signature;
//!
//! let signature: Signature = r#"{
//!     "inputs": "[{\"name\": \"mass\", \"type\": \"double\", \"required\": true}]",
//!     "outputs": [{"type": "string", "required": true}],
//!     "params": null
//! }"#.parse()?;
//! assert_eq!(signature.to_mlflow()["params"], serde_json::Value::Null);
//! # Ok::<(), mainstay_core::Error>(())
//! ```

mod compat;
mod read;
mod write;

pub use compat::CompatOptions;
pub(crate) use compat::compare;

/// The longest signature in bytes of JSON.
pub const MAX_SIGNATURE_BYTES: usize = 4 << 20;
/// How deep a column type may nest.
pub const MAX_TYPE_DEPTH: usize = 32;

/// What a model takes and gives.
///
/// Parsed from JSON in either of two spellings: nested (as it is stored), or as MLflow does, with
/// the JSON of each member inside a string. `null` and a missing member both mean *not stated*.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Signature {
    /// What it takes; `None` when not stated.
    pub inputs: Option<Schema>,
    /// What it gives; `None` when not stated.
    pub outputs: Option<Schema>,
    /// The parameters of a call, each with its default.
    pub params: Vec<ParamSpec>,
}

impl Signature {
    /// Creates a signature of inputs and outputs.
    #[must_use]
    pub fn new(inputs: Option<Schema>, outputs: Option<Schema>) -> Self {
        Self {
            inputs,
            outputs,
            params: Vec::new(),
        }
    }

    /// Sets the parameters.
    #[must_use]
    pub fn with_params(mut self, params: Vec<ParamSpec>) -> Self {
        self.params = params;
        self
    }
}

/// A list of columns or of tensors; either all have a name or none has.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "MLflow knows these two; a third is a new format"
)]
pub enum Schema {
    /// A table.
    Columns(Vec<ColSpec>),
    /// Arrays.
    Tensors(Vec<TensorSpec>),
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ColSpec {
    /// Its name; `None` in a table known by position.
    pub name: Option<String>,
    /// Its type.
    pub data_type: DataType,
    /// Whether it must be there.
    pub required: bool,
}

impl ColSpec {
    /// Creates a required column.
    #[must_use]
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: Some(name.into()),
            data_type,
            required: true,
        }
    }

    /// Creates a required column without a name.
    #[must_use]
    pub fn unnamed(data_type: DataType) -> Self {
        Self {
            name: None,
            data_type,
            required: true,
        }
    }

    /// Makes the column optional.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

/// The type of a column, with MLflow's names.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DataType {
    /// True or false.
    Boolean,
    /// 32-bit signed integers.
    Integer,
    /// 64-bit signed integers.
    Long,
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// Text.
    String,
    /// Bytes.
    Binary,
    /// A time.
    Datetime,
    /// A Spark ML vector.
    SparkmlVector,
    /// Anything.
    Any,
    /// A list.
    Array(Box<DataType>),
    /// A structure of named properties, sorted by name.
    Object(Vec<Property>),
    /// Values by text keys.
    Map(Box<DataType>),
}

/// One property of a structure.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Whether it must be there.
    pub required: bool,
}

impl Property {
    /// Creates a required property.
    #[must_use]
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            required: true,
        }
    }

    /// Makes the property optional.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

/// One tensor.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TensorSpec {
    /// Its name; `None` when it is known by position.
    pub name: Option<String>,
    /// The NumPy name of its element type, as `float32`.
    pub dtype: String,
    /// Its shape; -1 stands for any length.
    pub shape: Vec<i64>,
}

impl TensorSpec {
    /// Creates a tensor without a name.
    #[must_use]
    pub fn new(dtype: impl Into<String>, shape: Vec<i64>) -> Self {
        Self {
            name: None,
            dtype: dtype.into(),
            shape,
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// A parameter of a call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ParamSpec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// The value when a call gives none.
    pub default: serde_json::Value,
    /// `[-1]` for a list; `None` for one value.
    pub shape: Option<Vec<i64>>,
}

impl ParamSpec {
    /// Creates a parameter that is one value.
    #[must_use]
    pub fn new(name: impl Into<String>, data_type: DataType, default: serde_json::Value) -> Self {
        Self {
            name: name.into(),
            data_type,
            default,
            shape: None,
        }
    }
}

#[cfg(test)]
mod tests;
