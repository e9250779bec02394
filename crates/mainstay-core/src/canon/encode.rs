//! The encoder: one walk over a value, the members of each object put into order where it ends.
//!
//! Written here because `serde_json_canonicalizer`, which the tests compare it with, takes several
//! times as long, and every record, commit and checkpoint passes here.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

use super::member::Member;
use super::number;

/// Encodes a value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Refused> {
    let mut encoder = Encoder {
        text: Vec::with_capacity(256),
        members: Vec::new(),
    };
    value.serialize(&mut encoder)?;
    Ok(encoder.text)
}

/// Why a value has no canonical JSON.
#[derive(Debug)]
pub(super) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

pub(super) struct Encoder {
    pub(super) text: Vec<u8>,
    /// Of the objects that are not closed, the innermost last.
    pub(super) members: Vec<Member>,
}

impl Encoder {
    fn put(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn string(&mut self, text: &str) -> Result<(), Refused> {
        serde_json::to_writer(&mut self.text, text).map_err(ser::Error::custom)
    }

    fn integer(&mut self, magnitude: u128, negative: bool) -> Result<(), Refused> {
        number::integer(&mut self.text, magnitude, negative).map_err(Refused)
    }

    fn array(&mut self) -> Array<'_> {
        self.put("[");
        Array {
            encoder: self,
            empty: true,
            close: "]",
        }
    }

    fn object(&mut self) -> Object<'_> {
        self.put("{");
        Object {
            begin: self.text.len(),
            first: self.members.len(),
            encoder: self,
            close: "}",
        }
    }

    /// Begins an object with one member, which somebody else closes.
    fn variant(&mut self, name: &str) -> Result<(), Refused> {
        self.put("{");
        self.string(name)?;
        self.put(":");
        Ok(())
    }
}

macro_rules! integers {
    ($($method:ident($type:ty)),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<(), Refused> {
            self.integer(value.into(), false)
        }
    )*};
}

macro_rules! signed_integers {
    ($($method:ident($type:ty)),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<(), Refused> {
            self.integer(value.unsigned_abs().into(), value < 0)
        }
    )*};
}

impl<'e> Serializer for &'e mut Encoder {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Array<'e>;
    type SerializeTuple = Array<'e>;
    type SerializeTupleStruct = Array<'e>;
    type SerializeTupleVariant = Array<'e>;
    type SerializeMap = Object<'e>;
    type SerializeStruct = Object<'e>;
    type SerializeStructVariant = Object<'e>;

    integers! {
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
    }

    signed_integers! {
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
    }

    fn serialize_f32(self, value: f32) -> Result<(), Refused> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Refused> {
        number::float(&mut self.text, value).map_err(Refused)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Refused> {
        self.put(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Refused> {
        self.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Refused> {
        self.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Refused> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        self.put("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refused> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Refused> {
        self.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.put("}");
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'e>, Refused> {
        Ok(self.array())
    }

    fn serialize_tuple(self, _: usize) -> Result<Array<'e>, Refused> {
        Ok(self.array())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Array<'e>, Refused> {
        Ok(self.array())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Array<'e>, Refused> {
        self.variant(variant)?;
        Ok(Array {
            close: "]}",
            ..self.array()
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'e>, Refused> {
        Ok(self.object())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object<'e>, Refused> {
        Ok(self.object())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'e>, Refused> {
        self.variant(variant)?;
        Ok(Object {
            close: "}}",
            ..self.object()
        })
    }
}

/// An array that is not closed.
pub(super) struct Array<'e> {
    encoder: &'e mut Encoder,
    empty: bool,
    close: &'static str,
}

impl Array<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        if !std::mem::take(&mut self.empty) {
            self.encoder.put(",");
        }
        value.serialize(&mut *self.encoder)
    }

    fn close(self) {
        self.encoder.put(self.close);
    }
}

/// An object that is not closed.
pub(super) struct Object<'e> {
    encoder: &'e mut Encoder,
    /// Where its text begins, behind the bracket.
    begin: usize,
    /// Its first member of those of the encoder.
    first: usize,
    close: &'static str,
}

impl Object<'_> {
    fn name<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Refused> {
        let encoder = &mut *self.encoder;
        if encoder.members.len() > self.first {
            encoder.put(",");
        }
        let begin = encoder.text.len();
        name.serialize(&mut *encoder)?;
        if encoder.text.get(begin) != Some(&b'"') {
            // Numbers and words name members as text, as everywhere in JSON.
            let word = encoder.text.split_off(begin);
            if word.iter().any(|byte| b"[{".contains(byte)) || word == b"null" {
                return Err(Refused("the name of a member is text".into()));
            }
            encoder.text.push(b'"');
            encoder.text.extend(word);
            encoder.text.push(b'"');
        }
        let end = encoder.text.len();
        encoder.members.push(Member::named(begin..end));
        encoder.put(":");
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let encoder = &mut *self.encoder;
        value.serialize(&mut *encoder)?;
        let end = encoder.text.len();
        if let Some(member) = encoder.members.last_mut() {
            member.end(end);
        }
        Ok(())
    }

    fn close(self) -> Result<(), Refused> {
        let encoder = self.encoder;
        let members = &mut encoder.members[self.first..];
        super::member::arrange(&mut encoder.text, self.begin, members).map_err(Refused)?;
        encoder.members.truncate(self.first);
        encoder.put(self.close);
        Ok(())
    }
}

macro_rules! arrays {
    ($($of:ident::$method:ident),* $(,)?) => {$(
        impl ser::$of for Array<'_> {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.element(value)
            }

            fn end(self) -> Result<(), Refused> {
                self.close();
                Ok(())
            }
        }
    )*};
}

arrays! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! objects {
    ($($of:ident),* $(,)?) => {$(
        impl ser::$of for Object<'_> {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Refused> {
                self.name(name)?;
                self.value(value)
            }

            fn end(self) -> Result<(), Refused> {
                self.close()
            }
        }
    )*};
}

objects!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.name(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.value(value)
    }

    fn end(self) -> Result<(), Refused> {
        self.close()
    }
}
