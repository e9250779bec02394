//! Scans: the refs below a prefix, in order, from two layers.

use std::iter::Peekable;
use std::ops::Bound;

use mainstay_core::RefPath;

/// The refs below a prefix.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The normalized prefix.
    prefix: String,
    /// Where the paths below it begin.
    pub(super) from: Bound<RefPath>,
}

impl Scope {
    pub(super) fn holds(&self, path: &RefPath) -> bool {
        path.is_below(&self.prefix)
    }

    /// Whether the scope begins after `path`.
    pub(super) fn is_after(&self, path: &RefPath) -> bool {
        match &self.from {
            Bound::Included(least) => path < least,
            Bound::Excluded(below) => path <= below,
            Bound::Unbounded => false,
        }
    }
}

/// The scope of a prefix; `None` when nothing can lie below it.
pub(super) fn scope(prefix: &str) -> Option<Scope> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        return Some(Scope {
            prefix: String::new(),
            from: Bound::Unbounded,
        });
    }
    // "0" is the least of all names, so this is the least path below the prefix.
    let least = RefPath::new(&format!("{prefix}/0")).ok()?;
    Some(Scope {
        prefix: least.as_str().strip_suffix("/0")?.to_owned(),
        from: Bound::Included(least),
    })
}

/// Two ascending sequences as one; where both have a path, the first counts.
pub(super) struct Merged<A: Iterator, B: Iterator> {
    first: Peekable<A>,
    second: Peekable<B>,
}

impl<A: Iterator, B: Iterator> Merged<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Self {
            first: first.peekable(),
            second: second.peekable(),
        }
    }
}

impl<'v, K, V, A, B> Iterator for Merged<A, B>
where
    K: Ord + 'v,
    V: 'v,
    A: Iterator<Item = (&'v K, &'v V)>,
    B: Iterator<Item = (&'v K, &'v V)>,
{
    type Item = (&'v K, &'v V);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.first.peek(), self.second.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => return self.first.next(),
            (None, _) => return self.second.next(),
        };
        if order.is_eq() {
            self.second.next();
        }
        if order.is_gt() {
            self.second.next()
        } else {
            self.first.next()
        }
    }
}
