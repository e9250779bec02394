//! Where a key's file is.

use crate::Key;
use crate::key::is_segment;

/// The path of an object's file beneath the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    path: String,
    file_at: usize,
}

impl Place {
    pub(super) fn of(key: &Key) -> Self {
        let (directories, file) = match key.as_str().rsplit_once('/') {
            Some((directories, file)) => (Some(directories), file),
            None => (None, key.as_str()),
        };
        let mut path = String::with_capacity(key.as_str().len() + 8);
        for segment in directories.into_iter().flat_map(|path| path.split('/')) {
            push_directory(&mut path, segment);
            path.push('/');
        }
        let file_at = path.len();
        push_marked_if(&mut path, is_word(file), file);
        Self { path, file_at }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The path of the directory around the file; empty for the root.
    pub(super) fn directory(&self) -> &str {
        self.path[..self.file_at].trim_end_matches('/')
    }

    pub(super) fn file(&self) -> &str {
        &self.path[self.file_at..]
    }
}

/// The path of the directory of all keys that begin with `prefix`, which ends in `/` or is empty.
pub(super) fn directory_of(prefix: &str) -> String {
    let mut path = String::new();
    for segment in prefix.split_terminator('/') {
        if !path.is_empty() {
            path.push('/');
        }
        push_directory(&mut path, segment);
    }
    path
}

/// The segment of a key that a name in a directory stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    Directory(&'a str),
    File(&'a str),
}

impl<'a> Segment<'a> {
    /// `None` for a name that no key has.
    pub(super) fn of_name(name: &'a str) -> Option<Self> {
        let (segment, marked) = match name.strip_suffix(MARK) {
            Some(segment) => (segment, true),
            None => (name, false),
        };
        if !is_segment(segment) {
            None
        } else if is_word(segment) == marked {
            Some(Self::File(segment))
        } else {
            Some(Self::Directory(segment))
        }
    }
}

// A key may be the directory of another (`a` and `a/b`), but a file may not: names of letters alone
// are directories as they stand and others are files; the other way round they are marked.
const MARK: char = '+';

fn is_word(segment: &str) -> bool {
    segment.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn push_directory(path: &mut String, segment: &str) {
    push_marked_if(path, !is_word(segment), segment);
}

fn push_marked_if(path: &mut String, marked: bool, segment: &str) {
    path.push_str(segment);
    if marked {
        path.push(MARK);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn path(key: &str) -> String {
        let place = Place::of(&Key::new(key).unwrap());
        let around = Path::new(place.path()).parent();
        assert_eq!(around, Some(Path::new(place.directory())));
        assert!(place.path().ends_with(place.file()));
        place.path
    }

    fn file_name(segment: &str) -> String {
        path(segment)
    }

    fn directory_name(segment: &str) -> String {
        let mut name = String::new();
        push_directory(&mut name, segment);
        name
    }

    #[test]
    fn usual_keys_are_their_own_paths_and_twins_are_marked() {
        assert_eq!(path("mainstay.json"), "mainstay.json");
        assert_eq!(path("log/00000000000000000001"), "log/00000000000000000001");
        assert_eq!(path("a"), "a+");
        assert_eq!(path("a/b"), "a/b+");
        assert_eq!(path("a.b/c-1"), "a.b+/c-1");
        assert_eq!(path("a.b"), "a.b");
    }

    proptest! {
        #[test]
        fn a_name_stands_for_the_segment_it_was_made_from(segment in "[a-z0-9_%-][a-z0-9._%-]{0,8}|[a-z]{1,4}") {
            let (file, directory) = (file_name(&segment), directory_name(&segment));
            prop_assert_ne!(&file, &directory);
            prop_assert_eq!(Segment::of_name(&file), Some(Segment::File(&segment)));
            prop_assert_eq!(Segment::of_name(&directory), Some(Segment::Directory(&segment)));
        }

        #[test]
        fn a_name_that_stands_for_a_segment_is_the_one_made_from_it(name in "[a-z0-9.+A#-]{0,6}") {
            match Segment::of_name(&name) {
                Some(Segment::File(segment)) => prop_assert_eq!(file_name(segment), name),
                Some(Segment::Directory(segment)) => prop_assert_eq!(directory_name(segment), name),
                None => {}
            }
        }
    }
}
