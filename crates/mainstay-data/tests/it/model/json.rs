//! Tables in JSON, as `tests/reference/README.md` says.

use arrow::datatypes::{IntervalUnit, TimeUnit};
use serde_json::{Value as Json, json};

use super::{Column, Table, Type, Value};

const UNITS: [(&str, TimeUnit); 4] = [
    ("s", TimeUnit::Second),
    ("ms", TimeUnit::Millisecond),
    ("us", TimeUnit::Microsecond),
    ("ns", TimeUnit::Nanosecond),
];

const INTERVALS: [(&str, IntervalUnit); 3] = [
    ("year_month", IntervalUnit::YearMonth),
    ("day_time", IntervalUnit::DayTime),
    ("month_day_nano", IntervalUnit::MonthDayNano),
];

fn word<T: PartialEq>(of: &T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, unit)| unit == of).unwrap().0
}

fn meaning<T: Clone>(of: &Json, words: &[(&str, T)]) -> T {
    let found = words.iter().find(|(word, _)| *of == *word);
    found
        .unwrap_or_else(|| panic!("{of} is none of them"))
        .1
        .clone()
}

impl Type {
    pub(crate) fn to_json(&self) -> Json {
        let fields = |fields: &[(String, Self)]| -> Json {
            fields
                .iter()
                .map(|(name, of)| json!([name, of.to_json()]))
                .collect()
        };
        match self {
            Self::Null => json!({"kind": "null"}),
            Self::Bool => json!({"kind": "bool"}),
            Self::Int { bits, signed } => {
                json!({"kind": if *signed { "int" } else { "uint" }, "bits": bits})
            }
            Self::Float { bits } => json!({"kind": "float", "bits": bits}),
            Self::Decimal { scale } => json!({"kind": "decimal", "scale": scale}),
            Self::Utf8 => json!({"kind": "utf8"}),
            Self::Binary => json!({"kind": "binary"}),
            Self::Date32 => json!({"kind": "date32"}),
            Self::Date64 => json!({"kind": "date64"}),
            Self::Time(unit) => json!({"kind": "time", "unit": word(unit, &UNITS)}),
            Self::Timestamp(unit, zone) => {
                json!({"kind": "timestamp", "unit": word(unit, &UNITS), "zone": zone})
            }
            Self::Duration(unit) => json!({"kind": "duration", "unit": word(unit, &UNITS)}),
            Self::Interval(unit) => json!({"kind": "interval", "unit": word(unit, &INTERVALS)}),
            Self::List(item) => json!({"kind": "list", "item": item.to_json()}),
            Self::Struct(of) => json!({"kind": "struct", "fields": fields(of)}),
            Self::Map(key, value) => {
                json!({"kind": "map", "key": key.to_json(), "value": value.to_json()})
            }
            Self::Union(of) => json!({"kind": "union", "fields": fields(of)}),
        }
    }
}

impl Type {
    pub(crate) fn from_json(json: &Json) -> Self {
        let number = |key: &str| json[key].as_i64().unwrap();
        let bits = || u32::try_from(number("bits")).unwrap();
        let unit = || meaning(&json["unit"], &UNITS);
        let inner = |key: &str| Box::new(Self::from_json(&json[key]));
        let fields = || {
            let fields = json["fields"].as_array().unwrap().iter();
            let field = |field: &Json| (text(&field[0]), Self::from_json(&field[1]));
            fields.map(field).collect()
        };
        match text(&json["kind"]).as_str() {
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int {
                bits: bits(),
                signed: true,
            },
            "uint" => Self::Int {
                bits: bits(),
                signed: false,
            },
            "float" => Self::Float { bits: bits() },
            "decimal" => Self::Decimal {
                scale: i8::try_from(number("scale")).unwrap(),
            },
            "utf8" => Self::Utf8,
            "binary" => Self::Binary,
            "date32" => Self::Date32,
            "date64" => Self::Date64,
            "time" => Self::Time(unit()),
            "timestamp" => Self::Timestamp(unit(), json["zone"].as_str().map(str::to_owned)),
            "duration" => Self::Duration(unit()),
            "interval" => Self::Interval(meaning(&json["unit"], &INTERVALS)),
            "list" => Self::List(inner("item")),
            "struct" => Self::Struct(fields()),
            "map" => Self::Map(inner("key"), inner("value")),
            "union" => Self::Union(fields()),
            other => panic!("{other} is no type"),
        }
    }
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

fn items(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().unwrap().iter()
}

impl Value {
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => json!(value),
            Self::Int(value) => json!(value.to_string()),
            Self::Float(bits) => json!(format!("{bits:016x}")),
            Self::Text(text) => json!(text),
            Self::Bytes(bytes) => {
                let digits: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
                json!(digits.concat())
            }
            Self::Interval(parts) => json!(parts.iter().map(i64::to_string).collect::<Vec<_>>()),
            Self::Many(values) => values.iter().map(Self::to_json).collect(),
            Self::Union(member, value) => json!([member, value.to_json()]),
        }
    }
}

impl Value {
    pub(crate) fn from_json(of: &Type, json: &Json) -> Self {
        if json.is_null() {
            return Self::Null;
        }
        match of {
            Type::Null => panic!("{json} is not null"),
            Type::Bool => Self::Bool(json.as_bool().unwrap()),
            Type::Float { .. } => Self::Float(u64::from_str_radix(&text(json), 16).unwrap()),
            Type::Utf8 => Self::Text(text(json)),
            Type::Binary => {
                let hex = text(json);
                let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                Self::Bytes((0..hex.len()).step_by(2).map(byte).collect())
            }
            Type::Interval(_) => Self::Interval(
                items(json)
                    .map(|part| text(part).parse().unwrap())
                    .collect(),
            ),
            Type::List(item) => Self::Many(
                items(json)
                    .map(|value| Self::from_json(item, value))
                    .collect(),
            ),
            Type::Struct(fields) => {
                let fields = fields.iter().zip(items(json));
                Self::Many(
                    fields
                        .map(|((_, of), value)| Self::from_json(of, value))
                        .collect(),
                )
            }
            Type::Map(key, value) => {
                let entry = |entry: &Json| {
                    let key = Self::from_json(key, &entry[0]);
                    Self::Many(vec![key, Self::from_json(value, &entry[1])])
                };
                Self::Many(items(json).map(entry).collect())
            }
            Type::Union(members) => {
                let member = usize::try_from(json[0].as_u64().unwrap()).unwrap();
                let value = Self::from_json(&members[member].1, &json[1]);
                Self::Union(member, Box::new(value))
            }
            _ => Self::Int(text(json).parse().unwrap()),
        }
    }
}

impl Table {
    pub(crate) fn to_json(&self) -> Json {
        let columns = self.columns.iter().map(|column| {
            json!({
                "name": column.name,
                "type": column.of.to_json(),
                "values": column.values.iter().map(Value::to_json).collect::<Json>(),
            })
        });
        json!({"rows": self.rows, "columns": columns.collect::<Json>()})
    }

    pub(crate) fn from_json(json: &Json) -> Self {
        let columns = items(&json["columns"]).map(|column| {
            let of = Type::from_json(&column["type"]);
            let values = items(&column["values"]);
            Column {
                name: text(&column["name"]),
                values: values.map(|value| Value::from_json(&of, value)).collect(),
                of,
            }
        });
        Self {
            rows: usize::try_from(json["rows"].as_u64().unwrap()).unwrap(),
            columns: columns.collect(),
        }
    }
}
