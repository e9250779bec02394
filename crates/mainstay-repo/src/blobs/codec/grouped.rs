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

/// Puts one group's bytes back in their places.
fn merge<const WIDTH: usize>(group: &[u8], place: usize, bytes: &mut [u8]) {
    let (numbers, rest) = bytes.as_chunks_mut::<WIDTH>();
    for (number, from) in numbers.iter_mut().zip(group) {
        number[place] = *from;
    }
    if let (Some(byte), Some(last)) = (rest.get_mut(place), group.last()) {
        *byte = *last;
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
    mut decompress: impl FnMut(&[u8], &mut [u8]) -> Option<()>,
) -> Result<(), Damage> {
    let broken = || Damage::Broken("does not decompress");
    let (lengths, mut stored) = stored.split_at_checked(width * LENGTH).ok_or_else(broken)?;
    let mut scratch = vec![0; group_len(bytes.len(), width, 0)];
    for (place, length) in lengths.as_chunks::<LENGTH>().0.iter().enumerate() {
        let (from, rest) = stored
            .split_at_checked(u32::from_le_bytes(*length) as usize)
            .ok_or_else(broken)?;
        stored = rest;
        let len = group_len(bytes.len(), width, place);
        let group = if from.len() == len {
            from
        } else {
            let group = &mut scratch[..len];
            decompress(from, group).ok_or_else(broken)?;
            group
        };
        match width {
            2 => merge::<2>(group, place, bytes),
            _ => merge::<4>(group, place, bytes),
        }
    }
    if stored.is_empty() {
        Ok(())
    } else {
        Err(broken())
    }
}
