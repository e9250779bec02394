//! Listings in pages, none of which outlives its question.

use std::collections::VecDeque;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, Result};
use mainstay_store::{Key, ObjectMeta, Prefix};

use super::bounds::{Bounds, PAGE};

/// Lists by asking for page after page; one shorter than [`PAGE`] is the last.
pub(crate) fn list<'a, F>(
    prefix: &Prefix,
    after: Option<&Key>,
    page: impl Fn(Bounds) -> F + Send + 'a,
) -> BoxStream<'a, Result<ObjectMeta>>
where
    F: Future<Output = Result<Vec<ObjectMeta>>> + Send + 'a,
{
    let bounds = Bounds::new(prefix, after);
    let first = Some(bounds).filter(|bounds| !bounds.is_empty());
    stream::try_unfold((first, page), async |(bounds, page)| {
        let Some(mut bounds) = bounds else {
            return Ok::<_, Error>(None);
        };
        let objects = VecDeque::from(page(bounds.clone()).await?);
        let last = objects.back().filter(|_| objects.len() >= PAGE);
        let next = last.map(|last| {
            bounds.after = last.key.to_string();
            bounds
        });
        Ok(Some((
            stream::iter(objects.into_iter().map(Ok)),
            (next, page),
        )))
    })
    .try_flatten()
    .boxed()
}
