//! What JSON lines mean, said a second time: types over all values at once, and the value of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use mainstay_data::JsonType;

use crate::model::Random;

/// A JSON value, numbers as they are spelled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// What values of one place are like.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Null,
    Bool,
    Int,
    Float,
    Number,
    Text,
    List(Box<Shape>),
    Object(Vec<(String, Shape)>),
    /// Anything, but for nothing that is an array or an object.
    Any,
}

const KEYS: [&str; 7] = ["a", "b", "role", "é", "with space", "\"", "z\\"];
const INTEGERS: [&str; 7] = [
    "0",
    "-7",
    "9007199254740992",
    "9007199254740993",
    "-9223372036854775808",
    "9223372036854775808",
    "123456789012345678901234567890",
];
const FLOATS: [&str; 8] = [
    "0.5",
    "-0",
    "-0.0",
    "1.0",
    "1e5",
    "3.141592653589793238462643",
    "1E+300",
    "1e400",
];
const TEXTS: [&str; 8] = [
    "",
    "a",
    "1",
    "null",
    "é\u{1f600}",
    "line\nbreak",
    "\"q\"\\",
    "2024-01-01",
];

pub(super) fn random_shape(random: &mut Random, depth: usize) -> Shape {
    match random.below(if depth == 0 { 7 } else { 11 }) {
        0 => Shape::Null,
        1 => Shape::Bool,
        2 => Shape::Int,
        3 => Shape::Float,
        4 => Shape::Number,
        5 => Shape::Text,
        6 => Shape::Any,
        7 | 8 => Shape::List(Box::new(random_shape(random, depth - 1))),
        _ => Shape::Object(random_fields(random, depth - 1)),
    }
}

pub(super) fn random_fields(random: &mut Random, depth: usize) -> Vec<(String, Shape)> {
    let mut keys = KEYS.to_vec();
    random.shuffle(&mut keys);
    keys.truncate(random.below(4));
    let keys = keys.into_iter();
    keys.map(|key| (key.to_owned(), random_shape(random, depth)))
        .collect()
}

pub(super) fn random_json(shape: &Shape, random: &mut Random) -> Json {
    if random.once_in(8) {
        return Json::Null;
    }
    if random.once_in(150) {
        return random_json(&Shape::Any, random);
    }
    match shape {
        Shape::Null => Json::Null,
        Shape::Bool => Json::Bool(random.once_in(2)),
        Shape::Int => Json::Number(if random.once_in(40) {
            random.pick(&INTEGERS).to_owned()
        } else {
            (random.below(2_000_000)).to_string()
        }),
        Shape::Float => Json::Number(if random.once_in(40) {
            random.pick(&FLOATS).to_owned()
        } else {
            let bits = random.next() >> 1;
            let float = f64::from_bits(bits);
            if float.is_finite() {
                format!("{float:e}")
            } else {
                "0.25".to_owned()
            }
        }),
        Shape::Number => {
            let shape = random.pick(&[Shape::Int, Shape::Float]);
            random_json(&shape, random)
        }
        Shape::Text => Json::Text(random.pick(&TEXTS).to_owned()),
        Shape::List(items) => {
            let count = random.below(4);
            Json::List((0..count).map(|_| random_json(items, random)).collect())
        }
        Shape::Object(fields) => random_object(fields, random),
        Shape::Any => {
            let shapes = [Shape::Bool, Shape::Int, Shape::Float, Shape::Text];
            let shape = random.pick(&shapes);
            random_json(&shape, random)
        }
    }
}

/// Some of the fields, in any order.
pub(super) fn random_object(fields: &[(String, Shape)], random: &mut Random) -> Json {
    let mut members = Vec::new();
    for (name, shape) in fields {
        if !random.once_in(5) {
            members.push((name.clone(), random_json(shape, random)));
        }
    }
    random.shuffle(&mut members);
    Json::Object(members)
}

