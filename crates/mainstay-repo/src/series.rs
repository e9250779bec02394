//! Series: the versions of one named thing, and the names that point to them.

use mainstay_core::{Error, Name, NodeKind, NodeRef, RefPath, Result, Selector};

use crate::{RefState, View};

/// The versions of one named thing and its pointers (tags, labels, aliases, stages).
///
/// ```text
/// <kind>/<name>/version/<version>    an immutable version
/// <kind>/<name>/<family>/<pointer>   a pointer to a version; `family` is tag, label, alias, stage …
/// ```
///
/// The crates that own a kind share these rules: a version is written once, a number is never used
/// again, `latest` is the version committed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    kind: NodeKind,
    name: Name,
}

impl Series {
    /// Names a series; it need not exist.
    #[must_use]
    pub fn new(kind: NodeKind, name: Name) -> Self {
        Self { kind, name }
    }

    /// Lists the names of a kind that have at least one version, in order.
    #[must_use]
    pub fn names(view: &View, kind: NodeKind) -> Vec<Name> {
        let mut names: Vec<Name> = view
            .below(kind.as_str())
            .filter_map(|(path, _)| NodeRef::from_ref_path(path).map(|node| node.name().clone()))
            .collect();
        names.dedup();
        names
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Names one version.
    #[must_use]
    pub fn node(&self, version: Name) -> NodeRef {
        NodeRef::new(self.kind, self.name.clone(), version)
    }

    /// Names the version with number `number`.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "decimal digits are a name"
    )]
    pub fn numbered(&self, number: u64) -> NodeRef {
        self.node(Name::new(&number.to_string()).expect("decimal digits are a name"))
    }

    /// Returns the ref of a pointer: `<kind>/<name>/<family>/<pointer>`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when `family` is not a name or is
    /// `version`, or when `pointer` is `latest`, which is never stored.
    pub fn pointer(&self, family: &str, pointer: &Name) -> Result<RefPath> {
        if family == "version" || pointer.as_str() == "latest" {
            return Err(
                Error::invalid("reserved: latest always means the newest version")
                    .context("name", pointer),
            );
        }
        RefPath::from_names(&[
            self.kind.as_str().parse()?,
            self.name.clone(),
            family.parse()?,
            pointer.clone(),
        ])
    }

    /// Lists the versions in the order they were committed.
    #[must_use]
    pub fn versions<'v>(&self, view: &'v View) -> Vec<(NodeRef, &'v RefState)> {
        let mut versions: Vec<_> = view
            .below(&format!("{}/{}/version", self.kind, self.name))
            .filter_map(|(path, state)| Some((NodeRef::from_ref_path(path)?, state)))
            .collect();
        versions.sort_by_key(|(_, state)| state.seq);
        versions
    }

    /// Lists the pointers of a family and what they point to, in name order.
    #[must_use]
    pub fn pointers<'v>(&self, view: &'v View, family: &str) -> Vec<(Name, NodeRef, &'v RefState)> {
        view.below(&format!("{}/{}/{family}", self.kind, self.name))
            .filter_map(|(path, state)| {
                let pointer = path.segments().next_back()?.parse().ok()?;
                Some((pointer, state.value.as_ref()?.pointee()?, state))
            })
            .collect()
    }

    /// Returns the first number never used by a version of this series, deleted ones included.
    #[must_use]
    pub fn next_number(&self, view: &View) -> u64 {
        view.states_below(&format!("{}/{}/version", self.kind, self.name))
            .filter_map(|(path, _)| path.segments().next_back()?.parse::<u64>().ok())
            .max()
            .map_or(1, |highest| highest.saturating_add(1))
    }

    /// Finds the version that `selector` means; a name is looked up as a version, then as a pointer
    /// of each of `families` in order.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) naming the thing and the selector.
    pub fn resolve<'v>(
        &self,
        view: &'v View,
        selector: &Selector,
        families: &[&str],
    ) -> Result<(NodeRef, &'v RefState)> {
        let versions = self.versions(view);
        let found = match selector {
            Selector::Latest => versions.last().cloned(),
            Selector::Digest(digest) => versions.into_iter().rev().find(|(_, state)| {
                state
                    .value
                    .as_ref()
                    .is_some_and(|value| value.record_digest().is_ok_and(|d| d == *digest))
            }),
            Selector::Named(name) => self.named(view, name, families)?,
            _ => None,
        };
        found.ok_or_else(|| {
            Error::not_found(
                self.kind.as_str(),
                format!("{}:{}@{selector}", self.kind, self.name),
            )
        })
    }

    fn named<'v>(
        &self,
        view: &'v View,
        name: &Name,
        families: &[&str],
    ) -> Result<Option<(NodeRef, &'v RefState)>> {
        let direct = self.node(name.clone());
        if let Some(state) = view.get(&direct.ref_path()) {
            return Ok(Some((direct, state)));
        }
        for family in families {
            let Some(pointer) = view.get(&self.pointer(family, name)?) else {
                continue;
            };
            let target = pointer
                .value
                .as_ref()
                .and_then(crate::Value::pointee)
                .ok_or_else(|| {
                    Error::corrupt(
                        format!("{}/{}/{family}/{name}", self.kind, self.name),
                        "not a pointer",
                    )
                })?;
            return Ok(view.get(&target.ref_path()).map(|state| (target, state)));
        }
        Ok(None)
    }
}
