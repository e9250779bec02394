//! Logical types: what a column means, whatever its Arrow encoding.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, Schema, TimeUnit};
use mainstay_core::{Error, ErrorKind, Result};

/// The deepest nesting of lists, structs and maps that is hashed.
const MAX_DEPTH: usize = 32;

/// The most columns of a table: each costs memory for hashing and statistics.
pub(crate) const MAX_COLUMNS: usize = 16_384;

/// Spells the logical types of a table's columns, in schema order.
///
/// # Errors
/// [`ErrorKind::Invalid`] without columns or with two of one name;
/// [`ErrorKind::Unsupported`] naming the first column whose type has no logical form, or with more
/// than 16,384 columns.
pub(crate) fn logical_types(schema: &Schema) -> Result<Vec<String>> {
    if schema.fields().is_empty() {
        return Err(Error::invalid("a table without columns"));
    }
    if schema.fields().len() > MAX_COLUMNS {
        return Err(unsupported("a table of more than 16,384 columns")
            .context("columns", schema.fields().len()));
    }
    refuse_repeated_names(schema.fields())?;
    schema
        .fields()
        .iter()
        .map(|field| logical_type(field))
        .collect()
}

/// Spells the logical type of a column as `docs/formats/table-digest.md` says.
fn logical_type(field: &Field) -> Result<String> {
    let mut text = String::new();
    spell(field.data_type(), MAX_DEPTH, &mut text)
        .map(|()| text)
        .map_err(|error| {
            error
                .context("column", field.name().escape_debug())
                .context("type", field.data_type())
        })
}

fn spell(data_type: &DataType, depth: usize, out: &mut String) -> Result<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(unsupported("nested more than 32 levels deep"));
    };
    match data_type {
        DataType::Null => out.push_str("null"),
        DataType::Boolean => out.push_str("bool"),
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
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => push(out, format_args!("decimal({scale})")),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => out.push_str("utf8"),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => out.push_str("binary"),
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
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            out.push_str("list(");
            spell(item.data_type(), depth, out)?;
            out.push(')');
        }
        DataType::Struct(fields) => spell_struct(fields, depth, out)?,
        DataType::Map(entries, _) => spell_map(entries, depth, out)?,
        DataType::Dictionary(_, values) => spell(values, depth, out)?,
        DataType::RunEndEncoded(_, values) => spell(values.data_type(), depth, out)?,
        _ => return Err(unsupported("columns of this type cannot be hashed")),
    }
    Ok(())
}

fn spell_struct(fields: &Fields, depth: usize, out: &mut String) -> Result<()> {
    refuse_repeated_names(fields)?;
    out.push_str("struct(");
    for (place, index) in name_order(fields).into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        push(out, format_args!("{}:", quoted(fields[index].name())));
        spell(fields[index].data_type(), depth, out)?;
    }
    out.push(')');
    Ok(())
}

fn spell_map(entries: &Field, depth: usize, out: &mut String) -> Result<()> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(unsupported("a map whose entries are not a struct"));
    };
    let [key, value] = &fields[..] else {
        return Err(unsupported("a map whose entries are not key and value"));
    };
    out.push_str("map(");
    spell(key.data_type(), depth, out)?;
    out.push(',');
    spell(value.data_type(), depth, out)?;
    out.push(')');
    Ok(())
}

/// Returns the indices of `fields` in the byte order of their names: the order that is hashed.
pub(crate) fn name_order(fields: &Fields) -> Vec<usize> {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    order.sort_by(|&a, &b| fields[a].name().cmp(fields[b].name()));
    order
}

fn refuse_repeated_names(fields: &Fields) -> Result<()> {
    let order = name_order(fields);
    let repeated = order
        .windows(2)
        .find(|pair| fields[pair[0]].name() == fields[pair[1]].name());
    match repeated {
        Some(pair) => Err(Error::invalid("two columns of one name")
            .context("column", fields[pair[0]].name().escape_debug())),
        None => Ok(()),
    }
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
mod tests {
    use std::sync::Arc;

    use super::*;

    fn spelled(data_type: DataType) -> Result<String> {
        logical_type(&Field::new("c", data_type, true))
    }

    #[test]
    fn encodings_of_one_meaning_are_one_type() {
        let item = |t| Arc::new(Field::new("item", t, true));
        for (types, expected) in [
            (
                vec![
                    DataType::Utf8,
                    DataType::LargeUtf8,
                    DataType::Utf8View,
                    DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
                    DataType::RunEndEncoded(item(DataType::Int32), item(DataType::LargeUtf8)),
                ],
                "utf8",
            ),
            (
                vec![DataType::Decimal128(10, 2), DataType::Decimal256(40, 2)],
                "decimal(2)",
            ),
            (
                vec![
                    DataType::List(item(DataType::Int8)),
                    DataType::FixedSizeList(item(DataType::Int8), 3),
                ],
                "list(int8)",
            ),
        ] {
            for data_type in types {
                assert_eq!(spelled(data_type).unwrap(), expected);
            }
        }
    }

    #[test]
    fn struct_fields_are_sorted_and_quoted() {
        let fields = Fields::from(vec![
            Field::new("b\":int8,\"c", DataType::Int8, true),
            Field::new("a", DataType::Boolean, true),
        ]);
        assert_eq!(
            spelled(DataType::Struct(fields)).unwrap(),
            r#"struct("a":bool,"b\":int8,\"c":int8)"#
        );
    }

    #[test]
    fn a_type_without_logical_form_is_refused_by_column_and_type() {
        let view = DataType::ListView(Arc::new(Field::new("item", DataType::Int8, true)));
        let error = spelled(view).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let shown = error.to_string();
        assert!(
            shown.contains("column: c") && shown.contains("ListView"),
            "{shown}"
        );
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = (0..MAX_DEPTH).fold(DataType::Int8, |inner, _| {
            DataType::List(Arc::new(Field::new("item", inner, true)))
        });
        assert_eq!(spelled(deep).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn repeated_column_names_are_refused() {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Int8, true),
            Field::new("b", DataType::Int8, true),
            Field::new("a", DataType::Utf8, true),
        ]);
        let error = logical_types(&schema).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("column: a"), "{error}");
    }
}
