//! The format of a page, how entries are cut into pages, and where a page stands.

use bytes::Bytes;
use mainstay_core::{Digest, Error, ErrorKind, Result, canon};
use serde::{Deserialize, Serialize};

use super::TreeEntry;
use crate::blobs::BlobStore;

/// The format that this version writes, and the newest it reads.
const FORMAT: u64 = 1;
/// The longest key in bytes.
pub(super) const MAX_KEY_BYTES: usize = 4_096;
/// The largest encoded entry in bytes.
pub(super) const MAX_ENTRY_BYTES: usize = 64 * 1_024;
/// A page ends before an item that would make it larger than this.
const PAGE_BYTES: usize = 128 * 1_024;
/// The largest stored page in bytes: two items, and what is around them.
const MAX_PAGE_BYTES: u64 = 132 * 1_024;
/// A page has at least so many items, unless they are large or the last.
const MIN_ITEMS: u64 = 16;
/// The highest level of a page.
pub(super) const MAX_LEVEL: u8 = 15;

/// A page, decoded.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Page {
    Leaf(Vec<TreeEntry>),
    Branch { level: u8, pages: Vec<Child> },
}

/// A page as the page above it names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Child {
    /// How many entries are below it.
    pub(super) entries: u64,
    /// The first key below it.
    pub(super) first: String,
    pub(super) page: Digest,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<TreeEntry>>,
    format: u64,
    level: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pages: Option<Vec<Child>>,
}

/// A page in the making.
///
/// Where it ends depends on its own items alone, so that a change in one place leaves the pages
/// elsewhere as they were, and equal entries are equal pages whatever was there before.
#[derive(Debug, Default)]
pub(super) struct Draft {
    first: String,
    /// The page that the first item names.
    first_page: Option<Digest>,
    items: u64,
    entries: u64,
    bytes: Vec<u8>,
    ended: bool,
}

/// What a page is made of: an entry or a child, encoded.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) entries: u64,
    pub(super) page: Option<Digest>,
    pub(super) encoded: Vec<u8>,
}

impl Item {
    pub(super) fn child(child: Child) -> Result<Self> {
        Ok(Self {
            encoded: canon::to_vec(&child)?,
            key: child.first,
            entries: child.entries,
            page: Some(child.page),
        })
    }
}

