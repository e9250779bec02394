//! Lock files of the project.

use std::collections::BTreeMap;
use std::path::Path;

use mainstay_core::Digest;

use super::Found;
use super::tree::Tree;

/// The lock files that are looked for.
const LOCK_FILES: [&str; 12] = [
    "Cargo.lock",
    "Pipfile.lock",
    "conda-lock.yml",
    "environment.yml",
    "pdm.lock",
    "pixi.lock",
    "poetry.lock",
    "pylock.toml",
    "requirements.lock",
    "requirements.txt",
    "uv.lock",
    "constraints.txt",
];

pub(crate) fn locks(project: Option<&Path>) -> Found<BTreeMap<String, Digest>> {
    let Some(project) = project else {
        return Found::not_collected("no project directory was given");
    };
    let tree = Tree::new("/".into());
    let mut locks = BTreeMap::new();
    for name in LOCK_FILES {
        match tree.digest(project.join(name)) {
            Ok(Some(digest)) => {
                locks.insert(name.to_owned(), digest);
            }
            Ok(None) => {}
            Err(failure) => return Found::failed(failure, name),
        }
    }
    if locks.is_empty() {
        return Found::absent();
    }
    let detail = locks.keys().cloned().collect::<Vec<_>>().join(", ");
    Found::known(locks, detail)
}
