//! Reading the points of a series.

use std::ops::Bound;

use mainstay_core::{Digest, Error, NodeRef, Result};
use mainstay_repo::{Repo, View};

use super::point::{Block, Point};
use super::refs;

/// The largest blob of points that is read. What is written is smaller: at most 100,000 points and 64
/// slots.
const MAX_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Reads the points of a series within `steps`, by step, then by time, then as they were logged.
pub(super) async fn series(
    repo: &Repo,
    view: &View,
    run: &NodeRef,
    key: &str,
    steps: (Bound<i64>, Bound<i64>),
) -> Result<Vec<Point>> {
    let find = |view: &View| {
        refs::run(view, run)?;
        let mut recent = Vec::new();
        for (_, path, state) in refs::recent(view, run)? {
            recent.extend(refs::block(path, state)?.within(key, steps));
        }
        let segments = refs::segments(view, run)?.into_iter();
        let wanted = segments.filter(|segment| segment.holds(key, steps));
        Ok((wanted.map(|segment| segment.blob).collect(), recent))
    };
    let (blobs, recent): (Vec<Digest>, Vec<Point>) = view.read(find).await?;
    let mut points = Vec::new();
    for digest in blobs {
        let block = read(repo, &digest)
            .await
            .map_err(|error| error.context("run", run))?;
        points.extend(block.within(key, steps));
    }
    points.extend(recent);
    points.sort_by_key(|point| (point.step, point.time));
    Ok(points)
}

async fn read(repo: &Repo, digest: &Digest) -> Result<Block> {
    let blob = repo
        .blob(digest)
        .await?
        .ok_or_else(|| Error::corrupt(digest, "the points of a run are missing"))?;
    if blob.size() > MAX_SEGMENT_BYTES {
        return Err(Error::corrupt(digest, "too long for points of a run"));
    }
    Block::decode(&blob.bytes().await?).map_err(|error| error.context("blob", digest))
}
