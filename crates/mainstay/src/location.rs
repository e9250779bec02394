//! From a URL to a storage.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{LocalOptions, LocalStorage, MemoryStorage, Storage};
use url::Url;

/// Where a workspace lives.
///
/// | written | means |
/// |---|---|
/// | `mem:` | memory, gone with the process |
/// | a path, or `file:///path` | a directory |
/// | `s3://bucket/prefix` | Amazon S3 or a compatible server; feature `s3` |
/// | `gs://bucket/prefix` | Google Cloud Storage; feature `gcs` |
/// | `az://container/prefix` | Azure Blob Storage; feature `azure` |
///
/// Credentials never belong in the URL: a URL with user information is refused. Object stores take
/// theirs, and other settings, from the environment variables `AWS_…`, `GOOGLE_…` and `AZURE_…`, as
/// the services' own tools do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// In memory.
    Memory,
    /// In a directory.
    Directory(PathBuf),
    /// In an object store.
    Object(Url),
}

impl Location {
    /// Reads a location.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an unknown scheme, a URL that cannot be read, or one that carries
    /// credentials.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((scheme, _)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return Ok(Self::Directory(PathBuf::from(text)));
        };
        // The text itself may hold a secret, so no error repeats it.
        let invalid = |why: &'static str| Error::invalid(why).context("scheme", scheme);
        if scheme == "mem" {
            return Ok(Self::Memory);
        }
        let url =
            Url::parse(text).map_err(|cause| invalid("not a workspace URL").with_source(cause))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("credentials do not belong in a workspace URL"));
        }
        match scheme {
            "file" => url
                .to_file_path()
                .map(Self::Directory)
                .map_err(|()| invalid("a file URL names an absolute local path")),
            "s3" | "gs" | "az" => Ok(Self::Object(url)),
            _ => Err(invalid(
                "unknown storage; use a path, mem:, file://, s3://, gs:// or az://",
            )),
        }
    }

    /// Opens the storage; a directory is made if absent.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when this build lacks the backend's feature, otherwise as the
    /// backend says.
    pub async fn open(&self) -> Result<Arc<dyn Storage>> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryStorage::new())),
            Self::Directory(path) => Ok(Arc::new(
                LocalStorage::open(path, LocalOptions::default()).await?,
            )),
            Self::Object(url) => {
                let variables = std::env::vars_os().filter_map(|(name, value)| {
                    name.into_string().ok().zip(value.into_string().ok())
                });
                let options = mainstay_store_object::options_from_env(url.as_str(), variables)?;
                mainstay_store_object::open(url.as_str(), &options)
            }
        }
    }

    /// Reports whether a workspace could be there without making anything.
    pub(crate) fn check_present(&self) -> Result<()> {
        match self {
            Self::Directory(path) if !path.is_dir() => Err(Error::new(
                ErrorKind::NotFound,
                "no workspace here; create one first",
            )
            .context("path", path.display())),
            _ => Ok(()),
        }
    }
}

/// A single letter is a drive, not a scheme.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("mem:"),
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Object(url) => write!(f, "{url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_read() {
        assert_eq!(Location::parse("mem:").unwrap(), Location::Memory);
        assert_eq!(
            Location::parse("./x").unwrap(),
            Location::Directory("./x".into())
        );
        assert_eq!(
            Location::parse("C:\\x").unwrap(),
            Location::Directory("C:\\x".into())
        );
        assert_eq!(
            Location::parse("file:///srv/x").unwrap(),
            Location::Directory("/srv/x".into())
        );
        for cloud in ["s3://bucket/a", "gs://bucket", "az://container/a/b"] {
            assert_eq!(Location::parse(cloud).unwrap().to_string(), cloud);
        }
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        let error = Location::parse("s3://key:hunter2@bucket/a").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    #[test]
    fn unknown_schemes_are_named() {
        assert!(
            Location::parse("ftp://host/x")
                .unwrap_err()
                .to_string()
                .contains("ftp")
        );
    }
}
