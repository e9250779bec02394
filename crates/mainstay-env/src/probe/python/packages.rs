//! The installed packages, from the names in the package directories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::distribution::{Form, from_metadata, from_stem, normalize_name};
use super::provenance::{parse_direct_url, record_digest};
use crate::probe::Found;
use crate::probe::tree::Tree;
use crate::secrets::clean;
use crate::{Failure, Package, Source};

/// The most that is read of core metadata: its headers come first, a README may follow.
const MAX_METADATA_BYTES: u64 = 64 << 10;

/// The largest `RECORD` that is digested; those of packages with 10,000 files exceed 1 MiB.
const MAX_RECORD_BYTES: u64 = 16 << 20;

/// The packages of an installation and what is only noted about them.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) packages: Found<Vec<Package>>,
    /// How many packages each installer put there.
    pub(crate) installers: BTreeMap<String, u64>,
}

/// Reads the packages in `directories`; of two with one name the first is what Python imports.
pub(crate) fn scan(tree: &Tree, directories: &[PathBuf], with_content: bool) -> Scan {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    let mut installers = BTreeMap::new();
    let (mut unreadable, mut shadowed) = (0_usize, 0_usize);
    for directory in directories {
        let entries = match tree.names(directory) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(failure) => {
                let packages = Found::failed(failure, "a package directory");
                return Scan {
                    packages,
                    installers,
                };
            }
        };
        for entry in entries {
            let Some((form, stem)) = Form::of(&entry) else {
                continue;
            };
            let path = directory.join(&entry);
            let recorded = Recorded {
                tree,
                form,
                path: &path,
            };
            let Some((name, version)) = from_stem(form, stem).or_else(|| recorded.metadata(stem))
            else {
                unreadable += 1;
                continue;
            };
            if packages.contains_key(&name) {
                shadowed += 1;
                continue;
            }
            if let Some(installer) = recorded.installer() {
                *installers.entry(installer).or_default() += 1;
            }
            let package = recorded.package(name.clone(), version, with_content);
            packages.insert(name, package);
        }
    }
    let detail = format!(
        "{} packages, {shadowed} shadowed, {unreadable} without name and version",
        packages.len()
    );
    let packages = if packages.is_empty() && unreadable > 0 {
        Found::failed(Failure::Malformed, detail)
    } else {
        Found::known(packages.into_values().collect(), detail)
    };
    Scan {
        packages,
        installers,
    }
}

/// One recorded distribution.
struct Recorded<'a> {
    tree: &'a Tree,
    form: Form,
    path: &'a Path,
}

impl Recorded<'_> {
    /// Reads name and version from metadata, for directory names that do not tell them.
    fn metadata(&self, stem: &str) -> Option<(String, String)> {
        let read = |path: PathBuf| {
            let bytes = self.tree.prefix(path, MAX_METADATA_BYTES).ok()??;
            from_metadata(&String::from_utf8_lossy(&bytes))
        };
        match self.form {
            Form::DistInfo => read(self.path.join("METADATA")),
            Form::EggInfo if self.tree.is_dir(self.path) => read(self.path.join("PKG-INFO")),
            Form::EggInfo => read(self.path.to_owned()),
            Form::Egg => read(self.path.join("EGG-INFO/PKG-INFO")),
            Form::EggLink => {
                let link = self.tree.text(self.path).ok()??;
                let source = Path::new(link.lines().next()?.trim());
                let egg_info = format!("{}.egg-info/PKG-INFO", stem.replace('-', "_"));
                let (name, version) = read(source.join(egg_info))?;
                (normalize_name(stem)? == name).then_some((name, version))
            }
        }
    }

    fn package(&self, name: String, version: String, with_content: bool) -> Package {
        let (source, editable) = self.source();
        let content = with_content.then(|| self.record()).flatten();
        Package {
            name,
            version,
            editable,
            source,
            content: content.as_deref().map(record_digest),
        }
    }

    /// Finds where the distribution came from, and whether it is run from a source directory.
    fn source(&self) -> (Option<Source>, bool) {
        if self.form != Form::DistInfo {
            return (None, self.form == Form::EggLink);
        }
        let damaged = (Source::Unknown, false);
        let (source, editable) = match self.tree.text(self.path.join("direct_url.json")) {
            Ok(None) => return (None, false),
            Ok(Some(text)) => parse_direct_url(&text).unwrap_or(damaged),
            Err(_) => damaged,
        };
        (Some(source), editable)
    }

    fn installer(&self) -> Option<String> {
        let path = self.path.join("INSTALLER");
        let noted = self.form == Form::DistInfo;
        let text = noted.then(|| self.tree.text(path).ok()?).flatten()?;
        Some(clean(text.lines().next()?)).filter(|name| !name.is_empty())
    }

    /// Reads what was installed; `None` when there is no record, or one too large.
    fn record(&self) -> Option<String> {
        let path = self.path.join("RECORD");
        let record = self.tree.prefix(path, MAX_RECORD_BYTES + 1).ok()??;
        let whole = self.form == Form::DistInfo && record.len() as u64 <= MAX_RECORD_BYTES;
        whole.then(|| String::from_utf8(record).ok()).flatten()
    }
}
