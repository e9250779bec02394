//! Finding the version a person means.

use mainstay_core::{Error, ErrorKind, Locator, Name, NodeKind, NodeRef, Result, Selector};
use mainstay_repo::{Series, View};
use semver::{Version, VersionReq};

use crate::moved::Moved;
use crate::names::model_id;
use crate::policy::StagePolicy;
use crate::record::version_name;
use crate::refs::{self, Family};
use crate::shelf::Versions;
use crate::standing::holder;

/// Finds the version that `locator` means.
///
/// A name after the `@` is looked up as, in this order:
/// 1. a version, `1.2.0`;
/// 2. an alias, `champion`;
/// 3. a stage, `production`: of an exclusive stage its holder, of another the version that entered it
///    last;
/// 4. the beginning of a version, `1` or `1.2`: the highest release that begins so.
///
/// `latest`, or nothing, means the version registered last; `sha256:…` the one whose record has this
/// digest.
///
/// A name that a model had leads to it until another model takes it. The node is of the model's
/// [id](model_id), whatever it is called, so that it stays what it is; as a locator it always means
/// itself, also when the id is another model's name by now.
///
/// # Errors
/// [`ErrorKind::NotFound`] when there is none, [`ErrorKind::Invalid`] when the locator is of another kind.
///
/// # Complexity
/// O(log n) for a version, an alias, an exclusive stage and, [warm](View::project), for the latest, another
/// stage and the beginning of a version; O(n) in the model's versions for a digest and for the stage that versions
/// begin in.
pub fn resolve(view: &View, locator: &Locator) -> Result<NodeRef> {
    if locator.kind.is_some_and(|kind| kind != NodeKind::Model) {
        return Err(Error::invalid("not a model").context("reference", locator));
    }
    let by_id = Series::new(NodeKind::Model, locator.name.clone());
    if let Selector::Named(version) = &locator.selector
        && let Some(pinned) = exact(view, &by_id, version)?
    {
        return Ok(pinned);
    }
    let series = Series::new(NodeKind::Model, model_id(view, &locator.name)?);
    let found = match &locator.selector {
        Selector::Latest => series.newest(view)?,
        // Under its own id it was looked for already.
        Selector::Named(name) if series == by_id => named(view, &series, name)?,
        Selector::Named(name) => match exact(view, &series, name)? {
            Some(version) => Some(version),
            None => named(view, &series, name)?,
        },
        other => match series.resolve(view, other, &[]) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Some(by_id.resolve(view, other, &[])?.0)
            }
            found => Some(found?.0),
        },
    };
    found.ok_or_else(|| Error::not_found("model", locator))
}

/// Finds the version that `locator` means, as [`resolve`] does; one whose number is spelled out also when it
/// was deleted.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_ever(view: &View, locator: &Locator) -> Result<NodeRef> {
    let found = resolve(view, locator);
    let is_lost = matches!(&found, Err(error) if error.kind() == ErrorKind::NotFound);
    let (Selector::Named(version), true) = (&locator.selector, is_lost) else {
        return found;
    };
    for id in [locator.name.clone(), model_id(view, &locator.name)?] {
        let node = NodeRef::new(NodeKind::Model, id, version.clone());
        if view.state(&node.ref_path())?.is_some() {
            return Ok(node);
        }
    }
    found
}

/// Finds the highest version of a model that meets a requirement such as `^1.2`.
///
/// # Errors
/// [`ErrorKind::NotFound`] when no version meets it.
///
/// # Complexity
/// Warm, linear in the versions above it.
pub fn resolve_req(view: &View, model: &Name, requirement: &VersionReq) -> Result<NodeRef> {
    let series = Series::new(NodeKind::Model, model_id(view, model)?);
    highest(view, &series, requirement)?
        .ok_or_else(|| Error::not_found("model", model).context("requirement", requirement))
}

/// Finds what a name means that is no version.
fn named(view: &View, series: &Series, name: &Name) -> Result<Option<NodeRef>> {
    if Version::parse(name.as_str()).is_ok() {
        return Ok(None);
    }
    if let Some(target) = refs::target(view, &refs::of(series.name(), Family::Alias, name)?)? {
        return Ok(Some(target));
    }
    if let Some(version) = in_stage(view, series, name)? {
        return Ok(Some(version));
    }
    match beginning(name) {
        Some(requirement) => highest(view, series, &requirement),
        None => Ok(None),
    }
}

fn exact(view: &View, series: &Series, version: &Name) -> Result<Option<NodeRef>> {
    let node = series.node(version.clone());
    Ok(view.get(&node.ref_path())?.map(|_| node))
}

fn in_stage(view: &View, series: &Series, name: &Name) -> Result<Option<NodeRef>> {
    let policy = StagePolicy::kept(view, series.name())?;
    match policy.find(name) {
        None => Ok(None),
        Some(stage) if stage.exclusive => holder(view, series.name(), name),
        Some(_) => {
            let moved = Moved::of(view, series.name())?;
            let mut newest = moved
                .newest(name)
                .map(|(since, version)| (since, series.node(version.clone())));
            if *name == policy.initial {
                let versions = series.versions(view)?.into_iter();
                let never_moved = versions.filter(|(node, _)| !moved.contains(node.version()));
                newest = newest.max(never_moved.map(|(node, state)| (state.seq, node)).max());
            }
            Ok(newest.map(|(_, version)| version))
        }
    }
}

/// Reads `1` and `1.2` as requirements for `1.*` and `1.2.*`.
fn beginning(name: &Name) -> Option<VersionReq> {
    let digits_and_dots = name
        .as_str()
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b'.');
    digits_and_dots
        .then(|| VersionReq::parse(&format!("={name}")).ok())
        .flatten()
}

fn highest(view: &View, series: &Series, requirement: &VersionReq) -> Result<Option<NodeRef>> {
    let versions = Versions::of(view, series.name())?;
    let highest = versions.highest(|version| requirement.matches(version));
    highest
        .map(|version| Ok(series.node(version_name(version)?)))
        .transpose()
}
