//! The NVIDIA driver, from what its kernel module publishes.

use super::tree::Tree;
use super::{Found, Scene};
use crate::secrets::clean;
use crate::{Failure, Gpu};

/// The most devices that are read.
const MAX_DEVICES: usize = 256;

pub(crate) fn gpu(scene: &Scene<'_>) -> Found<Gpu> {
    let known = |driver, path| {
        let devices = devices(scene.tree);
        Found::known(Gpu { driver, devices }, path)
    };
    let path = "/sys/module/nvidia/version";
    match scene.tree.text(path) {
        Ok(Some(text)) if !text.trim().is_empty() => return known(clean(&text), path),
        Ok(_) => {}
        Err(failure) => return Found::failed(failure, path),
    }
    let path = "/proc/driver/nvidia/version";
    match scene.tree.text(path) {
        Ok(Some(text)) => match parse_version(&text) {
            Some(driver) => known(driver, path),
            None => Found::failed(Failure::Malformed, path),
        },
        Ok(None) => Found::absent(),
        Err(failure) => Found::failed(failure, path),
    }
}

/// Finds the first dotted number after `Kernel Module`.
fn parse_version(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Kernel Module")?;
    let is_version = |word: &&str| {
        word.contains('.')
            && word
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let line = rest.lines().next()?;
    line.split_ascii_whitespace().find(is_version).map(clean)
}

/// Lists the model names of the devices, sorted.
fn devices(tree: &Tree) -> Vec<String> {
    let directory = "/proc/driver/nvidia/gpus";
    let names = tree.names(directory).ok().flatten().unwrap_or_default();
    let mut models: Vec<String> = names
        .iter()
        .take(MAX_DEVICES)
        .filter_map(|name| {
            tree.text(format!("{directory}/{name}/information"))
                .ok()
                .flatten()
        })
        .filter_map(|text| {
            let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
            Some(clean(model))
        })
        .collect();
    models.sort_unstable();
    models
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_version_is_read_from_either_form_of_the_driver() {
        for text in [
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19\nGCC version:",
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.129.03  Release Build",
        ] {
            assert_eq!(parse_version(text).as_deref(), Some("535.129.03"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_searched_for_a_version(text in "(Kernel Module|[0-9.]{0,4}|\n| |\\PC){0,16}") {
            drop(parse_version(&text));
        }
    }
}
