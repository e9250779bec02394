//! The Rust toolchain that cargo would use in the project.

use std::path::{Path, PathBuf};

use super::os::find;
use super::tree::Tree;
use super::{Found, Scene};
use crate::secrets::clean;
use crate::{Failure, Rust};

/// The most that is searched of a channel manifest; today's are about 1 MB.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;

pub(crate) fn rust(scene: &Scene<'_>, project: Option<&Path>) -> Found<Rust> {
    let home = rustup_home(scene);
    let (selected, detail) = match select(scene, project, home.as_deref()) {
        Ok(Some(selected)) => selected,
        Ok(None) => return Found::absent(),
        Err((failure, detail)) => return Found::failed(failure, detail),
    };
    let rustc = home.and_then(|home| rustc_version(scene.tree, &home, &selected));
    let rust = Rust {
        toolchain: clean(without_host(&selected)),
        rustc: rustc.as_deref().map(clean),
    };
    Found::known(rust, detail)
}

fn rustup_home(scene: &Scene<'_>) -> Option<PathBuf> {
    let given = scene.variables.get("RUSTUP_HOME").map(PathBuf::from);
    given.or_else(|| Some(Path::new(&scene.variables.get("HOME")?).join(".rustup")))
}

type Selected = Result<Option<(String, &'static str)>, (Failure, &'static str)>;

/// Picks the toolchain as rustup does: variable, toolchain file, default.
fn select(scene: &Scene<'_>, project: Option<&Path>, home: Option<&Path>) -> Selected {
    if let Some(toolchain) = scene.variables.get("RUSTUP_TOOLCHAIN") {
        return Ok(Some((toolchain, "RUSTUP_TOOLCHAIN")));
    }
    let host = Tree::new("/".into());
    for directory in project.into_iter().flat_map(Path::ancestors).take(64) {
        for name in ["rust-toolchain", "rust-toolchain.toml"] {
            let text = host
                .text(directory.join(name))
                .map_err(|failure| (failure, name))?;
            if let Some(text) = text {
                let channel = parse_toolchain_file(&text).ok_or((Failure::Malformed, name))?;
                return Ok(Some((channel, name)));
            }
        }
    }
    let Some(home) = home else {
        return Ok(None);
    };
    let name = "settings.toml";
    match scene
        .tree
        .text(home.join(name))
        .map_err(|failure| (failure, name))?
    {
        Some(text) => {
            let settings: toml::Table = text.parse().map_err(|_| (Failure::Malformed, name))?;
            let default = settings
                .get("default_toolchain")
                .and_then(toml::Value::as_str);
            Ok(default.map(|default| (default.to_owned(), name)))
        }
        None => Ok(None),
    }
}

/// Reads the channel of a `rust-toolchain.toml`, or of the older file that holds only its name.
fn parse_toolchain_file(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if let (Some(only), None) = (lines.next(), lines.next())
        && !only.contains(['[', '=', '#'])
    {
        return Some(only.to_owned());
    }
    let table: toml::Table = text.parse().ok()?;
    let toolchain = table.get("toolchain")?;
    let channel = toolchain.get("channel").and_then(toml::Value::as_str);
    match channel {
        Some(channel) => Some(channel.to_owned()),
        // A toolchain by path has no name; the path is not recorded.
        None => toolchain.get("path").map(|_| "path".to_owned()),
    }
}

/// Reads the compiler's version from the manifest of the installed channel.
fn rustc_version(tree: &Tree, home: &Path, toolchain: &str) -> Option<String> {
    let toolchains = home.join("toolchains");
    let prefix = format!("{toolchain}-");
    let names = tree.names(&toolchains).ok()??;
    let installed = names
        .iter()
        .find(|name| *name == toolchain)
        .or_else(|| names.iter().find(|name| name.starts_with(&prefix)))?;
    let manifest = toolchains
        .join(installed)
        .join("lib/rustlib/multirust-channel-manifest.toml");
    parse_manifest(&tree.prefix(manifest, MAX_MANIFEST_BYTES).ok()??)
}

/// Finds `[pkg.rustc]` and its version; the manifest is too long to parse whole.
fn parse_manifest(bytes: &[u8]) -> Option<String> {
    let at = find(bytes, b"\n[pkg.rustc]\n")?;
    let section = &bytes[at..bytes.len().min(at + 512)];
    let section = String::from_utf8_lossy(section);
    let version = section
        .split("version = \"")
        .nth(1)?
        .split(['"', ' '])
        .next()?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// Cuts the host triple that rustup appends to a channel: `stable-x86_64-unknown-linux-gnu`.
fn without_host(toolchain: &str) -> &str {
    let parts: Vec<&str> = toolchain.split('-').collect();
    // Architecture, vendor, system and often an environment: the architecture is recognizable.
    let host = parts.iter().skip(1).position(|part| {
        [
            "x86_64",
            "aarch64",
            "i686",
            "armv7",
            "arm",
            "riscv64gc",
            "s390x",
            "loongarch64",
        ]
        .contains(part)
            || part.starts_with("powerpc")
    });
    let kept = host.map_or(parts.len(), |at| at + 1);
    let bytes = parts[..kept]
        .iter()
        .map(|part| part.len() + 1)
        .sum::<usize>()
        - 1;
    &toolchain[..bytes]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn toolchain_files_of_both_forms_are_read() {
        let check = |text, expected: Option<&str>| {
            assert_eq!(parse_toolchain_file(text).as_deref(), expected, "{text:?}");
        };
        check("1.95.0\n", Some("1.95.0"));
        check(
            "[toolchain]\nchannel = \"nightly-2026-01-01\"\n",
            Some("nightly-2026-01-01"),
        );
        check("[toolchain]\npath = \"/home/ada/rust\"\n", Some("path"));
        check("[toolchain]\n", None);
        check("channel = ", None);
        check("", None);
    }

    #[test]
    fn the_host_is_cut_from_the_toolchain() {
        let check = |name, expected| assert_eq!(without_host(name), expected);
        check("stable-x86_64-unknown-linux-gnu", "stable");
        check(
            "nightly-2026-01-01-aarch64-apple-darwin",
            "nightly-2026-01-01",
        );
        check("1.95.0", "1.95.0");
        check("my-own", "my-own");
        check("", "");
    }

    proptest! {
        #[test]
        fn any_toolchain_text_is_read(text in "(\\[toolchain\\]|channel|=|\"|\n|-|x86_64|\\PC){0,24}") {
            drop(parse_toolchain_file(&text));
            prop_assert!(text.starts_with(without_host(&text)));
            drop(parse_manifest(text.as_bytes()));
        }
    }
}
