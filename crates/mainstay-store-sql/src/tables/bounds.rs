//! Listings as questions to an index.

use mainstay_store::{Key, Prefix};

/// How many keys are asked for at once.
pub(crate) const PAGE: usize = 1000;

/// After every key: `~` comes after all that a key is made of.
const END: &str = "~";

/// The keys between two bounds, both excluded, in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) after: String,
    pub(crate) before: String,
}

impl Bounds {
    pub(crate) fn new(prefix: &Prefix, after: Option<&Key>) -> Self {
        let before = match prefix.as_str().strip_suffix('/') {
            // The byte that comes after `/`.
            Some(directory) => format!("{directory}0"),
            None => END.to_owned(),
        };
        // No key ends in `/`, so none is left out.
        let after = after.map_or("", Key::as_str).max(prefix.as_str());
        Self {
            after: after.to_owned(),
            before,
        }
    }

    /// Reports whether there cannot be a key between them.
    pub(crate) fn is_empty(&self) -> bool {
        self.after >= self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_between_the_bounds_when_it_is_covered_and_after() {
        let names = ["a", "a-/b", "a/b", "a/b/c", "a/c", "a0", "ab/c", "%", "zz"];
        let keys: Vec<_> = names.map(|name| Key::new(name).unwrap()).into();
        let prefixes = ["a", "a/b", "zz"].map(|name| Prefix::directory(name).unwrap());
        for prefix in prefixes.into_iter().chain([Prefix::all()]) {
            for after in keys.iter().map(Some).chain([None]) {
                let bounds = Bounds::new(&prefix, after);
                for key in &keys {
                    let between = bounds.after.as_str() < key.as_str()
                        && key.as_str() < bounds.before.as_str();
                    let wanted = prefix.covers(key) && after.is_none_or(|after| key > after);
                    assert_eq!(between, wanted, "{key} of {bounds:?}");
                    assert!(!(between && bounds.is_empty()));
                }
            }
        }
    }
}
