//! Series: the versions of one named thing, and the names that point to them.

mod ages;

use std::sync::Arc;

use mainstay_core::{Error, Name, NodeKind, NodeRef, RefPath, Result, Selector};

use self::ages::{Age, Ages};
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
///
/// ```
/// # use std::sync::Arc;
/// use mainstay_core::{Actor, NodeKind, Selector};
/// use mainstay_repo::{Expectation, Repo, RepoOptions, Series, Step, Transaction, Value};
/// # use mainstay_store::MemoryStorage;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
///
/// let series = Series::new(NodeKind::Data, "penguins".parse()?);
/// let ada = Actor::new("ada")?;
/// repo.transact(|view| {
///     let version = series.numbered(series.next_number(view)?);
///     let mut publish = Transaction::new(ada.clone(), "2007 and 2008");
///     publish
///         .set(version.ref_path(), Value::new("note", &"…")?, Expectation::Absent)
///         .set(series.pointer("tag", &"clean".parse()?)?, Value::pointer(&version), Expectation::Any);
///     Ok(Step::Commit(publish, ()))
/// })
/// .await?;
///
/// let view = repo.view().await?;
/// let clean = Selector::Named("clean".parse()?);
/// let version = view.read(|view| Ok(series.resolve(view, &clean, &["tag"])?.0)).await?;
/// assert_eq!(version.to_string(), "data:penguins@1");
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
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
    ///
    /// Complexity: linear in the refs of the kind.
    ///
    /// # Errors
    /// Those of [`View::below`], as for all that follows.
    pub fn names(view: &View, kind: NodeKind) -> Result<Vec<Name>> {
        let mut names: Vec<Name> = Vec::new();
        for (path, _) in view.below(kind.as_str())? {
            if let Some(node) = NodeRef::from_ref_path(path)
                && names.last() != Some(node.name())
            {
                names.push(node.name().clone());
            }
        }
        Ok(names)
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
        if family == "version" {
            return Err(
                Error::invalid("reserved: versions are not pointers").context("family", family)
            );
        }
        if pointer.as_str() == "latest" {
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

    /// Lists the versions in the order they were committed; those of one commit by number, then by
    /// name.
    ///
    /// Complexity: O(n log n) in the versions of the series.
    pub fn versions<'v>(&self, view: &'v View) -> Result<Vec<(NodeRef, &'v RefState)>> {
        let mut versions: Vec<_> = self.unordered(view)?.collect();
        versions.sort_by_cached_key(|(node, state)| Age::of(node.version().as_str(), state.seq));
        Ok(versions)
    }

    /// Lists the pointers of a family and what they point to, in name order.
    pub fn pointers<'v>(
        &self,
        view: &'v View,
        family: &str,
    ) -> Result<Vec<(Name, NodeRef, &'v RefState)>> {
        let refs = view.below(&self.prefix(family))?;
        let pointers = refs.filter_map(|(path, state)| {
            let pointer = last_of_four(path)?.parse().ok()?;
            Some((pointer, state.value.as_ref()?.pointee()?, state))
        });
        Ok(pointers.collect())
    }

    /// Returns the version committed last; `None` when there is none.
    ///
    /// Complexity: O(log n) warm, as [`View::project`] says.
    pub fn latest<'v>(&self, view: &'v View) -> Result<Option<(NodeRef, &'v RefState)>> {
        let Some(node) = self.newest(view)? else {
            return Ok(None);
        };
        let state = view.get(&node.ref_path())?;
        Ok(state.map(|state| (node, state)))
    }

    /// Names the version committed last, without looking it up; `None` when there is none.
    ///
    /// Complexity: O(1) warm, as [`View::project`] says.
    pub fn newest(&self, view: &View) -> Result<Option<NodeRef>> {
        let ages = self.ages(view)?;
        let newest = ages.newest().map(str::parse).transpose()?;
        Ok(newest.map(|version| self.node(version)))
    }

    /// Returns how many versions there are.
    ///
    /// Complexity: O(1) warm, as [`View::project`] says.
    pub fn count(&self, view: &View) -> Result<usize> {
        Ok(self.ages(view)?.count())
    }

    /// Returns the first number after all that versions of this series ever had, deleted ones
    /// included; 1 for the first.
    ///
    /// Complexity: O(1) warm, as [`View::project`] says.
    pub fn next_number(&self, view: &View) -> Result<u64> {
        Ok(self.ages(view)?.next_number())
    }

    /// Finds the version that `selector` means; a name is looked up as a version, then as a pointer
    /// of each of `families` in order.
    ///
    /// Complexity: O(log n) for a name and, warm, for the latest; linear in the versions of the series
    /// for a digest.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) naming the thing and the selector;
    /// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when a pointer's ref holds something
    /// else.
    pub fn resolve<'v>(
        &self,
        view: &'v View,
        selector: &Selector,
        families: &[&str],
    ) -> Result<(NodeRef, &'v RefState)> {
        let found = match selector {
            Selector::Latest => self.latest(view)?,
            Selector::Digest(digest) => self
                .unordered(view)?
                .filter(|(_, state)| {
                    let value = state.value.as_ref();
                    value.is_some_and(|value| value.record_digest().is_ok_and(|d| d == *digest))
                })
                .max_by_key(|(node, state)| Age::of(node.version().as_str(), state.seq)),
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
        if let Some(state) = view.get(&direct.ref_path())? {
            return Ok(Some((direct, state)));
        }
        for family in families {
            let path = self.pointer(family, name)?;
            let Some(value) = view.get(&path)?.and_then(|state| state.value.as_ref()) else {
                continue;
            };
            let target = value
                .pointee()
                .ok_or_else(|| Error::corrupt(path, "not a pointer"))?;
            return Ok(view.get(&target.ref_path())?.map(|state| (target, state)));
        }
        Ok(None)
    }

    fn unordered<'v>(
        &self,
        view: &'v View,
    ) -> Result<impl Iterator<Item = (NodeRef, &'v RefState)> + use<'v>> {
        let refs = view.below(&self.prefix("version"))?;
        Ok(refs.filter_map(|(path, state)| Some((NodeRef::from_ref_path(path)?, state))))
    }

    fn ages(&self, view: &View) -> Result<Arc<Ages>> {
        view.project(&self.prefix("version"))
    }

    fn prefix(&self, family: &str) -> String {
        format!("{}/{}/{family}", self.kind, self.name)
    }
}

/// The last segment of a path with four, as those of versions and pointers have.
fn last_of_four(path: &RefPath) -> Option<&str> {
    let mut segments = path.segments();
    let last = segments.nth(3);
    last.filter(|_| segments.next().is_none())
}

#[cfg(test)]
mod tests;
