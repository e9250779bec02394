//! Reads signatures from JSON.

use std::collections::BTreeSet;
use std::str::FromStr;

use mainstay_core::{Error, Result};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::{
    ColSpec, DataType, MAX_SIGNATURE_BYTES, MAX_TYPE_DEPTH, ParamSpec, Property, Schema, Signature,
    TensorSpec,
};

impl FromStr for Signature {
    type Err = Error;

    /// Parses the JSON text of a signature.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) naming the member that is wrong, or
    /// when the text is longer than [`MAX_SIGNATURE_BYTES`].
    fn from_str(text: &str) -> Result<Self> {
        Self::from_json(&parse_text(text)?)
    }
}

impl Signature {
    /// Reads a signature from JSON in either spelling.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) naming the member that is wrong.
    pub fn from_json(value: &Value) -> Result<Self> {
        let members = object(value, "signature")?;
        only(members, &["inputs", "outputs", "params"], "signature")?;
        let signature = Self {
            inputs: stated(members, "inputs", schema)?,
            outputs: stated(members, "outputs", schema)?,
            params: stated(members, "params", params)?.unwrap_or_default(),
        };
        Ok(signature)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

fn parse_text(text: &str) -> Result<Value> {
    if text.len() > MAX_SIGNATURE_BYTES {
        return Err(Error::invalid("signature longer than 4 MiB"));
    }
    serde_json::from_str(text)
        .map_err(|error| Error::invalid("signature is not JSON").with_source(error))
}

/// Reads a member that may be missing, `null`, nested or JSON inside a string.
fn stated<T>(
    members: &Map<String, Value>,
    name: &'static str,
    read: impl Fn(&[Value], &str) -> Result<T>,
) -> Result<Option<T>> {
    let parsed;
    let value = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => {
            parsed = parse_text(text).map_err(|error| error.context("at", name))?;
            &parsed
        }
        Some(value) => value,
    };
    match value {
        Value::Array(items) => read(items, name).map(Some),
        _ => Err(bad(name, "expected a list")),
    }
}

fn schema(items: &[Value], at: &str) -> Result<Schema> {
    let is_tensor = |item: &Value| item.get("type").and_then(Value::as_str) == Some("tensor");
    let names: Vec<Option<&str>> = items
        .iter()
        .map(|item| item.get("name").and_then(Value::as_str))
        .collect();
    check_names(&names, at)?;
    let at = |index: usize| format!("{at}[{index}]");
    if !items.is_empty() && items.iter().all(is_tensor) {
        let tensors = items
            .iter()
            .enumerate()
            .map(|(i, item)| tensor(item, &at(i)));
        tensors.collect::<Result<_>>().map(Schema::Tensors)
    } else {
        let columns = items
            .iter()
            .enumerate()
            .map(|(i, item)| column(item, &at(i)));
        columns.collect::<Result<_>>().map(Schema::Columns)
    }
}

fn check_names(names: &[Option<&str>], at: &str) -> Result<()> {
    let named: BTreeSet<&str> = names.iter().copied().flatten().collect();
    match names.iter().filter(|name| name.is_some()).count() {
        0 => Ok(()),
        count if count < names.len() => Err(bad(at, "some members have a name and some have none")),
        count if count > named.len() => Err(bad(at, "two members have one name")),
        _ => Ok(()),
    }
}

fn column(item: &Value, at: &str) -> Result<ColSpec> {
    let members = object(item, at)?;
    only(
        members,
        &[
            "name",
            "type",
            "required",
            "optional",
            "items",
            "properties",
            "values",
        ],
        at,
    )?;
    Ok(ColSpec {
        name: optional_text(members, "name", at)?,
        data_type: data_type(members, at, 0)?,
        required: required(members, at)?,
    })
}

/// `required`, or `optional` as MLflow before 2.6 wrote it; a column is required if it says nothing.
fn required(members: &Map<String, Value>, at: &str) -> Result<bool> {
    let flag = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(bad(&format!("{at}.{name}"), "expected true or false")),
    };
    let optional = flag("optional")?.unwrap_or(false);
    Ok(flag("required")?.unwrap_or(!optional))
}

