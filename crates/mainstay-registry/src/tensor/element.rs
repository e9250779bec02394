//! The element types of safetensors.

use std::fmt;
use std::str::FromStr;

use mainstay_core::{Error, ErrorKind, Result};
use serde::{Serialize, Serializer};

macro_rules! element_types {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $bits:literal;)*) => {
        /// The type of the elements of a tensor; printed as safetensors spells it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ElementType {
            $($(#[$doc])* $variant,)*
        }

        impl ElementType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the printed form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Returns how many bits an element has.
            #[must_use]
            pub const fn bits(self) -> u64 {
                match self {
                    $(Self::$variant => $bits,)*
                }
            }
        }
    };
}

element_types! {
    /// True or false, a byte each.
    Bool = "BOOL", 8;
    /// OCP Microscaling E2M1, two in a byte.
    F4 = "F4", 4;
    /// OCP Microscaling E2M3, four in three bytes.
    F6E2M3 = "F6_E2M3", 6;
    /// OCP Microscaling E3M2, four in three bytes.
    F6E3M2 = "F6_E3M2", 6;
    /// Unsigned, 8 bits.
    U8 = "U8", 8;
    /// Signed, 8 bits.
    I8 = "I8", 8;
    /// Five bits of exponent, with infinities and NaN.
    F8E5M2 = "F8_E5M2", 8;
    /// Four bits of exponent, no infinity; the greatest magnitude is NaN.
    F8E4M3 = "F8_E4M3", 8;
    /// A power of two; 255 is NaN.
    F8E8M0 = "F8_E8M0", 8;
    /// Four bits of exponent, no infinity, no negative zero, whose place NaN takes.
    F8E4M3Fnuz = "F8_E4M3FNUZ", 8;
    /// Five bits of exponent, no infinity, no negative zero, whose place NaN takes.
    F8E5M2Fnuz = "F8_E5M2FNUZ", 8;
    /// Signed, 16 bits.
    I16 = "I16", 16;
    /// Unsigned, 16 bits.
    U16 = "U16", 16;
    /// IEEE 754 half precision.
    F16 = "F16", 16;
    /// The upper half of a single.
    Bf16 = "BF16", 16;
    /// Signed, 32 bits.
    I32 = "I32", 32;
    /// Unsigned, 32 bits.
    U32 = "U32", 32;
    /// IEEE 754 single precision.
    F32 = "F32", 32;
    /// Two singles: real and imaginary part.
    C64 = "C64", 64;
    /// IEEE 754 double precision.
    F64 = "F64", 64;
    /// Signed, 64 bits.
    I64 = "I64", 64;
    /// Unsigned, 64 bits.
    U64 = "U64", 64;
}

impl ElementType {
    /// Counts the bytes of a tensor of this shape; `None` when they are not whole or more than a `u64`
    /// counts.
    #[must_use]
    pub fn bytes_of(self, shape: &[u64]) -> Option<u64> {
        let mut elements = shape.iter().copied();
        let elements = elements.try_fold(1_u64, u64::checked_mul)?;
        let bits = elements.checked_mul(self.bits())?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    /// The fewest bytes that hold whole elements.
    pub(super) const fn unit(self) -> usize {
        match self.bits() {
            6 => 3,
            16 => 2,
            32 => 4,
            64 => 8,
            _ => 1,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ElementType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut known = Self::ALL.iter().copied();
        known.find(|known| known.as_str() == text).ok_or_else(|| {
            let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
            Error::new(ErrorKind::Unsupported, "unknown type of elements").context("dtype", shown)
        })
    }
}

impl Serialize for ElementType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
