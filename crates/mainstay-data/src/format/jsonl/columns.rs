//! The columns of JSON lines as they grow.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListArray, NullBufferBuilder,
    StringBuilder, StructArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use serde::Deserialize as _;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;

use super::JsonType;
use super::spell::compact;
use super::walk::Text;

/// The most values of a line, those that its objects lack counted too.
const MAX_LINE_VALUES: usize = 1 << 24;

/// Counts the values of a batch.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: usize,
    most: usize,
}

impl Budget {
    /// Begins a line.
    pub(super) fn refill(&mut self) {
        self.most = self.used + MAX_LINE_VALUES;
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    fn check<E: Error>(&self) -> Result<(), E> {
        if self.used <= self.most {
            Ok(())
        } else {
            Err(E::custom("a line of more than 16,777,216 values"))
        }
    }
}

/// What objects hold, by key.
pub(super) struct Members {
    members: BTreeMap<String, Member>,
    /// How many objects there were.
    objects: u64,
}

struct Member {
    values: Builder,
    /// The number of the last object that had it.
    seen_in: u64,
}

impl Members {
    /// Columns to read; those without a type are passed over.
    pub(super) fn new(columns: impl Iterator<Item = (String, Option<JsonType>)>) -> Self {
        let members = columns.map(|(name, of)| {
            let values = of.as_ref().map_or(Builder::Skip, Builder::new);
            (name, Member { values, seen_in: 0 })
        });
        Self {
            members: members.collect(),
            objects: 0,
        }
    }

    /// Takes the array of a column; `None` where it is passed over.
    pub(super) fn take(&mut self, name: &str) -> Option<Result<ArrayRef, ArrowError>> {
        self.members.remove(name)?.values.finish()
    }

    fn append_nulls(&mut self, budget: &mut Budget) {
        for member in self.members.values_mut() {
            member.values.append_null(budget);
        }
    }

    /// Appends what an object holds, and null for what it does not.
    fn append<'de, A: MapAccess<'de>>(
        &mut self,
        mut map: A,
        budget: &mut Budget,
    ) -> Result<(), A::Error> {
        self.objects += 1;
        while let Some(Text(name)) = map.next_key()? {
            let Some(member) = self.members.get_mut(&*name) else {
                let name = name.escape_debug();
                return Err(A::Error::custom(format_args!("an unknown key \"{name}\"")));
            };
            if mem::replace(&mut member.seen_in, self.objects) == self.objects {
                let name = name.escape_debug();
                return Err(A::Error::custom(format_args!(
                    "two values of the key \"{name}\""
                )));
            }
            map.next_value_seed(Append {
                values: &mut member.values,
                budget: &mut *budget,
            })?;
        }
        for member in self.members.values_mut() {
            if member.seen_in != self.objects {
                member.values.append_null(budget);
            }
        }
        Ok(())
    }
}

/// Reads a row.
pub(super) struct Row<'b> {
    pub(super) columns: &'b mut Members,
    pub(super) budget: &'b mut Budget,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.columns.append(map, self.budget)
    }
}

/// The values of a column, or at a place within one.
enum Builder {
    /// A column that nobody wants.
    Skip,
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Json(StringBuilder),
    List(Box<Lists>),
    Struct(Structs),
}

struct Lists {
    items: Builder,
    item_type: DataType,
    offsets: Vec<i32>,
    /// How many items there are.
    end: i32,
    nulls: NullBufferBuilder,
}

struct Structs {
    members: Members,
    fields: Fields,
    nulls: NullBufferBuilder,
}

impl Builder {
    fn new(of: &JsonType) -> Self {
        match of {
            JsonType::Bool => Self::Bool(BooleanBuilder::new()),
            JsonType::Int64 => Self::Int(Int64Builder::new()),
            JsonType::Float64 => Self::Float(Float64Builder::new()),
            JsonType::Utf8 => Self::Text(StringBuilder::new()),
            JsonType::Json => Self::Json(StringBuilder::new()),
            JsonType::List(item) => Self::List(Box::new(Lists {
                items: Self::new(item),
                item_type: item.arrow(),
                offsets: vec![0],
                end: 0,
                nulls: NullBufferBuilder::new(0),
            })),
            JsonType::Struct(fields) => {
                let columns = fields.iter();
                let columns = columns.map(|(name, of)| (name.clone(), Some(of.clone())));
                Self::Struct(Structs {
                    members: Members::new(columns),
                    fields: super::types::arrow_fields(fields),
                    nulls: NullBufferBuilder::new(0),
                })
            }
        }
    }

