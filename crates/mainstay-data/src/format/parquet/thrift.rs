//! The Thrift compact protocol, as far as footers and page headers need it.
//!
//! Source: Apache Thrift, *Thrift compact protocol encoding*.

/// The deepest nesting of values that are only skipped.
const MAX_SKIP_DEPTH: u32 = 32;

/// What a Thrift value should be.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Bool,
    Byte,
    I32,
    Text,
    /// A struct or union; fields that are not named are skipped by their declared type.
    Struct(&'static [(i16, Shape)]),
}

/// Ends a struct.
pub(super) const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Reads the Thrift compact protocol; `None` at the end of the bytes and for what it does not know.
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns how many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip_bytes(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// Reads the number and type of the next field; the type is 0 at the end of a struct.
    pub(super) fn field(&mut self, previous: i16) -> Option<(i16, u8)> {
        let header = self.byte()?;
        let (delta, kind) = (header >> 4, header & 0xf);
        if kind == STOP {
            return Some((0, STOP));
        }
        let id = if delta == 0 {
            i16::try_from(self.zigzag()?).ok()?
        } else {
            previous.checked_add(i16::from(delta))?
        };
        Some((id, kind))
    }

    /// Reads the count and type of a list's elements; no list is longer than the bytes left.
    pub(super) fn list(&mut self) -> Option<(usize, u8)> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            short => usize::from(short),
        };
        (count <= self.0.len()).then_some((count, header & 0xf))
    }

    /// Walks a field of no interest.
    pub(super) fn skip_field(&mut self, kind: u8) -> Option<()> {
        self.skip(kind, MAX_SKIP_DEPTH)
    }

    /// Walks the field `id`, which must be of its shape when `shapes` knows it.
    pub(super) fn known_or_skipped(
        &mut self,
        shapes: &[(i16, Shape)],
        id: i16,
        kind: u8,
    ) -> Option<()> {
        match shapes.iter().find(|(known, _)| *known == id) {
            Some((_, shape)) => self.shaped(*shape, kind),
            None => self.skip(kind, MAX_SKIP_DEPTH),
        }
    }

    /// Walks a value that must be of `shape`.
    fn shaped(&mut self, shape: Shape, kind: u8) -> Option<()> {
        match (shape, kind) {
            (Shape::Bool, TRUE | FALSE) => Some(()),
            (Shape::Byte, BYTE) => self.skip_bytes(1),
            (Shape::I32, I32) => self.varint().map(drop),
            (Shape::Text, BINARY) => {
                let length = self.varint()?;
                self.skip_bytes(length)
            }
            (Shape::Struct(fields), STRUCT) => {
                let mut previous = 0;
                loop {
                    let (id, kind) = self.field(previous)?;
                    if kind == STOP {
                        return Some(());
                    }
                    self.known_or_skipped(fields, id, kind)?;
                    previous = id;
                }
            }
            _ => None,
        }
    }

    /// Skips a value of any type.
    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            // The decoder takes no byte for a boolean inside a list, against the protocol; what it
            // reads next must be what is read here.
            TRUE | FALSE => Some(()),
            BYTE => self.skip_bytes(1),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.skip_bytes(8),
            UUID => self.skip_bytes(16),
            BINARY => {
                let length = self.varint()?;
                self.skip_bytes(length)
            }
            STRUCT => {
                let mut previous = 0;
                loop {
                    let (id, kind) = self.field(previous)?;
                    if kind == STOP {
                        return Some(());
                    }
                    self.skip(kind, depth)?;
                    previous = id;
                }
            }
            LIST | SET => {
                let (count, element) = self.list()?;
                (0..count).try_for_each(|_| self.skip(element, depth))
            }
            MAP => self.skip_map(depth),
            _ => None,
        }
    }

    fn skip_map(&mut self, depth: u32) -> Option<()> {
        let count = usize::try_from(self.varint()?).ok()?;
        if count == 0 {
            return Some(());
        }
        if count > self.0.len() {
            return None;
        }
        let types = self.byte()?;
        (0..count).try_for_each(|_| {
            self.skip(types >> 4, depth)?;
            self.skip(types & 0xf, depth)
        })
    }
}
