//! The layers of ARCHITECTURE.md, checked against what the crates really depend on.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Which members each member may depend on, besides those that they may depend on in turn.
const ALLOWED: &[(&str, &[&str])] = &[
    ("mainstay-core", &[]),
    ("mainstay-store", &["mainstay-core"]),
    ("mainstay-store-object", &["mainstay-store"]),
    ("mainstay-store-sql", &["mainstay-store"]),
    ("mainstay-repo", &["mainstay-store"]),
    ("mainstay-data", &["mainstay-repo"]),
    ("mainstay-data-object", &["mainstay-data"]),
    ("mainstay-registry", &["mainstay-repo"]),
    ("mainstay-prompt", &["mainstay-repo"]),
    ("mainstay-lineage", &["mainstay-repo"]),
    ("mainstay-env", &["mainstay-repo"]),
    ("mainstay-experiment", &["mainstay-core"]),
    (
        "mainstay-rollout",
        &["mainstay-repo", "mainstay-experiment"],
    ),
    (
        "mainstay",
        &[
            "mainstay-store-object",
            "mainstay-store-sql",
            "mainstay-data",
            "mainstay-registry",
            "mainstay-prompt",
            "mainstay-lineage",
            "mainstay-env",
            "mainstay-rollout",
        ],
    ),
    ("mainstay-cli", &["mainstay"]),
    ("examples", &["mainstay-cli"]),
    ("mainstay-bench", &["mainstay-cli"]),
    ("tests", &["mainstay-cli"]),
    ("mainstay-children", &[]),
    ("mainstay-hostile", &[]),
];

/// Which members may name a heavy or fast-moving dependency directly. Arguments belong to programs.
const QUARANTINED: &[(&str, &[&str])] = &[
    ("arrow", &["mainstay-data"]),
    ("parquet", &["mainstay-data"]),
    (
        "object_store",
        &["mainstay-store-object", "mainstay-data-object"],
    ),
    ("rusqlite", &["mainstay-store-sql"]),
    ("tokio-postgres", &["mainstay-store-sql"]),
    ("petgraph", &["mainstay-lineage"]),
    ("clap", &["mainstay-cli", "mainstay-bench"]),
];

#[test]
fn every_dependency_between_members_points_down_the_layers() {
    let packages = members();
    let names: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let ruled: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ruled, "every member has its place in the layers");

    for package in &packages {
        let allowed = closure(&package.name);
        for dependency in internal(package, &names) {
            assert!(
                allowed.contains(dependency),
                "{} must not depend on {dependency}",
                package.name
            );
        }
    }
}

#[test]
fn heavy_dependencies_stay_in_their_crates() {
    for package in members() {
        for (dependency, owners) in QUARANTINED {
            let named = package.dependencies.iter().any(|d| d.name == *dependency);
            assert!(
                !named || owners.contains(&package.name.as_str()),
                "{} must not depend on {dependency}",
                package.name
            );
        }
    }
}

#[test]
fn experiment_and_env_need_only_the_core_by_default() {
    for package in members() {
        if ["mainstay-experiment", "mainstay-env"].contains(&package.name.as_str()) {
            let needed: Vec<_> = package
                .dependencies
                .iter()
                .filter(|d| d.kind == DependencyKind::Normal && !d.optional)
                .filter(|d| d.name.starts_with("mainstay-"))
                .map(|d| d.name.as_str())
                .collect();
            assert_eq!(needed, ["mainstay-core"], "{}", package.name);
        }
    }
}

#[test]
fn the_facade_documents_every_feature() {
    let page = include_str!("../../crates/mainstay/src/lib.rs");
    let packages = members();
    let facade = packages.iter().find(|package| package.name == "mainstay");
    for feature in facade.unwrap().features.keys() {
        assert!(page.contains(&format!("//! | `{feature}` |")), "{feature}");
    }
}

fn members() -> Vec<Package> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .unwrap();
    metadata.packages
}

/// Production dependencies only: tests may look sideways, never the code.
fn internal<'a>(
    package: &'a Package,
    members: &'a BTreeSet<&str>,
) -> impl Iterator<Item = &'a str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
        .filter(|name| members.contains(name))
}

fn closure(package: &str) -> BTreeSet<&'static str> {
    let allowed: BTreeMap<&str, &[&'static str]> = ALLOWED.iter().copied().collect();
    let mut open = allowed[package].to_vec();
    let mut closed = BTreeSet::new();
    while let Some(name) = open.pop() {
        if closed.insert(name) {
            open.extend(allowed[name]);
        }
    }
    closed
}
