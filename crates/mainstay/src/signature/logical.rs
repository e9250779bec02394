//! Logical types of columns, as `docs/formats/table-digest.md` spells them, as types of signatures.

use mainstay_registry::signature::{DataType, MAX_TYPE_DEPTH, Property};

/// Returns the type of a signature that has every value of a logical type; `None` when there is none.
pub(super) fn data_type(spelled: &str) -> Option<DataType> {
    let mut reader = Reader { rest: spelled };
    let found = reader.data_type(MAX_TYPE_DEPTH)?;
    reader.rest.is_empty().then_some(found)
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn data_type(&mut self, depth: usize) -> Option<DataType> {
        let depth = depth.checked_sub(1)?;
        Some(match self.word() {
            "null" => DataType::Any,
            "bool" => DataType::Boolean,
            "int8" | "int16" | "int32" | "uint8" | "uint16" => DataType::Integer,
            "int64" | "uint32" => DataType::Long,
            "float16" | "float32" => DataType::Float,
            "float64" => DataType::Double,
            "utf8" => DataType::String,
            "binary" => DataType::Binary,
            "date32" | "date64" => DataType::Datetime,
            "timestamp" => self.timestamp()?,
            "list" => {
                self.expect('(')?;
                let item = self.data_type(depth)?;
                self.expect(')')?;
                DataType::Array(Box::new(item))
            }
            "struct" => DataType::Object(self.properties(depth)?),
            "map" => {
                self.expect('(')?;
                let key = self.data_type(depth)?;
                self.expect(',')?;
                let value = self.data_type(depth)?;
                self.expect(')')?;
                (key == DataType::String).then(|| DataType::Map(Box::new(value)))?
            }
            _ => return None,
        })
    }

    /// Reads `(unit)` or `(unit,"zone")`.
    fn timestamp(&mut self) -> Option<DataType> {
        self.expect('(')?;
        self.word();
        if self.expect(',').is_some() {
            self.name()?;
        }
        self.expect(')')?;
        Some(DataType::Datetime)
    }

    /// Reads `("name":type,…)`; the members are sorted by name.
    fn properties(&mut self, depth: usize) -> Option<Vec<Property>> {
        self.expect('(')?;
        let mut properties = Vec::new();
        if self.expect(')').is_some() {
            return Some(properties);
        }
        loop {
            let name = self.name()?;
            self.expect(':')?;
            let data_type = self.data_type(depth)?;
            properties.push(Property::new(name, data_type));
            if self.expect(',').is_none() {
                self.expect(')')?;
                let repeats = properties
                    .windows(2)
                    .any(|pair| pair[0].name == pair[1].name);
                return (!repeats).then_some(properties);
            }
        }
    }

    fn word(&mut self) -> &'t str {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Reads a name that is quoted as JSON does.
    fn name(&mut self) -> Option<String> {
        let mut names = serde_json::Deserializer::from_str(self.rest).into_iter();
        let name = names.next()?.ok()?;
        self.rest = self.rest.get(names.byte_offset()..)?;
        Some(name)
    }

    fn expect(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use mainstay_registry::signature::{ColSpec, Schema, Signature};
    use serde_json::{Value, json};

    use super::*;

    /// Checks which column a logical type makes, beside that it is required.
    fn check(spelled: &str, column: Option<Value>) {
        let found = data_type(spelled).map(|found| {
            let columns = Schema::Columns(vec![ColSpec::unnamed(found)]);
            Signature::new(Some(columns), None).to_json()["inputs"][0].take()
        });
        let column = column.map(|mut column| {
            column["required"] = true.into();
            column
        });
        assert_eq!(found, column, "{spelled}");
    }

    #[test]
    fn every_logical_type_is_one_of_a_signature_or_none() {
        for (spelled, name) in [
            ("bool", "boolean"),
            ("int16", "integer"),
            ("uint16", "integer"),
            ("uint32", "long"),
            ("int64", "long"),
            ("float16", "float"),
            ("float64", "double"),
            ("utf8", "string"),
            ("binary", "binary"),
            ("date32", "datetime"),
            ("timestamp(us)", "datetime"),
            (r#"timestamp(ns,"Etc/(x),\"y\"")"#, "datetime"),
            ("null", "any"),
        ] {
            check(spelled, Some(json!({"type": name})));
        }
        for none in [
            "uint64",
            "decimal(2)",
            "time(s)",
            "duration(ms)",
            "interval(year_month)",
            r#"union("a":int8)"#,
            "map(int8,utf8)",
            "list(decimal(2))",
            r#"struct("a":utf8,"a":utf8)"#,
            "list(int8",
            "int8)",
            "",
        ] {
            check(none, None);
        }
    }

    #[test]
    fn types_nest_and_names_are_quoted() {
        let map = json!({"type": "map", "values": {"type": "double"}});
        let properties = json!({
            "a\"):": {"type": "array", "items": map, "required": true},
            "b": {"type": "any", "required": true},
        });
        check(
            r#"struct("a\"):":list(map(utf8,float64)),"b":null)"#,
            Some(json!({"type": "object", "properties": properties})),
        );
        let deep = format!("{}int8{}", "list(".repeat(100), ")".repeat(100));
        check(&deep, None);
    }
}
