//! Byte grouping: the first bytes of all numbers, then their second bytes, and so on.
//!
//! Of weights, the bytes that hold sign and exponent take few values and shrink to less than half; the
//! rest of the mantissa is noise. Apart from each other the former are entropy-coded at the speed of
//! memory and the latter are copied.
//!
//! ```text
//! lengths   of each group as stored; 4 bytes, little endian
//! groups    one after the other: raw where the stored length is that of the group, else one Zstandard frame
//! ```

use crate::blobs::damage::Damage;

/// The bytes of a stored length.
const LENGTH: usize = 4;

/// How many bytes of `len` are in the group of the numbers' bytes `place`.
fn group_len(len: usize, width: usize, place: usize) -> usize {
    len.saturating_sub(place).div_ceil(width)
}

/// Divides `bytes` into groups that lie one after the other in `groups`, which is as long.
fn split<const WIDTH: usize>(bytes: &[u8], mut groups: &mut [u8]) {
    let (numbers, rest) = bytes.as_chunks::<WIDTH>();
    for place in 0..WIDTH {
        let (group, others) = groups.split_at_mut(group_len(bytes.len(), WIDTH, place));
        for (to, number) in group.iter_mut().zip(numbers) {
            *to = number[place];
        }
        if let (Some(last), Some(byte)) = (group.last_mut(), rest.get(place)) {
            *last = *byte;
        }
        groups = others;
    }
}

/// Puts the bytes of numbers of two bytes back in their places.
fn join_2([first, second]: [&[u8]; 2], bytes: &mut [u8]) {
    let (numbers, rest) = bytes.as_chunks_mut::<2>();
    for ((number, a), b) in numbers.iter_mut().zip(first).zip(second) {
        *number = [*a, *b];
    }
    if let (Some(byte), Some(last)) = (rest.first_mut(), first.last()) {
        *byte = *last;
    }
}

/// Puts the bytes of numbers of four bytes back in their places.
fn join_4(groups: [&[u8]; 4], bytes: &mut [u8]) {
    let (numbers, rest) = bytes.as_chunks_mut::<4>();
    let [first, second, third, fourth] = groups;
    let halves = first.iter().zip(second).zip(third.iter().zip(fourth));
    for (number, ((a, b), (c, d))) in numbers.iter_mut().zip(halves) {
        // Shifts compile to vector instructions, an array of four bytes does not.
        let [a, b, c, d] = [a, b, c, d].map(|byte| u32::from(*byte));
        *number = (a | b << 8 | c << 16 | d << 24).to_le_bytes();
    }
    for (byte, group) in rest.iter_mut().zip(groups) {
        if let Some(last) = group.last() {
            *byte = *last;
        }
    }
}

/// Compresses the groups of `bytes` that `promising` says will shrink, into `stored`.
///
/// `compress` writes what it makes of its first argument into the second, if that fits.
pub(super) fn encode(
    bytes: &[u8],
    promising: &[bool],
    scratch: &mut Vec<u8>,
    stored: &mut Vec<u8>,
    mut compress: impl FnMut(&[u8], &mut [u8]) -> Option<usize>,
) {
    let width = promising.len();
    scratch.resize(bytes.len(), 0);
    match width {
        2 => split::<2>(bytes, scratch),
        _ => split::<4>(bytes, scratch),
    }
    stored.resize(width * LENGTH + bytes.len(), 0);
    let (mut from, mut to) = (0, width * LENGTH);
    for (place, promising) in promising.iter().enumerate() {
        let group = &scratch[from..from + group_len(bytes.len(), width, place)];
        // Room for anything that is smaller than the group.
        let room = to..to + group.len().saturating_sub(1);
        let shrunk = promising
            .then(|| compress(group, &mut stored[room]))
            .flatten();
        let len = shrunk.unwrap_or_else(|| {
            stored[to..to + group.len()].copy_from_slice(group);
            group.len()
        });
        // A chunk is shorter than 2^32 bytes.
        let encoded = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        stored[place * LENGTH..][..LENGTH].copy_from_slice(&encoded);
        from += group.len();
        to += len;
    }
    stored.truncate(to);
}

/// Restores bytes of exactly the length of `bytes`.
///
/// `decompress` fills its second argument with what it makes of the first, or says no.
pub(super) fn decode(
    stored: &[u8],
    width: usize,
    bytes: &mut [u8],
    decompress: impl FnMut(&[u8], &mut [u8]) -> Option<()>,
) -> Result<(), Damage> {
    let (len, mut scratch) = (bytes.len(), Vec::new());
    let restored = match width {
        2 => groups(stored, len, &mut scratch, decompress).map(|groups| join_2(groups, bytes)),
        _ => groups(stored, len, &mut scratch, decompress).map(|groups| join_4(groups, bytes)),
    };
    restored.ok_or(Damage::Broken("does not decompress"))
}

/// Finds the groups of `len` bytes: where they are stored, or in `scratch` those that were compressed.
fn groups<'b, const WIDTH: usize>(
    stored: &'b [u8],
    len: usize,
    scratch: &'b mut Vec<u8>,
    mut decompress: impl FnMut(&[u8], &mut [u8]) -> Option<()>,
) -> Option<[&'b [u8]; WIDTH]> {
    let (lengths, mut stored) = stored.split_at_checked(WIDTH * LENGTH)?;
    let mut groups: [&[u8]; WIDTH] = [&[]; WIDTH];
    let mut compressed = 0;
    for (place, length) in lengths.as_chunks::<LENGTH>().0.iter().enumerate() {
        let length = u32::from_le_bytes(*length) as usize;
        (groups[place], stored) = stored.split_at_checked(length)?;
        let restored = group_len(len, WIDTH, place);
        if length != restored {
            compressed += restored;
        }
    }
    scratch.resize(compressed, 0);
    let mut room = scratch.as_mut_slice();
    for (place, group) in groups.iter_mut().enumerate() {
        let restored = group_len(len, WIDTH, place);
        if group.len() != restored {
            let (to, others) = room.split_at_mut(restored);
            decompress(group, to)?;
            (*group, room) = (to, others);
        }
    }
    stored.is_empty().then_some(groups)
}
