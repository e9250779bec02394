//! From an Arrow array to its slots.

use arrow::array::{
    Array, AsArray, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
    downcast_dictionary_array, downcast_run_array,
};
use arrow::datatypes::{
    ArrowNativeType as _, ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type,
    Decimal64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType,
    IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use mainstay_core::{Error, ErrorKind, Result};

use super::canonical::Canonical;
use super::nested::{DictionarySlots, ListSlots, RunSlots, StructSlots};
use super::{ConvertedSlots, NullSlots, PrimitiveSlots, Scalar, Slots};
use crate::logical::name_order;

type Boxed<'a> = Box<dyn Slots + 'a>;

/// Opens decimals, widened to 256 bits so that their width does not matter.
macro_rules! decimal {
    ($type:ty, $array:ident, $widen:expr) => {
        converted::<$type, 32>(
            $array,
            |value| {
                let widen: fn(<$type as ArrowPrimitiveType>::Native) -> i256 = $widen;
                widen(value).to_le_bytes()
            },
            |value| {
                let widen: fn(<$type as ArrowPrimitiveType>::Native) -> i256 = $widen;
                Scalar::Decimal(widen(value))
            },
        )
    };
}

/// Opens the slots of `array`.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a type without a logical form; the types that
/// [`logical_types`](crate::logical::logical_types) spells are all opened.
pub(crate) fn slots(array: &dyn Array) -> Result<Boxed<'_>> {
    Ok(match array.data_type() {
        DataType::Null => Box::new(NullSlots),
        DataType::Boolean => Box::new(array.as_boolean().clone()),
        DataType::Int8 => integer::<Int8Type>(array),
        DataType::Int16 => integer::<Int16Type>(array),
        DataType::Int32 => integer::<Int32Type>(array),
        DataType::Int64 => integer::<Int64Type>(array),
        DataType::UInt8 => integer::<UInt8Type>(array),
        DataType::UInt16 => integer::<UInt16Type>(array),
        DataType::UInt32 => integer::<UInt32Type>(array),
        DataType::UInt64 => integer::<UInt64Type>(array),
        DataType::Float16 => converted::<Float16Type, 2>(
            array,
            |value| {
                let bits = value.to_bits();
                if value.is_nan() { 0x7e00 } else { bits }.to_le_bytes()
            },
            |value| Scalar::Float(value.to_f64()),
        ),
        DataType::Float32 => primitive::<Float32Type>(array, |v| Scalar::Float(f64::from(v))),
        DataType::Float64 => primitive::<Float64Type>(array, Scalar::Float),
        DataType::Decimal32(..) => decimal!(Decimal32Type, array, |v| i256::from_i128(v.into())),
        DataType::Decimal64(..) => decimal!(Decimal64Type, array, |v| i256::from_i128(v.into())),
        DataType::Decimal128(..) => decimal!(Decimal128Type, array, i256::from_i128),
        DataType::Decimal256(..) => decimal!(Decimal256Type, array, i256::from),
        DataType::Utf8 => Box::new(array.as_string::<i32>().clone()),
        DataType::LargeUtf8 => Box::new(array.as_string::<i64>().clone()),
        DataType::Utf8View => Box::new(array.as_string_view().clone()),
        DataType::Binary => Box::new(array.as_binary::<i32>().clone()),
        DataType::LargeBinary => Box::new(array.as_binary::<i64>().clone()),
        DataType::BinaryView => Box::new(array.as_binary_view().clone()),
        DataType::FixedSizeBinary(_) => Box::new(array.as_fixed_size_binary().clone()),
        DataType::Date32 => integer::<Date32Type>(array),
        DataType::Date64 => integer::<Date64Type>(array),
        DataType::Time32(TimeUnit::Second) => integer::<Time32SecondType>(array),
        DataType::Time32(TimeUnit::Millisecond) => integer::<Time32MillisecondType>(array),
        DataType::Time64(TimeUnit::Microsecond) => integer::<Time64MicrosecondType>(array),
        DataType::Time64(TimeUnit::Nanosecond) => integer::<Time64NanosecondType>(array),
        DataType::Timestamp(unit, _) => timestamp(*unit, array),
        DataType::Duration(unit) => duration(*unit, array),
        DataType::Interval(unit) => interval(*unit, array),
        DataType::List(_) => list(array.as_list::<i32>())?,
        DataType::LargeList(_) => list(array.as_list::<i64>())?,
        DataType::FixedSizeList(..) => fixed_size_list(array.as_fixed_size_list())?,
        DataType::Struct(_) => structure(array.as_struct())?,
        DataType::Map(..) => map(array.as_map())?,
        DataType::Dictionary(..) => downcast_dictionary_array!(
            array => Box::new(DictionarySlots {
                keys: array.keys(),
                values: slots(array.values().as_ref())?,
            }),
            _ => return Err(unsupported(array)),
        ),
        DataType::RunEndEncoded(..) => downcast_run_array!(
            array => Box::new(RunSlots {
                runs: array,
                values: slots(array.values().as_ref())?,
            }),
            _ => return Err(unsupported(array)),
        ),
        _ => return Err(unsupported(array)),
    })
}

