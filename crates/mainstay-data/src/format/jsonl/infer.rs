//! Finding the types of JSON columns: over every value of every file.

use std::collections::BTreeMap;

use mainstay_core::{Error, ErrorKind, Result};

use super::walk::{each_item, each_member};
use super::{JsonSchema, JsonType, Lines};
use crate::logical::MAX_COLUMNS;
use crate::passing::Passing;
use crate::source::Source;

/// How many arrays and objects deep columns have types of their own.
const MAX_DEPTH: usize = 16;
/// The most keys of an object that is a struct.
const MAX_KEYS: usize = 1_024;
/// The longest name of a column, and of a field of a struct.
const MAX_NAME_BYTES: usize = 4_096;
/// The largest integer below which a double holds every one.
const MAX_EXACT: u64 = 1 << 53;

/// Finds one schema for any number of JSON lines files.
#[derive(Debug, Default)]
pub(crate) struct Inference {
    columns: BTreeMap<String, Column>,
    size: Size,
}

#[derive(Debug)]
struct Column {
    /// Its place among the columns.
    place: usize,
    values: Values,
}

impl Inference {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] naming the line when it is no JSON object; [`ErrorKind::Unsupported`] when
    /// there are too many columns.
    pub(crate) fn add(&mut self, source: &Source, rows: &mut Passing) -> Result<()> {
        let mut lines = Lines::open(source);
        while lines.next(|text| self.row(text))?.is_some() {
            rows.one();
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> JsonSchema {
        let mut columns: Vec<(String, Column)> = self.columns.into_iter().collect();
        columns.sort_by_key(|(_, column)| column.place);
        let typed = columns.into_iter();
        let typed = typed.map(|(name, column)| (name, column.values.json_type()));
        JsonSchema::new(typed.collect())
    }

    fn row(&mut self, text: &str) -> Result<()> {
        if !text.starts_with('{') {
            return Err(Error::invalid("a line that is not a JSON object"));
        }
        each_member(text, |name, value| {
            if !self.columns.contains_key(&*name) {
                self.add_column(&name)?;
            }
            match self.columns.get_mut(&*name) {
                Some(column) => column.values.meet(value, MAX_DEPTH, &mut self.size),
                None => Ok(()),
            }
        })
    }

    fn add_column(&mut self, name: &str) -> Result<()> {
        if name.len() > MAX_NAME_BYTES {
            return Err(Error::invalid("a key of more than 4,096 bytes"));
        }
        self.size.grow()?;
        let column = Column {
            place: self.columns.len(),
            values: Values::None,
        };
        self.columns.insert(name.to_owned(), column);
        Ok(())
    }
}

/// How many columns there are, fields within them counted too.
#[derive(Debug, Default)]
struct Size(usize);

impl Size {
    fn grow(&mut self) -> Result<()> {
        self.0 += 1;
        if self.0 <= MAX_COLUMNS {
            return Ok(());
        }
        let why = "JSON lines of more than 16,384 keys";
        Err(Error::new(ErrorKind::Unsupported, why))
    }
}

/// What all values of a column, or at a place within it, have been so far.
#[derive(Debug)]
enum Values {
    /// Null.
    None,
    Bool,
    Int {
        /// Whether a double holds each of them.
        exact: bool,
    },
    Float,
    Text,
    List(Box<Values>),
    Object(BTreeMap<String, Values>),
    /// Of several kinds, or of one that has no type.
    Mixed,
}

impl Values {
    /// Takes a value into account, in which arrays and objects may be nested `depth` deep.
    fn meet(&mut self, value: &str, depth: usize, size: &mut Size) -> Result<()> {
        let kind = Kind::of(value);
        if matches!(self, Self::None) {
            *self = Self::first(kind, depth);
        }
        match (&mut *self, kind) {
            (_, Kind::Null)
            | (Self::Mixed, _)
            | (Self::Bool, Kind::Bool)
            | (Self::Float, Kind::Float | Kind::Int { exact: true })
            | (Self::Text, Kind::Text) => {}
            (Self::Int { exact }, Kind::Int { exact: this }) => *exact &= this,
            (Self::Int { exact: true }, Kind::Float) => *self = Self::Float,
            (Self::List(items), Kind::List) => {
                each_item(value, |item| items.meet(item, depth - 1, size))?;
            }
            (Self::Object(fields), Kind::Object) => {
                if !meet_fields(fields, value, depth - 1, size)? {
                    self.mix(size);
                }
            }
            _ => self.mix(size),
        }
        Ok(())
    }

    fn first(kind: Kind, depth: usize) -> Self {
        match kind {
            Kind::Null => Self::None,
            Kind::Bool => Self::Bool,
            Kind::Int { exact } => Self::Int { exact },
            Kind::Float => Self::Float,
            Kind::Text => Self::Text,
            Kind::List if depth > 0 => Self::List(Box::new(Self::None)),
            Kind::Object if depth > 0 => Self::Object(BTreeMap::new()),
            Kind::Odd | Kind::List | Kind::Object => Self::Mixed,
        }
    }

    fn mix(&mut self, size: &mut Size) {
        size.0 -= self.keys();
        *self = Self::Mixed;
    }

    /// Counts the keys within.
    fn keys(&self) -> usize {
        match self {
            Self::List(items) => items.keys(),
            Self::Object(fields) => fields.values().map(|field| 1 + field.keys()).sum(),
            _ => 0,
        }
    }

    fn json_type(self) -> JsonType {
        match self {
            Self::Bool => JsonType::Bool,
            Self::Int { .. } => JsonType::Int64,
            Self::Float => JsonType::Float64,
            Self::None | Self::Text => JsonType::Utf8,
            Self::List(items) => JsonType::List(Box::new(items.json_type())),
            Self::Object(fields) if !fields.is_empty() => {
                let fields = fields.into_iter();
                JsonType::Struct(fields.map(|(name, of)| (name, of.json_type())).collect())
            }
            // A struct without fields cannot be stored as Parquet.
            Self::Object(_) | Self::Mixed => JsonType::Json,
        }
    }
}

/// Takes the members of an object into account; reports whether it can be a struct.
fn meet_fields(
    fields: &mut BTreeMap<String, Values>,
    object: &str,
    depth: usize,
    size: &mut Size,
) -> Result<bool> {
    let mut fits = true;
    each_member(object, |name, value| {
        if let Some(field) = fields.get_mut(&*name) {
            return field.meet(value, depth, size);
        }
        fits &= fields.len() < MAX_KEYS && name.len() <= MAX_NAME_BYTES;
        if !fits {
            return Ok(());
        }
        size.grow()?;
        let field = fields.entry(name.into_owned()).or_insert(Values::None);
        field.meet(value, depth, size)
    })?;
    Ok(fits)
}

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Int {
        exact: bool,
    },
    Float,
    /// A number that neither 64 bits nor a double can hold.
    Odd,
    Text,
    List,
    Object,
}

impl Kind {
    /// Tells the kind of a valid JSON text without white space around it.
    fn of(value: &str) -> Self {
        match value.as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::List,
            Some(b'"') => Self::Text,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') => Self::Null,
            _ => Self::of_number(value),
        }
    }

    fn of_number(number: &str) -> Self {
        if number == "-0" {
            return Self::Float;
        }
        if !number.contains(['.', 'e', 'E']) {
            return number.parse().map_or(Self::Odd, |int: i64| Self::Int {
                exact: int.unsigned_abs() <= MAX_EXACT,
            });
        }
        match number.parse::<f64>() {
            Ok(float) if float.is_finite() => Self::Float,
            _ => Self::Odd,
        }
    }
}
