//! Listing in key order.

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{Key, ObjectMeta, Prefix};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::StoreProfile;
use crate::error::Report;
use crate::profile::Listing;

pub(crate) fn list<'a>(
    store: &'a dyn ObjectStore,
    prefix: &Prefix,
    after: Option<&Key>,
    profile: &StoreProfile,
) -> BoxStream<'a, Result<ObjectMeta>> {
    let backend = profile.backend;
    let listed = match start(prefix, after) {
        Start::Beginning => store.list(directory(prefix).as_ref()),
        Start::After(offset) => store.list_with_offset(directory(prefix).as_ref(), &offset),
        Start::End => stream::empty().boxed(),
    };
    let (prefix, after) = (prefix.clone(), after.cloned());
    let keys = listed
        .map_err(move |error| {
            let report = Report::of(&error).into_error();
            report.operation("list").context("backend", backend)
        })
        .try_filter_map(move |meta| {
            let object = object_of(&meta, &prefix, after.as_ref());
            async move { Ok(object) }
        });
    match profile.listing {
        Listing::Ordered => in_order(keys).boxed(),
        Listing::Unordered => sorted(keys).boxed(),
    }
}

enum Start {
    Beginning,
    After(Path),
    End,
}

/// Decides where to start, so that the store is only given offsets within the prefix.
fn start(prefix: &Prefix, after: Option<&Key>) -> Start {
    match after {
        Some(after) if prefix.covers(after) => match Path::parse(after.as_str()) {
            Ok(offset) => Start::After(offset),
            Err(_) => Start::Beginning,
        },
        Some(after) if after.as_str() > prefix.as_str() => Start::End,
        _ => Start::Beginning,
    }
}

fn directory(prefix: &Prefix) -> Option<Path> {
    Path::parse(prefix.as_str())
        .ok()
        .filter(|path| !path.is_root())
}

/// `None` for what is not an object of ours, or not asked for.
fn object_of(
    meta: &object_store::ObjectMeta,
    prefix: &Prefix,
    after: Option<&Key>,
) -> Option<ObjectMeta> {
    let key = Key::new(meta.location.as_ref()).ok()?;
    let wanted = prefix.covers(&key) && after.is_none_or(|after| key > *after);
    wanted.then_some(ObjectMeta {
        key,
        size: meta.size,
    })
}

/// Passes the keys on and fails at the first that is out of order: callers rely on the order.
fn in_order(
    keys: impl futures::Stream<Item = Result<ObjectMeta>> + Send,
) -> impl futures::Stream<Item = Result<ObjectMeta>> + Send {
    let mut last: Option<Key> = None;
    keys.map(move |listed| {
        let object = listed?;
        if let Some(last) = last.as_ref().filter(|last| object.key <= **last) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the store does not list keys in byte order",
            )
            .operation("list")
            .context("key", &object.key)
            .context("after", last));
        }
        last = Some(object.key.clone());
        Ok(object)
    })
}

fn sorted<'a>(
    keys: impl futures::Stream<Item = Result<ObjectMeta>> + Send + 'a,
) -> impl futures::Stream<Item = Result<ObjectMeta>> + Send + 'a {
    let collected = async {
        let mut objects: Vec<_> = keys.try_collect().await?;
        objects.sort_unstable_by(|a: &ObjectMeta, b| a.key.cmp(&b.key));
        objects.dedup_by(|a, b| a.key == b.key);
        Ok::<_, Error>(stream::iter(objects.into_iter().map(Ok)))
    };
    stream::once(collected).try_flatten()
}