impl Json {
    /// Spells it in one of many ways.
    pub(super) fn spell(&self, random: &mut Random, out: &mut String) {
        space(random, out);
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(&value.to_string()),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => spell_text(text, random, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.spell(random, out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    space(random, out);
                    spell_text(name, random, out);
                    space(random, out);
                    out.push(':');
                    value.spell(random, out);
                }
                space(random, out);
                out.push('}');
            }
        }
        space(random, out);
    }

    /// Its JSON text.
    fn text(&self) -> String {
        let quoted = |text: &String| serde_json::to_string(text).unwrap();
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.clone(),
            Self::Text(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::text).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(members) => {
                let members = members.iter();
                let members: Vec<_> = members
                    .map(|(name, value)| format!("{}:{}", quoted(name), value.text()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> &Self {
        let Self::Object(members) = self else {
            return &Self::Null;
        };
        let mut members = members.iter();
        members
            .find(|(key, _)| key == name)
            .map_or(&Self::Null, |(_, value)| value)
    }
}

fn space(random: &mut Random, out: &mut String) {
    if random.once_in(6) {
        out.push_str(random.pick(&[" ", "\t", "  ", "\r"]));
    }
}

fn spell_text(text: &str, random: &mut Random, out: &mut String) {
    if random.once_in(3) {
        out.push('"');
        for unit in text.encode_utf16() {
            write!(out, "\\u{unit:04x}").unwrap();
        }
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).unwrap());
    }
}

enum Number {
    Exact,
    Whole,
    Float,
    Odd,
}

fn number(spelled: &str) -> Number {
    let whole = !spelled.contains(['.', 'e', 'E']) && spelled != "-0";
    if !whole {
        let float: f64 = spelled.parse().unwrap();
        return if float.is_finite() {
            Number::Float
        } else {
            Number::Odd
        };
    }
    match spelled.parse::<i64>() {
        Ok(int) if i128::from(int).abs() <= 1 << 53 => Number::Exact,
        Ok(_) => Number::Whole,
        Err(_) => Number::Odd,
    }
}

/// The type that values have together, of which those nested deeper than `depth` have none.
pub(super) fn type_of(values: &[&Json], depth: usize) -> JsonType {
    let values: Vec<&Json> = values
        .iter()
        .copied()
        .filter(|value| **value != Json::Null)
        .collect();
    let all = |is: fn(&Json) -> bool| values.iter().all(|value| is(value));
    if all(|value| matches!(value, Json::Text(_))) {
        return JsonType::Utf8;
    }
    if all(|value| matches!(value, Json::Bool(_))) {
        return JsonType::Bool;
    }
    if all(|value| matches!(value, Json::Number(_))) {
        return number_type(&values);
    }
    if depth > 0 && all(|value| matches!(value, Json::List(_))) {
        let items = values.iter().flat_map(|value| match value {
            Json::List(items) => items.iter().collect(),
            _ => Vec::new(),
        });
        return JsonType::List(Box::new(type_of(&items.collect::<Vec<_>>(), depth - 1)));
    }
    if depth > 0 && all(|value| matches!(value, Json::Object(_))) {
        let fields = keys(&values).into_iter().map(|key| {
            let values: Vec<&Json> = values.iter().map(|value| value.get(&key)).collect();
            let of = type_of(&values, depth - 1);
            (key, of)
        });
        let fields: BTreeMap<String, JsonType> = fields.collect();
        if !fields.is_empty() {
            return JsonType::Struct(fields);
        }
    }
    JsonType::Json
}

fn number_type(values: &[&Json]) -> JsonType {
    let (mut wide, mut floats, mut odd) = (false, false, false);
    for value in values {
        let Json::Number(spelled) = value else {
            continue;
        };
        match number(spelled) {
            Number::Exact => {}
            Number::Whole => wide = true,
            Number::Float => floats = true,
            Number::Odd => odd = true,
        }
    }
    match (odd, floats, wide) {
        (false, false, _) => JsonType::Int64,
        (false, true, false) => JsonType::Float64,
        _ => JsonType::Json,
    }
}

fn keys(objects: &[&Json]) -> BTreeSet<String> {
    let members = objects.iter().flat_map(|object| match object {
        Json::Object(members) => members.iter().map(|(name, _)| name.clone()).collect(),
        _ => Vec::new(),
    });
    members.collect()
}

/// The names of the columns of rows, in the order of their first appearance.
pub(super) fn columns(rows: &[Json]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        if let Json::Object(members) = row {
            for (name, _) in members {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
    }
    names
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    /// Its bits.
    Float(u64),
    Text(String),
    List(Vec<Cell>),
    Struct(Vec<(String, Cell)>),
}

/// What a value is in a column of a type.
pub(super) fn cell(value: &Json, of: &JsonType) -> Cell {
    match (value, of) {
        (Json::Null, _) => Cell::Null,
        (_, JsonType::Json) => Cell::Text(value.text()),
        (Json::Bool(value), _) => Cell::Bool(*value),
        (Json::Number(spelled), JsonType::Int64) => Cell::Int(spelled.parse().unwrap()),
        (Json::Number(spelled), _) => Cell::Float(spelled.parse::<f64>().unwrap().to_bits()),
        (Json::Text(text), _) => Cell::Text(text.clone()),
        (Json::List(items), JsonType::List(of)) => {
            Cell::List(items.iter().map(|item| cell(item, of)).collect())
        }
        (Json::Object(_), JsonType::Struct(fields)) => {
            let fields = fields.iter();
            Cell::Struct(
                fields
                    .map(|(name, of)| (name.clone(), cell(value.get(name), of)))
                    .collect(),
            )
        }
        _ => panic!("{value:?} is not of {of:?}"),
    }
}

/// What an array holds in a row.
pub(super) fn read(array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Cell::List((0..items.len()).map(|item| read(&items, item)).collect())
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let columns = columns.map(|(field, of)| (field.name().clone(), read(of, row)));
            Cell::Struct(columns.collect())
        }
        other => panic!("{other} is no type of JSON"),
    }
}
