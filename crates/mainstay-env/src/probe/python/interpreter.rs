//! The interpreter's version, from the files around it.

use std::path::Path;

use pep440_rs::Version;
use serde::Deserialize;

use super::Installation;
use super::discover::minor_version;
use crate::probe::Found;
use crate::probe::tree::Tree;
use crate::secrets::clean;
use crate::{Failure, Python};

/// Reads the version from the first file that tells it: `pyvenv.cfg`, conda's metadata, PEP 739's
/// `build-details.json`, the C header; the library directory's name tells major and minor.
pub(crate) fn python(tree: &Tree, installation: &Installation) -> Found<Python> {
    let name = installation.library.as_deref().and_then(Path::file_name);
    let Some(library) = name.and_then(|name| name.to_str()) else {
        return Found::not_collected("only package directories were given");
    };
    let prefix = installation.prefix.as_deref();
    let venv = prefix
        .and_then(|prefix| tree.text(prefix.join("pyvenv.cfg")).ok().flatten())
        .map(|text| VenvConfig::parse(&text));
    let full = venv
        .as_ref()
        .and_then(|venv| Some((venv.version.clone()?, "pyvenv.cfg")))
        .or_else(|| Some((conda(tree, prefix?)?, "conda-meta")))
        .or_else(|| Some((build_details(tree, installation)?, "build-details.json")))
        .or_else(|| Some((header(tree, prefix?, library)?, "patchlevel.h")));
    let (version, detail) = match (full, minor_version(library)) {
        (Some(full), _) => full,
        (None, Some((major, minor))) => (format!("{major}.{minor}"), "library directory"),
        (None, None) => return Found::failed(Failure::Malformed, "library directory"),
    };
    let implementation = match library {
        name if name.starts_with("pypy") => "pypy",
        name if name.starts_with("graalpy") => "graalpy",
        _ => "cpython",
    };
    let python = Python {
        implementation: implementation.into(),
        version: clean(&version),
        virtual_environment: venv.is_some(),
    };
    Found::known(python, detail)
}

/// The parts of a `pyvenv.cfg` that are used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VenvConfig {
    pub(super) home: Option<String>,
    pub(super) version: Option<String>,
    pub(super) system_site_packages: bool,
}

impl VenvConfig {
    /// Reads `key = value` lines; `venv` writes `version`, others `version_info`.
    pub(super) fn parse(text: &str) -> Self {
        let mut config = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "home" => config.home = Some(value.to_owned()),
                "version" | "version_info" => config.version = python_version(value),
                "include-system-site-packages" => {
                    config.system_site_packages = value.eq_ignore_ascii_case("true");
                }
                _ => {}
            }
        }
        config
    }
}

/// Reads `3.11.4`, `3.13.0rc1` or the five parts of `3.11.4.final.0`.
fn python_version(text: &str) -> Option<String> {
    let text = text
        .split(".final")
        .next()
        .unwrap_or(text)
        .trim_end_matches('+');
    let version: Version = text.parse().ok()?;
    let plain = version.release().len() >= 2 && version.local().is_empty();
    plain.then(|| version.to_string())
}

/// conda names a package's record `python-3.11.4-h955ad1f_0.json`.
fn conda(tree: &Tree, prefix: &Path) -> Option<String> {
    let names = tree.names(prefix.join("conda-meta")).ok()??;
    names
        .iter()
        .filter_map(|name| name.strip_prefix("python-")?.strip_suffix(".json"))
        .find_map(|rest| python_version(rest.split('-').next()?))
}

fn build_details(tree: &Tree, installation: &Installation) -> Option<String> {
    #[derive(Deserialize)]
    struct Details {
        language: Language,
    }
    #[derive(Deserialize)]
    struct Language {
        version_info: VersionInfo,
    }
    #[derive(Deserialize)]
    struct VersionInfo {
        major: u32,
        minor: u32,
        micro: u32,
    }
    let path = installation.library.as_deref()?.join("build-details.json");
    let details: Details = serde_json::from_str(&tree.text(path).ok()??).ok()?;
    let VersionInfo {
        major,
        minor,
        micro,
    } = details.language.version_info;
    Some(format!("{major}.{minor}.{micro}"))
}

fn header(tree: &Tree, prefix: &Path, library: &str) -> Option<String> {
    let text = tree
        .text(prefix.join("include").join(library).join("patchlevel.h"))
        .ok()??;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("#define PY_VERSION "))?;
    python_version(line.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_version_is_read_as_each_tool_writes_it() {
        let check = |text, expected: Option<&str>| {
            assert_eq!(
                VenvConfig::parse(text).version.as_deref(),
                expected,
                "{text}"
            );
        };
        check("version = 3.11.4\n", Some("3.11.4"));
        check("version_info = 3.12.1.final.0", Some("3.12.1"));
        check("version_info = 3.13.0rc1", Some("3.13.0rc1"));
        check("VERSION=3.9.18+", Some("3.9.18"));
        check("version = three", None);
        check("version", None);
    }

    proptest! {
        #[test]
        fn any_pyvenv_cfg_is_read(text in "(version|version_info|home|=|[0-9.]{0,6}|\n| |\\PC){0,32}") {
            drop(VenvConfig::parse(&text));
        }
    }
}
