//! Opening a store by its URL.

mod location;
mod service;

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::Result;
use mainstay_store::{ReadOnlyStorage, RetryOptions, RetryStorage, Storage, TokioTimer};
use object_store::prefix::PrefixStore;

use crate::ObjectStorage;
use location::Location;

/// Opens the storage at `url`, where the prefix can be left out:
///
/// | URL | storage | feature |
/// |---|---|---|
/// | `s3://bucket/prefix` | Amazon S3 and what speaks its protocol | `s3` |
/// | `gs://bucket/prefix` | Google Cloud Storage | `gcs` |
/// | `az://container/prefix` | Azure Blob Storage | `azure` |
/// | `https://server:port/prefix` | a web server, to read only | `http` |
///
/// # Options
/// They are those of the `object_store` crate, among them these. Upper and lower case are the same,
/// and an option that the storage does not have is an error.
///
/// | option | meaning |
/// |---|---|
/// | `aws_region`, `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token` | of S3 |
/// | `aws_role_arn` with `aws_web_identity_token_file`, `aws_container_credentials_full_uri` with `aws_container_authorization_token_file`, `aws_container_credentials_relative_uri` | where S3 credentials come from |
/// | `aws_endpoint`, `aws_virtual_hosted_style_request` | a server that is not Amazon's, and whether its name has the bucket in front |
/// | `google_service_account`, `google_service_account_key`, `google_application_credentials` | files or keys of Google |
/// | `google_base_url` | a server that is not Google's |
/// | `azure_storage_account_name`, `azure_storage_account_key`, `azure_storage_sas_key`, `azure_storage_client_id` with `azure_storage_client_secret` and `azure_storage_tenant_id` | of Azure |
/// | `azure_endpoint` | a server that is not Azure's, with the account in its path if it needs one |
/// | `azure_storage_use_emulator` | Azurite at `azure_endpoint`, or at its usual address, with its usual account |
/// | `allow_http` | `true` to send data and credentials unencrypted; the emulator needs no saying |
/// | `proxy_url`, `proxy_excludes`, `proxy_ca_certificate` | a proxy |
/// | `timeout`, `connect_timeout`, `read_timeout` | as `30s`; a whole request may take 5 minutes unless set |
///
/// Nothing is read from the environment: see [`options_from_env`]. Without credentials among the
/// options the service's own way is taken, as the metadata server of the machine. Profiles and
/// configuration files of the services' tools are not read, save Google's application default
/// credentials.
///
/// # Behavior
/// No request is made, so wrong credentials are met by the first operation. Failed operations are
/// tried again as [`RetryStorage`] does by default, and only by it. What is sent is encrypted unless
/// `allow_http` says otherwise.
///
/// A web server is read only because nothing that all of them have creates an object only if it is
/// absent: the WebDAV client of `object_store` cannot ask for it, and few servers would heed it.
/// Listing needs `PROPFIND` with infinite depth.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) for another URL, one with credentials
/// in it, an option that the service does not have, or a plain http endpoint that is not allowed;
/// [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) when this build lacks the
/// service's feature.
#[tracing::instrument(name = "object_open", skip_all, err(level = "debug"))]
pub fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Storage>> {
    let storage = connect(url, options)?;
    let timer = Arc::new(TokioTimer::default());
    Ok(Arc::new(RetryStorage::new(
        storage,
        timer,
        RetryOptions::default(),
    )))
}

/// As [`open`], without trying again: for a [`RetryStorage`] with options or a timer of its own.
///
/// # Errors
/// As [`open`].
#[tracing::instrument(name = "object_connect", skip_all, err(level = "debug"))]
pub fn connect(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Storage>> {
    let location = Location::parse(url)?;
    let connected = location
        .service
        .client()
        .and_then(|client| (client.connect)(&location.bucket, options));
    let (store, profile) =
        connected.map_err(|error| error.operation("open storage").context("url", &location))?;
    let store = PrefixStore::new(store, location.prefix);
    let storage = ObjectStorage::new(Arc::new(store), profile);
    if location.service.creates_exclusively() {
        Ok(Arc::new(storage))
    } else {
        Ok(Arc::new(ReadOnlyStorage::new(storage)))
    }
}

/// Picks from environment variables those that are options of the service at `url`.
///
/// They begin with `AWS_`, `GOOGLE_` or `AZURE_`, or with `MAINSTAY_HTTP_` for a web server; those
/// that the service does not have are left out.
///
/// # Errors
/// As [`open`], of the URL and the feature.
pub fn options_from_env(
    url: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>> {
    let service = Location::parse(url)?.service;
    let client = service.client()?;
    let options = variables.into_iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let known = name.starts_with(service.variables()) && (client.is_option)(&name);
        known.then_some((name, value))
    });
    Ok(options.collect())
}
