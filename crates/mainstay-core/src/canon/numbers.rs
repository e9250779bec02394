//! Refuses numbers without one meaning before they are encoded.
//!
//! Written here because `serde_json` turns NaN into `null` and its canonical formatter rounds large
//! integers, both silently.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Reports the first number in `value` that is not finite or not a safe integer.
pub(super) fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), BadNumber> {
    value.serialize(Check)
}

#[derive(Debug)]
pub(super) struct BadNumber(String);

impl fmt::Display for BadNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadNumber {}

impl ser::Error for BadNumber {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[derive(Clone, Copy)]
struct Check;

fn integer(magnitude: u128) -> Result<(), BadNumber> {
    if magnitude <= u128::from(MAX_SAFE_INTEGER) || keeps_its_digits(magnitude) {
        Ok(())
    } else {
        Err(BadNumber(format!(
            "integer {magnitude} is beyond 2^53 - 1; use a string"
        )))
    }
}

/// Reports whether canonical JSON, which spells every number as a double, spells this integer with
/// its own digits: so 1e17 reads back whether it was written as an integer or as a double.
#[expect(
    clippy::cast_precision_loss,
    reason = "the question is whether any is lost"
)]
fn keeps_its_digits(magnitude: u128) -> bool {
    serde_json_canonicalizer::to_string(&(magnitude as f64))
        .is_ok_and(|spelled| spelled == magnitude.to_string())
}

fn float(value: f64) -> Result<(), BadNumber> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(BadNumber(format!("{value} is not a finite number")))
    }
}

macro_rules! pass {
    ($($method:ident($($type:ty),*)),* $(,)?) => {$(
        fn $method(self, $(_: $type),*) -> Result<(), BadNumber> {
            Ok(())
        }
    )*};
}

macro_rules! number {
    ($($method:ident($type:ty) => $check:expr),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<(), BadNumber> {
            $check(value)
        }
    )*};
}

macro_rules! open {
    ($($method:ident($($type:ty),*)),* $(,)?) => {$(
        fn $method(self, $(_: $type),*) -> Result<Self, BadNumber> {
            Ok(self)
        }
    )*};
}

impl Serializer for Check {
    type Ok = ();
    type Error = BadNumber;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    number! {
        serialize_i8(i8) => |v: i8| integer(u128::from(v.unsigned_abs())),
        serialize_i16(i16) => |v: i16| integer(u128::from(v.unsigned_abs())),
        serialize_i32(i32) => |v: i32| integer(u128::from(v.unsigned_abs())),
        serialize_i64(i64) => |v: i64| integer(u128::from(v.unsigned_abs())),
        serialize_i128(i128) => |v: i128| integer(v.unsigned_abs()),
        serialize_u8(u8) => |v: u8| integer(u128::from(v)),
        serialize_u16(u16) => |v: u16| integer(u128::from(v)),
        serialize_u32(u32) => |v: u32| integer(u128::from(v)),
        serialize_u64(u64) => |v: u64| integer(u128::from(v)),
        serialize_u128(u128) => integer,
        serialize_f32(f32) => |v: f32| float(f64::from(v)),
        serialize_f64(f64) => float,
    }

    pass! {
        serialize_bool(bool),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
        serialize_none(),
        serialize_unit(),
        serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    }

    open! {
        serialize_seq(Option<usize>),
        serialize_tuple(usize),
        serialize_tuple_struct(&'static str, usize),
        serialize_tuple_variant(&'static str, u32, &'static str, usize),
        serialize_map(Option<usize>),
        serialize_struct(&'static str, usize),
        serialize_struct_variant(&'static str, u32, &'static str, usize),
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), BadNumber> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), BadNumber> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), BadNumber> {
        value.serialize(self)
    }
}

macro_rules! elements {
    ($($trait:ident: $method:ident($($key:ty)?)),* $(,)?) => {$(
        impl ser::$trait for Check {
            type Ok = ();
            type Error = BadNumber;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $(_: $key,)?
                value: &T,
            ) -> Result<(), BadNumber> {
                value.serialize(*self)
            }

            fn end(self) -> Result<(), BadNumber> {
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element(),
    SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(),
    SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(&'static str),
    SerializeStructVariant: serialize_field(&'static str),
}

impl ser::SerializeMap for Check {
    type Ok = ();
    type Error = BadNumber;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), BadNumber> {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BadNumber> {
        value.serialize(*self)
    }

    fn end(self) -> Result<(), BadNumber> {
        Ok(())
    }
}
