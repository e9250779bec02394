//! Differences before they are graded.

use super::rules::RuleId;
use crate::Fact;

/// One difference.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) rule: RuleId,
    pub(super) path: String,
    pub(super) a: Option<String>,
    pub(super) b: Option<String>,
    /// What to do, where more can be said than the rule does.
    pub(super) fix: Option<String>,
}

/// The differences found so far.
#[derive(Debug, Default)]
pub(super) struct Differences(Vec<Difference>);

impl Differences {
    /// Adds a difference.
    pub(super) fn add(
        &mut self,
        rule: RuleId,
        path: impl Into<String>,
        a: Option<String>,
        b: Option<String>,
    ) {
        self.0.push(Difference {
            rule,
            path: path.into(),
            a,
            b,
            fix: None,
        });
    }

    /// Says what to do about the difference added last.
    pub(super) fn fix(&mut self, fix: String) {
        if let Some(last) = self.0.last_mut() {
            last.fix = Some(fix);
        }
    }

    /// Adds a difference when the two values are not equal.
    pub(super) fn equal<T: PartialEq + ToString>(
        &mut self,
        rule: RuleId,
        path: &str,
        a: Option<&T>,
        b: Option<&T>,
    ) {
        if a != b {
            self.add(
                rule,
                path,
                a.map(ToString::to_string),
                b.map(ToString::to_string),
            );
        }
    }

    /// Returns both values of a fact, `None` for absent ones, when both are established; else adds
    /// that it is unknown.
    pub(super) fn established<'f, T>(
        &mut self,
        path: &str,
        a: &'f Fact<T>,
        b: &'f Fact<T>,
    ) -> Option<(Option<&'f T>, Option<&'f T>)> {
        if a.is_established() && b.is_established() {
            return Some((a.known(), b.known()));
        }
        let outcome = |fact: &Fact<T>| Some(fact.outcome().to_owned());
        self.add(RuleId::Unknown, path, outcome(a), outcome(b));
        None
    }

    /// Adds a difference of a fact that is one value.
    pub(super) fn fact<T: PartialEq + ToString>(
        &mut self,
        rule: RuleId,
        path: &str,
        a: &Fact<T>,
        b: &Fact<T>,
    ) {
        if let Some((a, b)) = self.established(path, a, b) {
            self.equal(rule, path, a, b);
        }
    }
}

impl IntoIterator for Differences {
    type Item = Difference;
    type IntoIter = std::vec::IntoIter<Difference>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
