//! Environment manifests: capture without running Python, digest, compare.
//!
//! A manifest records what results can depend on: platform, C library, processor features, GPU
//! driver, Python and its packages, Rust toolchain, lock files, commit, and the few variables that
//! steer numeric libraries. It tells *absent* from *failed* from *not collected*, has a digest, and
//! compares with another under a policy that says which differences matter.
//!
//! ```
//! use mainstay_env::{Capture, Policy, compare};
//!
//! let there = Capture::new().with_project(".").run();
//! let here = Capture::new().with_project(".").run();
//! assert_eq!(here.digest()?, there.digest()?);
//!
//! let report = compare(&there, &here, Policy::Serve);
//! for finding in &report.findings {
//!     println!("{:?} {}: {}", finding.severity, finding.path, finding.fix);
//! }
//! # Ok::<(), mainstay_core::Error>(())
//! ```
//!
//! Know [`Capture`] (what is looked at), [`EnvManifest`] (what was found), [`Fact`] (how sure that
//! is), and [`compare()`] with its [`Policy`] and [`Report`].
//!
//! It starts no process and needs no network. It does not install or solve environments, does not
//! read the whole environment of the process, and does not see what only a driver can tell: the
//! compute capability of a GPU, its multiprocessors, its libraries outside of Python packages.
//! Whether a git working tree is dirty is not looked at.
//!
//! | feature | adds |
//! |---|---|
//! | `repo` | `Environments`: versioned environments in a repository |

mod capture;
mod compare;
#[cfg(feature = "repo")]
mod environments;
mod fact;
mod manifest;
mod probe;
mod secrets;

pub use capture::Capture;
pub use compare::{
    Finding, NUMERIC_PACKAGES, Policy, RULES, Report, Rule, Severity, Verdict, compare, is_numeric,
};
#[cfg(feature = "repo")]
pub use environments::{EnvSummary, EnvVersion, Environments, Recorded};
pub use fact::{Fact, Failure};
pub use manifest::{
    Container, ContainerVerdict, Cpu, Distribution, EnvManifest, Git, Gpu, Identity, Libc, Package,
    Platform, ProbeReport, Python, Rust, Setting, Source, Volatile,
};
