//! Checks of a program's own: gates that the registry does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use mainstay_core::{Actor, Name, Result, Timestamp};
use mainstay_repo::View;

use crate::approval::Approval;
use crate::info::ModelInfo;

/// What gates look at: a version that is to enter a stage, at one moment.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Case<'c> {
    /// The version; its metrics are those measured for the promotion laid over all others.
    pub candidate: &'c ModelInfo,
    /// The version that holds the stage, if the stage is exclusive and anybody does.
    pub incumbent: Option<&'c ModelInfo>,
    /// The stage.
    pub to: &'c Name,
    /// Who promotes.
    pub actor: &'c Actor,
    /// In which roles, as the caller says.
    pub roles: &'c BTreeSet<Name>,
    /// Everything else, as of the moment that the promotion commits on.
    pub view: &'c View,
    /// When, by the clock of the repository.
    pub now: Timestamp,
    /// What approves this version for this stage under the policy of this moment.
    pub(crate) approvals: &'c [Approval],
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether the version may pass.
    pub passed: bool,
    /// Why, in words; recorded with the promotion.
    pub why: String,
}

impl Verdict {
    /// Lets the version pass.
    pub fn pass(why: impl Into<String>) -> Self {
        Self {
            passed: true,
            why: why.into(),
        }
    }

    /// Holds it back.
    pub fn fail(why: impl Into<String>) -> Self {
        Self {
            passed: false,
            why: why.into(),
        }
    }
}

/// A gate of a program's own, asked for by [`Gate::Check`](crate::Gate::Check).
///
/// # How to implement
/// The answer depends on the arguments of the gate and on the case alone, so that it holds for exactly
/// the state the promotion commits on; a promotion that has to be decided again asks again. Look at
/// `case.view` only by functions that return the view's errors: that is how what is not in memory gets
/// loaded. An error ends the promotion and changes nothing; what merely speaks against it is a
/// [`Verdict::fail`]. Refuse arguments that are not known.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use mainstay_core::Result;
/// use mainstay_registry::{Case, GateCheck, Verdict};
///
/// /// Nothing new on the last day of a quarter.
/// #[derive(Debug)]
/// struct Freeze;
///
/// impl GateCheck for Freeze {
///     fn check(&self, _: &BTreeMap<String, String>, case: &Case<'_>) -> Result<Verdict> {
///         let today = case.now.to_string();
///         Ok(match ["03-31", "06-30", "09-30", "12-31"].contains(&&today[5..10]) {
///             true => Verdict::fail("the quarter ends today"),
///             false => Verdict::pass("no freeze"),
///         })
///     }
/// }
/// ```
pub trait GateCheck: fmt::Debug + Send + Sync {
    /// Decides on one case.
    fn check(&self, arguments: &BTreeMap<String, String>, case: &Case<'_>) -> Result<Verdict>;
}

/// The checks of one program, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks(BTreeMap<Name, Arc<dyn GateCheck>>);

impl Checks {
    pub(crate) fn insert(&mut self, name: Name, check: Arc<dyn GateCheck>) {
        self.0.insert(name, check);
    }

    pub(crate) fn verdict(
        &self,
        name: &Name,
        arguments: &BTreeMap<String, String>,
        case: &Case<'_>,
    ) -> Result<Verdict> {
        match self.0.get(name) {
            Some(check) => check
                .check(arguments, case)
                .map_err(|error| error.context("check", name)),
            None => Ok(Verdict::fail(format!("this program has no check {name}"))),
        }
    }
}