impl Draft {
    /// Adds an item; gives it back when the page ends before it. It must not have
    /// [ended](Self::has_ended).
    pub(super) fn add(&mut self, item: Item) -> Option<Item> {
        if self.items == 0 {
            self.first_page = item.page;
            self.first.clone_from(&item.key);
        } else {
            if self.items > 1 && self.bytes.len() + 1 + item.encoded.len() > PAGE_BYTES {
                return Some(item);
            }
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(&item.encoded);
        self.items += 1;
        self.entries += item.entries;
        self.ended = self.items >= MIN_ITEMS && ends_page(&item.key);
        None
    }

    /// Reports whether the page ends here, whatever follows.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Returns the page that a page of one item names.
    pub(super) fn only_page(&self) -> Option<Digest> {
        self.first_page.filter(|_| self.items == 1)
    }

    /// Encodes the page; returns also what the page above says of it.
    pub(super) fn finish(self, level: usize) -> (Child, Bytes) {
        let items = self.bytes;
        let bytes = if level == 0 {
            let opening: &[u8] = br#"{"entries":["#;
            [opening, &items, br#"],"format":1,"level":0}"#].concat()
        } else {
            let opening = format!(r#"{{"format":1,"level":{level},"pages":["#);
            [opening.as_bytes(), &items, b"]}"].concat()
        };
        let child = Child {
            entries: self.entries,
            first: self.first,
            page: Digest::of(&bytes),
        };
        (child, bytes.into())
    }
}

/// One item in 128 ends its page, if the page has items enough, whatever stands around it.
fn ends_page(key: &str) -> bool {
    Digest::of(key.as_bytes()).as_bytes()[0].trailing_zeros() >= 7
}

impl Page {
    /// Decodes the page whose digest is `digest`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when it breaks a rule of the format, [`ErrorKind::Incompatible`] when a
    /// newer version wrote it.
    pub(super) fn decode(digest: &Digest, bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Probe {
            format: u64,
        }
        let stored: Stored = canon::from_slice(bytes).map_err(|cause| {
            match serde_json::from_slice(bytes) {
                Ok(Probe { format }) if format > FORMAT => Error::new(
                    ErrorKind::Incompatible,
                    format!("written in format {format}, newer than {FORMAT}: upgrade Mainstay to read it"),
                )
                .context("object", object(digest)),
                _ => corrupt(digest, "no page of a tree").with_source(cause),
            }
        })?;
        let page = match (stored.level, stored.entries, stored.pages) {
            _ if stored.format != FORMAT => return Err(corrupt(digest, "no such format number")),
            (0, Some(entries), None) => Self::Leaf(entries),
            (level @ 1..=MAX_LEVEL, None, Some(pages)) => Self::Branch { level, pages },
            _ => return Err(corrupt(digest, "members of another level")),
        };
        let ascend = match &page {
            Self::Leaf(entries) => entries.is_sorted_by(|a, b| a.key < b.key),
            Self::Branch { pages, .. } => pages.is_sorted_by(|a, b| a.first < b.first),
        };
        if page.first().is_none_or(str::is_empty) || !ascend {
            return Err(corrupt(digest, "keys that are missing or do not ascend"));
        }
        Ok(page)
    }

    pub(super) fn level(&self) -> u8 {
        match self {
            Self::Leaf(_) => 0,
            Self::Branch { level, .. } => *level,
        }
    }

    fn first(&self) -> Option<&str> {
        match self {
            Self::Leaf(entries) => entries.first().map(|entry| entry.key.as_str()),
            Self::Branch { pages, .. } => pages.first().map(|child| child.first.as_str()),
        }
    }

    fn last(&self) -> Option<&str> {
        match self {
            Self::Leaf(entries) => entries.last().map(|entry| entry.key.as_str()),
            Self::Branch { pages, .. } => pages.last().map(|child| child.first.as_str()),
        }
    }

    fn entries(&self) -> u64 {
        match self {
            Self::Leaf(entries) => entries.len() as u64,
            Self::Branch { pages, .. } => {
                let counts = pages.iter().map(|child| child.entries);
                counts.fold(0, u64::saturating_add)
            }
        }
    }
}

/// Where a page stands, and what it has to be there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) page: Digest,
    /// What the page above says; `None` for a root.
    told: Option<(Child, u8)>,
    /// All its keys are less than this.
    until: Option<String>,
}

impl Place {
    pub(super) fn root(page: Digest) -> Self {
        Self {
            page,
            told: None,
            until: None,
        }
    }

    /// The place of the child number `at` of a page of `level` that stands at `parent`.
    pub(super) fn of(pages: &[Child], at: usize, level: u8, parent: &Self) -> Self {
        let until = pages.get(at + 1).map(|next| next.first.clone());
        Self {
            page: pages[at].page,
            told: Some((pages[at].clone(), level.saturating_sub(1))),
            until: until.or_else(|| parent.until.clone()),
        }
    }

    /// The places of all children.
    pub(super) fn children(&self, pages: &[Child], level: u8) -> Vec<Self> {
        let numbers = 0..pages.len();
        numbers.map(|at| Self::of(pages, at, level, self)).collect()
    }

    /// The first key below; `None` for a root.
    pub(super) fn first(&self) -> Option<&str> {
        self.told.as_ref().map(|(child, _)| child.first.as_str())
    }

    /// The level of the page; `None` for a root.
    pub(super) fn level(&self) -> Option<u8> {
        self.told.as_ref().map(|(_, level)| *level)
    }

    /// Reports whether all its keys are known to be less than `key`.
    pub(super) fn is_before(&self, key: &str) -> bool {
        self.until.as_deref().is_some_and(|until| until <= key)
    }

    /// Reads the page.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when it is not stored, or not what stands there; those of
    /// [`Page::decode`] and of the storage.
    pub(super) async fn load(&self, store: &BlobStore) -> Result<Page> {
        let blob = store.find(&self.page).await?;
        let blob = blob.ok_or_else(|| corrupt(&self.page, "a page of a tree is not stored"))?;
        if blob.size() > MAX_PAGE_BYTES {
            return Err(corrupt(&self.page, "too large for a page of a tree"));
        }
        let page = Page::decode(&self.page, &blob.bytes().await?)?;
        let fits = self.told.as_ref().is_none_or(|(child, level)| {
            page.level() == *level
                && page.first() == Some(&child.first)
                && page.entries() == child.entries
        });
        let ends = |until: &String| page.last().is_some_and(|last| last < until.as_str());
        if fits && self.until.as_ref().is_none_or(ends) {
            Ok(page)
        } else {
            Err(corrupt(&self.page, "not what the page above says of it"))
        }
    }
}

fn object(digest: &Digest) -> String {
    format!("blob {digest}")
}

fn corrupt(digest: &Digest, why: &'static str) -> Error {
    Error::corrupt(object(digest), why)
}
