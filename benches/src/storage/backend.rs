//! A storage while it is measured.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mainstay::store::{Durability, LocalOptions, LocalStorage, Timer as _, TokioTimer};
use mainstay::{Error, ErrorKind, Location, Result};
use tempfile::TempDir;

use super::place::Place;
use super::report::BackendFacts;
use super::target::Target;

/// What every name of something that is measured begins with.
const PREFIX: &str = "mainstay-bench-";

/// How often a directory is tried to be deleted again, and after how long.
const ATTEMPTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// An opened storage, and what is to be removed from around it.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) facts: BackendFacts,
    pub(super) place: Place,
    /// Measured no further.
    pub(super) failed: bool,
    directories: Vec<TempDir>,
    file: Option<PathBuf>,
}

impl Backend {
    /// Opens what a target stands for: a directory with each durability, any other storage as it is.
    /// `id` has never been used before.
    pub(super) async fn open(target: &Target, id: &str) -> Result<Vec<Self>> {
        let Location::Directory(path) = &target.location else {
            return Ok(vec![Self::open_any(target, id).await?]);
        };
        let mut opened = Vec::new();
        for (durability, name) in [
            (Durability::Strict, "strict"),
            (Durability::Batch, "batch"),
            (Durability::None, "none"),
        ] {
            let directory = directory_in(path)?;
            let options = LocalOptions::default().with_durability(durability);
            let storage = LocalStorage::open(directory.path(), options).await?;
            let mut facts = BackendFacts::new(target, &storage);
            facts.name = format!("{} {name}", target.name);
            facts.durability = Some(name);
            facts.file_system = Some(storage.file_system());
            opened.push(Self {
                facts,
                place: Place::new(Arc::new(storage), "run".into()),
                failed: false,
                directories: vec![directory],
                file: None,
            });
        }
        Ok(opened)
    }

    async fn open_any(target: &Target, id: &str) -> Result<Self> {
        let mut directories = Vec::new();
        let location = within(&target.location, &mut directories)?;
        let file = new_file(&location);
        let storage = location.open().await?;
        Ok(Self {
            facts: BackendFacts::new(target, &storage),
            place: Place::new(storage, format!("{PREFIX}{id}")),
            failed: false,
            directories,
            file,
        })
    }

    /// Deletes what was written, and what opening it made on this machine.
    pub(super) async fn remove(self) -> Result<()> {
        // Twice: what was under way when the run was stopped can land after the first time.
        self.place.clear().await?;
        self.place.clear().await?;
        drop(self.place);
        for directory in self.directories {
            remove_all(directory.path()).await?;
        }
        for file in self.file.iter().flat_map(|file| database_files(file)) {
            match std::fs::remove_file(&file) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    return Err(left(&file, cause));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Deletes a directory into which a write that was under way may yet put something.
async fn remove_all(path: &Path) -> Result<()> {
    for _ in 0..ATTEMPTS {
        if std::fs::remove_dir_all(path).is_ok() {
            return Ok(());
        }
        TokioTimer::default().sleep(PAUSE).await;
    }
    match std::fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(left(path, cause)),
        _ => Ok(()),
    }
}

/// Replaces each directory by a fresh one inside of it.
fn within(location: &Location, made: &mut Vec<TempDir>) -> Result<Location> {
    Ok(match location {
        Location::Directory(path) => {
            let directory = directory_in(path)?;
            let inside = Location::Directory(directory.path().to_path_buf());
            made.push(directory);
            inside
        }
        Location::Composed { rest, packs } => Location::Composed {
            rest: Box::new(within(rest, made)?),
            packs: Box::new(within(packs, made)?),
        },
        other => other.clone(),
    })
}

fn directory_in(path: &Path) -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(path);
    made.map_err(|cause| {
        let kind = match cause.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, "cannot make a directory to measure in")
            .context("path", path.display())
            .with_source(cause)
    })
}

/// The file of a database that is not there yet.
fn new_file(location: &Location) -> Option<PathBuf> {
    let Location::Database(url) = location else {
        return None;
    };
    url.file()
        .filter(|file| !file.exists())
        .map(Path::to_path_buf)
}

/// SQLite's file and those that it keeps beside it.
fn database_files(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

fn left(path: &Path, cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "what was measured is still there")
        .context("path", path.display())
        .with_source(cause)
}