fn unsupported(array: &dyn Array) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "columns of this type cannot be hashed",
    )
    .context("type", array.data_type())
}

fn primitive<T>(array: &dyn Array, scalar: fn(T::Native) -> Scalar<'static>) -> Boxed<'_>
where
    T: ArrowPrimitiveType,
    T::Native: Canonical,
{
    Box::new(PrimitiveSlots {
        array: array.as_primitive::<T>(),
        scalar,
    })
}

fn integer<T>(array: &dyn Array) -> Boxed<'_>
where
    T: ArrowPrimitiveType,
    T::Native: Canonical + Into<i128>,
{
    primitive::<T>(array, |value| Scalar::Int(value.into()))
}

fn converted<T: ArrowPrimitiveType, const WIDTH: usize>(
    array: &dyn Array,
    bytes: fn(T::Native) -> [u8; WIDTH],
    scalar: fn(T::Native) -> Scalar<'static>,
) -> Boxed<'_> {
    Box::new(ConvertedSlots {
        array: array.as_primitive::<T>(),
        bytes,
        scalar,
    })
}

fn timestamp(unit: TimeUnit, array: &dyn Array) -> Boxed<'_> {
    match unit {
        TimeUnit::Second => integer::<TimestampSecondType>(array),
        TimeUnit::Millisecond => integer::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => integer::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => integer::<TimestampNanosecondType>(array),
    }
}

fn duration(unit: TimeUnit, array: &dyn Array) -> Boxed<'_> {
    match unit {
        TimeUnit::Second => integer::<DurationSecondType>(array),
        TimeUnit::Millisecond => integer::<DurationMillisecondType>(array),
        TimeUnit::Microsecond => integer::<DurationMicrosecondType>(array),
        TimeUnit::Nanosecond => integer::<DurationNanosecondType>(array),
    }
}

fn interval(unit: IntervalUnit, array: &dyn Array) -> Boxed<'_> {
    match unit {
        IntervalUnit::YearMonth => primitive::<IntervalYearMonthType>(array, |_| Scalar::Other),
        IntervalUnit::DayTime => converted::<IntervalDayTimeType, 8>(
            array,
            |value| {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&value.days.to_le_bytes());
                bytes[4..].copy_from_slice(&value.milliseconds.to_le_bytes());
                bytes
            },
            |_| Scalar::Other,
        ),
        IntervalUnit::MonthDayNano => converted::<IntervalMonthDayNanoType, 16>(
            array,
            |value| {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&value.months.to_le_bytes());
                bytes[4..8].copy_from_slice(&value.days.to_le_bytes());
                bytes[8..].copy_from_slice(&value.nanoseconds.to_le_bytes());
                bytes
            },
            |_| Scalar::Other,
        ),
    }
}

fn list<O: OffsetSizeTrait>(array: &GenericListArray<O>) -> Result<Boxed<'_>> {
    let offsets = array.value_offsets();
    Ok(Box::new(ListSlots {
        nulls: array.nulls(),
        range: Box::new(|slot| offsets[slot].as_usize()..offsets[slot + 1].as_usize()),
        elements: slots(array.values().as_ref())?,
    }))
}

fn fixed_size_list(array: &FixedSizeListArray) -> Result<Boxed<'_>> {
    let width = usize::try_from(array.value_length())
        .map_err(|cause| Error::invalid("a list of negative length").with_source(cause))?;
    Ok(Box::new(ListSlots {
        nulls: array.nulls(),
        range: Box::new(move |slot| slot * width..(slot + 1) * width),
        elements: slots(array.values().as_ref())?,
    }))
}

fn structure(array: &StructArray) -> Result<Boxed<'_>> {
    let fields = name_order(array.fields())
        .into_iter()
        .map(|index| slots(array.column(index).as_ref()))
        .collect::<Result<_>>()?;
    Ok(Box::new(StructSlots {
        nulls: array.nulls(),
        fields,
    }))
}

/// Opens a map as a list of key and value: the names of its parts differ from writer to writer.
fn map(array: &MapArray) -> Result<Boxed<'_>> {
    let offsets = array.value_offsets();
    let entries = StructSlots {
        nulls: array.entries().nulls(),
        fields: vec![
            slots(array.keys().as_ref())?,
            slots(array.values().as_ref())?,
        ],
    };
    Ok(Box::new(ListSlots {
        nulls: array.nulls(),
        range: Box::new(|slot| offsets[slot].as_usize()..offsets[slot + 1].as_usize()),
        elements: Box::new(entries),
    }))
}
