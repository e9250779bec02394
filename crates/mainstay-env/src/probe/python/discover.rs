//! Finds the Python installation and the directories it imports packages from.

use std::path::{Path, PathBuf};

use crate::probe::Scene;
use crate::probe::tree::Tree;

/// A Python installation: where it is and where its packages are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Installation {
    /// The directory of the installation or virtual environment, unless only packages were given.
    pub(crate) prefix: Option<PathBuf>,
    /// The library directory, as `/usr/lib/python3.11`.
    pub(crate) library: Option<PathBuf>,
    /// The package directories that exist, in the order Python searches them.
    pub(crate) site_packages: Vec<PathBuf>,
}

/// Finds the installation a shell would use: an active virtual or conda environment, the project's
/// `.venv`, the first `python3` or `python` on `PATH`, then `/usr/local` and `/usr`.
pub(crate) fn discover(scene: &Scene<'_>, project: Option<&Path>) -> Option<Installation> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .into_iter()
        .filter_map(|name| scene.variables.get(name))
        .map(PathBuf::from);
    // A project lies in the running system, not in another tree.
    let own = project
        .filter(|_| scene.tree.is_host())
        .map(|project| project.join(".venv"))
        .filter(|venv| scene.tree.is_file(venv.join("pyvenv.cfg")));
    active
        .chain(own)
        .chain(on_path(scene))
        .chain(["/usr/local".into(), "/usr".into()])
        .find_map(|prefix| locate(scene.tree, &prefix))
}

/// Finds the installation at `path`: an interpreter, a prefix or virtual environment, or a directory
/// of packages. `None` when it is none of them.
pub(crate) fn locate(tree: &Tree, path: &Path) -> Option<Installation> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if tree.is_dir(path) && (name == "site-packages" || name == "dist-packages") {
        let library = path.parent().map(Path::to_owned);
        return Some(Installation {
            prefix: library.as_deref().and_then(prefix_of).map(Path::to_owned),
            library,
            site_packages: vec![path.to_owned()],
        });
    }
    if tree.is_file(path) {
        return locate_interpreter(tree, path);
    }
    locate_prefix(tree, path, None)
}

/// The prefix of a library directory: `/usr` of `/usr/lib/python3.11`.
fn prefix_of(library: &Path) -> Option<&Path> {
    let lib = library.parent()?;
    let named = lib.file_name().and_then(|name| name.to_str());
    matches!(named, Some("lib" | "lib64"))
        .then(|| lib.parent())
        .flatten()
}

fn locate_interpreter(tree: &Tree, interpreter: &Path) -> Option<Installation> {
    // A virtual environment's interpreter is a link out of it; what counts is where the link is.
    let prefix = interpreter.parent()?.parent()?;
    if tree.is_file(prefix.join("pyvenv.cfg")) {
        return locate_prefix(tree, prefix, None);
    }
    let real = tree.canonical(interpreter)?;
    let prefix = real.parent()?.parent()?;
    let library = real.file_name()?.to_str().filter(|name| is_library(name));
    locate_prefix(tree, prefix, library)
}

/// Finds the installation in `prefix`; `library` names its library directory when it is known.
fn locate_prefix(tree: &Tree, prefix: &Path, library: Option<&str>) -> Option<Installation> {
    let chosen = match library {
        Some(library) => library.to_owned(),
        None => linked_library(tree, prefix).or_else(|| newest_library(tree, prefix))?,
    };
    let library = ["lib", "lib64"]
        .into_iter()
        .map(|lib| prefix.join(lib).join(&chosen))
        .find(|directory| tree.is_dir(directory))?;
    let mut site_packages = Vec::new();
    for directory in candidates(prefix, &chosen) {
        add_directory(tree, &mut site_packages, directory);
    }
    if let Some(base) = shared_base(tree, prefix) {
        for directory in candidates(&base, &chosen) {
            add_directory(tree, &mut site_packages, directory);
        }
    }
    Some(Installation {
        prefix: Some(prefix.to_owned()),
        library: Some(library),
        site_packages,
    })
}

