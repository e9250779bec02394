//! The versions of all models by their tags.

use std::sync::Arc;

use mainstay_core::{RefPath, Result};
use mainstay_repo::{Projection, RefState, Value};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

/// Which versions may have a tag, kept with the views.
#[derive(Debug, Clone, Default)]
pub(super) struct Tagged {
    registered: Inverted,
    annotated: Inverted,
}

/// Model and version.
type Version = Arc<(String, String)>;
/// Key and value.
type Tag = (String, String);

impl Tagged {
    /// Returns models and versions that were registered with a tag or given it later, in order; whoever
    /// has the tag is among them.
    pub(super) fn with(&self, key: &str, value: &str) -> Vec<(&str, &str)> {
        let tag = (key.to_owned(), value.to_owned());
        let mut versions: Vec<_> = [&self.registered, &self.annotated]
            .into_iter()
            .filter_map(|inverted| inverted.by_tag.get(&tag))
            .flat_map(RedBlackTreeSetSync::iter)
            .map(|version| (version.0.as_str(), version.1.as_str()))
            .collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }
}

impl Projection for Tagged {
    fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()> {
        let mut segments = path.segments().skip(1);
        let (Some(model), Some(family), Some(version), None) = (
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
        ) else {
            return Ok(());
        };
        let inverted = match family {
            "version" => &mut self.registered,
            "annotation" => &mut self.annotated,
            _ => return Ok(()),
        };
        let tags = state.value.as_ref().map(tags).unwrap_or_default();
        inverted.put((model.to_owned(), version.to_owned()), tags);
        Ok(())
    }
}

/// A record's tags; none where it is damaged, which is for its reader to say.
fn tags(value: &Value) -> Vec<Tag> {
    let tags = value.record.get("tags").and_then(|tags| tags.as_object());
    let tags = tags.into_iter().flatten();
    tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Versions by tag, and tags by version.
#[derive(Debug, Clone, Default)]
struct Inverted {
    by_tag: RedBlackTreeMapSync<Tag, RedBlackTreeSetSync<Version>>,
    by_version: RedBlackTreeMapSync<Version, Arc<[Tag]>>,
}

impl Inverted {
    fn put(&mut self, version: (String, String), tags: Vec<Tag>) {
        let version = Arc::new(version);
        if let Some(before) = self.by_version.get(&version).cloned() {
            self.by_version.remove_mut(&version);
            before.iter().for_each(|tag| self.remove(tag, &version));
        }
        if tags.is_empty() {
            return;
        }
        for tag in &tags {
            if let Some(versions) = self.by_tag.get_mut(tag) {
                versions.insert_mut(Arc::clone(&version));
            } else {
                let one = [Arc::clone(&version)].into_iter().collect();
                self.by_tag.insert_mut(tag.clone(), one);
            }
        }
        self.by_version.insert_mut(version, tags.into());
    }

    fn remove(&mut self, tag: &Tag, version: &Version) {
        if let Some(versions) = self.by_tag.get_mut(tag) {
            versions.remove_mut(version);
            if versions.is_empty() {
                self.by_tag.remove_mut(tag);
            }
        }
    }
}
