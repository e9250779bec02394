//! What finding out costs whether chunks are stored, in a table of many.
//!
//! The table has no door of its own, so this is storing blobs cut into very short chunks, in memory: of
//! known chunks, which is hashing and one look-up each that hits, and of new ones, which is hashing,
//! look-ups that miss, and packing. The new ones go into an empty table and into a full one, whose
//! difference is what its size costs.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mainstay_core::Digest;
use mainstay_repo::{Cut, Layout, Repo, RepoOptions};
use mainstay_store::MemoryStorage;

use crate::inputs::{self, Random, SEED};

/// Short, so that look-ups are much of the work.
const CHUNK_BYTES: usize = 64;
/// How many chunks the blobs that are measured have.
const MEASURED: usize = 100_000;

pub(crate) async fn measure(records: usize) {
    let random = &mut Random(SEED);
    let mut take = |chunks| Bytes::from(inputs::opaque(random, chunks * CHUNK_BYTES));
    let (held, fresh) = (take(records), take(MEASURED));
    // Another blob of the same chunks, from all over the table.
    let step = (records / MEASURED).max(1);
    let known = held.chunks_exact(CHUNK_BYTES).step_by(step).take(MEASURED);
    let known = Bytes::from(known.flatten().copied().collect::<Vec<u8>>());

    let into_empty = store(&create().await, fresh.clone()).await;
    let full = create().await;
    store(&full, held).await;
    println!("chunks of {CHUNK_BYTES} bytes, ns each, in a table of {records} records");
    println!("  hashed alone {:4.0}", hash(&known));
    println!("  known        {:4.0}", store(&full, known).await);
    println!("  new          {:4.0}", store(&full, fresh).await);
    println!("  new, in an empty table {into_empty:4.0}");
}

async fn create() -> Repo {
    let storage = Arc::new(MemoryStorage::new());
    Repo::create(storage, RepoOptions::default()).await.unwrap()
}

/// Stores bytes in a session that is ended outside of what is measured; returns nanoseconds a chunk.
async fn store(repo: &Repo, bytes: Bytes) -> f64 {
    let count = bytes.len() / CHUNK_BYTES;
    let mut layout = Layout::new();
    for _ in 0..count {
        layout.push(CHUNK_BYTES as u64, Cut::Blocks);
    }
    let mut ingest = repo.ingest();
    let start = Instant::now();
    ingest.bytes_with(bytes, layout).await.unwrap();
    let each = nanoseconds_each(start, count);
    ingest.finish().await.unwrap();
    each
}

/// Hashes bytes as storing does: all of them, and each chunk.
fn hash(bytes: &[u8]) -> f64 {
    let start = Instant::now();
    std::hint::black_box(Digest::of(bytes));
    for chunk in bytes.chunks_exact(CHUNK_BYTES) {
        std::hint::black_box(blake3::hash(chunk));
    }
    nanoseconds_each(start, bytes.len() / CHUNK_BYTES)
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn nanoseconds_each(start: Instant, count: usize) -> f64 {
    start.elapsed().as_secs_f64() * 1e9 / count as f64
}
