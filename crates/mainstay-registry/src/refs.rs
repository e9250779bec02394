//! Where the registry keeps what: the refs below `model/<id>/`, and those that names lead to ids by.
//!
//! ```text
//! version/<semver>       the record of a version; immutable
//! status/<semver>        its stage; absent while it is where the policy lets versions begin
//! annotation/<semver>    tags and description set after registration
//! signing/<semver>       its signatures
//! stage/<stage>          pointer to the one version in an exclusive stage
//! alias/<alias>          pointer to a version
//! approval/<semver>      who approves it for which stage; absent when nobody does
//! overruled/<semver>     that it entered a stage in spite of gates; absent when it never did
//! promotion/<digest>     what a promotion with this idempotency key answered
//! policy/stages          the stage policy; absent while it is the default
//! name/current           what the model is called; absent while that is its id
//!
//! model-name/<name>      the id of the model that has the name or had it last; absent while it is the name
//! ```

use mainstay_core::{Error, Name, NodeKind, NodeRef, RefPath, Result};
use mainstay_repo::{Expectation, RefState, Series, Value, View};
use semver::Version;

/// The refs of a model that are named by a version, a stage or an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Status,
    Annotation,
    Signing,
    Stage,
    Alias,
    Approval,
    Overruled,
    Promotion,
}

impl Family {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Annotation => "annotation",
            Self::Signing => "signing",
            Self::Stage => "stage",
            Self::Alias => "alias",
            Self::Approval => "approval",
            Self::Overruled => "overruled",
            Self::Promotion => "promotion",
        }
    }
}

/// Returns a ref of the model with an id.
pub(crate) fn of(id: &Name, family: Family, name: &Name) -> Result<RefPath> {
    Series::new(NodeKind::Model, id.clone()).pointer(family.as_str(), name)
}

pub(crate) fn policy(id: &Name) -> Result<RefPath> {
    Series::new(NodeKind::Model, id.clone()).pointer("policy", &"stages".parse()?)
}

/// Returns the ref that says what the model with an id is called.
pub(crate) fn called(id: &Name) -> Result<RefPath> {
    Series::new(NodeKind::Model, id.clone()).pointer("name", &"current".parse()?)
}

/// Returns the ref that says which model a name leads to.
pub(crate) fn name(name: &Name) -> Result<RefPath> {
    RefPath::from_names(&["model-name".parse()?, name.clone()])
}

pub(crate) fn value<'v>(view: &'v View, path: &RefPath) -> Result<Option<&'v Value>> {
    Ok(view.get(path)?.and_then(|state| state.value.as_ref()))
}

/// Returns what a ref that was found holds.
pub(crate) fn held<'v>(path: &RefPath, state: &'v RefState) -> Result<&'v Value> {
    state
        .value
        .as_ref()
        .ok_or_else(|| Error::not_found("ref", path))
}

/// Returns the state of a version that must exist.
pub(crate) fn version<'v>(view: &'v View, version: &NodeRef) -> Result<&'v RefState> {
    view.get(&version.ref_path())?
        .ok_or_else(|| Error::not_found("model", version))
}

/// Follows a pointer; `None` when it is absent.
pub(crate) fn target(view: &View, path: &RefPath) -> Result<Option<NodeRef>> {
    match value(view, path)? {
        None => Ok(None),
        Some(value) => match value.pointee() {
            Some(target) => Ok(Some(target)),
            None => Err(Error::corrupt(path, "not a pointer")),
        },
    }
}

pub(crate) fn is_alias(view: &View, id: &Name, name: &Name) -> Result<bool> {
    Ok(value(view, &of(id, Family::Alias, name)?)?.is_some())
}

/// Expects a ref to be as the view shows it.
pub(crate) fn unchanged(view: &View, path: &RefPath) -> Result<Expectation> {
    Ok(match view.get(path)? {
        Some(state) => Expectation::Generation(state.generation),
        None => Expectation::Absent,
    })
}

/// Refuses names that mean a version: `latest`, `1.2.0`, and beginnings of one, `1` or `1.2`.
pub(crate) fn check_pointer_name(what: &'static str, name: &Name) -> Result<()> {
    let text = name.as_str();
    let like_a_version =
        Version::parse(text).is_ok() || text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if text == "latest" || like_a_version {
        return Err(Error::invalid("the name is reserved for versions").context(what, name));
    }
    Ok(())
}
