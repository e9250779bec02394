//! Bytes that tell whether they are whole.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Failure;
use crate::mix::mix;

/// Makes `len` bytes, at least 16, of which every part depends on `id` and the whole on `len`.
pub(super) fn payload(id: u64, len: usize) -> Bytes {
    let mut bytes = BytesMut::with_capacity(len.max(16));
    bytes.put_u64(id);
    bytes.put_u64(len.max(16) as u64);
    let mut word = mix(id ^ mix(len as u64));
    while bytes.len() < len {
        word = mix(word);
        let wanted = (len - bytes.len()).min(8);
        bytes.extend_from_slice(word.to_be_bytes().get(..wanted).unwrap_or_default());
    }
    bytes.freeze()
}

/// Returns the id of a payload, or a failure when the bytes are not one whole payload.
pub(super) fn id_of(bytes: &[u8]) -> Result<u64, Failure> {
    let torn = || Failure::new(format!("{} bytes that nobody wrote together", bytes.len()));
    let id = bytes
        .first_chunk()
        .map(|id| u64::from_be_bytes(*id))
        .ok_or_else(torn)?;
    if payload(id, bytes.len()) == bytes {
        Ok(id)
    } else {
        Err(torn())
    }
}

/// Returns the length that the first 16 bytes of a payload tell.
pub(super) fn len_in(head: &[u8]) -> Option<u64> {
    let len = head.get(8..)?.first_chunk()?;
    Some(u64::from_be_bytes(*len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_payloads_are_told_from_torn_and_mixed_ones() {
        for len in [16, 17, 31, 1000] {
            assert_eq!(id_of(&payload(7, len)).unwrap(), 7);
        }
        let (a, b) = (payload(7, 100), payload(8, 100));
        assert!(id_of(&a[..99]).is_err());
        assert!(id_of(&a[..5]).is_err());
        assert!(id_of(&[&a[..50], &b[50..]].concat()).is_err());
        assert!(id_of(&[&payload(7, 101)[..50], &a[50..]].concat()).is_err());
    }
}
