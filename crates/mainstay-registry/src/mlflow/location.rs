//! Where the files of runs and models are: MLflow's URIs as places on the disk.
//!
//! A store may have moved since its URIs were written. What is below the artifact location of an
//! experiment, while that is where MLflow puts it unless told otherwise, is looked for in the experiment's
//! directory, wherever that is now.

use std::borrow::Cow;
use std::path::PathBuf;

use mainstay_core::{Error, FilePath, Result};
use percent_encoding::percent_decode_str;

use super::disk::Disk;
use super::scan::{Logged, RunHead, Store, Version};
use super::text::without_credentials;
use crate::artifact::FileSpec;

/// How often a version may be a copy of a version.
const MAX_COPIES: usize = 16;

/// A URI, or what MLflow takes for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// A path of the machine the store was made on.
    Local(String),
    /// Anything else, without slashes at its end.
    Remote(String),
}

impl Location {
    pub(super) fn parse(uri: &str) -> Result<Self> {
        let scheme = uri
            .split_once(':')
            .map(|(scheme, _)| scheme)
            .filter(|scheme| {
                // One letter is a drive.
                scheme.len() > 1
                    && scheme
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
            });
        let path = match scheme {
            None => Cow::Borrowed(uri),
            Some(scheme) if scheme.eq_ignore_ascii_case("file") => {
                let rest = &uri["file:".len()..];
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if !path.starts_with('/') {
                    return Ok(Self::Remote(uri.trim_end_matches('/').to_owned()));
                }
                percent_decode_str(path).decode_utf8().map_err(|error| {
                    let error = Error::invalid("the URI is not UTF-8").with_source(error);
                    error.context("uri", uri.escape_debug())
                })?
            }
            Some(_) => return Ok(Self::Remote(uri.trim_end_matches('/').to_owned())),
        };
        Ok(Self::Local(path.trim_end_matches('/').to_owned()))
    }

    /// Returns the path from another location to this one, if it lies there or below.
    fn below(&self, top: &Self) -> Option<&str> {
        let ((Self::Local(whole), Self::Local(top)) | (Self::Remote(whole), Self::Remote(top))) =
            (self, top)
        else {
            return None;
        };
        let rest = whole.strip_prefix(top.as_str())?;
        if rest.is_empty() || top.ends_with(':') {
            return Some(rest.trim_start_matches('/'));
        }
        rest.strip_prefix('/')
    }

    /// Returns its last segment.
    fn last(&self) -> &str {
        let (Self::Local(text) | Self::Remote(text)) = self;
        text.rsplit('/').next().unwrap_or(text)
    }
}

/// A directory, or a file, that is read without following links.
#[derive(Debug, Clone)]
pub(super) struct Place {
    disk: Disk,
    path: String,
}

impl Place {
    fn new(disk: &Disk, path: &str) -> Result<Self> {
        if !path.is_empty() {
            FilePath::new(path)?;
        }
        Ok(Self {
            disk: disk.clone(),
            path: path.to_owned(),
        })
    }

    fn join(&self, below: &str) -> Result<Self> {
        let parts = [self.path.as_str(), below.trim_matches('/')];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Self::new(&self.disk, &parts.join("/"))
    }

    /// Returns where it is.
    pub(super) fn absolute(&self) -> PathBuf {
        self.disk.root().join(&self.path)
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    pub(super) fn path(&self, below: &str) -> String {
        if self.path.is_empty() {
            below.to_owned()
        } else {
            format!("{}/{below}", self.path)
        }
    }

    /// Lists its files as what to register.
    pub(super) fn files(&self) -> Result<Vec<FileSpec>> {
        self.disk.specs(&self.path)
    }

    /// Lists its files with where they are.
    pub(super) fn listed(&self) -> Result<Vec<(FilePath, PathBuf)>> {
        self.disk.files(&self.path)
    }
}

/// Where files are.
#[derive(Debug)]
pub(super) enum Found {
    Here(Place),
    /// Not in the store; why, in words.
    Elsewhere(String),
}

impl Store {
    /// Finds the artifacts of a run.
    pub(super) fn run_files(&self, run: &RunHead) -> Result<Found> {
        match &run.file.artifact_uri {
            Some(uri) => self.at(uri, 0),
            None => Place::new(&self.disk, &format!("{}/artifacts", run.folder)).map(Found::Here),
        }
    }

