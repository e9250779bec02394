//! Writes signatures as JSON.

use mainstay_core::{Error, Result};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{
    ColSpec, DataType, MAX_SIGNATURE_BYTES, ParamSpec, Property, Schema, Signature, TensorSpec,
};

impl Signature {
    /// Writes the signature as it is stored: nested, members that state nothing left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        if let Some(inputs) = &self.inputs {
            members.insert("inputs".into(), schema_json(inputs));
        }
        if let Some(outputs) = &self.outputs {
            members.insert("outputs".into(), schema_json(outputs));
        }
        if !self.params.is_empty() {
            members.insert("params".into(), params_json(&self.params));
        }
        Value::Object(members)
    }

    /// Writes the signature as MLflow does: the JSON of each member inside a string, or `null`.
    #[must_use]
    pub fn to_mlflow(&self) -> Value {
        let text = |value: Value| Value::String(value.to_string());
        json!({
            "inputs": self.inputs.as_ref().map(|inputs| text(schema_json(inputs))),
            "outputs": self.outputs.as_ref().map(|outputs| text(schema_json(outputs))),
            "params": (!self.params.is_empty()).then(|| text(params_json(&self.params))),
        })
    }
}

impl Signature {
    /// Checks what a signature that was built, and not read, may break.
    pub(crate) fn check(&self) -> Result<()> {
        let json = self.to_json();
        if json.to_string().len() > MAX_SIGNATURE_BYTES {
            return Err(Error::invalid("signature longer than 4 MiB"));
        }
        Self::from_json(&json).map(drop)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn schema_json(schema: &Schema) -> Value {
    match schema {
        Schema::Columns(columns) => columns.iter().map(column_json).collect(),
        Schema::Tensors(tensors) => tensors.iter().map(tensor_json).collect(),
    }
}

fn column_json(column: &ColSpec) -> Value {
    let mut members = type_json(&column.data_type);
    if let Some(name) = &column.name {
        members.insert("name".into(), json!(name));
    }
    members.insert("required".into(), json!(column.required));
    Value::Object(members)
}

fn tensor_json(tensor: &TensorSpec) -> Value {
    let mut members = Map::new();
    if let Some(name) = &tensor.name {
        members.insert("name".into(), json!(name));
    }
    members.insert("type".into(), json!("tensor"));
    members.insert(
        "tensor-spec".into(),
        json!({"dtype": tensor.dtype, "shape": tensor.shape}),
    );
    Value::Object(members)
}

fn params_json(params: &[ParamSpec]) -> Value {
    let one = |param: &ParamSpec| {
        let mut members = type_json(&param.data_type);
        members.insert("name".into(), json!(param.name));
        members.insert("default".into(), param.default.clone());
        members.insert("shape".into(), json!(param.shape));
        Value::Object(members)
    };
    params.iter().map(one).collect()
}

impl DataType {
    /// Returns the type as JSON: its name, or an object for a nested one.
    pub(crate) fn to_json(&self) -> Value {
        let mut members = type_json(self);
        match members.remove("type") {
            Some(name) if members.is_empty() => name,
            name => {
                members.extend(name.map(|name| ("type".to_owned(), name)));
                Value::Object(members)
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::Binary => "binary",
            Self::Datetime => "datetime",
            Self::SparkmlVector => "sparkml_vector",
            Self::Any => "any",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Map(_) => "map",
        }
    }
}

fn type_json(data_type: &DataType) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("type".into(), json!(data_type.name()));
    match data_type {
        DataType::Array(items) => {
            members.insert("items".into(), Value::Object(type_json(items)));
        }
        DataType::Map(values) => {
            members.insert("values".into(), Value::Object(type_json(values)));
        }
        DataType::Object(properties) => {
            let property = |property: &Property| {
                let mut members = type_json(&property.data_type);
                members.insert("required".into(), json!(property.required));
                (property.name.clone(), Value::Object(members))
            };
            let properties = properties.iter().map(property).collect();
            members.insert("properties".into(), Value::Object(properties));
        }
        _ => {}
    }
    members
}
