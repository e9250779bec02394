//! Looks at the footer of a Parquet file before the decoder does.
//!
//! The decoder descends into the schema as deep as the footer says and reserves as many children as
//! it claims. A hostile footer could overflow the stack or exhaust memory, which no caller can catch,
//! so the schema tree is measured here first. Only the beginning of the footer is read: the format
//! puts the version and the schema before everything else.
//!
//! Source: Apache Parquet `parquet.thrift`, and the Thrift compact protocol.

use mainstay_core::{Error, Result};

use crate::source::Source;

/// The largest footer that is read.
const MAX_FOOTER_BYTES: u64 = 256 * 1024 * 1024;
/// The deepest schema; every list and map takes two or three levels.
const MAX_DEPTH: usize = 128;
/// The deepest nesting of values that are only skipped.
const MAX_SKIP_DEPTH: u32 = 32;

/// Checks that `source` ends in a Parquet footer whose schema is a tree of reasonable depth.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) saying what was found instead.
pub(super) fn check(source: &Source) -> Result<()> {
    let size = source.size();
    let magic_and_tail = 12;
    if size < magic_and_tail {
        return Err(not_parquet(format!("found {size} bytes")));
    }
    let tail = source.read_at(size - 8, 8)?;
    let (length, magic) = tail.split_at(4);
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(not_parquet("found an encrypted footer")),
        other => {
            return Err(not_parquet(format!(
                "found {} instead of PAR1 at the end",
                other.escape_ascii()
            )));
        }
    }
    let length = length
        .iter()
        .rev()
        .fold(0_u64, |n, b| n << 8 | u64::from(*b));
    if length > size - magic_and_tail {
        return Err(not_parquet(format!(
            "the footer claims {length} bytes of a file of {size}"
        )));
    }
    if length > MAX_FOOTER_BYTES {
        return Err(not_parquet(format!(
            "the footer of {length} bytes is larger than {MAX_FOOTER_BYTES}"
        )));
    }
    // A footer of at most 256 MiB fits a usize.
    let footer = source.read_at(size - 8 - length, usize::try_from(length).unwrap_or(0))?;
    check_schema(&footer).ok_or_else(|| not_parquet("the footer's schema is malformed"))
}

fn not_parquet(found: impl std::fmt::Display) -> Error {
    Error::invalid(format!("not a Parquet file: {found}"))
}

/// What a Thrift value should be.
#[derive(Clone, Copy)]
enum Shape {
    Bool,
    Byte,
    I32,
    Text,
    /// A struct or union; fields that are not named are skipped by their declared type.
    Struct(&'static [(i16, Shape)]),
}

const EMPTY: Shape = Shape::Struct(&[]);
const UNIT: Shape = Shape::Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
const TIME: Shape = Shape::Struct(&[(1, Shape::Bool), (2, UNIT)]);
const LOGICAL_TYPE: Shape = Shape::Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Shape::Struct(&[(1, Shape::I32), (2, Shape::I32)])),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, Shape::Struct(&[(1, Shape::Byte), (2, Shape::Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Shape::Struct(&[(1, Shape::Byte)])),
    (17, Shape::Struct(&[(1, Shape::Text)])),
    (18, Shape::Struct(&[(1, Shape::Text), (2, Shape::I32)])),
]);
const NUM_CHILDREN: i16 = 5;
const SCHEMA_ELEMENT: &[(i16, Shape)] = &[
    (1, Shape::I32),
    (2, Shape::I32),
    (3, Shape::I32),
    (4, Shape::Text),
    (NUM_CHILDREN, Shape::I32),
    (6, Shape::I32),
    (7, Shape::I32),
    (8, Shape::I32),
    (9, Shape::I32),
    (10, LOGICAL_TYPE),
];

/// Walks `version` and `schema`, the first two fields of a footer; `None` when they are malformed.
///
/// Declared types must be those of the format: a decoder that trusts field numbers alone then reads
/// exactly what is read here.
fn check_schema(footer: &[u8]) -> Option<()> {
    let mut cursor = Cursor(footer);
    let version = cursor.field(0)?;
    if version != (1, I32) {
        return None;
    }
    cursor.varint()?;
    if cursor.field(version.0)? != (2, LIST) {
        return None;
    }
    let (count, element) = cursor.list()?;
    if element != STRUCT {
        return None;
    }
    check_tree(&mut cursor, count)
}

