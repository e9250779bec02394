//! The pages of stored Parquet files, identified without reading them.

use std::ops::Range;

use mainstay_core::BulkDigest;

use crate::format::parquet::LeafPages;
use crate::rows::Compared;
use crate::rows::shared::{ColumnPages, PageId};
use crate::rows::side::{Both, Side};

/// The chunks that a file is stored in.
pub(super) type Chunk = (Range<u64>, BulkDigest);

/// A Parquet file's pages, and the chunks that hold them.
pub(super) struct FilePages {
    pub(super) leaves: Vec<LeafPages>,
    pub(super) chunks: Vec<Chunk>,
}

/// Identifies the pages of the columns that are compared.
pub(super) fn column_pages(files: &Both<FilePages>, compared: &[Compared]) -> Vec<ColumnPages> {
    let columns = compared.iter();
    columns.map(|column| pages_of(files, column)).collect()
}

fn pages_of(files: &Both<FilePages>, column: &Compared) -> ColumnPages {
    let leaves = Both::of(|side: Side| {
        let leaves = files[side].leaves.iter();
        let named = leaves.filter(|leaf| leaf.column == column.names[side]);
        named.collect::<Vec<_>>()
    });
    let bytes = leaves.before.iter().flat_map(|leaf| &leaf.pages);
    let bytes = bytes.map(|page| page.bytes.end - page.bytes.start).sum();
    let kinds = leaves.after.iter().map(|leaf| &leaf.kind);
    let alike = leaves.before.iter().map(|leaf| &leaf.kind).eq(kinds);
    let pairs = leaves.before.into_iter().zip(leaves.after);
    let pairs = pairs.filter(|_| alike);
    ColumnPages {
        leaves: pairs
            .map(|(before, after)| Both {
                before: identified(before, &files.before.chunks),
                after: identified(after, &files.after.chunks),
            })
            .collect(),
        bytes,
    }
}

fn identified(leaf: &LeafPages, chunks: &[Chunk]) -> Vec<PageId> {
    let pages = leaf.pages.iter().map(|page| {
        let mut hasher = blake3::Hasher::new();
        identify(&page.dictionary, chunks, &mut hasher);
        identify(&page.bytes, chunks, &mut hasher);
        (page.rows.clone(), hasher.finalize().into())
    });
    pages.collect()
}

/// Hashes which bytes of which chunks a range is: equal answers mean equal bytes.
fn identify(range: &Range<u64>, chunks: &[Chunk], hasher: &mut blake3::Hasher) {
    let first = chunks.partition_point(|(chunk, _)| chunk.end <= range.start);
    let within = chunks[first..]
        .iter()
        .take_while(|(chunk, _)| chunk.start < range.end);
    let offset = chunks
        .get(first)
        .map_or(0, |(chunk, _)| range.start.abs_diff(chunk.start));
    hasher.update(&(range.end - range.start).to_le_bytes());
    if range.is_empty() {
        return;
    }
    hasher.update(&offset.to_le_bytes());
    for (_, digest) in within {
        hasher.update(digest.as_bytes());
    }
}
