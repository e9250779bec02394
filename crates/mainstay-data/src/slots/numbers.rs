//! From an array of numbers to its slots.

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type,
    Float32Type, Float64Type, i256,
};

use super::Scalar;
use super::build::Boxed;
use super::canonical::Canonical;
use super::primitive::{ConvertedSlots, PrimitiveSlots};
use crate::digest::Profile;

/// Opens values that lie in memory almost as they are hashed.
pub(super) fn primitive<T>(
    array: &dyn Array,
    scalar: impl Fn(T::Native) -> Scalar<'static> + 'static,
) -> Boxed<'_>
where
    T: ArrowPrimitiveType,
    T::Native: Canonical,
{
    Box::new(PrimitiveSlots {
        array: array.as_primitive::<T>(),
        scalar,
    })
}

/// Opens values of other bytes than those in memory.
pub(super) fn converted<T: ArrowPrimitiveType, const WIDTH: usize>(
    array: &dyn Array,
    bytes: impl Fn(T::Native) -> [u8; WIDTH] + 'static,
    scalar: impl Fn(T::Native) -> Scalar<'static> + 'static,
) -> Boxed<'_> {
    Box::new(ConvertedSlots {
        array: array.as_primitive::<T>(),
        bytes,
        scalar,
    })
}

/// Opens integers.
pub(super) fn integer<T>(array: &dyn Array, profile: Profile) -> Boxed<'_>
where
    T: ArrowPrimitiveType,
    T::Native: Canonical + Into<i128>,
{
    scaled::<T, 1>(array, profile)
}

/// Opens integers that count something of which `FACTOR` semantic ones are one.
pub(super) fn scaled<T, const FACTOR: i128>(array: &dyn Array, profile: Profile) -> Boxed<'_>
where
    T: ArrowPrimitiveType,
    T::Native: Canonical + Into<i128>,
{
    let scalar = |value: T::Native| Scalar::Int(value.into());
    match profile {
        Profile::Strict => primitive::<T>(array, scalar),
        // No overflow: values of 64 bits, factors of 30.
        Profile::Semantic => {
            converted::<T, 16>(array, |value| (value.into() * FACTOR).to_le_bytes(), scalar)
        }
    }
}

/// Opens floats of 16 bits.
pub(super) fn float16(array: &dyn Array, profile: Profile) -> Boxed<'_> {
    match profile {
        Profile::Strict => converted::<Float16Type, 2>(
            array,
            |value| {
                let bits = value.to_bits();
                if value.is_nan() { 0x7e00 } else { bits }.to_le_bytes()
            },
            |value| Scalar::Float(value.to_f64()),
        ),
        Profile::Semantic => converted::<Float16Type, 8>(
            array,
            |value| one_zero(value.to_f64()),
            |value| Scalar::Float(value.to_f64()),
        ),
    }
}

/// Opens floats of 32 bits.
pub(super) fn float32(array: &dyn Array, profile: Profile) -> Boxed<'_> {
    let scalar = |value: f32| Scalar::Float(value.into());
    match profile {
        Profile::Strict => primitive::<Float32Type>(array, scalar),
        Profile::Semantic => {
            converted::<Float32Type, 8>(array, |value| one_zero(value.into()), scalar)
        }
    }
}

/// Opens floats of 64 bits.
pub(super) fn float64(array: &dyn Array, profile: Profile) -> Boxed<'_> {
    match profile {
        Profile::Strict => primitive::<Float64Type>(array, Scalar::Float),
        Profile::Semantic => converted::<Float64Type, 8>(array, one_zero, Scalar::Float),
    }
}

fn one_zero(value: f64) -> [u8; 8] {
    // The sum of the two zeros is the positive one; every other value stays.
    (value + 0.0).canonical()
}

/// Opens decimals, widened to 256 bits so that their width does not matter.
macro_rules! decimal {
    ($name:ident, $type:ty, $widen:expr) => {
        pub(super) fn $name(array: &dyn Array) -> Boxed<'_> {
            const WIDEN: fn(<$type as ArrowPrimitiveType>::Native) -> i256 = $widen;
            converted::<$type, 32>(
                array,
                |value| WIDEN(value).to_le_bytes(),
                |value| Scalar::Decimal(WIDEN(value)),
            )
        }
    };
}

decimal!(decimal32, Decimal32Type, |value| i256::from_i128(
    value.into()
));
decimal!(decimal64, Decimal64Type, |value| i256::from_i128(
    value.into()
));
decimal!(decimal128, Decimal128Type, i256::from_i128);
decimal!(decimal256, Decimal256Type, |value| value);
