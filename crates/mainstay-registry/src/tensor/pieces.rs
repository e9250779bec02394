//! Bytes that came in pieces, taken in portions of any size.

use bytes::{Bytes, BytesMut};

/// Bytes that came in pieces of any size.
#[derive(Debug)]
pub(super) struct Pieces {
    held: Bytes,
    rest: std::vec::IntoIter<Bytes>,
}

impl Pieces {
    pub(super) fn new(pieces: Vec<Bytes>) -> Self {
        Self {
            held: Bytes::new(),
            rest: pieces.into_iter(),
        }
    }

    /// Takes the next bytes, of which there are as many; copies only what lies in several pieces.
    pub(super) fn take(&mut self, bytes: usize) -> Bytes {
        let first = self.take_held(bytes);
        if first.len() == bytes {
            return first;
        }
        let mut joined = BytesMut::with_capacity(bytes);
        joined.extend_from_slice(&first);
        while joined.len() < bytes {
            let more = self.take_held(bytes - joined.len());
            if more.is_empty() {
                break;
            }
            joined.extend_from_slice(&more);
        }
        joined.freeze()
    }

    /// Takes as many of the next bytes as lie in one piece.
    fn take_held(&mut self, most: usize) -> Bytes {
        while self.held.is_empty() {
            let Some(piece) = self.rest.next() else {
                return Bytes::new();
            };
            self.held = piece;
        }
        self.held.split_to(most.min(self.held.len()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn portions_are_the_bytes_whatever_the_pieces(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..9),
            portion in 1_usize..12,
        ) {
            let whole = pieces.concat();
            let mut taken = Pieces::new(pieces.into_iter().map(Bytes::from).collect());
            for expected in whole.chunks(portion) {
                prop_assert_eq!(&taken.take(expected.len())[..], expected);
            }
            prop_assert!(taken.take(1).is_empty());
        }
    }
}