fn candidates(prefix: &Path, library: &str) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    // Debian's own interpreter also searches what its administrator installed.
    if prefix == Path::new("/usr") {
        directories.push(format!("/usr/local/lib/{library}/dist-packages").into());
    }
    for lib in ["lib", "lib64"] {
        directories.push(prefix.join(lib).join(library).join("site-packages"));
    }
    directories.push(prefix.join("lib").join(library).join("dist-packages"));
    directories.push(prefix.join("lib/python3/dist-packages"));
    directories
}

/// Adds a directory that exists and is not there under another name.
fn add_directory(tree: &Tree, directories: &mut Vec<PathBuf>, directory: PathBuf) {
    let same = |other: &PathBuf| tree.canonical(other) == tree.canonical(&directory);
    if tree.is_dir(&directory) && !directories.iter().any(same) {
        directories.push(directory);
    }
}

/// The installation whose packages a virtual environment also sees.
fn shared_base(tree: &Tree, prefix: &Path) -> Option<PathBuf> {
    let text = tree.text(prefix.join("pyvenv.cfg")).ok()??;
    let config = super::interpreter::VenvConfig::parse(&text);
    let home = config.home.filter(|_| config.system_site_packages)?;
    Path::new(&home).parent().map(Path::to_owned)
}

/// The library of the version that `bin/python3` or `bin/python` links to.
fn linked_library(tree: &Tree, prefix: &Path) -> Option<String> {
    ["bin/python3", "bin/python"]
        .into_iter()
        .filter_map(|name| tree.canonical(prefix.join(name)))
        .filter_map(|real| real.file_name()?.to_str().map(ToOwned::to_owned))
        .find(|name| {
            is_library(name)
                && ["lib", "lib64"]
                    .iter()
                    .any(|lib| tree.is_dir(prefix.join(lib).join(name)))
        })
}

fn newest_library(tree: &Tree, prefix: &Path) -> Option<String> {
    ["lib", "lib64"]
        .into_iter()
        .filter_map(|lib| tree.names(prefix.join(lib)).ok().flatten())
        .flatten()
        .filter(|name| is_library(name))
        .max_by_key(|name| minor_version(name))
}

/// Reports whether a name is `pythonX.Y`, `pypyX.Y` or `graalpyX.Y`.
fn is_library(name: &str) -> bool {
    minor_version(name).is_some()
}

/// Reads major and minor version of a library's name.
pub(super) fn minor_version(name: &str) -> Option<(u32, u32)> {
    let version = name.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let implementation = &name[..name.len() - version.len()];
    if !matches!(implementation, "python" | "pypy" | "graalpy") {
        return None;
    }
    // Free-threaded builds are named python3.13t.
    let (major, minor) = version.trim_end_matches('t').split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The prefixes of the interpreters on `PATH`, through pyenv's shims.
fn on_path(scene: &Scene<'_>) -> Option<PathBuf> {
    let path = scene.variables.get("PATH")?;
    let interpreter = path
        .split(':')
        .filter(|directory| directory.starts_with('/'))
        .flat_map(|directory| ["python3", "python"].map(|name| Path::new(directory).join(name)))
        .find(|interpreter| scene.tree.is_file(interpreter))?;
    pyenv(scene, &interpreter).or(Some(interpreter))
}

/// The installation a pyenv shim stands for.
fn pyenv(scene: &Scene<'_>, interpreter: &Path) -> Option<PathBuf> {
    let root = interpreter.parent()?.parent()?;
    if !interpreter.parent()?.ends_with("shims") {
        return None;
    }
    let selected = match scene.variables.get("PYENV_VERSION") {
        Some(version) => version,
        None => scene.tree.text(root.join("version")).ok()??,
    };
    let version = selected.split([':', '\n']).next()?.trim();
    let plain = !version.is_empty() && !version.contains(['/', '\\']) && version != "..";
    plain.then(|| root.join("versions").join(version))
}
