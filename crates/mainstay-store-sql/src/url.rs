//! URLs of databases.

mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use mainstay_core::{Error, Result};
use url::Url;

/// The URL of a database, without any secret.
///
/// | written | means |
/// |---|---|
/// | `sqlite:relative.db`, `sqlite:///absolute/path.db` | a SQLite file |
/// | `postgres://user@host:port/database`, or `postgresql://…` | PostgreSQL |
///
/// Of a PostgreSQL URL every part may be left out: options say the rest. Options may follow a `?`,
/// as in `postgres://db/mainstay?namespace=team-a`; a password may not be among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    pub(crate) place: Place,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Which database, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(Server),
}

/// What a URL says of a server; options say the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Server {
    pub(crate) user: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) database: Option<String>,
}

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) for another URL, or one with a
    /// password in it. The text is not repeated, because it can hold a secret in the wrong place.
    pub fn parse(text: &str) -> Result<Self> {
        let (scheme, _) = text
            .split_once(':')
            .ok_or_else(|| Error::invalid("not the URL of a database"))?;
        match scheme {
            "sqlite" => Self::parse_sqlite(text),
            "postgres" | "postgresql" => Self::parse_postgres(text),
            _ => Err(
                Error::invalid("not the URL of a database: sqlite or postgres")
                    .context("scheme", scheme.escape_debug()),
            ),
        }
    }

    /// Returns the file, if the database is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }

    fn parse_sqlite(text: &str) -> Result<Self> {
        let rest = text.strip_prefix("sqlite:").unwrap_or(text);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = match path.strip_prefix("//") {
            Some(absolute) if absolute.starts_with('/') => absolute,
            Some(_) => {
                return Err(Error::invalid(
                    "a SQLite URL names a file: sqlite:relative.db or sqlite:///absolute/path.db",
                ));
            }
            None => path,
        };
        if path.is_empty() || path.contains('#') {
            return Err(Error::invalid("the URL names no file"));
        }
        Ok(Self {
            place: Place::Sqlite(PathBuf::from(text::decoded(path)?)),
            parameters: text::parameters(query)?,
        })
    }

    fn parse_postgres(text: &str) -> Result<Self> {
        let url =
            Url::parse(text).map_err(|error| Error::invalid("not a URL").with_source(error))?;
        if url.password().is_some() {
            return Err(Error::invalid(
                "a password does not belong in a URL: set PGPASSWORD or the option `password`",
            ));
        }
        if url.fragment().is_some() || url.cannot_be_a_base() {
            return Err(Error::invalid(
                "a PostgreSQL URL is postgres://user@host:port/database?options",
            ));
        }
        let part = |text: &str| match text {
            "" => Ok(None),
            text => text::decoded(text).map(Some),
        };
        let server = Server {
            user: part(url.username())?,
            host: part(url.host_str().unwrap_or_default())?
                .map(|host| host.trim_matches(['[', ']']).to_owned()),
            port: url.port(),
            database: part(url.path().trim_start_matches('/'))?,
        };
        Ok(Self {
            place: Place::Postgres(server),
            parameters: text::parameters(url.query().unwrap_or_default())?,
        })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Sqlite(path) if path.is_absolute() => write!(f, "sqlite://{}", path.display())?,
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display())?,
            Place::Postgres(server) => {
                let host = server.host.as_deref().unwrap_or_default();
                let database = server.database.as_deref().unwrap_or_default();
                write!(f, "postgres://{host}")?;
                if let Some(port) = server.port {
                    write!(f, ":{port}")?;
                }
                write!(f, "/{database}")?;
            }
        }
        match self.parameters.get("namespace") {
            Some(namespace) => write!(f, "?namespace={namespace}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
