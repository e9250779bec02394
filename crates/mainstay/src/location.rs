//! From a URL to a storage.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use mainstay_core::{Error, ErrorKind, RandomIds, Result};
use mainstay_store::{
    LocalOptions, LocalStorage, MemoryStorage, Prefix, ProbeStorage, RouteStorage, Storage,
};
use mainstay_store_sql::DatabaseUrl;
use url::Url;

/// The directory of a repository that holds bulk data; see `docs/formats/repository.md`.
const PACKS: &str = "pack";

/// Where a workspace lives.
///
/// | written | means |
/// |---|---|
/// | `mem:` | memory, gone with the process |
/// | a path, or `file:///path` | a directory |
/// | `s3://bucket/prefix` | Amazon S3 or a compatible server; feature `s3` |
/// | `gs://bucket/prefix` | Google Cloud Storage; feature `gcs` |
/// | `az://container/prefix` | Azure Blob Storage; feature `azure` |
/// | `https://server/prefix` | a web server, to read only; feature `http` |
/// | `sqlite:relative.db`, `sqlite:///path.db` | a SQLite file; feature `sqlite` |
/// | `postgres://host:port/database` | PostgreSQL; feature `postgres` |
/// | `<one> packs=<another>` | bulk data in another of these than the rest |
///
/// The last form keeps what is small and often asked for in a database, and what is large where
/// large things are cheap: `postgres://db/mainstay packs=s3://bucket/mainstay`. Nothing records it:
/// write the same each time.
///
/// Secrets never belong in the URL: one with a password is refused, and so is one of an object store
/// with user information. They and other settings come from the environment, as for the services'
/// own tools: `AWS_…`, `GOOGLE_…`, `AZURE_…`, `MAINSTAY_HTTP_…`, and `PGPASSWORD`, `PGHOST` and
/// their like. What is sent to an object store is encrypted unless `AWS_ALLOW_HTTP=true`, or its
/// like, allows otherwise. Options of a database may also follow a `?`, such as
/// `?namespace=team-a`, which lets several workspaces share it; see [`mainstay_store_sql::open`] and
/// [`mainstay_store_object::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// In memory.
    Memory,
    /// In a directory.
    Directory(PathBuf),
    /// In an object store.
    Object(Url),
    /// In a database.
    Database(DatabaseUrl),
    /// Bulk data in another storage than the rest.
    Composed {
        /// Where everything else is.
        rest: Box<Location>,
        /// Where the packs are.
        packs: Box<Location>,
    },
}

impl Location {
    /// Reads a location.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an unknown scheme, a URL that cannot be read, or one that carries
    /// credentials.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once(" packs=") {
            None => Self::parse_one(text),
            Some((rest, packs)) => Ok(Self::Composed {
                rest: Box::new(Self::parse_one(rest.trim_end())?),
                packs: Box::new(Self::parse_one(packs)?),
            }),
        }
    }

    fn parse_one(text: &str) -> Result<Self> {
        let Some((scheme, _)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return Ok(Self::Directory(PathBuf::from(text)));
        };
        // The text itself may hold a secret, so no error repeats it.
        let invalid = |why: &'static str| Error::invalid(why).context("scheme", scheme);
        match scheme {
            "mem" => return Ok(Self::Memory),
            "sqlite" | "postgres" | "postgresql" => {
                return DatabaseUrl::parse(text).map(Self::Database);
            }
            _ => {}
        }
        let url =
            Url::parse(text).map_err(|cause| invalid("not a workspace URL").with_source(cause))?;
        // A password that holds a slash moves the rest of itself into the path.
        let torn = url.path().contains('@');
        let settings = torn || url.query().is_some() || url.fragment().is_some();
        let settings = settings && scheme != "file";
        if settings || !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "a workspace URL carries no credentials and no query: they come from the environment",
            ));
        }
        match scheme {
            "file" => url
                .to_file_path()
                .map(Self::Directory)
                .map_err(|()| invalid("a file URL names an absolute local path")),
            "s3" | "gs" | "az" | "https" | "http" => Ok(Self::Object(url)),
            _ => Err(invalid(
                "unknown storage; use a path, mem:, file://, s3://, gs://, az://, https://, sqlite: or postgres://",
            )),
        }
    }

    /// Opens the storage; a directory or a file is made if absent. A storage that others share over
    /// a network is [probed](ProbeStorage) before the first write.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when this build lacks the backend's feature, otherwise as the
    /// backend says.
    pub async fn open(&self) -> Result<Arc<dyn Storage>> {
        self.open_with(probed).await
    }

    /// Opens the storage as [`open`](Self::open) does, but never probes it: to find out what it
    /// promises, and not to keep anything there.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_unprobed(&self) -> Result<Arc<dyn Storage>> {
        self.open_with(|storage| storage).await
    }

    async fn open_with(&self, shared: Wrapper) -> Result<Arc<dyn Storage>> {
        match self {
            Self::Composed { rest, packs } => {
                let storage = RouteStorage::new(rest.open_one(shared).await?);
                let prefix = Prefix::directory(PACKS)?;
                let packs = packs.open_one(shared).await?;
                Ok(Arc::new(storage.with(prefix, packs)?))
            }
            one => one.open_one(shared).await,
        }
    }

    async fn open_one(&self, shared: Wrapper) -> Result<Arc<dyn Storage>> {
        match self {
            Self::Memory => Ok(Arc::new(MemoryStorage::new())),
            Self::Directory(path) => Ok(Arc::new(
                LocalStorage::open(path, LocalOptions::default()).await?,
            )),
            Self::Object(url) => {
                let options = mainstay_store_object::options_from_env(url.as_str(), variables())?;
                mainstay_store_object::open(url.as_str(), &options).map(shared)
            }
            Self::Database(url) => {
                let options = mainstay_store_sql::options_from_env(url, variables());
                mainstay_store_sql::open(url, &options).await.map(shared)
            }
            Self::Composed { .. } => Err(Error::invalid("a composed storage is of two, not more")),
        }
    }

    /// Reports whether a workspace could be there without making anything.
    pub(crate) fn check_present(&self) -> Result<()> {
        let (path, present) = match self {
            Self::Directory(path) => (path.as_path(), path.is_dir()),
            Self::Database(url) => match url.file() {
                Some(file) => (file, file.is_file()),
                None => return Ok(()),
            },
            Self::Composed { rest, .. } => return rest.check_present(),
            Self::Memory | Self::Object(_) => return Ok(()),
        };
        if present {
            return Ok(());
        }
        let message = "no workspace here; create one first";
        Err(Error::new(ErrorKind::NotFound, message).context("path", path.display()))
    }
}

