//! Finding the checkpoint to begin from.

use std::sync::Arc;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use mainstay_core::Result;
use mainstay_store::Storage;
use tracing::warn;

use super::load::{self, is_damage};
use super::{ROOTS, root_key};
use crate::view::{Base, Source};
use crate::{View, keys};

/// How many entries are looked over first.
const SPAN: u64 = 1_024;
/// How many times as many are looked over next.
const GROWTH: u64 = 8;

/// Reads the newest checkpoint whose root can be read; the view before the first entry if there is
/// none.
///
/// # Errors
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the log lacks the entry a
/// checkpoint is of.
pub(crate) async fn newest(source: &Arc<Source>) -> Result<View> {
    let number = last_number(&*source.storage).await?;
    read_or_older(source, number).await
}

/// Reads the newest checkpoint whose root can be read of an entry not after `seq`.
///
/// # Errors
/// As [`newest`].
pub(crate) async fn newest_at_most(source: &Arc<Source>, seq: u64) -> Result<View> {
    let number = last_number_at_most(&*source.storage, seq).await?;
    read_or_older(source, number).await
}

async fn read_or_older(source: &Arc<Source>, mut number: Option<u64>) -> Result<View> {
    let storage = &*source.storage;
    while let Some(seq) = number {
        match load::root(storage, seq).await {
            Ok(root) => {
                load::check_anchor(storage, &root).await?;
                return Base::new(root, source).map(View::of);
            }
            Err(error) if is_damage(&error) => {
                warn!(checkpoint = seq, %error, "checkpoint passed over for an older one and the log");
                number = last_number_at_most(storage, seq - 1).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(View::empty())
}

/// The number of the newest checkpoint, in O(log n) listings.
async fn last_number(storage: &dyn Storage) -> Result<Option<u64>> {
    let (mut reached, mut leap) = (0_u64, SPAN);
    while let Some(number) = first_number_after(storage, reached.saturating_add(leap)).await? {
        reached = number;
        leap = leap.saturating_mul(GROWTH);
    }
    last_number_at_most(storage, reached.saturating_add(leap)).await
}

async fn first_number_after(storage: &dyn Storage, seq: u64) -> Result<Option<u64>> {
    numbers_after(storage, seq).try_next().await
}

/// The number of the newest checkpoint not after `limit`: listings reach back further and further,
/// as it is most often near.
pub(super) async fn last_number_at_most(storage: &dyn Storage, limit: u64) -> Result<Option<u64>> {
    let mut span = SPAN;
    loop {
        let after = limit.saturating_sub(span);
        let mut numbers = numbers_after(storage, after);
        let mut last = None;
        while let Some(number) = numbers.try_next().await? {
            if number > limit {
                break;
            }
            last = Some(number);
        }
        if last.is_some() || after == 0 {
            return Ok(last);
        }
        span = span.saturating_mul(GROWTH);
    }
}

/// Lists the numbers of checkpoints after `seq`; whatever else lies there is passed over.
pub(crate) fn numbers_after(
    storage: &dyn Storage,
    seq: u64,
) -> impl futures::Stream<Item = Result<u64>> + Send + Unpin + '_ {
    storage
        .list(&keys::below(ROOTS), Some(&root_key(seq)))
        .try_filter_map(|meta| futures::future::ready(Ok(keys::number(&meta.key))))
        .boxed()
}