/// Walks the schema elements, which list a tree depth first.
fn check_tree(cursor: &mut Cursor<'_>, count: usize) -> Option<()> {
    // How many children each open node still waits for.
    let mut open: Vec<usize> = Vec::new();
    for index in 0..count {
        let children = cursor.schema_element()?;
        if children > count - index - 1 {
            return None;
        }
        if let Some(waiting) = open.last_mut() {
            *waiting -= 1;
        } else if index > 0 {
            return None;
        }
        open.push(children);
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > MAX_DEPTH {
            return None;
        }
    }
    open.is_empty().then_some(())
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// Reads the Thrift compact protocol; `None` at the end of the bytes and for what it does not know.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip_bytes(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
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

    fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// Reads the number and type of the next field; the type is 0 at the end of a struct.
    fn field(&mut self, previous: i16) -> Option<(i16, u8)> {
        let header = self.byte()?;
        let (delta, kind) = (header >> 4, header & 0xf);
        if kind == 0 {
            return Some((0, 0));
        }
        let id = if delta == 0 {
            i16::try_from(self.zigzag()?).ok()?
        } else {
            previous.checked_add(i16::from(delta))?
        };
        Some((id, kind))
    }

    /// Reads the count and type of a list's elements; no list is longer than the bytes left.
    fn list(&mut self) -> Option<(usize, u8)> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            short => usize::from(short),
        };
        (count <= self.0.len()).then_some((count, header & 0xf))
    }

    /// Walks one schema element and returns how many children it claims.
    fn schema_element(&mut self) -> Option<usize> {
        let (mut id, mut kind);
        let (mut children, mut previous) = (0, 0);
        loop {
            (id, kind) = self.field(previous)?;
            if kind == 0 {
                return Some(children);
            }
            if id == NUM_CHILDREN && kind == I32 {
                children = usize::try_from(self.zigzag()?).ok()?;
            } else {
                self.known_or_skipped(SCHEMA_ELEMENT, id, kind)?;
            }
            previous = id;
        }
    }

    fn known_or_skipped(&mut self, shapes: &[(i16, Shape)], id: i16, kind: u8) -> Option<()> {
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
                    if kind == 0 {
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
                    if kind == 0 {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A footer whose schema is a chain of groups, each the only child of the one before.
    fn chain(length: usize, children: u8) -> Vec<u8> {
        let mut footer = vec![0x15, 0x02, 0x19, 0xfc];
        let mut count = length;
        while count >= 0x80 {
            footer.push(u8::try_from(count & 0x7f).unwrap() | 0x80);
            count >>= 7;
        }
        footer.push(u8::try_from(count).unwrap());
        for index in 0..length {
            let claimed = if index + 1 < length { children } else { 0 };
            // 4: name "a", 5: children, stop.
            footer.extend_from_slice(&[0x48, 1, b'a', 0x15, claimed << 1, 0]);
        }
        footer
    }

    #[test]
    fn a_schema_of_reasonable_depth_passes_and_a_deep_one_does_not() {
        assert!(check_schema(&chain(1, 0)).is_some());
        assert!(check_schema(&chain(100, 1)).is_some());
        assert!(check_schema(&chain(100_000, 1)).is_none());
    }

    #[test]
    fn a_node_with_more_children_than_elements_is_refused() {
        assert!(check_schema(&chain(3, 60)).is_none());
    }

    #[test]
    fn a_field_of_another_type_than_the_format_says_is_refused() {
        let mut footer = chain(2, 1);
        // The version declared as a string.
        footer[0] = 0x18;
        assert!(check_schema(&footer).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_or_refused(bytes: Vec<u8>) {
            let _outcome = check_schema(&bytes);
        }

        #[test]
        fn any_mutation_is_walked_or_refused(at in 0_usize..60, byte: u8) {
            let mut footer = chain(10, 1);
            footer[at] = byte;
            let _outcome = check_schema(&footer);
        }
    }
}
