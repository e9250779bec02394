//! Sealing and opening the segments of one object.

use std::fmt;

use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::{AeadInOut as _, Aes256GcmSiv, KeyInit as _, Nonce, Tag};
use bytes::Bytes;
use hkdf::Hkdf;
use mainstay_core::{Error, ErrorKind, Result};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::head::{self, HEAD_LEN, Head};
use super::keys::EncryptionKey;
use super::layout;
use crate::Key;

/// Plain bytes of a full segment.
pub(super) const SEGMENT_LEN: usize = 64 * 1024;
/// Length of the tag that ends a segment.
pub(super) const TAG_LEN: usize = 16;

/// After so many segments, about a millisecond of work, the thread's other tasks get a turn.
const SEGMENTS_A_TURN: u64 = 16;

/// The cipher of one object.
///
/// Its key is derived from all that the segments share: the head with its fresh salt, the plain size
/// and the name. So a segment of another object, of another write, or of this one cut or extended
/// does not open, and a nonce, which is the number of a segment, occurs once under each key.
pub(super) struct Envelope<'a> {
    object: &'a Key,
    head: Vec<u8>,
    cipher: Aes256GcmSiv,
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("object", self.object)
            .finish_non_exhaustive()
    }
}

impl<'a> Envelope<'a> {
    pub(super) fn new(
        secret: &EncryptionKey,
        head: &Head,
        object: &'a Key,
        plain_size: u64,
    ) -> Result<Self> {
        let encoded = head.encode();
        let size = plain_size.to_le_bytes();
        let info: [&[u8]; 3] = [&encoded, &size, object.as_str().as_bytes()];
        let mut derived = Zeroizing::new([0_u8; 32]);
        Hkdf::<Sha256>::new(Some(&head.salt), secret.secret())
            .expand_multi_info(&info, derived.as_mut_slice())
            .map_err(|_| internal(object))?;
        Ok(Self {
            object,
            head: encoded,
            cipher: Aes256GcmSiv::new((&*derived).into()),
        })
    }

    /// Encrypts a whole object.
    pub(super) async fn seal(&self, plain: &[u8]) -> Result<Bytes> {
        let stored = layout::stored_size(plain.len() as u64);
        let mut sealed = Vec::with_capacity(usize::try_from(stored).unwrap_or(0));
        // An empty object is one empty segment.
        let empty = plain.is_empty().then_some(plain);
        for (number, segment) in (0..).zip(empty.into_iter().chain(plain.chunks(SEGMENT_LEN))) {
            self.seal_segment(number, segment, &mut sealed)?;
            pause(number).await;
        }
        Ok(sealed.into())
    }

    /// Decrypts the segments from number `first` on.
    pub(super) async fn open(&self, first: u64, segments: &[u8]) -> Result<Bytes> {
        let mut plain = Vec::with_capacity(segments.len());
        let stored_len = HEAD_LEN + SEGMENT_LEN + TAG_LEN;
        for (number, segment) in (first..).zip(segments.chunks(stored_len)) {
            self.open_segment(number, segment, &mut plain)?;
            pause(number).await;
        }
        Ok(plain.into())
    }

    fn seal_segment(&self, number: u64, plain: &[u8], sealed: &mut Vec<u8>) -> Result<()> {
        sealed.extend_from_slice(&self.head);
        let start = sealed.len();
        sealed.extend_from_slice(plain);
        let (_, body) = sealed.split_at_mut(start);
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce(number), &[], InOutBuf::from(body))
            .map_err(|_| internal(self.object))?;
        sealed.extend_from_slice(&tag);
        Ok(())
    }

    fn open_segment(&self, number: u64, segment: &[u8], plain: &mut Vec<u8>) -> Result<()> {
        let altered = || {
            Error::corrupt(
                self.object,
                "the object was altered, or is under another key",
            )
        };
        let (head, rest) = segment.split_at_checked(HEAD_LEN).ok_or_else(altered)?;
        if !head::is_present(head) {
            return Err(layout::not_encrypted(self.object));
        }
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or_else(altered)?;
        if head != self.head {
            return Err(altered());
        }
        let start = plain.len();
        plain.extend_from_slice(body);
        let (_, body) = plain.split_at_mut(start);
        self.cipher
            .decrypt_inout_detached(&nonce(number), &[], InOutBuf::from(body), &Tag::from(*tag))
            .map_err(|_| altered().context("segment", number))
    }
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = Nonce::default();
    for (to, from) in nonce.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    nonce
}

async fn pause(number: u64) {
    if number % SEGMENTS_A_TURN == SEGMENTS_A_TURN - 1 {
        tokio::task::yield_now().await;
    }
}

fn internal(object: &Key) -> Error {
    Error::new(ErrorKind::Internal, "the cipher refused its input").context("object", object)
}
