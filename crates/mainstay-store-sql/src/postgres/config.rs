//! What a connection is told.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use mainstay_core::{Error, Result};
use tokio_postgres::config::SslMode;

use crate::tables::settings::Options;
use crate::url::Server;

/// Where a server is and how to speak to it. Shows no user and no password.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) place: Place,
    user: Option<String>,
    password: Option<String>,
    application: String,
    pub(super) connect_timeout: Duration,
    pub(super) encryption: Encryption,
    pub(super) root_certificates: Option<PathBuf>,
    pub(super) max_connections: usize,
}

/// The part of a [`Config`] that errors may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    host: String,
    port: u16,
    database: String,
}

/// Whether the connection is encrypted; if so, the server's certificate and name are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    Off,
    /// Only when the server offers it.
    Offered,
    Required,
}

impl Config {
    pub(super) fn take(server: &Server, options: &mut Options) -> Result<Self> {
        // Each option is taken also where the URL wins, since it is a known one.
        let host = options.take("host");
        let host = server.host.clone().or(host);
        let host = host.unwrap_or_else(|| "localhost".to_owned());
        let port = options.take_parsed("port")?;
        let database = options.take("database");
        let database = server.database.clone().or(database).ok_or_else(|| {
            Error::invalid("the URL names no database, and neither does the option `database`")
        })?;
        let user = options.take("user");
        let mode = options.take("sslmode");
        let encryption = match mode.as_deref() {
            None if is_this_machine(&host) => Encryption::Off,
            None => Encryption::Required,
            Some(mode) => Encryption::of_mode(mode)?,
        };
        let seconds: u64 = options.take_parsed("connect_timeout")?.unwrap_or(10);
        Ok(Self {
            user: server.user.clone().or(user),
            password: options.take("password"),
            application: options
                .take("application_name")
                .unwrap_or_else(|| "mainstay".to_owned()),
            connect_timeout: Duration::from_secs(seconds.clamp(1, 3600)),
            encryption,
            root_certificates: options.take("sslrootcert").map(PathBuf::from),
            max_connections: connections(options)?,
            place: Place {
                host,
                port: server.port.or(port).unwrap_or(5432),
                database,
            },
        })
    }

    /// Returns the configuration of the client.
    pub(super) fn client(&self) -> tokio_postgres::Config {
        let mut client = tokio_postgres::Config::new();
        client
            .host(&self.place.host)
            .port(self.place.port)
            .dbname(&self.place.database)
            .application_name(&self.application)
            .connect_timeout(self.connect_timeout)
            // A server that is gone is noticed within a minute, not within the system's hours.
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_mins(1))
            .ssl_mode(match self.encryption {
                Encryption::Off => SslMode::Disable,
                Encryption::Offered => SslMode::Prefer,
                Encryption::Required => SslMode::Require,
            });
        if let Some(user) = &self.user {
            client.user(user);
        }
        if let Some(password) = &self.password {
            client.password(password);
        }
        client
    }
}

impl Encryption {
    fn of_mode(mode: &str) -> Result<Self> {
        match mode {
            "disable" => Ok(Self::Off),
            "prefer" => Ok(Self::Offered),
            "require" | "verify-full" => Ok(Self::Required),
            _ => Err(Error::invalid(
                "sslmode is disable, prefer, require or verify-full",
            )),
        }
    }
}

fn connections(options: &mut Options) -> Result<usize> {
    let connections = options.take_parsed("max_connections")?.unwrap_or(8);
    if (1..=1000).contains(&connections) {
        return Ok(connections);
    }
    Err(Error::invalid("max_connections is out of bounds")
        .context("min", 1)
        .context("max", 1000))
}

/// Reports whether nothing on the way can listen: a Unix socket, or the loopback device.
fn is_this_machine(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.starts_with('/') || host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("place", &self.place)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.port, self.database)
    }
}

#[cfg(test)]
mod tests;
