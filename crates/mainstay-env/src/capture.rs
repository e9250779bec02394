//! Capturing: which tree, which variables, which Python, which project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mainstay_core::Digest;

use crate::probe::python::{self, Installation};
use crate::probe::tree::Tree;
use crate::probe::{self, Found, Scene, Variables};
use crate::secrets::clean;
use crate::{EnvManifest, Failure, Identity, Platform, ProbeReport, Volatile};

/// Captures an environment: reads files and a few variables, starts no process, needs no network.
///
/// By default it captures the running system, the Python a shell would start, and no project. Facts
/// of the system are read on Linux; on other systems they are not collected.
///
/// ```
/// use mainstay_env::Capture;
///
/// let manifest = Capture::new().with_project(".").run();
/// assert_eq!(manifest.identity.platform.os, std::env::consts::OS);
/// assert_eq!(manifest.digest()?, Capture::new().with_project(".").run().digest()?);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Capture {
    root: PathBuf,
    platform: Platform,
    variables: Option<BTreeMap<String, String>>,
    allowed: BTreeSet<String>,
    python: Option<PathBuf>,
    project: Option<PathBuf>,
    image: Option<String>,
    package_content: bool,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            root: "/".into(),
            platform: Platform::new(std::env::consts::OS, std::env::consts::ARCH),
            variables: None,
            allowed: probe::variables::default_allowed(),
            python: None,
            project: None,
            image: None,
            package_content: false,
        }
    }
}

