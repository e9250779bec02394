//! `mainstay env show`

use std::io::{self, Write};

use clap::Args;
use mainstay::env::{EnvManifest, EnvVersion, Fact, Package};
use mainstay::{Digest, Locator, NodeRef, Result, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields, Table, joined, or_dash, when};

/// Show one version: platform, processor, Python packages and the rest
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay env show trainer")]
pub(crate) struct Show {
    /// The environment version, as name@selector
    #[arg(value_name = "REF", value_parser = args::env)]
    reference: Locator,
}

#[derive(Serialize)]
struct Document<'a> {
    node: &'a NodeRef,
    version: Json,
    digest: Digest,
    recorded_at: Timestamp,
    manifest: &'a EnvManifest,
}

impl Show {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let version = workspace.environments().get(&self.reference).await?;
        let document = Document {
            node: &version.node,
            version: args::version(&version.node),
            digest: version.digest,
            recorded_at: version.recorded_at,
            manifest: &version.manifest,
        };
        global
            .output()
            .result(&document, |out| write(&version, out))?;
        Ok(Answer::Yes)
    }
}

fn write(version: &EnvVersion, out: &mut dyn Write) -> io::Result<()> {
    let identity = &version.manifest.identity;
    let platform = &identity.platform;
    let two = |name: &str, more: Option<&String>| {
        more.map_or_else(|| name.to_owned(), |more| format!("{name} {more}"))
    };
    let distribution = fact(&identity.distribution, |d| two(&d.id, d.version.as_ref()));
    let libc = fact(&identity.libc, |l| {
        two(&l.implementation, l.version.as_ref())
    });
    let cpu = fact(&identity.cpu, |cpu| {
        format!("{}, {} threads", or_dash(cpu.model.as_ref()), cpu.logical)
    });
    let gpu = fact(&identity.gpu, |gpu| {
        format!("{}, driver {}", gpu.devices.join(", "), gpu.driver)
    });
    let container = fact(&identity.container, |container| {
        or_dash(container.image.as_ref().or(container.runtime.as_ref()))
    });
    let python = fact(&identity.python, |p| {
        format!("{} {}", p.implementation, p.version)
    });
    let packages = fact(&identity.packages, |packages| packages.len().to_string());
    let rust = fact(&identity.rust, |rust| {
        two(&rust.toolchain, rust.rustc.as_ref())
    });
    Fields::new()
        .with("version", Cell::new(&version.node, BOLD))
        .with("digest", version.digest)
        .with("recorded", when(version.recorded_at))
        .with(
            "platform",
            format!("{} {}", platform.os, platform.architecture),
        )
        .with_some("distribution", distribution)
        .with_some("kernel", fact(&identity.kernel, Clone::clone))
        .with_some("libc", libc)
        .with_some("cpu", cpu)
        .with_some("gpu", gpu)
        .with_some("container", container)
        .with_some("python", python)
        .with_some("packages", packages)
        .with_some("rust", rust)
        .with_some("commit", fact(&identity.git, |git| git.commit.clone()))
        .with_some("locks", fact(&identity.locks, |locks| joined(locks.keys())))
        .write(out)?;
    match identity.packages.known() {
        Some(packages) if !packages.is_empty() => write_packages(packages, out),
        _ => Ok(()),
    }
}

fn write_packages(packages: &[Package], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    let mut table = Table::new(["package", "version"]);
    for package in packages {
        table.row([(&package.name).into(), (&package.version).into()]);
    }
    table.write(out)
}

/// What is known, or how it is not; `None` when it was not looked for.
fn fact<T>(fact: &Fact<T>, show: impl FnOnce(&T) -> String) -> Option<String> {
    match fact {
        Fact::Known(value) => Some(show(value)),
        Fact::Absent => Some("none".to_owned()),
        Fact::Failed(failure) => Some(format!("failed: {failure}")),
        Fact::NotCollected => None,
    }
}
