//! Logical types: what a column means, whatever its Arrow encoding.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, Schema, TimeUnit};
use mainstay_core::{Error, ErrorKind, Result};

use crate::digest::Profile;

/// The deepest nesting of lists, structs and maps that is hashed.
const MAX_DEPTH: usize = 32;

/// The most columns of a table: each costs memory for hashing and statistics.
pub(crate) const MAX_COLUMNS: usize = 16_384;

/// Spells the logical types of a table's columns, in schema order.
///
/// # Errors
/// [`ErrorKind::Unsupported`] with more than 16,384 columns, or naming the first column whose type is
/// nested too deep or a map of something else than key and value.
pub(crate) fn logical_types(schema: &Schema, profile: Profile) -> Result<Vec<String>> {
    if schema.fields().len() > MAX_COLUMNS {
        return Err(unsupported("a table of more than 16,384 columns")
            .context("columns", schema.fields().len()));
    }
    schema
        .fields()
        .iter()
        .map(|field| logical_type(field, profile))
        .collect()
}

/// Checks that the columns of a table are told apart by their names.
///
/// # Errors
/// [`ErrorKind::Invalid`] without columns or with two of one name.
pub(crate) fn check_names(schema: &Schema) -> Result<()> {
    if schema.fields().is_empty() {
        return Err(Error::invalid("a table without columns"));
    }
    let order = name_order(schema.fields());
    let name = |index: usize| schema.field(index).name();
    match order.windows(2).find(|pair| name(pair[0]) == name(pair[1])) {
        Some(pair) => Err(Error::invalid("two columns of one name")
            .context("column", name(pair[0]).escape_debug())),
        None => Ok(()),
    }
}

/// Spells the logical type of a column as `docs/formats/table-digest.md` says.
fn logical_type(field: &Field, profile: Profile) -> Result<String> {
    let mut text = String::new();
    let spelled = match profile {
        Profile::Strict => spell(field.data_type(), strict, MAX_DEPTH, &mut text),
        Profile::Semantic => spell(field.data_type(), semantic, MAX_DEPTH, &mut text),
    };
    spelled.map(|()| text).map_err(|error| {
        error
            .context("column", field.name().escape_debug())
            .context("type", field.data_type())
    })
}

/// Spells a type that holds no others; returns whether it is one.
type Leaf = fn(&DataType, &mut String) -> bool;

fn spell(data_type: &DataType, leaf: Leaf, depth: usize, out: &mut String) -> Result<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(unsupported("nested more than 32 levels deep"));
    };
    if leaf(data_type, out) {
        return Ok(());
    }
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            out.push_str("list(");
            spell(item.data_type(), leaf, depth, out)?;
            out.push(')');
            Ok(())
        }
        DataType::Struct(fields) => {
            let fields: Vec<&FieldRef> = fields.iter().collect();
            spell_fields("struct", &fields, leaf, depth, out)
        }
        DataType::Union(members, _) => {
            let members: Vec<&FieldRef> = members.iter().map(|(_, field)| field).collect();
            spell_fields("union", &members, leaf, depth, out)
        }
        DataType::Map(entries, _) => spell_map(entries, leaf, depth, out),
        DataType::Dictionary(_, values) => spell(values, leaf, depth, out),
        DataType::RunEndEncoded(_, values) => spell(values.data_type(), leaf, depth, out),
        _ => Err(unsupported("columns of this type cannot be hashed")),
    }
}