impl Capture {
    /// Captures the running system.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Captures the tree of files below `root`, as an unpacked image, instead of the running system.
    ///
    /// Links are resolved as if `root` were `/`. The variables of this process are not those of the
    /// tree: give them with [`with_variables`](Self::with_variables).
    #[must_use]
    pub fn with_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// Sets the platform, for a tree of another than the running system's.
    #[must_use]
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self
    }

    /// Takes environment variables from `variables` instead of this process.
    #[must_use]
    pub fn with_variables(mut self, variables: BTreeMap<String, String>) -> Self {
        self.variables = Some(variables);
        self
    }

    /// Allows one more environment variable to be recorded.
    ///
    /// Values that look like secrets, and those of variables whose name says so, are replaced by the
    /// beginning of their SHA-256.
    #[must_use]
    pub fn allow_variable(mut self, name: impl Into<String>) -> Self {
        self.allowed.insert(name.into());
        self
    }

    /// Reads the Python at `path` in the tree: an interpreter, a prefix or virtual environment, or a
    /// directory of packages.
    #[must_use]
    pub fn with_python(mut self, path: impl Into<PathBuf>) -> Self {
        self.python = Some(path.into());
        self
    }

    /// Reads commit, lock files and toolchain file of the project in `directory`, a path of the
    /// running system.
    #[must_use]
    pub fn with_project(mut self, directory: impl Into<PathBuf>) -> Self {
        self.project = Some(directory.into());
        self
    }

    /// Says which image the container runs, best with its digest; that cannot be seen from inside.
    #[must_use]
    pub fn with_container_image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Also digests what each Python package installed, from its `RECORD` of at most 16 MiB.
    #[must_use]
    pub fn with_package_content(mut self) -> Self {
        self.package_content = true;
        self
    }

    /// Captures. Never fails: what could not be established is in the manifest as such.
    ///
    /// At most 1 MiB is read of a file, but for the C library and the toolchain's manifest, of which
    /// 8 and 4 MiB are searched, lock files, which are hashed up to 64 MiB, and `RECORD`.
    #[must_use]
    #[tracing::instrument(skip_all)]
    pub fn run(&self) -> EnvManifest {
        let tree = Tree::new(self.root.clone());
        let variables = match &self.variables {
            Some(given) => Variables::Given(given.clone()),
            None if tree.is_host() => Variables::Process,
            None => Variables::Unknown,
        };
        let scene = Scene {
            tree: &tree,
            variables: &variables,
        };
        let project = self.project.as_deref().map(absolute);
        self.probe(&scene, project.as_deref())
    }

    fn probe(&self, scene: &Scene<'_>, project: Option<&Path>) -> EnvManifest {
        let architecture = &self.platform.architecture;
        let installation = self.installation(scene, project);
        let scan = self.packages(scene, installation.as_ref());
        let image = self.image.as_deref().map(clean_image);
        let (container, container_evidence) = probe::container::container(scene, image.as_deref());
        let (git, git_remote) = probe::git::git(project);
        let mut probes: Vec<ProbeReport> = Vec::new();
        let reports = &mut probes;
        let identity = Identity {
            platform: self.platform.clone(),
            distribution: self
                .on_linux(probe::os::distribution(scene))
                .report("distribution", reports),
            kernel: self
                .on_linux(probe::os::kernel(scene))
                .report("kernel", reports),
            libc: self
                .on_linux(probe::os::libc(scene, architecture))
                .report("libc", reports),
            cpu: self
                .on_linux(probe::cpu::cpu(scene, architecture))
                .report("cpu", reports),
            cpu_quota_milli: self
                .on_linux(probe::cpu::quota_milli(scene))
                .report("cpu_quota_milli", reports),
            gpu: self.on_linux(probe::gpu::gpu(scene)).report("gpu", reports),
            container: self.on_linux(container).report("container", reports),
            python: self
                .interpreter(scene, installation.as_ref())
                .report("python", reports),
            packages: scan.packages.report("packages", reports),
            rust: probe::rust::rust(scene, project).report("rust", reports),
            locks: probe::project::locks(project).report("locks", reports),
            git: git.report("git", reports),
            variables: probe::variables::settings(scene, &self.allowed)
                .report("variables", reports),
            locale: probe::variables::locale(scene).report("locale", reports),
            time_zone: probe::os::time_zone(scene).report("time_zone", reports),
        };
        let site_packages = installation
            .map(|found| found.site_packages)
            .unwrap_or_default();
        let volatile = Volatile {
            memory_bytes: probe::os::memory_bytes(scene),
            site_packages: site_packages
                .iter()
                .map(|path| clean(&path.to_string_lossy()))
                .collect(),
            installers: scan.installers,
            container_evidence,
            git_remote,
        };
        EnvManifest {
            identity,
            volatile,
            probes,
        }
    }

    /// Elsewhere the files that tell such a fact do not exist, which does not make it absent.
    fn on_linux<T>(&self, found: Found<T>) -> Found<T> {
        if self.platform.os == "linux" {
            found
        } else {
            Found::not_collected("read on Linux only")
        }
    }

    fn installation(&self, scene: &Scene<'_>, project: Option<&Path>) -> Option<Installation> {
        match &self.python {
            Some(path) if scene.tree.is_host() => python::locate(scene.tree, &absolute(path)),
            Some(path) => python::locate(scene.tree, path),
            None => python::discover(scene, project),
        }
    }

    fn interpreter(
        &self,
        scene: &Scene<'_>,
        installation: Option<&Installation>,
    ) -> Found<crate::Python> {
        match installation {
            Some(installation) => python::python(scene.tree, installation),
            None => self.no_python(),
        }
    }

    fn packages(&self, scene: &Scene<'_>, installation: Option<&Installation>) -> python::Scan {
        match installation {
            Some(found) => python::scan(scene.tree, &found.site_packages, self.package_content),
            None => python::Scan {
                packages: self.no_python(),
                installers: BTreeMap::new(),
            },
        }
    }

    /// A Python that was asked for and is not there is a failure; else there just is none.
    fn no_python<T>(&self) -> Found<T> {
        match self.python {
            Some(_) => Found::failed(Failure::Malformed, "no Python at the given path"),
            None => Found::absent(),
        }
    }
}

/// A path of the running system, seen from its root.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// An image reference without credentials: `user:password@registry/app` is cut to `registry/app`.
fn clean_image(image: &str) -> String {
    let place = image.trim().rsplit("://").next().unwrap_or_default();
    let (place, digest) = match place.rsplit_once('@') {
        Some((place, digest)) if digest.parse::<Digest>().is_ok() => (place, Some(digest)),
        _ => (place, None),
    };
    let place = clean(place.rsplit('@').next().unwrap_or_default());
    digest.map_or_else(|| place.clone(), |digest| format!("{place}@{digest}"))
}