    /// Finds the artifacts of a logged model.
    pub(super) fn logged_files(&self, logged: &Logged) -> Result<Found> {
        match &logged.file.artifact_location {
            Some(uri) => self.at(uri, 0),
            None => {
                Place::new(&self.disk, &format!("{}/artifacts", logged.folder)).map(Found::Here)
            }
        }
    }

    /// Finds the files of a version.
    pub(super) fn version_files(&self, version: &Version) -> Result<Found> {
        self.copied(version, 0)
    }

    fn copied(&self, version: &Version, copies: usize) -> Result<Found> {
        let file = &version.file;
        let stated = file.storage_location.as_ref().or(file.source.as_ref());
        match stated.filter(|uri| !uri.is_empty()) {
            Some(uri) => self.at(uri, copies),
            None => Ok(Found::Elsewhere("it states no source".into())),
        }
    }

    fn at(&self, uri: &str, copies: usize) -> Result<Found> {
        let shown = || without_credentials(uri).escape_debug().to_string();
        self.resolve(uri, copies)
            .map_err(|error| error.context("uri", shown()))
    }

    fn resolve(&self, uri: &str, copies: usize) -> Result<Found> {
        if let Some(rest) = uri.strip_prefix("runs:/") {
            return self.below_run(rest.trim_start_matches('/'));
        }
        if let Some(rest) = uri.strip_prefix("models:/") {
            return self.of_model(rest.trim_start_matches('/'), copies);
        }
        let location = Location::parse(uri)?;
        let said = self.locations.iter();
        let said = said.filter_map(|(top, disk)| Some((location.below(top)?, disk)));
        if let Some((rest, disk)) = said.min_by_key(|(rest, _)| rest.len()) {
            return Place::new(disk, rest).map(Found::Here);
        }
        if let Location::Local(path) = &location {
            for (id, experiment) in &self.experiments {
                let Some(stated) = &experiment.location else {
                    continue;
                };
                let top = Location::parse(stated)?;
                if top.last() == id
                    && let Some(rest) = location.below(&top)
                {
                    return Place::new(&self.disk, &experiment.folder)?
                        .join(rest)
                        .map(Found::Here);
                }
            }
            let root = Location::Local(self.disk.root().to_string_lossy().into_owned());
            if let Some(rest) = Location::Local(path.clone()).below(&root) {
                return Place::new(&self.disk, rest).map(Found::Here);
            }
        }
        Ok(Found::Elsewhere(format!(
            "its files are not in the store but at {}",
            without_credentials(uri).escape_debug()
        )))
    }

    /// Reads `<run>/<path>`.
    fn below_run(&self, rest: &str) -> Result<Found> {
        let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
        let Some(run) = self.runs.get(id) else {
            return Ok(Found::Elsewhere(
                "the run that holds its files is not in the store".into(),
            ));
        };
        match self.run_files(run)? {
            Found::Here(place) => place.join(path).map(Found::Here),
            elsewhere @ Found::Elsewhere(_) => Ok(elsewhere),
        }
    }

    /// Reads `<logged model>` or `<name>/<version>`.
    fn of_model(&self, rest: &str, copies: usize) -> Result<Found> {
        if let Some(logged) = self.logged.get(rest.trim_end_matches('/')) {
            return self.logged_files(logged);
        }
        if copies == MAX_COPIES {
            return Err(Error::invalid("versions are copies of each other"));
        }
        let copied = rest.split_once('/').and_then(|(name, number)| {
            let number: u64 = number.parse().ok()?;
            self.models.get(name)?.versions.get(&number)
        });
        match copied {
            Some(version) => self.copied(version, copies + 1),
            None => Ok(Found::Elsewhere(
                "the model that it is a copy of is not in the store".into(),
            )),
        }
    }
}
