//! What a pack is named by, and its records one after the other.

use super::{FOOTER_LEN, Footer, HEADER_LEN, PLAIN, PackId, check_header};
use crate::blobs::damage::Damage;
use crate::blobs::record::{Entry, Header};

/// Returns the name of a pack by all of its bytes, which must end in a footer.
pub(crate) fn name(bytes: &[u8]) -> Result<PackId, Damage> {
    if check_header(bytes)? == PLAIN {
        return Ok(PackId(*blake3::hash(bytes).as_bytes()));
    }
    let Some(end) = bytes.len().checked_sub(FOOTER_LEN) else {
        return Err(Damage::Broken("pack ends too early"));
    };
    let footer = Footer::decode(&bytes[end..], bytes.len() as u64)?;
    let hash = |_: &Header, stored: &[u8]| *blake3::hash(stored).as_bytes();
    name_by(bytes, footer.directory_offset as usize, hash)
}

/// Returns the name of a pack whose records end at a place, of which `hash` tells the BLAKE3 of their stored
/// bytes.
///
/// Records are hashed one by one so that a writer need not hash again what it knows by its hash.
pub(super) fn name_by(
    bytes: &[u8],
    records_end: usize,
    mut hash: impl FnMut(&Header, &[u8]) -> [u8; 32],
) -> Result<PackId, Damage> {
    let mut name = blake3::Hasher::new();
    let mut named = |piece: Option<&[u8]>| {
        let piece = piece.ok_or(Damage::Broken("pack ends too early"))?;
        name.update(piece);
        Ok(())
    };
    named(bytes.get(..HEADER_LEN))?;
    for entry in records(bytes, records_end) {
        let entry = entry?;
        let stored = entry.offset as usize + Header::LEN;
        let end = stored + entry.header.stored_len as usize;
        named(bytes.get(entry.offset as usize..stored))?;
        named(Some(&hash(
            &entry.header,
            bytes.get(stored..end).unwrap_or_default(),
        )))?;
    }
    named(bytes.get(records_end..))?;
    Ok(PackId(*name.finalize().as_bytes()))
}

/// The records of a pack that follow each other from the header to `end`, up to the first that is broken.
pub(crate) fn records(bytes: &[u8], end: usize) -> impl Iterator<Item = Result<Entry, Damage>> {
    let bytes = bytes.get(..end).unwrap_or(bytes);
    let mut next = Some(HEADER_LEN);
    std::iter::from_fn(move || {
        let offset = next.take().filter(|offset| *offset < bytes.len())?;
        let record = record(bytes, offset);
        if let Ok(entry) = &record {
            next = usize::try_from(entry.end()).ok();
        }
        Some(record)
    })
}

fn record(bytes: &[u8], offset: usize) -> Result<Entry, Damage> {
    let early = Damage::Broken("record ends too early");
    let header = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    let entry = Entry {
        header: Header::decode(header.ok_or(early)?)?,
        offset: u32::try_from(offset).map_err(|_| Damage::Broken("longer than a pack may be"))?,
    };
    if entry.end() > bytes.len() as u64 {
        return Err(early);
    }
    Ok(entry)
}
