//! Distribution, C library, Python, Rust, locks, git, variables, locale.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::differences::Differences;
use super::packages::{Distance, distance};
use super::rules::RuleId;
use crate::probe::variables::{DETERMINISM, THREADS};
use crate::{Distribution, Fact, Git, Identity, Libc, Python, Rust, Setting};

pub(super) fn compare(found: &mut Differences, a: &Identity, b: &Identity) {
    if let Some((a, b)) = found.established("distribution", &a.distribution, &b.distribution) {
        let name = |distribution: &Distribution| {
            let version = distribution.version.as_deref().unwrap_or("rolling");
            format!("{} {version}", distribution.id)
        };
        let (a, b) = (a.map(name), b.map(name));
        found.equal(RuleId::Distribution, "distribution", a.as_ref(), b.as_ref());
    }
    found.fact(RuleId::Kernel, "kernel", &a.kernel, &b.kernel);
    if let Some((a, b)) = found.established("libc", &a.libc, &b.libc) {
        libc(found, a, b);
    }
    if let Some((a, b)) = found.established("python", &a.python, &b.python) {
        python(found, a, b);
    }
    if let Some((a, b)) = found.established("rust", &a.rust, &b.rust) {
        let name = |rust: &Rust| match &rust.rustc {
            Some(rustc) => format!("{} (rustc {rustc})", rust.toolchain),
            None => rust.toolchain.clone(),
        };
        let (a, b) = (a.map(name), b.map(name));
        found.equal(RuleId::Toolchain, "rust.toolchain", a.as_ref(), b.as_ref());
    }
    if let Some((a, b)) = found.established("locks", &a.locks, &b.locks) {
        for (name, a, b) in both(a, b) {
            found.equal(RuleId::Lock, &format!("locks.{name}"), a, b);
        }
    }
    if let Some((a, b)) = found.established("git", &a.git, &b.git) {
        git(found, a, b);
    }
    if let Some((a, b)) = found.established("variables", &a.variables, &b.variables) {
        variables(found, a, b);
    }
    found.fact(RuleId::Locale, "locale", &a.locale, &b.locale);
    found.fact(RuleId::TimeZone, "time_zone", &a.time_zone, &b.time_zone);
}

/// Walks the names of two maps in order, with the value each has.
fn both<'m, V>(
    a: Option<&'m BTreeMap<String, V>>,
    b: Option<&'m BTreeMap<String, V>>,
) -> impl Iterator<Item = (&'m str, Option<&'m V>, Option<&'m V>)> {
    let names: BTreeSet<&String> = [a, b]
        .into_iter()
        .flatten()
        .flat_map(BTreeMap::keys)
        .collect();
    names.into_iter().map(move |name| {
        let value = |map: Option<&'m BTreeMap<String, V>>| map.and_then(|map| map.get(name));
        (name.as_str(), value(a), value(b))
    })
}

fn libc(found: &mut Differences, a: Option<&Libc>, b: Option<&Libc>) {
    let implementation = |libc: Option<&Libc>| libc.map(|libc| libc.implementation.clone());
    let (old, new) = (implementation(a), implementation(b));
    if old != new {
        found.equal(
            RuleId::LibcImplementation,
            "libc.implementation",
            old.as_ref(),
            new.as_ref(),
        );
        return;
    }
    let version = |libc: Option<&Libc>| libc.and_then(|libc| libc.version.clone());
    let (old, new) = (version(a), version(b));
    let parsed = |version: &Option<String>| version.as_ref()?.parse::<Version>().ok();
    let rule = match (parsed(&old), parsed(&new)) {
        (Some(old), Some(new)) if new < old => RuleId::LibcOlder,
        _ => RuleId::LibcNewer,
    };
    found.equal(rule, "libc.version", old.as_ref(), new.as_ref());
}

fn python(found: &mut Differences, a: Option<&Python>, b: Option<&Python>) {
    let name = |python: Option<&Python>| {
        python.map(|python| format!("{} {}", python.implementation, python.version))
    };
    let rule = match (a, b) {
        (Some(old), Some(new)) if old.implementation == new.implementation => {
            match distance(&old.version, &new.version) {
                Distance::Patch | Distance::Build => RuleId::PythonPatch,
                _ => RuleId::PythonMinor,
            }
        }
        _ => RuleId::PythonMinor,
    };
    found.equal(rule, "python", name(a).as_ref(), name(b).as_ref());
}

fn git(found: &mut Differences, a: Option<&Git>, b: Option<&Git>) {
    let commit = |git: Option<&Git>| git.map(|git| git.commit.clone());
    found.equal(
        RuleId::Commit,
        "git.commit",
        commit(a).as_ref(),
        commit(b).as_ref(),
    );
    let state = |git: Option<&Git>| match git.map(|git| &git.dirty) {
        None | Some(Fact::Known(false)) => "clean".to_owned(),
        Some(Fact::Known(true)) => "dirty".to_owned(),
        Some(other) => other.outcome().to_owned(),
    };
    let (old, new) = (state(a), state(b));
    if old == "dirty" || new == "dirty" {
        found.add(RuleId::Dirty, "git.dirty", Some(old), Some(new));
    } else if old != "clean" || new != "clean" {
        found.add(RuleId::DirtyUnknown, "git.dirty", Some(old), Some(new));
    }
}

fn variables(
    found: &mut Differences,
    a: Option<&BTreeMap<String, Setting>>,
    b: Option<&BTreeMap<String, Setting>>,
) {
    for (name, old, new) in both(a, b) {
        // The two facts of their own say more than these variables.
        if old == new || matches!(name, "LANG" | "LC_ALL" | "LC_CTYPE" | "TZ" | HASH_SEED) {
            continue;
        }
        let rule = if THREADS.contains(&name) {
            RuleId::Threads
        } else if DETERMINISM.contains(&name) {
            RuleId::Determinism
        } else {
            RuleId::Variable
        };
        found.add(
            rule,
            format!("variables.{name}"),
            old.map(shown),
            new.map(shown),
        );
        found.fix(match old {
            Some(Setting::Plain(value)) => format!("set {name}={value}"),
            Some(Setting::Redacted { .. }) => format!("set {name} as recorded"),
            None => format!("unset {name}"),
        });
    }
    hash_seed(found, a, b);
}

const HASH_SEED: &str = "PYTHONHASHSEED";

/// An unset seed is random, so two unset ones are not equal.
fn hash_seed(
    found: &mut Differences,
    a: Option<&BTreeMap<String, Setting>>,
    b: Option<&BTreeMap<String, Setting>>,
) {
    let seed = |map: Option<&BTreeMap<String, Setting>>| map?.get(HASH_SEED).map(shown);
    let (old, new) = (seed(a), seed(b));
    if old.is_none() || old != new {
        found.add(RuleId::HashSeed, format!("variables.{HASH_SEED}"), old, new);
    }
}

fn shown(setting: &Setting) -> String {
    match setting {
        Setting::Plain(value) => value.clone(),
        Setting::Redacted { redacted } => format!("redacted:{redacted}"),
    }
}