/// What is put around a storage that others share over a network.
type Wrapper = fn(Arc<dyn Storage>) -> Arc<dyn Storage>;

/// Refuses writes to a storage that breaks a promise; one that takes none has none to break.
fn probed(storage: Arc<dyn Storage>) -> Arc<dyn Storage> {
    if storage.capabilities().read_only {
        return storage;
    }
    Arc::new(ProbeStorage::new(storage, Arc::new(RandomIds::default())))
}

fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()))
}

/// A single letter is a drive, not a scheme.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'+'))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("mem:"),
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Object(url) => write!(f, "{url}"),
            Self::Database(url) => write!(f, "{url}"),
            Self::Composed { rest, packs } => write!(f, "{rest} packs={packs}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use mainstay_store::{Key, StorageExt as _};

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
        for cloud in [
            "s3://bucket/a",
            "gs://bucket",
            "az://container/a/b",
            "https://server:8443/a",
        ] {
            assert_eq!(Location::parse(cloud).unwrap().to_string(), cloud);
        }
    }

    #[test]
    fn databases_are_shown_without_their_options() {
        for (url, shown) in [
            ("sqlite:a.db", "sqlite:a.db"),
            (
                "sqlite:///srv/a.db?namespace=x",
                "sqlite:///srv/a.db?namespace=x",
            ),
            (
                "postgresql://ada@db:5433/m?sslmode=prefer",
                "postgres://db:5433/m",
            ),
        ] {
            assert_eq!(Location::parse(url).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn packs_can_be_elsewhere() {
        let url = "postgres://db/m packs=s3://bucket/m";
        let composed = Location::parse(url).unwrap();
        assert_eq!(composed.to_string(), url);
        let Location::Composed { rest, packs } = composed else {
            panic!("{composed}")
        };
        assert_eq!(*rest, Location::parse("postgres://db/m").unwrap());
        assert_eq!(*packs, Location::parse("s3://bucket/m").unwrap());
        let spaced = Location::parse("./my models packs=./my packs").unwrap();
        assert_eq!(spaced.to_string(), "./my models packs=./my packs");
        let error = Location::parse("mem: packs=ftp://x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        for elsewhere in [
            "s3://bucket/a?sig=hunter2",
            "gs://bucket/a#hunter2",
            "s3://key/hunter2@bucket/a",
        ] {
            let error = Location::parse(elsewhere).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn of_a_composed_workspace_packs_are_in_the_second_place_and_all_else_in_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let url = format!("{} packs={}", at("records"), at("bulk"));
        let composed = Location::parse(&url).unwrap();
        assert_eq!(
            composed.check_present().unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let storage = composed.open().await.unwrap();
        for key in ["log/1", "pack/1"] {
            let _written = storage.create(&Key::new(key).unwrap(), key.into()).await;
        }
        composed.check_present().unwrap();
        for (place, wanted) in [("records", "log/1"), ("bulk", "pack/1")] {
            let part = Location::parse(&at(place)).unwrap().open().await.unwrap();
            for key in ["log/1", "pack/1"] {
                let found = part.get_all(&Key::new(key).unwrap()).await.unwrap();
                assert_eq!(found.is_some(), key == wanted, "{key} in {place}");
            }
        }
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for url in [
            "s3://key:hunter2@bucket/a",
            "postgres://ada:hunter2@db/m",
            "postgres://db/m?password=hunter2",
            "mem: packs=s3://key:hunter2@bucket/a",
        ] {
            let error = Location::parse(url).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("hunter2"));
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
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