    fn append_null(&mut self, budget: &mut Budget) {
        budget.used += 1;
        match self {
            Self::Skip => {}
            Self::Bool(values) => values.append_null(),
            Self::Int(values) => values.append_null(),
            Self::Float(values) => values.append_null(),
            Self::Text(values) | Self::Json(values) => values.append_null(),
            Self::List(lists) => {
                lists.offsets.push(lists.end);
                lists.nulls.append_null();
            }
            Self::Struct(structs) => {
                structs.members.append_nulls(budget);
                structs.nulls.append_null();
            }
        }
    }

    fn finish(self) -> Option<Result<ArrayRef, ArrowError>> {
        Some(match self {
            Self::Skip => return None,
            Self::Bool(mut values) => Ok(Arc::new(values.finish())),
            Self::Int(mut values) => Ok(Arc::new(values.finish())),
            Self::Float(mut values) => Ok(Arc::new(values.finish())),
            Self::Text(mut values) | Self::Json(mut values) => Ok(Arc::new(values.finish())),
            Self::List(lists) => lists.finish(),
            Self::Struct(structs) => structs.finish(),
        })
    }
}

impl Lists {
    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let items = self.items.finish().transpose()?.ok_or_else(without)?;
        let field = Arc::new(Field::new_list_field(self.item_type, true));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        ListArray::try_new(field, offsets, items, self.nulls.finish()).map(|of| Arc::new(of) as _)
    }
}

impl Structs {
    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let names = self.fields.iter().map(|field| field.name());
        let arrays = names.map(|name| self.members.take(name).unwrap_or_else(|| Err(without())));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        StructArray::try_new(self.fields, arrays, self.nulls.finish()).map(|of| Arc::new(of) as _)
    }
}

fn without() -> ArrowError {
    ArrowError::InvalidArgumentError("a type without its values".to_owned())
}

/// Appends a value.
struct Append<'b> {
    values: &'b mut Builder,
    budget: &'b mut Budget,
}

impl<'de> DeserializeSeed<'de> for Append<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        self.budget.used += 1;
        self.budget.check()?;
        match self.values {
            Builder::Skip => {
                IgnoredAny::deserialize(json)?;
            }
            Builder::Bool(values) => values.append_option(Option::deserialize(json)?),
            Builder::Int(values) => values.append_option(Option::deserialize(json)?),
            Builder::Float(values) => values.append_option(Option::deserialize(json)?),
            Builder::Text(values) => {
                let text: Option<Text<'de>> = Option::deserialize(json)?;
                values.append_option(text.map(|text| text.0));
            }
            Builder::Json(values) => match <&RawValue>::deserialize(json)?.get() {
                "null" => values.append_null(),
                raw => {
                    let mut text = String::with_capacity(raw.len());
                    let no_character = || D::Error::custom("an escape that is no character");
                    compact(raw, &mut text).ok_or_else(no_character)?;
                    values.append_value(text);
                }
            },
            Builder::List(_) | Builder::Struct(_) => json.deserialize_option(self)?,
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Append<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.values {
            Builder::List(_) => "an array",
            _ => "an object",
        })
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.values.append_null(self.budget);
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.values {
            Builder::List(_) => json.deserialize_seq(self),
            _ => json.deserialize_map(self),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Builder::List(lists) = self.values else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        };
        while items
            .next_element_seed(Append {
                values: &mut lists.items,
                budget: &mut *self.budget,
            })?
            .is_some()
        {
            lists.end += 1;
        }
        lists.offsets.push(lists.end);
        lists.nulls.append_non_null();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Builder::Struct(structs) = self.values else {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        };
        structs.members.append(map, self.budget)?;
        structs.nulls.append_non_null();
        Ok(())
    }
}
