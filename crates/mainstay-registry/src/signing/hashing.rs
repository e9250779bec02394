//! How a signer hashed files: whole or in shards, with SHA-256 or BLAKE3.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::num::NonZeroU64;
use std::path::Path;

use futures::TryStreamExt as _;
use mainstay_core::{Error, ErrorKind, FilePath, Hasher, Result};
use mainstay_repo::Blob;

use super::bundle::brief;

/// The bytes of a hash.
pub(super) type Hash = [u8; 32];

/// How files become hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Scheme {
    pub(super) algorithm: Algorithm,
    /// How long the parts are that a file is cut into; `None` when it is hashed whole.
    pub(super) shard_bytes: Option<NonZeroU64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Algorithm {
    #[default]
    Sha256,
    Blake3,
}

impl Algorithm {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Blake3]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }
}

impl Scheme {
    /// Reports whether the hash of a file is its digest in Mainstay, so that no file need be read.
    pub(super) fn is_ours(self) -> bool {
        self == Self::default()
    }

    /// Refuses a file hashed otherwise than the statement says for all.
    pub(super) fn check_algorithm(self, found: &str) -> Result<()> {
        let algorithm = self.algorithm.as_str();
        // What the reference implementation calls shards.
        let sharded = self
            .shard_bytes
            .map(|bytes| format!("{algorithm}-sharded-{bytes}"));
        if found == algorithm || sharded.is_some_and(|sharded| found == sharded) {
            Ok(())
        } else {
            Err(
                Error::new(ErrorKind::Unsupported, "a file hashed in another way")
                    .context("algorithm", brief(found)),
            )
        }
    }

    /// Hashes a file on disk; it blocks.
    pub(super) fn hash_file(self, path: &FilePath, disk: &Path) -> Result<BTreeMap<String, Hash>> {
        let read = || -> Result<_> {
            let mut file = std::fs::File::open(disk)?;
            let mut cutter = Cutter::new(self, path);
            let mut buffer = vec![0; 1 << 20];
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(cutter.finish()),
                    read => cutter.push(&buffer[..read]),
                }
            }
        };
        read().map_err(|error| error.context("path", disk.display()))
    }

    /// Hashes a stored file.
    pub(super) async fn hash_blob(
        self,
        path: &FilePath,
        blob: &Blob,
    ) -> Result<BTreeMap<String, Hash>> {
        let mut cutter = Cutter::new(self, path);
        let mut pieces = blob.stream();
        while let Some(piece) = pieces.try_next().await? {
            cutter.push(&piece);
        }
        Ok(cutter.finish())
    }
}

/// Hashes the parts of one file as its bytes arrive.
struct Cutter<'p> {
    scheme: Scheme,
    path: &'p FilePath,
    state: State,
    start: u64,
    bytes: u64,
    hashes: BTreeMap<String, Hash>,
}

enum State {
    Sha256(Hasher),
    Blake3(Box<blake3::Hasher>),
}

impl State {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Hasher::new()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    fn finish(self) -> Hash {
        match self {
            Self::Sha256(hasher) => *hasher.finish().as_bytes(),
            Self::Blake3(hasher) => *hasher.finalize().as_bytes(),
        }
    }
}

impl<'p> Cutter<'p> {
    fn new(scheme: Scheme, path: &'p FilePath) -> Self {
        Self {
            scheme,
            path,
            state: State::new(scheme.algorithm),
            start: 0,
            bytes: 0,
            hashes: BTreeMap::new(),
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = match self.scheme.shard_bytes {
                Some(size) => usize::try_from(size.get() - self.bytes).unwrap_or(usize::MAX),
                None => usize::MAX,
            };
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.state.update(now);
            self.bytes += now.len() as u64;
            if now.len() == room {
                self.cut();
            }
            bytes = later;
        }
    }

    fn cut(&mut self) {
        let state = std::mem::replace(&mut self.state, State::new(self.scheme.algorithm));
        let end = self.start + self.bytes;
        let name = match self.scheme.shard_bytes {
            Some(_) => format!("{}:{}:{end}", self.path, self.start),
            None => self.path.to_string(),
        };
        self.hashes.insert(name, state.finish());
        (self.start, self.bytes) = (end, 0);
    }

    fn finish(mut self) -> BTreeMap<String, Hash> {
        // An empty file has no shards.
        if self.scheme.shard_bytes.is_none() || self.bytes > 0 {
            self.cut();
        }
        self.hashes
    }
}
