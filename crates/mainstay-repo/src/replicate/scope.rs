//! Which refs are replicated, and under which paths.

use mainstay_core::{Error, Name, RefPath, Result};
use serde::Serialize;

use super::ReplicateOptions;

/// What a repository says of itself, and what names objects of its own beside the blobs.
const OWN: [&str; 4] = ["gc", "lease", "replica", "tally"];

/// A selection of refs and the namespaces they move between; the same one has one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Scope {
    /// The namespace in the source; empty for none.
    pub(super) from: String,
    /// The namespace in the target; empty for none.
    pub(super) into: String,
    /// The selected paths and prefixes, behind the namespace; empty for all.
    pub(super) refs: Vec<String>,
}

impl Scope {
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a namespace or a prefix is not
    /// made of names, or is what a repository says of itself.
    pub(super) fn of(options: &ReplicateOptions) -> Result<Self> {
        let from = prefix("source namespace", &options.source_namespace)?;
        let into = prefix("namespace", &options.namespace)?;
        let refs = options.refs.iter().map(|text| prefix("refs", text));
        let mut refs: Vec<String> = refs.collect::<Result<_>>()?;
        for own in refs.iter().chain([&into, &from]) {
            if is_own(own) {
                let why = "what a repository says of itself is not replicated";
                return Err(Error::invalid(why).context("refs", own));
            }
        }
        if refs.iter().any(String::is_empty) {
            refs.clear();
        }
        refs.sort_unstable();
        let all = refs.clone();
        refs.retain(|path| {
            let mut others = all.iter().filter(|other| *other != path);
            !others.any(|other| covers(other, path))
        });
        refs.dedup();
        Ok(Self { from, into, refs })
    }

    /// Returns the path in the target of a ref of the source, if it is selected.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) naming a ref whose path there would
    /// break the rules of paths.
    pub(super) fn target_of(&self, source: &RefPath) -> Result<Option<RefPath>> {
        let Some(path) = below(&self.from, source.as_str()) else {
            return Ok(None);
        };
        let is_selected = self.refs.is_empty() || self.refs.iter().any(|by| covers(by, path));
        if is_own(path) || !is_selected {
            return Ok(None);
        }
        let target = match self.into.as_str() {
            "" => RefPath::new(path),
            into => RefPath::new(&format!("{into}/{path}")),
        };
        target
            .map(Some)
            .map_err(|error| error.context("source ref", source))
    }
}

/// What is behind a namespace in a path; `None` when the path is not in it.
fn below<'p>(namespace: &str, path: &'p str) -> Option<&'p str> {
    match namespace {
        "" => Some(path),
        namespace => path.strip_prefix(namespace)?.strip_prefix('/'),
    }
}

/// Reports whether a path is `prefix` or below it.
fn covers(prefix: &str, path: &str) -> bool {
    prefix == path || below(prefix, path).is_some()
}

fn is_own(path: &str) -> bool {
    path.split('/')
        .next()
        .is_some_and(|first| OWN.contains(&first))
}

/// Reads names joined by `/`, or nothing.
fn prefix(what: &'static str, text: &str) -> Result<String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() {
        return Ok(String::new());
    }
    let names = text.split('/').map(Name::new);
    let names: Result<Vec<Name>> = names.collect();
    let names = names.map_err(|error| error.context(what, text.escape_debug()))?;
    Ok(names.iter().map(Name::as_str).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(refs: &[&str], from: &str, into: &str) -> Result<Scope> {
        let options = ReplicateOptions::default()
            .with_refs(refs.iter().copied())
            .with_source_namespace(from)
            .with_namespace(into);
        Scope::of(&options)
    }

    #[test]
    fn one_selection_has_one_spelling() {
        let spelled = scope(
            &["model/fraud/", "data", "model/fraud/tag/a", "data"],
            "",
            "x/",
        );
        assert_eq!(
            spelled.unwrap(),
            scope(&["data", "model/fraud"], "", "x").unwrap()
        );
        assert_eq!(
            scope(&["data", ""], "", "").unwrap(),
            scope(&[], "", "").unwrap()
        );
        let neighbors = scope(&["a/b", "a/bc"], "", "").unwrap();
        assert_eq!(neighbors.refs, ["a/b", "a/bc"]);
    }

    #[test]
    fn refs_move_between_namespaces_and_come_back() {
        let there = scope(&["model/fraud"], "", "mirror/acme").unwrap();
        let back = scope(&[], "mirror/acme", "").unwrap();
        let path = "model/fraud/version/1".parse().unwrap();
        let moved = there.target_of(&path).unwrap().unwrap();
        assert_eq!(moved.as_str(), "mirror/acme/model/fraud/version/1");
        assert_eq!(back.target_of(&moved).unwrap(), Some(path));
        for other in ["model/fraudulent/x", "gc/run", "mirror/acme2/x", "data/d"] {
            let path = other.parse().unwrap();
            assert_eq!(there.target_of(&path).unwrap(), None, "{other}");
            assert_eq!(back.target_of(&path).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn what_a_repository_says_of_itself_stays_there() {
        for (refs, from, into) in [
            (["gc"], "", ""),
            (["replica/x"], "", ""),
            (["a"], "gc", ""),
            (["a"], "", "replica/x"),
        ] {
            assert!(scope(&refs, from, into).is_err());
        }
        let all = scope(&[], "", "mirror").unwrap();
        for own in [
            "gc/run",
            "gc/pack/00",
            "lease/a/holder",
            "replica/a/b",
            "tally/a",
        ] {
            assert_eq!(all.target_of(&own.parse().unwrap()).unwrap(), None);
        }
    }

    #[test]
    fn paths_that_break_a_rule_are_refused_by_name() {
        assert!(scope(&[], "", "../x").is_err());
        assert!(scope(&["a//b"], "", "").is_err());
        let deep = scope(&[], "", "1/2/3/4/5/6/7/8/9/10/11").unwrap();
        let error = deep.target_of(&"a/b".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("a/b"), "{error}");
    }
}
