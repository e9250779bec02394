//! URLs of stores.

use std::fmt;

use mainstay_core::{Error, Result};
use object_store::path::Path;
use url::Url;

use super::service::Service;

/// Where a storage is.
#[derive(Debug)]
pub(super) struct Location {
    pub(super) service: Service,
    /// Of a web server, the host and port.
    pub(super) bucket: String,
    pub(super) prefix: Path,
}

impl Location {
    pub(super) fn parse(text: &str) -> Result<Self> {
        // The text can hold credentials in the wrong place, so errors do not repeat it.
        let url =
            Url::parse(text).map_err(|error| Error::invalid("not a URL").with_source(error))?;
        let service = Service::of_scheme(url.scheme()).ok_or_else(|| {
            Error::invalid("not the URL of an object store: s3, gs, az, https or http")
                .context("scheme", url.scheme())
        })?;
        // A password that holds a slash moves the rest of itself into the path.
        let torn = url.path().contains('@');
        let surplus = torn
            || !url.username().is_empty()
            || url.password().is_some()
            || (url.port().is_some() && !service.has_ports())
            || url.query().is_some()
            || url.fragment().is_some();
        if surplus {
            return Err(Error::invalid(
                "a store's URL is scheme://bucket/prefix and nothing more: the rest goes in options",
            ));
        }
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| Error::invalid("the URL names no bucket"))?;
        let bucket = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let prefix = Path::from_url_path(url.path()).map_err(|error| {
            Error::invalid("the prefix is not a path")
                .context("bucket", &bucket)
                .with_source(error)
        })?;
        Ok(Self {
            service,
            bucket,
            prefix,
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.service.scheme();
        write!(f, "{scheme}://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::ErrorKind;

    use super::*;

    #[test]
    fn a_location_is_a_service_a_bucket_and_a_prefix() {
        for (url, shown) in [
            ("s3://bucket", "s3://bucket/"),
            ("s3://bucket/", "s3://bucket/"),
            ("s3://bucket/Team%20A/models/", "s3://bucket/Team A/models"),
            ("gs://bucket/a", "gs://bucket/a"),
            ("az://container/a/b", "az://container/a/b"),
            ("https://host/a", "https://host/a"),
            ("https://host:8443/a", "https://host:8443/a"),
            ("http://[::1]:80/a", "http://[::1]/a"),
        ] {
            assert_eq!(Location::parse(url).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn other_urls_are_refused_without_repeating_what_may_be_secret() {
        for url in [
            "5ec7e7",
            "ftp://bucket/5ec7e7",
            "s3:///5ec7e7",
            "s3://user:5ec7e7@bucket/a",
            "s3://5ec7e7@bucket/a",
            "s3://user/5ec7e7@bucket/a",
            "s3://bucket/a?X-Amz-Signature=5ec7e7",
            "s3://bucket/a#5ec7e7",
            "s3://bucket:80/a",
            "https://user:5ec7e7@host/a",
            "s3://bucket/a//b",
            "s3://bucket/%00",
        ] {
            let error = Location::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
            assert!(!format!("{error:?}").contains("5ec7e7"), "{error:?}");
        }
    }
}
