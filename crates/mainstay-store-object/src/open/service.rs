//! The services a build can talk to.

#[cfg(feature = "azure")]
mod azure;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure", feature = "http"))]
mod configure;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "s3")]
mod s3;

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;

use crate::StoreProfile;

/// A service with URLs of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    Gcs,
    Azure,
    Http,
    Https,
}

/// A service's client, where this build has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// Makes a store of a bucket and options.
    pub(super) connect: fn(&str, &BTreeMap<String, String>) -> Result<Connected>,
    /// Knows the names of options, in lower case.
    pub(super) is_option: fn(&str) -> bool,
}

pub(super) type Connected = (Arc<dyn ObjectStore>, StoreProfile);

impl Service {
    pub(super) fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::S3),
            "gs" => Some(Self::Gcs),
            "az" => Some(Self::Azure),
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// How the names of its environment variables begin, in lower case.
    pub(super) fn variables(self) -> &'static str {
        match self {
            Self::S3 => "aws_",
            Self::Gcs => "google_",
            Self::Azure => "azure_",
            // Not `http_`: a web server hands the headers of a request to its programs by such names.
            Self::Http | Self::Https => "mainstay_http_",
        }
    }

    fn feature(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::Azure => "azure",
            Self::Http | Self::Https => "http",
        }
    }

    /// Reports whether its URLs can name a port.
    pub(super) fn has_ports(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Reports whether an object can be created there if absent; else it is only read.
    pub(super) fn creates_exclusively(self) -> bool {
        !matches!(self, Self::Http | Self::Https)
    }

    pub(super) fn client(self) -> Result<Client> {
        #[cfg(feature = "s3")]
        if self == Self::S3 {
            return Ok(s3::CLIENT);
        }
        #[cfg(feature = "gcs")]
        if self == Self::Gcs {
            return Ok(gcs::CLIENT);
        }
        #[cfg(feature = "azure")]
        if self == Self::Azure {
            return Ok(azure::CLIENT);
        }
        #[cfg(feature = "http")]
        if let Some(client) = http::client(self) {
            return Ok(client);
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "this build has no client for the store: build mainstay-store-object with the feature",
        )
        .context("feature", self.feature()))
    }
}
