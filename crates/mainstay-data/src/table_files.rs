//! Which files of a snapshot are its table, and how they are spelled.

use mainstay_core::{Error, ErrorKind, FilePath, Result};
use serde::{Deserialize, Serialize};

use crate::format::TableFormat;
use crate::input::{InputFile, Origin};
use crate::{CsvOptions, FileLayout, PathPattern};

/// Which of the files that are tables by their extensions make up the table of a snapshot, and how those are
/// spelled that are CSV. The others are opaque: stored as they are, with digest and size, and not looked into.
///
/// Without patterns all of them are the table. A version records what was chosen, and the next one is made
/// by the same choice unless another is given.
///
/// ```
/// use mainstay_core::Actor;
/// use mainstay_data::{SnapshotSpec, TableFiles};
///
/// let chosen = TableFiles::new()
///     .with_table("train/*.parquet".parse()?)
///     .with_opaque("train/damaged.parquet".parse()?);
/// let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, "first season")
///     .with_path("penguins/")
///     .with_table_files(chosen);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TableFiles {
    /// The files of the table; all when there is no pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub table: Vec<PathPattern>,
    /// Those that are opaque also where they would be of the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opaque: Vec<PathPattern>,
    /// How those that are CSV are spelled.
    #[serde(default, skip_serializing_if = "CsvOptions::is_default")]
    pub csv: CsvOptions,
}

impl TableFiles {
    /// Begins with all files that are tables by their extensions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the files that a pattern names, and no others but those of further calls, the table.
    #[must_use]
    pub fn with_table(mut self, files: PathPattern) -> Self {
        self.table.push(files);
        self
    }

    /// Leaves the files that a pattern names out of the table.
    #[must_use]
    pub fn with_opaque(mut self, files: PathPattern) -> Self {
        self.opaque.push(files);
        self
    }

    /// Says how the CSV files of the table are spelled. There must be one.
    #[must_use]
    pub fn with_csv(mut self, options: CsvOptions) -> Self {
        self.csv = options;
        self
    }

    fn is_empty(&self) -> bool {
        self.table.is_empty() && self.opaque.is_empty() && self.csv.is_default()
    }

    fn takes(&self, path: &FilePath) -> bool {
        let is_among = |patterns: &[PathPattern]| patterns.iter().any(|p| p.matches(path));
        (self.table.is_empty() || is_among(&self.table)) && !is_among(&self.opaque)
    }
}

/// A choice and where it comes from.
#[derive(Debug, Clone)]
pub(crate) enum Chosen {
    /// Given for these files: each pattern means some of them.
    Now(TableFiles),
    /// Given for an earlier version, whose files may be others.
    Before(TableFiles),
}

impl Default for Chosen {
    fn default() -> Self {
        Self::Before(TableFiles::default())
    }
}

impl Chosen {
    /// How CSV is spelled.
    pub(crate) fn csv(&self) -> &CsvOptions {
        let (Self::Now(files) | Self::Before(files)) = self;
        &files.csv
    }

    /// Checks how CSV is spelled.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when that cannot be, or it was said for files on disk and no table file is CSV.
    pub(crate) fn check_csv<'a>(
        &self,
        files: impl IntoIterator<Item = &'a InputFile>,
    ) -> Result<()> {
        self.csv().check()?;
        let is_said = matches!(self, Self::Now(_)) && !self.csv().is_default();
        let mut is_lost = false;
        for file in files {
            if file.table_format().is_some_and(TableFormat::is_csv) {
                return Ok(());
            }
            is_lost |= matches!(file.origin, Origin::Disk { .. });
        }
        if is_said && is_lost {
            return Err(Error::invalid(
                "it is said how CSV is spelled, and no table file is CSV",
            ));
        }
        Ok(())
    }

    /// What a version records: nothing where all files are taken.
    pub(crate) fn recorded(&self) -> Option<TableFiles> {
        let (Self::Now(files) | Self::Before(files)) = self;
        (!files.is_empty()).then(|| files.clone())
    }

    /// Makes the files on disk plain that are not to be of the table. Rows and what earlier versions hold are
    /// what they are.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a choice among files that are all to be plain, naming the pattern that no file has, where it was given now; in any case when
    /// patterns say which files are the table, and none of the files that could be is.
    pub(crate) fn apply(&self, files: &mut [InputFile], layout: FileLayout) -> Result<()> {
        if layout == FileLayout::Plain {
            let why = "files that are all stored plain have no table to choose them for";
            return match self {
                Self::Now(chosen) if !chosen.is_empty() => Err(Error::invalid(why)),
                _ => Ok(()),
            };
        }
        let on_disk = files.iter_mut();
        let mut on_disk: Vec<&mut InputFile> = on_disk
            .filter(|file| matches!(file.origin, Origin::Disk { .. }))
            .collect();
        if on_disk.is_empty() {
            return Ok(());
        }
        let could_be = |file: &InputFile| TableFormat::of(&file.path).is_some();
        let (Self::Now(chosen) | Self::Before(chosen)) = self;
        if let Self::Now(_) = self {
            for pattern in chosen.table.iter().chain(&chosen.opaque) {
                let names = |file: &&mut InputFile| could_be(file) && pattern.matches(&file.path);
                if !on_disk.iter().any(names) {
                    let why = "no file that is a table by its extension has a path of this pattern";
                    return Err(
                        Error::invalid(why).context("pattern", pattern.as_str().escape_debug())
                    );
                }
            }
        }
        for file in &mut on_disk {
            if !chosen.takes(&file.path) {
                file.layout = FileLayout::Plain;
            }
        }
        let mut candidates = on_disk.iter().filter(|file| could_be(file)).peekable();
        let is_lost =
            candidates.peek().is_some() && candidates.all(|file| file.table_format().is_none());
        if is_lost && let Some(pattern) = chosen.table.first() {
            let why = "none of the files that are to be the table can be: give other patterns";
            return Err(Error::invalid(why).context("pattern", pattern.as_str().escape_debug()));
        }
        Ok(())
    }
}

/// Tells how to store files of which one is not of the table, where the files can be chosen.
pub(crate) fn helped(error: Error, files: &[InputFile]) -> Error {
    let named = error.contexts().find(|(key, _)| *key == "file");
    let named = named.map(|(_, path)| path.to_owned());
    let can_be_chosen = |file: &&InputFile| !matches!(file.origin, Origin::Stored(_));
    let mut files = files.iter().filter(can_be_chosen);
    let is_one = files.any(|file| named.as_deref() == Some(file.path.as_str()));
    if is_one && matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported) {
        let help =
            "--opaque PATTERN stores files as they are, --table PATTERN says which are the table";
        return error.context("help", help);
    }
    error
}
