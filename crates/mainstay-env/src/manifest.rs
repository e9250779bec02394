//! The environment manifest: what is identity, what is only noted.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Result, canon};
use serde::{Deserialize, Serialize};

use crate::Fact;

/// An observed environment.
///
/// Only [`identity`](Self::identity) is hashed; two machines with the same identity have the same
/// [digest](Self::digest). The JSON form is what `docs/formats/environment.md` specifies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EnvManifest {
    /// What results can depend on.
    pub identity: Identity,
    /// What differs from machine to machine without changing results.
    pub volatile: Volatile,
    /// How each fact was established, in probe order.
    pub probes: Vec<ProbeReport>,
}

impl EnvManifest {
    /// Computes the digest: SHA-256 of the canonical JSON of the identity.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a number has no canonical JSON.
    pub fn digest(&self) -> Result<Digest> {
        canon::digest(&self.identity)
    }
}

/// What results can depend on: no host names, users, paths or times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Identity {
    /// Operating system family and processor architecture.
    pub platform: Platform,
    /// The distribution.
    pub distribution: Fact<Distribution>,
    /// The kernel release.
    pub kernel: Fact<String>,
    /// The C library.
    pub libc: Fact<Libc>,
    /// The processor.
    pub cpu: Fact<Cpu>,
    /// Processor time the control group allows, in thousandths of a processor; absent when unlimited.
    pub cpu_quota_milli: Fact<u64>,
    /// The NVIDIA driver and its devices.
    pub gpu: Fact<Gpu>,
    /// The container.
    pub container: Fact<Container>,
    /// The Python interpreter.
    pub python: Fact<Python>,
    /// The installed Python packages, sorted by name, each once.
    pub packages: Fact<Vec<Package>>,
    /// The Rust toolchain.
    pub rust: Fact<Rust>,
    /// Lock files of the project: file name and SHA-256 of the bytes.
    pub locks: Fact<BTreeMap<String, Digest>>,
    /// The project's git commit.
    pub git: Fact<Git>,
    /// The allowed environment variables that are set.
    pub variables: Fact<BTreeMap<String, Setting>>,
    /// The locale that the variables select.
    pub locale: Fact<String>,
    /// The time zone's name.
    pub time_zone: Fact<String>,
}

/// Operating system family and processor architecture, as Rust names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Platform {
    /// The operating system: `linux`, `macos`, `windows` ….
    pub os: String,
    /// The architecture: `x86_64`, `aarch64` ….
    pub architecture: String,
}

impl Platform {
    /// Names a platform.
    #[must_use]
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self {
            os: os.into(),
            architecture: architecture.into(),
        }
    }
}

/// A distribution, from os-release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Distribution {
    /// `ID`, as `debian`.
    pub id: String,
    /// `VERSION_ID`, as `12`; rolling distributions have none.
    pub version: Option<String>,
}

/// A C library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Libc {
    /// `glibc` or `musl`.
    pub implementation: String,
    /// The version, where the library's file tells it: glibc only.
    pub version: Option<String>,
}

/// A processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cpu {
    /// The vendor, as `GenuineIntel` or `ARM`.
    pub vendor: Option<String>,
    /// The model's name.
    pub model: Option<String>,
    /// The microarchitecture by archspec, as `icelake`.
    pub microarchitecture: Option<String>,
    /// The generic level by archspec, as `x86_64_v3`.
    pub level: Option<String>,
    /// The instruction set features archspec knows, sorted.
    pub features: Vec<String>,
    /// Logical processors.
    pub logical: u64,
}

/// An NVIDIA driver and its devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Gpu {
    /// The kernel driver's version.
    pub driver: String,
    /// The devices' model names, sorted, one entry a device.
    pub devices: Vec<String>,
}

/// Whether this is a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Container {
    /// What the evidence says; the evidence itself is in [`Volatile::container_evidence`].
    pub verdict: ContainerVerdict,
    /// The runtime, where the evidence names it: `docker`, `podman`, `kubernetes` ….
    pub runtime: Option<String>,
    /// The image, as the caller gave it, without credentials.
    pub image: Option<String>,
}

/// What the evidence for a container says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "an on-storage record; a new verdict is a new format version"
)]
pub enum ContainerVerdict {
    /// A container.
    Container,
    /// Not a container.
    Host,
    /// The evidence contradicts itself, as in a virtual machine booted from a container's files.
    Unclear,
}

/// A Python interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Python {
    /// `cpython`, `pypy` or `graalpy`.
    pub implementation: String,
    /// The version; only major and minor where no file tells more.
    pub version: String,
    /// Whether it is a virtual environment.
    pub virtual_environment: bool,
}

/// An installed Python package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Package {
    /// The name, normalized by PEP 503.
    pub name: String,
    /// The version, normalized by PEP 440 where it follows it.
    pub version: String,
    /// Whether it is run from a source directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub editable: bool,
    /// Where it came from, when not from an index (PEP 610).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The digest of the installed files, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
}

/// Where a package came from, when not from an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Source {
    /// A version control system.
    Vcs {
        /// Which: `git`, `hg`, `bzr` or `svn`.
        vcs: String,
        /// The URL without credentials, query and fragment; `None` for a local path.
        url: Option<String>,
        /// The commit.
        commit: String,
    },
    /// An archive.
    Archive {
        /// The URL without credentials, query and fragment; `None` for a local path.
        url: Option<String>,
        /// The archive's SHA-256.
        sha256: Option<Digest>,
    },
    /// A local directory.
    Directory,
    /// Not from an index, but the note on where from is damaged.
    Unknown,
}

/// A Rust toolchain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rust {
    /// The toolchain's name without the host, as `stable` or `1.95.0`.
    pub toolchain: String,
    /// The compiler's version, as `1.95.0`.
    pub rustc: Option<String>,
}

/// A git commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Git {
    /// The commit's hash.
    pub commit: String,
    /// Whether the working tree differs from the commit.
    pub dirty: Fact<bool>,
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an on-storage record; a new form is a new format version"
)]
pub enum Setting {
    /// The value.
    Plain(String),
    /// A value that looks like a secret: only the beginning of its SHA-256, to tell a change.
    Redacted {
        /// The first 16 hex digits of the value's SHA-256.
        redacted: String,
    },
}

/// What differs from machine to machine without changing results.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Volatile {
    /// The machine's memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The directories whose packages were read, in the order Python searches them.
    pub site_packages: Vec<String>,
    /// How many packages each installer put there.
    pub installers: BTreeMap<String, u64>,
    /// What speaks for and against a container.
    pub container_evidence: Vec<String>,
    /// The URL of the git remote `origin`, without credentials, query and fragment.
    pub git_remote: Option<String>,
}

/// How one fact was established.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProbeReport {
    /// The fact: a member of the identity.
    pub probe: String,
    /// `known`, `absent`, `failed` or `not_collected`.
    pub outcome: String,
    /// Where it was found, or why not.
    pub detail: Option<String>,
}
