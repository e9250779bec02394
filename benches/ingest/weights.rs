//! What storing weights takes of the processor, beside opaque bytes and beside `fastcdc`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fastcdc::v2020::FastCDC;
use futures::TryStreamExt as _;
use mainstay_core::Digest;
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::MemoryStorage;

use crate::FILE_BYTES;
use crate::inputs::{self, Random, SEED};
use crate::measure;

/// The shortest chunk, the usual one and the longest, as a repository cuts.
const CHUNK_BYTES: [usize; 3] = [8 << 10, 64 << 10, 128 << 10];

/// Stores opaque bytes, for a width of 0, or weights of so many bytes each, and reads them.
pub(crate) fn measure(width: usize) {
    let size = usize::try_from(FILE_BYTES).unwrap();
    let random = &mut Random(SEED);
    let weights = Bytes::from(match width {
        0 => inputs::opaque(random, size),
        width => inputs::weights(random, size, width),
    });
    cut_by_fastcdc(&weights);
    crate::runtime().block_on(async {
        let stored = store_in_memory(weights.clone()).await;
        println!(
            "  ingest {:.2} s, CPU {:.2} s, stored {:.1} %",
            stored.wall,
            stored.busy,
            percent(stored.bytes)
        );
        if width > 0 {
            // Both in memory that the process has had before, which costs less.
            let opaque = store_in_memory(inputs::opaque(random, size).into()).await;
            let more = store_in_memory(weights).await.busy - opaque.busy;
            println!(
                "  CPU {:.2} s as opaque bytes, {more:.2} s more to group and compress: {:.0} MB/s a core",
                opaque.busy,
                megabytes(FILE_BYTES) / more
            );
        }
        let Stored { repo, digest, .. } = stored;
        let (before, start) = (measure::busy_seconds(), Instant::now());
        let mut pieces = repo.blob(&digest).await.unwrap().unwrap().stream();
        while pieces.try_next().await.unwrap().is_some() {}
        let (wall, busy) = (
            start.elapsed().as_secs_f64(),
            measure::busy_seconds() - before,
        );
        println!("  read {wall:.2} s, CPU {busy:.2} s");
    });
}

struct Stored {
    repo: Repo,
    digest: Digest,
    wall: f64,
    busy: f64,
    bytes: u64,
}

async fn store_in_memory(bytes: Bytes) -> Stored {
    let storage = Arc::new(MemoryStorage::new());
    let repo = Repo::create(storage, RepoOptions::default()).await.unwrap();
    let (before, start) = (measure::busy_seconds(), Instant::now());
    let mut ingest = repo.ingest();
    let stored = ingest.bytes(bytes).await.unwrap();
    let report = ingest.finish().await.unwrap();
    Stored {
        repo,
        digest: stored.digest,
        wall: start.elapsed().as_secs_f64(),
        busy: measure::busy_seconds() - before,
        bytes: report.stored_bytes,
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn percent(bytes: u64) -> f64 {
    bytes as f64 / FILE_BYTES as f64 * 100.0
}

/// What cutting alone takes, and cutting and hashing every chunk: the least that storing by content is.
fn cut_by_fastcdc(bytes: &[u8]) {
    let cut = || FastCDC::new(bytes, CHUNK_BYTES[0], CHUNK_BYTES[1], CHUNK_BYTES[2]);
    let start = Instant::now();
    let chunks = cut().count();
    let cutting = start.elapsed().as_secs_f64();
    let start = Instant::now();
    for chunk in cut() {
        let bytes = &bytes[chunk.offset..chunk.offset + chunk.length];
        std::hint::black_box(Digest::of(bytes));
    }
    let hashed = start.elapsed().as_secs_f64();
    println!("  fastcdc {cutting:.2} s, {hashed:.2} s with SHA-256 of each of {chunks} chunks");
}
