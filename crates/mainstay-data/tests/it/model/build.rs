//! Arrays of random encodings, with garbage wherever nothing is seen.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, DictionaryArray,
    FixedSizeBinaryArray, FixedSizeListArray, Float16Array, Float32Array, Float64Array,
    GenericListArray, GenericListViewArray, Int8Array, Int32Array, LargeBinaryArray,
    LargeStringArray, MapArray, NullArray, OffsetSizeTrait, PrimitiveArray, RecordBatch,
    RecordBatchOptions, RunArray, StringArray, StringViewArray, StructArray, UInt32Array,
    UnionArray, new_empty_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, Field, FieldRef, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalDayTime, IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, Schema, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type, UnionFields, i256,
};

use super::{Column, F16, Random, Table, Type, Value, is_flat, random_value, some_value};

/// Builds a table with columns in a random order, as a slice of a longer one.
pub(crate) fn batch(table: &Table, random: &mut Random) -> RecordBatch {
    let (before, after) = (random.below(10), random.below(3));
    let mut columns: Vec<&Column> = table.columns.iter().collect();
    random.shuffle(&mut columns);
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for column in columns {
        let mut values: Vec<Value> = (0..before)
            .map(|_| random_value(&column.of, random))
            .collect();
        values.extend(column.values.iter().cloned());
        values.extend((0..after).map(|_| random_value(&column.of, random)));
        let array = array(&column.of, &values, random);
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(before + table.rows + after));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &rows)
        .unwrap()
        .slice(before, table.rows)
}

/// Builds an array of a random encoding.
pub(crate) fn array(of: &Type, values: &[Value], random: &mut Random) -> ArrayRef {
    if is_flat(of) && *of != Type::Null {
        match random.below(6) {
            0 => return dictionary(of, values, random),
            1 => return runs(of, values, random),
            _ => {}
        }
    }
    plain(of, values, random)
}

/// Builds an array without dictionaries or runs at its top.
fn plain(of: &Type, values: &[Value], random: &mut Random) -> ArrayRef {
    let nulls = validity(values, random);
    // What is not seen is anything.
    let filled: Vec<Value> = values
        .iter()
        .map(|value| match value {
            Value::Null => some_value(of, random),
            value => value.clone(),
        })
        .collect();
    match of {
        Type::Null => Arc::new(NullArray::new(values.len())),
        Type::Bool => {
            let bits = filled
                .iter()
                .map(|value| matches!(value, Value::Bool(true)));
            Arc::new(BooleanArray::new(bits.collect::<BooleanBuffer>(), nulls))
        }
        Type::Int { bits, signed } => match (bits, signed) {
            (8, true) => ints::<Int8Type>(&filled, nulls),
            (16, true) => ints::<Int16Type>(&filled, nulls),
            (32, true) => ints::<Int32Type>(&filled, nulls),
            (64, true) => ints::<Int64Type>(&filled, nulls),
            (8, false) => ints::<UInt8Type>(&filled, nulls),
            (16, false) => ints::<UInt16Type>(&filled, nulls),
            (32, false) => ints::<UInt32Type>(&filled, nulls),
            _ => ints::<UInt64Type>(&filled, nulls),
        },
        Type::Float { bits } => floats(*bits, &filled, nulls, random),
        Type::Decimal { scale } => decimals(*scale, &filled, nulls, random),
        Type::Utf8 | Type::Binary => byte_values(of, &filled, nulls, random),
        Type::Date32 => ints::<Date32Type>(&filled, nulls),
        Type::Date64 => ints::<Date64Type>(&filled, nulls),
        Type::Time(unit) => match unit {
            TimeUnit::Second => ints::<Time32SecondType>(&filled, nulls),
            TimeUnit::Millisecond => ints::<Time32MillisecondType>(&filled, nulls),
            TimeUnit::Microsecond => ints::<Time64MicrosecondType>(&filled, nulls),
            TimeUnit::Nanosecond => ints::<Time64NanosecondType>(&filled, nulls),
        },
        Type::Timestamp(unit, zone) => {
            let zone = zone.as_deref().map(Into::into);
            reinterpreted(&filled, nulls, &DataType::Timestamp(*unit, zone))
        }
        Type::Duration(unit) => reinterpreted(&filled, nulls, &DataType::Duration(*unit)),
        Type::Interval(unit) => intervals(*unit, &filled, nulls),
        Type::List(item) => lists(item, &filled, nulls, random),
        Type::Struct(fields) => structs(fields, &filled, nulls, random),
        Type::Map(key, value) => maps(key, value, &filled, nulls, random),
        Type::Union(members) => unions(members, &filled, random),
    }
}

