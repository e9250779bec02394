//! One blob on its way into a session: hashed whole on one thread, cut and packed on another.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use bytes::Bytes;
use mainstay_core::{Digest, Error, ErrorKind, Hasher, Result};

use super::StoredBlob;
use super::session::Session;
use super::source::Source;
use crate::blobs::layout::{Cutter, Layout, safetensors};
use crate::blobs::manifest::{
    Body, ChunkRef, ListRef, MAX_CHUNKS, MAX_INLINE, MAX_LISTS, Manifest, encode_list,
};
use crate::blobs::record::RecordId;

/// How many pieces wait between hashing and cutting.
const WAITING_PIECES: usize = 8;

/// Stores a blob; without a layout, one that its beginning tells or none.
pub(super) fn put(
    session: &mut Session,
    mut source: impl Source,
    layout: Option<Layout>,
) -> Result<StoredBlob> {
    let first = source.next()?.unwrap_or_default();
    let second = source.next()?;
    let mut cutting = Cutting::new(session, layout);
    let Some(second) = second else {
        cutting.push(&first)?;
        return cutting.finish(Digest::of(&first));
    };
    let digest = thread::scope(|scope| {
        let (sender, pieces) = sync_channel(WAITING_PIECES);
        let hashing = scope.spawn(move || hash(first, second, source, &sender));
        // Dropping the receiver on an error stops the other thread.
        pieces
            .into_iter()
            .try_for_each(|piece: Bytes| cutting.push(&piece))?;
        hashing
            .join()
            .map_err(|_| Error::new(ErrorKind::Internal, "hashing a blob panicked"))?
    })?;
    cutting.finish(digest)
}

/// Stores a blob that has been read and hashed.
pub(super) fn put_whole(session: &mut Session, bytes: &[u8], digest: Digest) -> Result<StoredBlob> {
    let mut cutting = Cutting::new(session, None);
    cutting.push(bytes)?;
    cutting.finish(digest)
}

fn hash(
    first: Bytes,
    second: Bytes,
    mut source: impl Source,
    pieces: &SyncSender<Bytes>,
) -> Result<Digest> {
    let mut hasher = Hasher::new();
    let mut waiting = Some(second);
    let mut next = Some(first);
    while let Some(piece) = next {
        if pieces.send(piece.clone()).is_err() {
            return Err(Error::new(ErrorKind::Cancelled, "cutting the blob failed"));
        }
        hasher.update(&piece);
        next = match waiting.take() {
            Some(piece) => Some(piece),
            None => source.next()?,
        };
    }
    Ok(hasher.finish())
}

/// A blob being cut.
#[derive(Debug)]
struct Cutting<'s> {
    session: &'s mut Session,
    layout: Option<Layout>,
    /// There is none until the beginning has told the layout.
    cutter: Option<Cutter>,
    size: u64,
    new_bytes: u64,
    /// The beginning, until it is cut.
    head: Vec<u8>,
    /// The beginning of the current chunk, when a piece ended inside it.
    carry: Vec<u8>,
    chunks: Vec<ChunkRef>,
    lists: Vec<ListRef>,
}

impl<'s> Cutting<'s> {
    fn new(session: &'s mut Session, layout: Option<Layout>) -> Self {
        Self {
            session,
            layout,
            cutter: None,
            size: 0,
            new_bytes: 0,
            head: Vec::new(),
            carry: Vec::new(),
            chunks: Vec::new(),
            lists: Vec::new(),
        }
    }

    fn push(&mut self, piece: &[u8]) -> Result<()> {
        self.session.advance(piece.len());
        self.size += piece.len() as u64;
        if self.cutter.is_some() {
            return self.cut(piece);
        }
        self.head.extend_from_slice(piece);
        if self.head.len() > MAX_INLINE && self.head.len() >= self.decisive() {
            self.cut_head()?;
        }
        Ok(())
    }

    /// How many bytes of the beginning decide where to cut.
    fn decisive(&self) -> usize {
        match self.layout {
            Some(_) => 0,
            None => safetensors::header_end(&self.head).unwrap_or(0),
        }
    }

    fn cut_head(&mut self) -> Result<()> {
        let head = std::mem::take(&mut self.head);
        let layout = self.layout.take().or_else(|| {
            let end = safetensors::header_end(&head)?;
            safetensors::layout(head.get(..end)?)
        });
        self.cutter = Some(Cutter::new(layout.unwrap_or_default()));
        self.cut(&head)
    }

    fn cut(&mut self, mut piece: &[u8]) -> Result<()> {
        while let Some(end) = self
            .cutter
            .as_mut()
            .and_then(|cutter| cutter.next_cut(piece))
        {
            let (last, rest) = piece.split_at(end);
            if self.carry.is_empty() {
                self.chunk(last)?;
            } else {
                let mut whole = std::mem::take(&mut self.carry);
                whole.extend_from_slice(last);
                self.chunk(&whole)?;
                whole.clear();
                self.carry = whole;
            }
            piece = rest;
        }
        self.carry.extend_from_slice(piece);
        Ok(())
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        if self.chunks.len() == MAX_CHUNKS {
            self.list()?;
        }
        let address = blake3::hash(bytes);
        if self.session.add(RecordId::chunk(address), bytes)? {
            self.new_bytes += bytes.len() as u64;
        }
        self.chunks.push(ChunkRef {
            address: *address.as_bytes(),
            len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        });
        Ok(())
    }

    /// Stores the chunk references so far as a list.
    fn list(&mut self) -> Result<()> {
        if self.lists.len() == MAX_LISTS {
            return Err(Error::invalid("blob is too large").context("bytes", self.size));
        }
        let bytes = encode_list(&self.chunks);
        let address = blake3::hash(&bytes);
        self.session.add(RecordId::list(address), &bytes)?;
        self.lists.push(ListRef {
            address: *address.as_bytes(),
            chunks: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
            size: self.chunks.iter().map(|chunk| u64::from(chunk.len)).sum(),
        });
        self.chunks.clear();
        Ok(())
    }

    fn finish(mut self, digest: Digest) -> Result<StoredBlob> {
        let is_inline = self.size <= MAX_INLINE as u64;
        if !is_inline && self.cutter.is_none() {
            // Safetensors that end within their header.
            self.cut_head()?;
        }
        if !self.carry.is_empty() {
            let last = std::mem::take(&mut self.carry);
            self.chunk(&last)?;
        }
        let id = RecordId::manifest(&digest);
        if !self.session.holds(&id) {
            if is_inline {
                self.new_bytes = self.size;
            }
            self.manifest(id, digest, is_inline)?;
            // One that was held may name other chunks.
            self.session.vouch(digest);
        }
        let report = &mut self.session.report;
        report.blobs += 1;
        report.logical_bytes += self.size;
        report.new_bytes += self.new_bytes;
        Ok(StoredBlob {
            digest,
            size: self.size,
            new_bytes: self.new_bytes,
        })
    }

    fn manifest(&mut self, id: RecordId, digest: Digest, is_inline: bool) -> Result<()> {
        let body = if is_inline {
            Body::Inline(std::mem::take(&mut self.head).into())
        } else if self.lists.is_empty() {
            Body::Chunks(std::mem::take(&mut self.chunks))
        } else {
            self.list()?;
            Body::Lists(std::mem::take(&mut self.lists))
        };
        let manifest = Manifest {
            digest,
            size: self.size,
            body,
        };
        self.session.add(id, &manifest.encode())?;
        Ok(())
    }
}
