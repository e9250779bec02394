//! Trying what a storage rests on, where the file system is not known to have it.

use std::io;

use mainstay_core::{Error, ErrorKind, Result};
use rustix::io::Errno;

use super::directory::{Directory, Found};

/// What a storage does to the files in a directory.
pub(super) trait Files {
    /// Creates a file of so many bytes and syncs it.
    fn create(&self, name: &str, bytes: u64) -> io::Result<()>;
    fn link(&self, name: &str, to_name: &str) -> Result<(), Errno>;
    fn rename(&self, name: &str, to_name: &str) -> io::Result<()>;
    fn find(&self, name: &str) -> io::Result<Found>;
    fn names(&self) -> io::Result<Vec<String>>;
    fn sync(&self) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
}

impl Files for Directory {
    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        let file = self.create_file(name)?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn link(&self, name: &str, to_name: &str) -> Result<(), Errno> {
        Self::link(self, name, self, to_name)
    }

    fn rename(&self, name: &str, to_name: &str) -> io::Result<()> {
        Self::rename(self, name, self, to_name)
    }

    fn find(&self, name: &str) -> io::Result<Found> {
        Self::find(self, name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let names = Self::names(self)?;
        Ok(names.into_iter().map(|(name, _)| name).collect())
    }

    fn sync(&self) -> io::Result<()> {
        Self::sync(self)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Self::remove(self, name)
    }
}

/// Tries every promise with a few files, whose names begin with `stem` and which are removed.
///
/// # Errors
/// [`ErrorKind::Unsupported`] names the first promise that is not kept.
pub(super) fn promises(files: &impl Files, stem: &str) -> Result<()> {
    let names = ["a", "b", "c"].map(|end| format!("{stem}-{end}"));
    let tried = try_all(files, &names);
    for name in &names {
        if let Err(error) = files.remove(name) {
            tracing::warn!(name, %error, "a probe stays until it is swept");
        }
    }
    tried
}

fn try_all(files: &impl Files, [a, b, c]: &[String; 3]) -> Result<()> {
    let holds =
        |name: &str, bytes| -> io::Result<bool> { Ok(files.find(name)? == Found::File { bytes }) };
    keeps("a file can be created and synced", || {
        files.create(a, 1)?;
        holds(a, 1)
    })?;
    keeps("creation is exclusive", || {
        let again = files.create(a, 2);
        Ok(is_taken(again) && holds(a, 1)?)
    })?;
    keeps("a file can have a second name", || {
        files.link(a, b)?;
        holds(b, 1)
    })?;
    keeps("a link replaces nothing", || {
        files.create(c, 3)?;
        let over = files.link(c, b);
        Ok(over == Err(Errno::EXIST) && holds(b, 1)?)
    })?;
    keeps("a rename replaces", || {
        files.rename(c, b)?;
        Ok(holds(b, 3)? && files.find(c)? == Found::Nothing)
    })?;
    keeps("a listing shows what is there and nothing else", || {
        let names = files.names()?;
        Ok(names.contains(a) && names.contains(b) && !names.contains(c))
    })?;
    keeps("a directory can be synced", || files.sync().map(|()| true))
}

fn keeps(promise: &'static str, tried: impl FnOnce() -> io::Result<bool>) -> Result<()> {
    let broken = Error::new(
        ErrorKind::Unsupported,
        "the file system does not keep a promise that the storage rests on",
    )
    .context("promise", promise);
    match tried() {
        Ok(true) => Ok(()),
        Ok(false) => Err(broken),
        Err(error) => match Errno::from_io_error(&error) {
            // Says nothing about the promise; `PERM` does: it is how links are refused.
            Some(Errno::ACCESS | Errno::ROFS | Errno::NOSPC | Errno::DQUOT) => Err(error.into()),
            _ => Err(broken.with_source(error)),
        },
    }
}

fn is_taken(created: io::Result<()>) -> bool {
    created.is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Lie {
        CreatesOver,
        HasNoLinks,
        LinksOver,
        RenamesNot,
        ListsNothing,
        SyncsNoDirectory,
    }

    /// A file system that breaks one promise.
    struct Liar(Directory, Option<Lie>);

    impl Files for Liar {
        fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
            if self.1 == Some(Lie::CreatesOver) {
                self.0.remove(name)?;
            }
            Files::create(&self.0, name, bytes)
        }

        fn link(&self, name: &str, to_name: &str) -> Result<(), Errno> {
            match self.1 {
                Some(Lie::HasNoLinks) => return Err(Errno::PERM),
                Some(Lie::LinksOver) => self.0.remove(to_name).unwrap(),
                _ => {}
            }
            Files::link(&self.0, name, to_name)
        }

        fn rename(&self, name: &str, to_name: &str) -> io::Result<()> {
            if self.1 == Some(Lie::RenamesNot) {
                return Ok(());
            }
            Files::rename(&self.0, name, to_name)
        }

        fn find(&self, name: &str) -> io::Result<Found> {
            self.0.find(name)
        }

        fn names(&self) -> io::Result<Vec<String>> {
            if self.1 == Some(Lie::ListsNothing) {
                return Ok(Vec::new());
            }
            Files::names(&self.0)
        }

        fn sync(&self) -> io::Result<()> {
            if self.1 == Some(Lie::SyncsNoDirectory) {
                return Err(Errno::INVAL.into());
            }
            self.0.sync()
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            self.0.remove(name)
        }
    }

    fn probed(lie: Option<Lie>) -> Result<()> {
        let dir = tempfile::tempdir().unwrap();
        let liar = Liar(Directory::open(dir.path()).unwrap(), lie);
        let result = promises(&liar, "probe");
        assert!(Files::names(&liar.0).unwrap().is_empty(), "no probe stays");
        result
    }

    #[test]
    fn a_file_system_that_keeps_every_promise_passes() {
        probed(None).unwrap();
    }

    #[test]
    fn a_file_system_that_breaks_a_promise_is_refused_by_its_name() {
        for (lie, promise) in [
            (Lie::CreatesOver, "creation is exclusive"),
            (Lie::HasNoLinks, "a file can have a second name"),
            (Lie::LinksOver, "a link replaces nothing"),
            (Lie::RenamesNot, "a rename replaces"),
            (Lie::ListsNothing, "a listing shows what is there"),
            (Lie::SyncsNoDirectory, "a directory can be synced"),
        ] {
            let error = probed(Some(lie)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{lie:?} {error}");
            assert!(error.to_string().contains(promise), "{lie:?} {error}");
        }
    }
}
