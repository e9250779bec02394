//! The key of a unit and its hash.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

// Keys up to this length are hashed in one piece; xxh3 has its fast path there.
const STACK_BYTES: usize = 240;

// The longest LEB128 form of a 64-bit length.
const MAX_VARINT_BYTES: usize = 10;

/// Encodes the part of the key that is the same for every unit.
pub(super) fn prefix(namespace: &str, salt: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(namespace.len() + salt.len() + 2);
    for field in [namespace, salt] {
        let mut buffer = [0; MAX_VARINT_BYTES];
        bytes.extend_from_slice(varint(field.len(), &mut buffer));
        bytes.extend_from_slice(field.as_bytes());
    }
    bytes
}

/// Hashes the prefix and the unit to a position.
pub(super) fn bucket(prefix: &[u8], unit: &str) -> u64 {
    let mut buffer = [0; MAX_VARINT_BYTES];
    let length = varint(unit.len(), &mut buffer);
    let parts = [prefix, length, unit.as_bytes()];

    let mut stack = [0; STACK_BYTES];
    let mut rest = &mut stack[..];
    for part in parts {
        let Some((head, tail)) = rest.split_at_mut_checked(part.len()) else {
            return stream(parts);
        };
        head.copy_from_slice(part);
        rest = tail;
    }
    let unused = rest.len();
    xxh3_64(&stack[..STACK_BYTES - unused])
}

fn stream(parts: [&[u8]; 3]) -> u64 {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.digest()
}

/// Encodes a length as unsigned LEB128: seven bits a byte, low bits first.
fn varint(length: usize, buffer: &mut [u8; MAX_VARINT_BYTES]) -> &[u8] {
    let mut rest = length;
    let mut used = 0;
    for byte in buffer.iter_mut() {
        used += 1;
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            *byte = low;
            break;
        }
        *byte = low | 0x80;
    }
    &buffer[..used]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_leb128() {
        for (length, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (300, &[0xac, 0x02]),
            (16_384, &[0x80, 0x80, 0x01]),
        ] {
            assert_eq!(varint(length, &mut [0; MAX_VARINT_BYTES]), bytes);
        }
        assert_eq!(varint(usize::MAX, &mut [0; MAX_VARINT_BYTES]).len(), 10);
    }

    #[test]
    fn fields_cannot_run_into_each_other() {
        assert_ne!(prefix("ab", "c"), prefix("a", "bc"));
        assert_ne!(
            bucket(&prefix("a", "b"), "c"),
            bucket(&prefix("a", ""), "bc")
        );
    }

    #[test]
    fn a_key_hashes_alike_on_the_stack_and_streamed() {
        let prefix = prefix("namespace", "salt");
        for length in [
            0, 1, 100, 127, 128, 200, 223, 224, 225, 226, 240, 1_000, 100_000,
        ] {
            let unit = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let mut buffer = [0; MAX_VARINT_BYTES];
            let parts = [
                &prefix[..],
                varint(unit.len(), &mut buffer),
                unit.as_bytes(),
            ];
            assert_eq!(bucket(&prefix, &unit), stream(parts), "{length}");
            assert_eq!(bucket(&prefix, &unit), xxh3_64(&parts.concat()), "{length}");
        }
    }

    #[test]
    fn the_hash_is_xxh3_with_seed_zero() {
        // The published value for the empty input.
        assert_eq!(xxh3_64(b""), 0x2d06_8005_38d3_94c2);
    }
}