/// Spells types whose widths, units and zones count.
fn strict(data_type: &DataType, out: &mut String) -> bool {
    match data_type {
        DataType::Int8 => out.push_str("int8"),
        DataType::Int16 => out.push_str("int16"),
        DataType::Int32 => out.push_str("int32"),
        DataType::Int64 => out.push_str("int64"),
        DataType::UInt8 => out.push_str("uint8"),
        DataType::UInt16 => out.push_str("uint16"),
        DataType::UInt32 => out.push_str("uint32"),
        DataType::UInt64 => out.push_str("uint64"),
        DataType::Float16 => out.push_str("float16"),
        DataType::Float32 => out.push_str("float32"),
        DataType::Float64 => out.push_str("float64"),
        DataType::Date32 => out.push_str("date32"),
        DataType::Date64 => out.push_str("date64"),
        DataType::Time32(unit @ (TimeUnit::Second | TimeUnit::Millisecond))
        | DataType::Time64(unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond)) => {
            push(out, format_args!("time({})", spell_unit(*unit)));
        }
        DataType::Timestamp(unit, None) => {
            push(out, format_args!("timestamp({})", spell_unit(*unit)));
        }
        DataType::Timestamp(unit, Some(zone)) => push(
            out,
            format_args!("timestamp({},{})", spell_unit(*unit), quoted(zone)),
        ),
        DataType::Duration(unit) => push(out, format_args!("duration({})", spell_unit(*unit))),
        DataType::Interval(unit) => push(out, format_args!("interval({})", spell_interval(*unit))),
        other => return either(other, out),
    }
    true
}

/// Spells types whose widths, units and zones do not count.
fn semantic(data_type: &DataType, out: &mut String) -> bool {
    out.push_str(match data_type {
        integer if integer.is_integer() => "int",
        float if float.is_floating() => "float",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond)
        | DataType::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp(utc)",
        DataType::Duration(_) => "duration",
        DataType::Interval(_) => "interval",
        other => return either(other, out),
    });
    true
}

/// Returns the semantic type that goes with a strict one, of a type that holds no others.
pub(crate) fn semantic_type(strict: &str) -> &str {
    let (word, zone) = strict.split_once('(').unwrap_or((strict, ""));
    match word {
        "timestamp" if zone.contains(',') => "timestamp(utc)",
        "time" | "timestamp" | "duration" | "interval" => word,
        "date32" | "date64" => "date",
        _ => {
            let of = |name| {
                strict
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.parse::<u8>().is_ok())
            };
            match () {
                () if of("int") || of("uint") => "int",
                () if of("float") => "float",
                () => strict,
            }
        }
    }
}

/// Spells types that both profiles treat alike.
fn either(data_type: &DataType, out: &mut String) -> bool {
    match data_type {
        DataType::Null => out.push_str("null"),
        DataType::Boolean => out.push_str("bool"),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => push(out, format_args!("decimal({scale})")),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => out.push_str("utf8"),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => out.push_str("binary"),
        _ => return false,
    }
    true
}

fn spell_fields(
    word: &str,
    fields: &[&FieldRef],
    leaf: Leaf,
    depth: usize,
    out: &mut String,
) -> Result<()> {
    out.push_str(word);
    out.push('(');
    for (place, index) in order(fields).into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        push(out, format_args!("{}:", quoted(fields[index].name())));
        spell(fields[index].data_type(), leaf, depth, out)?;
    }
    out.push(')');
    Ok(())
}

fn spell_map(entries: &Field, leaf: Leaf, depth: usize, out: &mut String) -> Result<()> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(unsupported("a map whose entries are not a struct"));
    };
    let [key, value] = &fields[..] else {
        return Err(unsupported("a map whose entries are not key and value"));
    };
    out.push_str("map(");
    spell(key.data_type(), leaf, depth, out)?;
    out.push(',');
    spell(value.data_type(), leaf, depth, out)?;
    out.push(')');
    Ok(())
}

/// Returns the indices of `fields` in the byte order of their names, those of one name as they stand:
/// the order that is hashed.
pub(crate) fn name_order(fields: &Fields) -> Vec<usize> {
    order(&fields.iter().collect::<Vec<_>>())
}

/// As [`name_order`].
pub(crate) fn order(fields: &[&FieldRef]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    // Stable.
    order.sort_by(|&a, &b| fields[a].name().cmp(fields[b].name()));
    order
}

fn spell_unit(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

fn spell_interval(unit: IntervalUnit) -> &'static str {
    match unit {
        IntervalUnit::YearMonth => "year_month",
        IntervalUnit::DayTime => "day_time",
        IntervalUnit::MonthDayNano => "month_day_nano",
    }
}

/// Quotes a name as JSON does, so that no name can imitate the syntax around it.
fn quoted(name: &str) -> serde_json::Value {
    serde_json::Value::from(name)
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _infallible = out.write_fmt(text);
}

fn unsupported(message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests;
