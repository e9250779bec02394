//! Files with patches as one file.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Digest, Hasher, Result, Telling};
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use crate::format::TextTypes;
use crate::format::parquet::write;
use crate::passing::{ROWS, told};
use crate::source::Source;
use crate::spool::Spooled;
use crate::{FileEntry, blocking, stored};

/// How much is read at once.
pub(crate) const PIECE_BYTES: u64 = 1024 * 1024;

/// A file of a version with its patches applied, written as one: what an export writes.
///
/// The bytes are a function of the rows and of the build that wrote them. Up to 8 MiB they are held in memory,
/// more in a temporary file, which is deleted with the last clone. Cheap to clone.
#[derive(Clone)]
pub struct MergedFile {
    source: Source,
    digest: Digest,
    /// Deletes the file.
    _spooled: Arc<Spooled>,
}

impl MergedFile {
    pub(crate) async fn of((repo, telling): (&Repo, &Telling), file: FileEntry) -> Result<Self> {
        let (repo, runtime, telling) = (repo.clone(), Handle::current(), telling.clone());
        blocking::run_on_own_thread(move || {
            let spooled = merge((&repo, &telling), &runtime, &file)?;
            let source = spooled.open()?;
            let mut hasher = Hasher::new();
            for piece in pieces(0..source.size()) {
                hasher.update(&source.read_range(piece)?);
            }
            Ok(Self {
                digest: hasher.finish(),
                source,
                _spooled: Arc::new(spooled),
            })
        })
        .await
    }

    /// Returns how many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.source.size()
    }

    /// Returns the SHA-256 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Reads the bytes of `range`, all at once.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it has fewer; those of the disk.
    pub async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        let source = self.source.clone();
        blocking::run(move || {
            if range.start > range.end || range.end > source.size() {
                let error = mainstay_core::Error::invalid("a range that the file does not have");
                return Err(error
                    .context("range", format!("{}..{}", range.start, range.end))
                    .context("bytes", source.size()));
            }
            Ok(source.read_range(range)?)
        })
        .await
    }
}

impl fmt::Debug for MergedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergedFile")
            .field("bytes", &self.bytes())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Writes a file with patches anew, by the writer profile. Blocks, on a thread that is none of `runtime`'s that
/// run tasks.
pub(crate) fn merge(
    (repo, telling): (&Repo, &Telling),
    runtime: &Handle,
    file: &FileEntry,
) -> Result<Spooled> {
    telling.expect(ROWS, file.rows.unwrap_or(0));
    let table = stored::open(repo, runtime, file, &TextTypes::default(), None)?;
    write::encode_table(&table.schema, told(table.batches, telling))
}

/// Divides a range into pieces that are read at once.
pub(crate) fn pieces(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let step = usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX);
    let starts = range.clone().step_by(step);
    starts.map(move |start| start..range.end.min(start + PIECE_BYTES))
}