fn validity(values: &[Value], random: &mut Random) -> Option<NullBuffer> {
    let bits: Vec<bool> = values.iter().map(|value| *value != Value::Null).collect();
    let needed = bits.contains(&false) || random.once_in(2);
    needed.then(|| NullBuffer::from(bits))
}

fn int(value: &Value) -> i128 {
    match value {
        Value::Int(number) => *number,
        other => panic!("{other:?} is not an integer"),
    }
}

fn many(value: &Value) -> &[Value] {
    match value {
        Value::Many(values) => values,
        other => panic!("{other:?} is not several values"),
    }
}

fn ints<T: ArrowPrimitiveType>(values: &[Value], nulls: Option<NullBuffer>) -> ArrayRef
where
    T::Native: TryFrom<i128, Error: std::fmt::Debug>,
{
    let values = values.iter().map(|v| T::Native::try_from(int(v)).unwrap());
    Arc::new(PrimitiveArray::<T>::new(values.collect(), nulls))
}

fn reinterpreted(values: &[Value], nulls: Option<NullBuffer>, to: &DataType) -> ArrayRef {
    cast(&ints::<Int64Type>(values, nulls), to).unwrap()
}

fn floats(bits: u32, values: &[Value], nulls: Option<NullBuffer>, random: &mut Random) -> ArrayRef {
    // A NaN of any sign and payload.
    let numbers: Vec<Option<f64>> = values
        .iter()
        .map(|value| match value {
            Value::Float(bits) => Some(f64::from_bits(*bits)).filter(|number| !number.is_nan()),
            other => panic!("{other:?} is not a float"),
        })
        .collect();
    let payload = random.next();
    match bits {
        16 => {
            let nan = F16::from_bits(0x7c01 | u16::try_from(payload & 0x83ff).unwrap());
            let values = numbers.iter().map(|n| n.map_or(nan, F16::from_f64));
            Arc::new(Float16Array::new(values.collect(), nulls))
        }
        32 => {
            let nan = f32::from_bits(0x7f80_0001 | u32::try_from(payload & 0x807f_ffff).unwrap());
            #[expect(clippy::cast_possible_truncation, reason = "made of an f32")]
            let values = numbers.iter().map(|n| n.map_or(nan, |n| n as f32));
            Arc::new(Float32Array::new(values.collect(), nulls))
        }
        _ => {
            let nan = f64::from_bits(0x7ff0_0000_0000_0001 | payload & 0x800f_ffff_ffff_ffff);
            let values = numbers.iter().map(|n| n.unwrap_or(nan));
            Arc::new(Float64Array::new(values.collect(), nulls))
        }
    }
}

fn decimals(
    scale: i8,
    values: &[Value],
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let digits = values
        .iter()
        .map(|value| int(value).unsigned_abs().to_string().len());
    let digits = digits.max().unwrap_or(1);
    let narrowest = [9, 18, 38].iter().filter(|&&most| digits > most).count();
    macro_rules! decimal {
        ($type:ty, $precision:expr, $convert:expr) => {{
            let values = values.iter().map(|value| $convert(int(value)));
            let array = PrimitiveArray::<$type>::new(values.collect(), nulls);
            Arc::new(array.with_precision_and_scale($precision, scale).unwrap())
        }};
    }
    match narrowest + random.below(4 - narrowest) {
        0 => decimal!(Decimal32Type, 9, |v| i32::try_from(v).unwrap()),
        1 => decimal!(Decimal64Type, 18, |v| i64::try_from(v).unwrap()),
        2 => decimal!(Decimal128Type, 38, |v| v),
        _ => decimal!(Decimal256Type, 76, i256::from_i128),
    }
}

