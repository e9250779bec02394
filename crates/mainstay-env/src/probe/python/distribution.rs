//! Names and versions of installed distributions, from directory names and core metadata.

use pep440_rs::Version;

use crate::secrets::holds_credential;

/// The longest name or version that is believed.
const MAX_BYTES: usize = 128;

/// How a distribution is recorded in a package directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `Name-1.0.dist-info`, a directory with `METADATA`.
    DistInfo,
    /// `Name-1.0-py3.11.egg-info`, a directory with `PKG-INFO`, or that file itself.
    EggInfo,
    /// `Name-1.0-py3.11.egg`, a directory with `EGG-INFO/PKG-INFO`.
    Egg,
    /// `Name.egg-link`, a file that names a source directory.
    EggLink,
}

impl Form {
    /// Recognizes an entry of a package directory and returns its name without the ending.
    pub(super) fn of(entry: &str) -> Option<(Self, &str)> {
        [
            (Self::DistInfo, ".dist-info"),
            (Self::EggInfo, ".egg-info"),
            (Self::Egg, ".egg"),
            (Self::EggLink, ".egg-link"),
        ]
        .into_iter()
        .find_map(|(form, ending)| Some((form, entry.strip_suffix(ending)?)))
        // pip renames what it is removing to a name that begins with a tilde.
        .filter(|(_, stem)| !stem.is_empty() && !stem.starts_with('~'))
    }
}

/// Splits a directory's name into name and version, normalized. `None` when it tells no version, or
/// looks like a credential.
pub(super) fn from_stem(form: Form, stem: &str) -> Option<(String, String)> {
    if holds_credential(stem) {
        return None;
    }
    let stem = match form {
        Form::DistInfo => stem,
        // A Python tag follows the version.
        Form::EggInfo | Form::Egg => stem.split("-py").next().unwrap_or(stem),
        Form::EggLink => return None,
    };
    // Neither part holds a dash when it was escaped as it should; old tools left them in the name.
    [stem.split_once('-'), stem.rsplit_once('-')]
        .into_iter()
        .flatten()
        .find_map(|(name, version)| {
            let version: Version = version.replace('_', "+").parse().ok()?;
            Some((normalize_name(name)?, version.to_string()))
        })
}

/// Normalizes a name by PEP 503; `None` when it is none, or looks like a credential.
pub(super) fn normalize_name(name: &str) -> Option<String> {
    let bytes = name.as_bytes();
    let word = |byte: &u8| byte.is_ascii_alphanumeric();
    let valid = name.len() <= MAX_BYTES
        && bytes.first().is_some_and(word)
        && bytes.last().is_some_and(word)
        && bytes
            .iter()
            .all(|byte| word(byte) || matches!(byte, b'-' | b'_' | b'.'))
        && !holds_credential(name);
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    valid.then(|| words.collect::<Vec<_>>().join("-").to_ascii_lowercase())
}

/// Normalizes a version by PEP 440; one that does not follow it is kept when it is one short word.
/// `None` for others, and when it looks like a credential.
pub(super) fn normalize_version(version: &str) -> Option<String> {
    let version = version.trim();
    let word = !version.is_empty()
        && version.len() <= MAX_BYTES
        && version.bytes().all(|byte| byte.is_ascii_graphic());
    if !word || holds_credential(version) {
        return None;
    }
    Some(
        version
            .parse::<Version>()
            .map_or_else(|_| version.to_owned(), |parsed| parsed.to_string()),
    )
}

/// Reads name and version from core metadata: the headers up to the first empty line.
pub(super) fn from_metadata(text: &str) -> Option<(String, String)> {
    let header = |wanted: &str| {
        text.lines()
            .take_while(|line| !line.trim().is_empty())
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim_end().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim())
    };
    Some((
        normalize_name(header("Name")?)?,
        normalize_version(header("Version")?)?,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(entry: &str, expected: Option<(&str, &str)>) {
        let found = Form::of(entry).and_then(|(form, stem)| from_stem(form, stem));
        let found = found.as_ref().map(|(name, version)| (&**name, &**version));
        assert_eq!(found, expected, "{entry}");
    }

    #[test]
    fn directory_names_give_normalized_names_and_versions() {
        check("numpy-2.1.0.dist-info", Some(("numpy", "2.1.0")));
        check("Jinja2-3.1.dist-info", Some(("jinja2", "3.1")));
        check(
            "torch-2.1.0+cu121.dist-info",
            Some(("torch", "2.1.0+cu121")),
        );
        check(
            "torch-2.1.0_cu121.dist-info",
            Some(("torch", "2.1.0+cu121")),
        );
        check(
            "ruamel.yaml_clib-0.2.8.dist-info",
            Some(("ruamel-yaml-clib", "0.2.8")),
        );
        check(
            "backports.functools-lru-cache-1.6.dist-info",
            Some(("backports-functools-lru-cache", "1.6")),
        );
        check("PyJWT-2.6.0.egg-info", Some(("pyjwt", "2.6.0")));
        check(
            "PyGObject-3.42.2-py3.11.egg-info",
            Some(("pygobject", "3.42.2")),
        );
        check("old-1.0-py2.7-linux-x86_64.egg", Some(("old", "1.0")));
        check("x-1.0.0RC1.dist-info", Some(("x", "1.0.0rc1")));
    }

    #[test]
    fn names_without_a_version_need_metadata_and_strangers_are_skipped() {
        check("project.egg-info", None);
        check("project.egg-link", None);
        check("x-2004d.dist-info", None);
        check("~umpy-2.1.0.dist-info", None);
        check(".dist-info", None);
        check("numpy", None);
    }

    #[test]
    fn metadata_headers_end_at_the_first_empty_line() {
        let text = "Metadata-Version: 2.1\nname : Foo_Bar\nVersion: 2004d\n\nVersion: 9\n";
        assert_eq!(
            from_metadata(text),
            Some(("foo-bar".into(), "2004d".into()))
        );
        assert_eq!(from_metadata("\nName: a\nVersion: 1\n"), None);
        assert_eq!(from_metadata("Name: a b\nVersion: 1\n"), None);
    }

    proptest! {
        #[test]
        fn any_entry_and_metadata_is_read(
            text in "(Name|Version|:|-|\\.dist-info|\\.egg-info|[0-9.]{0,5}|\n| |\\PC){0,24}"
        ) {
            if let Some((form, stem)) = Form::of(&text) {
                drop(from_stem(form, stem));
            }
            if let Some((name, version)) = from_metadata(&text) {
                prop_assert_eq!(normalize_name(&name), Some(name));
                prop_assert_eq!(normalize_version(&version), Some(version));
            }
        }
    }
}
