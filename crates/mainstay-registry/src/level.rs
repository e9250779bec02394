//! Levels of change and the reasons for them.

use std::fmt;
use std::str::FromStr;

use mainstay_core::{Error, Result};
use semver::{Prerelease, Version};
use serde::{Deserialize, Serialize};

/// How much a version differs from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "SemVer knows these three")]
pub enum Level {
    /// Behaves the same: only packaging or documentation changed.
    Patch,
    /// Behaves differently behind the same contract, or the contract grew.
    Minor,
    /// A caller that worked before may fail.
    Major,
}

impl Level {
    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }

    /// Returns the version that follows `version` by this much.
    ///
    /// A prerelease is followed by its release when that is far enough: `2.0.0-rc.1` by `2.0.0`.
    #[must_use]
    pub fn next(self, version: &Version) -> Version {
        let Version {
            major,
            minor,
            patch,
            ..
        } = *version;
        let released = version.pre == Prerelease::EMPTY;
        match self {
            Self::Major if !released && minor == 0 && patch == 0 => Version::new(major, 0, 0),
            Self::Minor if !released && patch == 0 => Version::new(major, minor, 0),
            Self::Patch if !released => Version::new(major, minor, patch),
            Self::Major => Version::new(major.saturating_add(1), 0, 0),
            Self::Minor => Version::new(major, minor.saturating_add(1), 0),
            Self::Patch => Version::new(major, minor, patch.saturating_add(1)),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Patch, Self::Minor, Self::Major]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| {
                Error::invalid("unknown level; one of patch, minor, major")
                    .context("level", text.escape_debug())
            })
    }
}

/// One change and how much it weighs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Reason {
    /// The rule that decided, as `input.required_added`; stable, for programs.
    pub rule: String,
    /// How much it weighs.
    pub level: Level,
    /// Where: `inputs.mass`, `artifact`, `parameters.depth`.
    pub path: String,
    /// What was there before, if anything.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub before: serde_json::Value,
    /// What is there now, if anything.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub after: serde_json::Value,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at {}", self.level, self.rule, self.path)?;
        if !self.before.is_null() || !self.after.is_null() {
            write!(f, " ({} -> {})", self.before, self.after)?;
        }
        Ok(())
    }
}

/// Collects reasons.
#[derive(Debug, Default)]
pub(crate) struct Reasons(pub(crate) Vec<Reason>);

impl Reasons {
    pub(crate) fn add(
        &mut self,
        level: Level,
        rule: &str,
        path: impl Into<String>,
        before: serde_json::Value,
        after: serde_json::Value,
    ) {
        self.0.push(Reason {
            rule: rule.to_owned(),
            level,
            path: path.into(),
            before,
            after,
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(level: Level, from: &str, to: &str) {
        assert_eq!(level.next(&from.parse().unwrap()), to.parse().unwrap());
    }

    #[test]
    fn a_prerelease_is_followed_by_its_release_when_that_is_far_enough() {
        check(Level::Major, "2.0.0-rc.1", "2.0.0");
        check(Level::Minor, "2.0.0-rc.1", "2.0.0");
        check(Level::Patch, "2.0.1-rc.1", "2.0.1");
        check(Level::Major, "2.1.0-rc.1", "3.0.0");
        check(Level::Minor, "2.1.3-rc.1", "2.2.0");
    }

    #[test]
    fn levels_reset_what_is_below_them() {
        check(Level::Major, "1.2.3", "2.0.0");
        check(Level::Minor, "1.2.3", "1.3.0");
        check(Level::Patch, "1.2.3", "1.2.4");
        check(Level::Minor, "0.4.1", "0.5.0");
    }

    proptest! {
        #[test]
        fn the_next_version_is_higher_and_a_higher_level_gives_no_lower_one(
            major in 0_u64..9, minor in 0_u64..9, patch in 0_u64..9, pre in "|rc\\.1|alpha"
        ) {
            let mut version = Version::new(major, minor, patch);
            version.pre = Prerelease::new(&pre).unwrap();
            let [p, m, j] = [Level::Patch, Level::Minor, Level::Major].map(|level| level.next(&version));
            prop_assert!(p > version && m >= p && j >= m);
        }
    }
}
