//! The links of the state: who names a version.

use std::borrow::Cow;

use mainstay_core::{Error, NodeRef, RefPath, Result, Timestamp, canon};
use serde::{Deserialize, Serialize};

use super::item::{Held, Item};
use super::root::{Anchor, Root, Slice};
use crate::log::entry::Logged;
use crate::view::{Base, Layer, Miss};
use crate::{Dependent, Value, View};

/// The links. The key of one is its spelling:
///
/// ```text
/// <version> <edge> <role, or -> <version that depends on it>
/// <version> @ <ref that pointed to it>
/// ```
///
/// A space sorts before all that a name may hold, so the links of one version are neighbours.
///
/// A link stays when what named the version is deleted or names another: lineage is what was. So the
/// links follow from each entry alone, whatever the state before it.
#[derive(Debug)]
pub(crate) enum Links {}

/// A link and the entry that stated it last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkItem<'a> {
    link: Cow<'a, str>,
    seq: u64,
}

/// What the key of a link says after the version that it leads to.
#[derive(Debug, PartialEq)]
pub(crate) enum Linked {
    Dependent(Dependent),
    Name(RefPath),
}

/// Begins the keys of all links to a version.
pub(crate) fn prefix(to: &NodeRef) -> String {
    format!("{to} ")
}

/// Reads what follows the [`prefix`].
pub(crate) fn linked(rest: &str) -> Option<Linked> {
    let (word, rest) = rest.split_once(' ')?;
    if word == "@" {
        return rest.parse().ok().map(Linked::Name);
    }
    let (role, from) = rest.split_once(' ')?;
    Some(Linked::Dependent(Dependent {
        kind: word.parse().ok()?,
        role: match role {
            "-" => None,
            role => Some(role.parse().ok()?),
        },
        from: from.parse().ok()?,
    }))
}

/// The links that a ref brings when it is set.
pub(crate) fn of(path: &RefPath, value: &Value) -> Vec<String> {
    if let Some(to) = value.pointee() {
        return vec![format!("{to} @ {path}")];
    }
    if value.edges.is_empty() {
        return Vec::new();
    }
    let Some(from) = NodeRef::from_ref_path(path) else {
        return Vec::new();
    };
    let edges = value.edges.iter().map(|edge| {
        let role = edge.role.as_ref().map_or("-", |role| role.as_str());
        format!("{} {} {role} {from}", edge.to, edge.kind)
    });
    edges.collect()
}

impl Item for LinkItem<'_> {
    fn id(&self) -> &str {
        &self.link
    }

    fn format(&self) -> u64 {
        1
    }

    fn check(&self, anchor: &Anchor) -> Result<()> {
        let read = self
            .link
            .split_once(' ')
            .and_then(|(to, rest)| Some((to.parse::<NodeRef>().ok()?, linked(rest)?)));
        if read.is_none() {
            return Err(Error::invalid("not a link"));
        }
        if (1..=anchor.seq).contains(&self.seq) {
            Ok(())
        } else {
            Err(Error::invalid("stated after the checkpoint"))
        }
    }
}

impl Held for Links {
    type Item = LinkItem<'static>;
    type Key = String;
    type State = u64;

    fn held(item: LinkItem<'static>) -> (String, u64) {
        (item.link.into_owned(), item.seq)
    }

    fn encode(link: &String, seq: &u64) -> Result<Vec<u8>> {
        canon::to_vec(&LinkItem {
            link: Cow::Borrowed(link),
            seq: *seq,
        })
    }

    fn format_of(_: &u64) -> u64 {
        1
    }

    fn id_of(link: &String) -> &str {
        link
    }

    fn key_of(text: &str) -> Result<String> {
        Ok(text.to_owned())
    }

    fn moment(seq: &u64) -> (u64, Timestamp) {
        // Its time is that of the entry, and no later than the checkpoint's if the entry is not.
        (*seq, Timestamp::from_unix_micros(i64::MIN))
    }

    fn slices(root: &Root) -> Option<&[Slice]> {
        root.links.as_deref()
    }

    fn layer(base: &Base) -> &Layer<Self> {
        &base.links
    }

    fn miss(at: usize) -> Miss {
        Miss::Link(at)
    }

    fn changes(view: &View) -> Box<dyn Iterator<Item = (&String, &u64)> + Send + '_> {
        Box::new(view.links.iter())
    }

    fn changed(logged: Logged, seq: u64, _: Timestamp) -> Vec<(String, u64)> {
        let set = logged.changes.iter();
        let links = set.filter_map(|change| Some(of(&change.path, change.value.as_ref()?)));
        links.flatten().map(|link| (link, seq)).collect()
    }
}
