//! The canonical bytes of numbers that lie in memory almost as they are hashed.

/// A value with one spelling in bytes: little-endian, one NaN.
pub(super) trait Canonical: Copy {
    type Bytes: AsRef<[u8]>;

    fn canonical(self) -> Self::Bytes;

    /// Reports whether the value's little-endian bytes are its canonical ones.
    fn is_canonical(self) -> bool;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Canonical for $type {
            type Bytes = [u8; size_of::<$type>()];

            fn canonical(self) -> Self::Bytes {
                self.to_le_bytes()
            }

            fn is_canonical(self) -> bool {
                true
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Canonical for $type {
            type Bytes = [u8; size_of::<$type>()];

            fn canonical(self) -> Self::Bytes {
                if self.is_nan() {
                    // Quiet, sign and payload clear.
                    <$type>::from_bits(<$type>::INFINITY.to_bits() | 1 << (<$type>::MANTISSA_DIGITS - 2))
                        .to_le_bytes()
                } else {
                    self.to_le_bytes()
                }
            }

            fn is_canonical(self) -> bool {
                !self.is_nan()
            }
        }
    )*};
}

floats!(f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nan_is_one_and_the_zeros_are_two() {
        let payload = f64::from_bits(0xfff0_0000_0000_0001);
        assert_eq!(payload.canonical(), 0x7ff8_0000_0000_0000_u64.to_le_bytes());
        assert_eq!(f32::NAN.canonical(), 0x7fc0_0000_u32.to_le_bytes());
        assert_ne!(0.0_f64.canonical(), (-0.0_f64).canonical());
    }
}
