//! The project's git commit, read from git's own files.

use std::path::{Component, Path, PathBuf};

use super::Found;
use super::tree::Tree;
use crate::secrets::clean_url;
use crate::{Fact, Failure, Git};

/// The most directories above the project that are searched for `.git`.
const MAX_PARENTS: usize = 64;

/// The most symbolic refs followed from `HEAD`, as git does.
const MAX_SYMREFS: usize = 5;

/// A repository's directories: worktrees have their own `HEAD` and share the rest.
struct Repository {
    tree: Tree,
    own: PathBuf,
    common: PathBuf,
}

/// Returns the commit, and the URL of the remote `origin`.
pub(crate) fn git(project: Option<&Path>) -> (Found<Git>, Option<String>) {
    let Some(project) = project else {
        return (Found::not_collected("no project directory was given"), None);
    };
    let repository = match Repository::find(project) {
        Ok(Some(repository)) => repository,
        Ok(None) => return (Found::absent(), None),
        Err(failure) => return (Found::failed(failure, ".git"), None),
    };
    let found = match repository.head() {
        Ok(Some(commit)) => Found::known(
            Git {
                commit,
                dirty: Fact::NotCollected,
            },
            "HEAD",
        ),
        Ok(None) => Found::absent(),
        Err(failure) => Found::failed(failure, "HEAD"),
    };
    (found, repository.origin())
}

impl Repository {
    /// Finds the repository of `project`: in it or in a directory above.
    fn find(project: &Path) -> Result<Option<Self>, Failure> {
        let tree = Tree::new("/".into());
        for directory in project.ancestors().take(MAX_PARENTS) {
            let dot_git = directory.join(".git");
            let own = if tree.is_dir(&dot_git) {
                dot_git
            } else if let Some(text) = tree.text(&dot_git)? {
                let target = text.strip_prefix("gitdir:").ok_or(Failure::Malformed)?;
                directory.join(target.trim())
            } else {
                continue;
            };
            let common = match tree.text(own.join("commondir"))? {
                Some(text) => own.join(text.trim()),
                None => own.clone(),
            };
            return Ok(Some(Self { tree, own, common }));
        }
        Ok(None)
    }

    /// Follows `HEAD` to a commit; `None` before the first commit.
    fn head(&self) -> Result<Option<String>, Failure> {
        let Some(mut text) = self.tree.text(self.own.join("HEAD"))? else {
            return Err(Failure::Malformed);
        };
        for _ in 0..MAX_SYMREFS {
            let Some(name) = text.strip_prefix("ref:").map(str::trim) else {
                return parse_hash(text.trim()).map(Some).ok_or(Failure::Malformed);
            };
            if !is_ref(name) {
                return Err(Failure::Malformed);
            }
            match self.loose(name)? {
                Some(next) => text = next,
                None => return self.packed(name),
            }
        }
        Err(Failure::Malformed)
    }

    fn loose(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.tree.text(self.own.join(name))? {
            Some(text) => Ok(Some(text)),
            None => self.tree.text(self.common.join(name)),
        }
    }

    fn packed(&self, name: &str) -> Result<Option<String>, Failure> {
        let packed = self.tree.text(self.common.join("packed-refs"))?;
        Ok(packed.and_then(|text| find_packed(&text, name)))
    }

    fn origin(&self) -> Option<String> {
        let config = self.tree.text(self.common.join("config")).ok()??;
        clean_url(&find_origin(&config)?)
    }
}

/// Reports whether a name stays below `refs/`.
fn is_ref(name: &str) -> bool {
    name.starts_with("refs/")
        && Path::new(name)
            .components()
            .all(|component| matches!(component, Component::Normal(_)))
}

/// Finds a ref in `packed-refs`: lines of hash and name, comments `#`, peeled tags `^`.
fn find_packed(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(_, packed)| packed.trim_end() == name)
        .and_then(|(hash, _)| parse_hash(hash))
}

/// Accepts the hash of a commit in SHA-1 or SHA-256.
pub(super) fn parse_hash(text: &str) -> Option<String> {
    let hex = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hex && matches!(text.len(), 40 | 64)).then(|| text.to_owned())
}

/// Finds the first `url` of the section `[remote "origin"]`.
fn find_origin(config: &str) -> Option<String> {
    let mut inside = false;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.replace(' ', "") == "[remote\"origin\"]";
        } else if inside
            && let Some((key, value)) = line.split_once('=')
            && key.trim().eq_ignore_ascii_case("url")
        {
            return Some(value.trim().trim_matches('"').to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_origin_url_is_found_in_any_spelling() {
        let config =
            "[core]\n\turl = no\n[remote \"up\"]\nurl=no\n[ remote \"origin\" ]\n\tURL = yes\n";
        assert_eq!(find_origin(config).as_deref(), Some("yes"));
        assert_eq!(find_origin("[remote \"origin\"]\n"), None);
    }

    #[test]
    fn refs_that_leave_the_repository_are_refused() {
        for bad in [
            "refs/../../etc/passwd",
            "/etc/passwd",
            "HEAD",
            "refs/./x/../y",
        ] {
            assert!(!is_ref(bad), "{bad}");
        }
        assert!(is_ref("refs/heads/feature/x"));
    }

    proptest! {
        #[test]
        fn any_packed_refs_and_config_are_read(
            text in "(refs/heads/main|[0-9a-f]{40}|\\^|#|\\[|url|=| |\n|\\PC){0,32}"
        ) {
            if let Some(hash) = find_packed(&text, "refs/heads/main") {
                prop_assert!(text.contains(&hash));
            }
            drop(find_origin(&text));
        }
    }
}
