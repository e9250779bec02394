//! The values of an Arrow array by slot, free of its encoding.
//!
//! Dictionaries, runs, offsets and views are looked through one slot at a time, so a small array that
//! stands for a huge one is never unfolded in memory.

use arrow::array::{
    Array, BooleanArray, FixedSizeBinaryArray, GenericByteArray, GenericByteViewArray,
    PrimitiveArray,
};
use arrow::datatypes::{ArrowPrimitiveType, ByteArrayType, ByteViewType, i256};

mod build;
mod canonical;
mod nested;

pub(crate) use build::slots;
use canonical::Canonical;

use crate::digest::ByteSink;

/// The values of a column by slot.
pub(crate) trait Slots {
    /// Reports whether a slot holds no value.
    fn is_null(&self, slot: usize) -> bool;

    /// Returns the length of a valid slot, in bytes or elements; `None` when the type has no length.
    fn length(&self, slot: usize) -> Option<u64>;

    /// Writes the canonical bytes of a valid slot, without its length.
    fn write(&self, slot: usize, out: &mut dyn ByteSink);

    /// Returns the value of a valid slot for statistics.
    fn scalar(&self, slot: usize) -> Scalar<'_>;

    /// Returns the canonical bytes of all slots in one piece, when they lie in memory like that and
    /// none is null.
    fn contiguous(&self) -> Option<&[u8]>;
}

/// A value as statistics see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    /// Integers, and times in the unit of their column.
    Int(i128),
    Float(f64),
    /// The unscaled value.
    Decimal(i256),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Nested values and intervals, which have no order.
    Other,
}

/// Writes a cell so that cells in a row need nothing between them: a byte for null or not, the length
/// where the type has one, the value.
pub(crate) fn write_cell(slots: &dyn Slots, slot: usize, out: &mut dyn ByteSink) {
    if slots.is_null(slot) {
        out.write(&[0]);
        return;
    }
    out.write(&[1]);
    if let Some(length) = slots.length(slot) {
        out.write_varint(length);
    }
    slots.write(slot, out);
}

pub(super) struct NullSlots;

#[deny(clippy::missing_trait_methods)]
impl Slots for NullSlots {
    fn is_null(&self, _slot: usize) -> bool {
        true
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, _slot: usize, _out: &mut dyn ByteSink) {}

    fn scalar(&self, _slot: usize) -> Scalar<'_> {
        Scalar::Other
    }

    fn contiguous(&self) -> Option<&[u8]> {
        None
    }
}

#[deny(clippy::missing_trait_methods)]
impl Slots for BooleanArray {
    fn is_null(&self, slot: usize) -> bool {
        Array::is_null(self, slot)
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(&[u8::from(self.value(slot))]);
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        Scalar::Bool(self.value(slot))
    }

    fn contiguous(&self) -> Option<&[u8]> {
        None
    }
}

/// Numbers that lie in memory almost as they are hashed.
pub(super) struct PrimitiveSlots<'a, T: ArrowPrimitiveType> {
    array: &'a PrimitiveArray<T>,
    scalar: fn(T::Native) -> Scalar<'static>,
}

#[deny(clippy::missing_trait_methods)]
impl<T: ArrowPrimitiveType> Slots for PrimitiveSlots<'_, T>
where
    T::Native: Canonical,
{
    fn is_null(&self, slot: usize) -> bool {
        self.array.is_null(slot)
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(self.array.value(slot).canonical().as_ref());
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        (self.scalar)(self.array.value(slot))
    }

    fn contiguous(&self) -> Option<&[u8]> {
        let values = self.array.values();
        let in_canonical_form = self.array.null_count() == 0
            && cfg!(target_endian = "little")
            && values.iter().all(|value| value.is_canonical());
        in_canonical_form.then(|| {
            let bytes = values.inner().as_slice();
            &bytes[..size_of::<T::Native>() * values.len()]
        })
    }
}

/// Values of a fixed width whose canonical bytes are not those in memory.
pub(super) struct ConvertedSlots<'a, T: ArrowPrimitiveType, const WIDTH: usize> {
    array: &'a PrimitiveArray<T>,
    bytes: fn(T::Native) -> [u8; WIDTH],
    scalar: fn(T::Native) -> Scalar<'static>,
}

#[deny(clippy::missing_trait_methods)]
impl<T: ArrowPrimitiveType, const WIDTH: usize> Slots for ConvertedSlots<'_, T, WIDTH> {
    fn is_null(&self, slot: usize) -> bool {
        self.array.is_null(slot)
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(&(self.bytes)(self.array.value(slot)));
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        (self.scalar)(self.array.value(slot))
    }

    fn contiguous(&self) -> Option<&[u8]> {
        None
    }
}

/// How the bytes of a text or binary value read as a scalar.
trait ByteValue {
    fn bytes(&self) -> &[u8];
    fn scalar(&self) -> Scalar<'_>;
}

impl ByteValue for str {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn scalar(&self) -> Scalar<'_> {
        Scalar::Text(self)
    }
}

impl ByteValue for [u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn scalar(&self) -> Scalar<'_> {
        Scalar::Bytes(self)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: ByteArrayType> Slots for GenericByteArray<T>
where
    T::Native: ByteValue,
{
    fn is_null(&self, slot: usize) -> bool {
        Array::is_null(self, slot)
    }

    fn length(&self, slot: usize) -> Option<u64> {
        Some(self.value(slot).bytes().len() as u64)
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(self.value(slot).bytes());
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        self.value(slot).scalar()
    }

    fn contiguous(&self) -> Option<&[u8]> {
        use arrow::datatypes::ArrowNativeType as _;
        if self.null_count() > 0 {
            return None;
        }
        let offsets = self.value_offsets();
        let (first, last) = (offsets.first()?.as_usize(), offsets.last()?.as_usize());
        self.value_data().get(first..last)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: ByteViewType> Slots for GenericByteViewArray<T>
where
    T::Native: ByteValue,
{
    fn is_null(&self, slot: usize) -> bool {
        Array::is_null(self, slot)
    }

    fn length(&self, slot: usize) -> Option<u64> {
        Some(self.value(slot).bytes().len() as u64)
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(self.value(slot).bytes());
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        self.value(slot).scalar()
    }

    fn contiguous(&self) -> Option<&[u8]> {
        None
    }
}

#[deny(clippy::missing_trait_methods)]
impl Slots for FixedSizeBinaryArray {
    fn is_null(&self, slot: usize) -> bool {
        Array::is_null(self, slot)
    }

    fn length(&self, slot: usize) -> Option<u64> {
        Some(self.value(slot).len() as u64)
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(self.value(slot));
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        Scalar::Bytes(self.value(slot))
    }

    fn contiguous(&self) -> Option<&[u8]> {
        None
    }
}