fn data_type(members: &Map<String, Value>, at: &str, depth: usize) -> Result<DataType> {
    if depth > MAX_TYPE_DEPTH {
        return Err(bad(at, "type nests too deep"));
    }
    let inner = |name: &str| -> Result<Box<DataType>> {
        let at = format!("{at}.{name}");
        let value = members
            .get(name)
            .ok_or_else(|| bad(&at, "missing member"))?;
        let members = object(value, &at)?;
        only(
            members,
            &["type", "items", "properties", "values", "required"],
            &at,
        )?;
        data_type(members, &at, depth + 1).map(Box::new)
    };
    let name = text(members, "type", at)?;
    Ok(match name.as_str() {
        "boolean" => DataType::Boolean,
        "integer" => DataType::Integer,
        "long" => DataType::Long,
        "float" => DataType::Float,
        "double" => DataType::Double,
        "string" => DataType::String,
        "binary" => DataType::Binary,
        "datetime" => DataType::Datetime,
        "sparkml_vector" => DataType::SparkmlVector,
        "any" => DataType::Any,
        "array" => DataType::Array(inner("items")?),
        "map" => DataType::Map(inner("values")?),
        "object" => DataType::Object(properties(members, at, depth)?),
        _ => {
            let at = format!("{at}.type");
            return Err(bad(&at, "unknown type").context("type", name.escape_debug()));
        }
    })
}

fn properties(members: &Map<String, Value>, at: &str, depth: usize) -> Result<Vec<Property>> {
    let at = format!("{at}.properties");
    let value = members.get("properties");
    let value = value.ok_or_else(|| bad(&at, "missing member"))?;
    let mut properties = Vec::new();
    for (name, value) in object(value, &at)? {
        let at = format!("{at}.{}", name.escape_debug());
        let members = object(value, &at)?;
        only(
            members,
            &["type", "items", "properties", "values", "required"],
            &at,
        )?;
        properties.push(Property {
            name: name.clone(),
            data_type: data_type(members, &at, depth + 1)?,
            required: required(members, &at)?,
        });
    }
    // The order of an object's members has no meaning.
    properties.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(properties)
}

fn tensor(item: &Value, at: &str) -> Result<TensorSpec> {
    let members = object(item, at)?;
    only(members, &["name", "type", "tensor-spec"], at)?;
    let inner_at = format!("{at}.tensor-spec");
    let spec = members
        .get("tensor-spec")
        .ok_or_else(|| bad(&inner_at, "missing member"))?;
    let spec = object(spec, &inner_at)?;
    only(spec, &["dtype", "shape"], &inner_at)?;
    Ok(TensorSpec {
        name: optional_text(members, "name", at)?,
        dtype: text(spec, "dtype", &inner_at)?,
        shape: shape(spec.get("shape"), &format!("{inner_at}.shape"))?,
    })
}

fn shape(value: Option<&Value>, at: &str) -> Result<Vec<i64>> {
    let dimension = |value: &Value| value.as_i64().filter(|n| (-1..=1 << 53).contains(n));
    value
        .and_then(Value::as_array)
        .filter(|dimensions| dimensions.len() <= 64)
        .and_then(|dimensions| dimensions.iter().map(dimension).collect())
        .ok_or_else(|| bad(at, "expected at most 64 lengths, -1 for any"))
}

fn params(items: &[Value], at: &str) -> Result<Vec<ParamSpec>> {
    let read = |(index, item): (usize, &Value)| {
        let at = format!("{at}[{index}]");
        let members = object(item, &at)?;
        only(
            members,
            &[
                "name",
                "type",
                "default",
                "shape",
                "items",
                "properties",
                "values",
            ],
            &at,
        )?;
        Ok(ParamSpec {
            name: text(members, "name", &at)?,
            data_type: data_type(members, &at, 0)?,
            default: members.get("default").cloned().unwrap_or(Value::Null),
            shape: match members.get("shape") {
                None | Some(Value::Null) => None,
                value => Some(shape(value, &format!("{at}.shape"))?),
            },
        })
    };
    let params: Vec<ParamSpec> = items.iter().enumerate().map(read).collect::<Result<_>>()?;
    let names: Vec<_> = params
        .iter()
        .map(|param| Some(param.name.as_str()))
        .collect();
    check_names(&names, at)?;
    Ok(params)
}

fn object<'v>(value: &'v Value, at: &str) -> Result<&'v Map<String, Value>> {
    value
        .as_object()
        .ok_or_else(|| bad(at, "expected an object"))
}

fn only(members: &Map<String, Value>, known: &[&str], at: &str) -> Result<()> {
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(bad(at, "unknown member").context("member", key.escape_debug())),
    }
}

fn text(members: &Map<String, Value>, name: &str, at: &str) -> Result<String> {
    optional_text(members, name, at)?.ok_or_else(|| bad(&format!("{at}.{name}"), "missing member"))
}

fn optional_text(members: &Map<String, Value>, name: &str, at: &str) -> Result<Option<String>> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(bad(&format!("{at}.{name}"), "expected text")),
    }
}

fn bad(at: &str, why: &str) -> Error {
    let mut at = at.to_owned();
    if at.len() > 256 {
        at = at.chars().take(256).collect::<String>() + "…";
    }
    Error::invalid(format!("bad signature: {why}")).context("at", at)
}
