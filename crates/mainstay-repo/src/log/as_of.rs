//! Views of the past.

use mainstay_core::{Error, ErrorKind, Result, Timestamp};

use super::read::{self, READ_AHEAD};
use crate::repo::Inner;
use crate::{View, checkpoint};

/// Returns the view right after entry `seq`.
pub(crate) async fn view_at(inner: &Inner, seq: u64) -> Result<View> {
    let mut head = inner.head();
    if head.seq < seq {
        head = inner.refresh().await?;
    }
    if head.seq < seq {
        return Err(Error::new(ErrorKind::NotFound, "no such log entry")
            .context("seq", seq)
            .context("head", head.seq));
    }
    if head.seq == seq {
        return Ok(head);
    }
    let storage = &*inner.storage;
    let base = checkpoint::newest_at_most(&inner.source, seq).await?;
    let view = read::catch_up(storage, base, seq, READ_AHEAD).await?;
    if view.seq == seq {
        Ok(view)
    } else {
        Err(read::missing(view.seq + 1))
    }
}

/// Returns the view after the last entry whose time is not after `time`.
///
/// Complexity: O(log n) reads, as times never run backwards along the log.
pub(crate) async fn view_as_of(inner: &Inner, time: Timestamp) -> Result<View> {
    let head = inner.refresh().await?;
    if head.time <= time {
        return Ok(head);
    }
    // The entry at `after` is later than `time`; the one at `until` is not, or is before the first.
    let (mut until, mut after) = (0, head.seq);
    while after - until > 1 {
        let middle = until + (after - until) / 2;
        if read::read_existing(&*inner.storage, middle)
            .await?
            .entry
            .time
            <= time
        {
            until = middle;
        } else {
            after = middle;
        }
    }
    view_at(inner, until).await
}
