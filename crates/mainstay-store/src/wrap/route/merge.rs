//! One listing of several storages.

use std::pin::Pin;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream, Peekable};
use mainstay_core::Result;

use super::Route;
use crate::{Key, ObjectMeta, Prefix, Storage};

type Listing<'a> = BoxStream<'a, Result<ObjectMeta>>;

/// A listing under way.
///
/// The keys below a prefix follow each other in key order, so the keys of a route come all together
/// between two keys of the default storage.
pub(super) struct Merge<'a> {
    default: Peekable<Listing<'a>>,
    /// The route whose keys are being listed.
    current: Option<Listing<'a>>,
    /// The routes still to come.
    routes: std::slice::Iter<'a, Route>,
    all: &'a [Route],
    prefix: Prefix,
    after: Option<Key>,
}

impl<'a> Merge<'a> {
    /// Lists what is below `prefix`, which is not below any route.
    pub(super) fn new(
        default: &'a dyn Storage,
        routes: &'a [Route],
        prefix: &Prefix,
        after: Option<&Key>,
    ) -> Self {
        Self {
            default: default.list(prefix, after).peekable(),
            current: None,
            routes: routes.iter(),
            all: routes,
            prefix: prefix.clone(),
            after: after.cloned(),
        }
    }

    pub(super) fn stream(self) -> Listing<'a> {
        stream::unfold(self, |mut merge| async {
            let object = merge.next().await?;
            Some((object, merge))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Result<ObjectMeta>> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(object) = current.next().await {
                    return Some(object);
                }
                self.current = None;
            }
            let object = match Pin::new(&mut self.default).peek().await {
                Some(Err(_)) => return self.default.next().await,
                Some(Ok(object)) => Some(&object.key),
                None => None,
            };
            let mut rest = self.routes.clone();
            match (object, rest.next()) {
                (object, Some(route))
                    if object.is_none_or(|key| key.as_str() > route.prefix.as_str()) =>
                {
                    self.routes = rest;
                    self.current = Self::listing(&self.prefix, self.after.as_ref(), route);
                }
                (Some(key), _) if self.all.iter().any(|route| route.prefix.covers(key)) => {
                    self.default.next().await;
                }
                _ => return self.default.next().await,
            }
        }
    }

    /// Lists a route, unless nothing of it is to be listed.
    fn listing(prefix: &Prefix, after: Option<&Key>, route: &'a Route) -> Option<Listing<'a>> {
        let below = route.prefix.as_str().starts_with(prefix.as_str());
        let passed = after.is_some_and(|after| {
            after.as_str() > route.prefix.as_str() && !route.prefix.covers(after)
        });
        (below && !passed).then(|| route.storage.list(&route.prefix, after))
    }
}