fn byte_values(
    of: &Type,
    values: &[Value],
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let slices: Vec<&[u8]> = values
        .iter()
        .map(|value| match value {
            Value::Text(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
            other => panic!("{other:?} has no bytes"),
        })
        .collect();
    let (offsets, data, _) = BinaryArray::from_iter_values(&slices).into_parts();
    let wide = OffsetBuffer::new(offsets.iter().map(|&offset| i64::from(offset)).collect());
    let width = slices.first().map_or(2, |slice| slice.len());
    let fixed = slices.iter().all(|slice| slice.len() == width);
    match (of, random.below(4)) {
        (Type::Utf8, 0) => Arc::new(StringArray::new(offsets, data, nulls)),
        (Type::Utf8, 1) => Arc::new(LargeStringArray::new(wide, data, nulls)),
        (Type::Utf8, _) => {
            let text = StringArray::new(offsets, data, None);
            let (views, buffers, _) = StringViewArray::from(&text).into_parts();
            Arc::new(StringViewArray::new(views, buffers, nulls))
        }
        (_, 0) if fixed => {
            let width = i32::try_from(width).unwrap();
            Arc::new(
                FixedSizeBinaryArray::try_new_with_len(width, data, nulls, values.len()).unwrap(),
            )
        }
        (_, 1) => Arc::new(LargeBinaryArray::new(wide, data, nulls)),
        (_, 2) => {
            let binary = BinaryArray::new(offsets, data, None);
            let (views, buffers, _) = BinaryViewArray::from(&binary).into_parts();
            Arc::new(BinaryViewArray::new(views, buffers, nulls))
        }
        _ => Arc::new(BinaryArray::new(offsets, data, nulls)),
    }
}

fn intervals(unit: IntervalUnit, values: &[Value], nulls: Option<NullBuffer>) -> ArrayRef {
    let parts = values.iter().map(|value| match value {
        Value::Interval(parts) => parts.as_slice(),
        other => panic!("{other:?} is not an interval"),
    });
    let narrow = |part: i64| i32::try_from(part).unwrap();
    match unit {
        IntervalUnit::YearMonth => {
            let values = parts.map(|parts| narrow(parts[0])).collect();
            Arc::new(PrimitiveArray::<IntervalYearMonthType>::new(values, nulls))
        }
        IntervalUnit::DayTime => {
            let values = parts
                .map(|parts| IntervalDayTime::new(narrow(parts[0]), narrow(parts[1])))
                .collect();
            Arc::new(PrimitiveArray::<IntervalDayTimeType>::new(values, nulls))
        }
        IntervalUnit::MonthDayNano => {
            let values = parts
                .map(|p| IntervalMonthDayNano::new(narrow(p[0]), narrow(p[1]), p[2]))
                .collect();
            Arc::new(PrimitiveArray::<IntervalMonthDayNanoType>::new(
                values, nulls,
            ))
        }
    }
}

fn item_field(array: &dyn Array, random: &mut Random) -> FieldRef {
    let name = random.pick(&["item", "element", ""]);
    Arc::new(Field::new(name, array.data_type().clone(), true))
}

fn lists(
    item: &Type,
    values: &[Value],
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let lengths: Vec<usize> = values.iter().map(|value| many(value).len()).collect();
    let width = lengths.first().copied().unwrap_or(2);
    let kind = random.below(5);
    if kind >= 3 {
        return if kind == 3 {
            list_view::<i32>(item, values, nulls, random)
        } else {
            list_view::<i64>(item, values, nulls, random)
        };
    }
    let elements: Vec<Value> = values.iter().flat_map(many).cloned().collect();
    let elements = array(item, &elements, random);
    let field = item_field(elements.as_ref(), random);
    if kind == 0 && width > 0 && lengths.iter().all(|length| *length == width) {
        let width = i32::try_from(width).unwrap();
        Arc::new(FixedSizeListArray::new(field, width, elements, nulls))
    } else if kind == 1 {
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        Arc::new(GenericListArray::new(field, offsets, elements, nulls))
    } else {
        let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
        Arc::new(GenericListArray::new(field, offsets, elements, nulls))
    }
}

/// Lists whose elements lie in any order, with gaps.
fn list_view<O: OffsetSizeTrait>(
    item: &Type,
    values: &[Value],
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let mut order: Vec<usize> = (0..values.len()).collect();
    random.shuffle(&mut order);
    let mut offsets = vec![O::zero(); values.len()];
    let mut elements = Vec::new();
    for slot in order {
        elements.extend((0..random.below(2)).map(|_| random_value(item, random)));
        offsets[slot] = O::usize_as(elements.len());
        elements.extend(many(&values[slot]).iter().cloned());
    }
    let sizes = values.iter().map(|value| O::usize_as(many(value).len()));
    let elements = array(item, &elements, random);
    let field = item_field(elements.as_ref(), random);
    let (offsets, sizes) = (ScalarBuffer::from(offsets), sizes.collect());
    Arc::new(GenericListViewArray::new(
        field, offsets, sizes, elements, nulls,
    ))
}

fn structs(
    fields: &[(String, Type)],
    values: &[Value],
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    random.shuffle(&mut order);
    let mut arrays = Vec::new();
    let mut described = Vec::new();
    for index in order {
        let column: Vec<Value> = values
            .iter()
            .map(|value| many(value)[index].clone())
            .collect();
        let column = array(&fields[index].1, &column, random);
        let field = Field::new(&fields[index].0, column.data_type().clone(), true);
        // What a field says of itself beyond its type is not seen.
        let metadata = [("ARROW:extension:name".to_owned(), "x".to_owned())];
        described.push(Arc::new(field.with_metadata(metadata)));
        arrays.push(column);
    }
    Arc::new(
        StructArray::try_new_with_length(described.into(), arrays, nulls, values.len()).unwrap(),
    )
}

fn maps(
    key: &Type,
    value: &Type,
    values: &[Value],
    nulls: Option<NullBuffer>,
    random: &mut Random,
) -> ArrayRef {
    let entries: Vec<&[Value]> = values.iter().flat_map(many).map(many).collect();
    let keys: Vec<Value> = entries.iter().map(|entry| entry[0].clone()).collect();
    let held: Vec<Value> = entries.iter().map(|entry| entry[1].clone()).collect();
    let keys = plain(key, &keys, random);
    let held = array(value, &held, random);
    let fields = vec![
        Field::new(random.pick(&["key", "k"]), keys.data_type().clone(), false),
        Field::new(random.pick(&["value", "v"]), held.data_type().clone(), true),
    ];
    let entries = StructArray::new(fields.into(), vec![keys, held], None);
    let field = Field::new("entries", entries.data_type().clone(), false);
    let offsets = OffsetBuffer::from_lengths(values.iter().map(|value| many(value).len()));
    let sorted = random.once_in(2);
    Arc::new(MapArray::new(
        Arc::new(field),
        offsets,
        entries,
        nulls,
        sorted,
    ))
}

fn unions(members: &[(String, Type)], values: &[Value], random: &mut Random) -> ArrayRef {
    let mut order: Vec<usize> = (0..members.len()).collect();
    random.shuffle(&mut order);
    let mut ids: Vec<i8> = (0..127).collect();
    random.shuffle(&mut ids);
    let dense = random.once_in(2);
    let chosen = |value: &Value| match value {
        Value::Union(member, inner) => (*member, inner.as_ref().clone()),
        other => panic!("{other:?} is not of a union"),
    };
    let mut offsets = vec![0; values.len()];
    let mut children = Vec::new();
    let mut described = Vec::new();
    for &index in &order {
        let (name, of) = &members[index];
        let mut child = Vec::new();
        for (slot, value) in values.iter().enumerate() {
            let (member, inner) = chosen(value);
            if member == index {
                offsets[slot] = i32::try_from(child.len()).unwrap();
                child.push(inner);
            } else if !dense || random.once_in(3) {
                child.push(random_value(of, random));
            }
        }
        let child = array(of, &child, random);
        described.push((
            ids[index],
            Arc::new(Field::new(name, child.data_type().clone(), true)),
        ));
        children.push(child);
    }
    let type_ids = values.iter().map(|value| ids[chosen(value).0]).collect();
    let offsets = dense.then(|| ScalarBuffer::from(offsets));
    let fields: UnionFields = described.into_iter().collect();
    Arc::new(UnionArray::try_new(fields, type_ids, offsets, children).unwrap())
}

/// Values in any order, with some that nothing points to, and keys or values that are null.
fn dictionary(of: &Type, values: &[Value], random: &mut Random) -> ArrayRef {
    let mut order: Vec<usize> = (0..values.len()).collect();
    random.shuffle(&mut order);
    let mut held: Vec<Value> = order.iter().map(|&slot| values[slot].clone()).collect();
    held.push(some_value(of, random));
    let held = plain(of, &held, random);
    let mut keys = vec![0; values.len()];
    for (place, &slot) in order.iter().enumerate() {
        keys[slot] = i32::try_from(place).unwrap();
    }
    let null_keys = values
        .iter()
        .map(|value| *value != Value::Null || random.once_in(2));
    let nulls = NullBuffer::from(null_keys.collect::<Vec<_>>());
    if keys.len() < 100 && random.once_in(2) {
        let keys = keys.iter().map(|key| i8::try_from(*key).unwrap()).collect();
        Arc::new(DictionaryArray::new(
            Int8Array::new(keys, Some(nulls)),
            held,
        ))
    } else {
        Arc::new(DictionaryArray::new(
            Int32Array::new(keys.into(), Some(nulls)),
            held,
        ))
    }
}

/// Runs as long as possible, or shorter.
fn runs(of: &Type, values: &[Value], random: &mut Random) -> ArrayRef {
    if values.is_empty() {
        let empty = plain(of, values, random);
        let ends = Field::new("run_ends", DataType::Int32, false);
        let held = Field::new("values", empty.data_type().clone(), true);
        return new_empty_array(&DataType::RunEndEncoded(Arc::new(ends), Arc::new(held)));
    }
    let mut starts = vec![0];
    for slot in 1..values.len() {
        if values[slot] != values[slot - 1] || random.once_in(3) {
            starts.push(u32::try_from(slot).unwrap());
        }
    }
    let mut ends: Vec<i32> = starts[1..]
        .iter()
        .map(|&s| i32::try_from(s).unwrap())
        .collect();
    ends.push(i32::try_from(values.len()).unwrap());
    let held = take(&plain(of, values, random), &UInt32Array::from(starts), None).unwrap();
    Arc::new(RunArray::try_new(&Int32Array::from(ends), held.as_ref()).unwrap())
}
