//! Opening a store by its URL.

mod location;
mod service;

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::Result;
use mainstay_store::{RetryOptions, RetryStorage, Storage, TokioTimer};
use object_store::prefix::PrefixStore;

use crate::ObjectStorage;
use location::Location;

/// Opens the storage at `url`: `s3://bucket/prefix`, `gs://bucket/prefix` or
/// `az://container/prefix`, where the prefix can be left out.
///
/// The options are those of the `object_store` crate, as `aws_region`, `aws_endpoint`,
/// `aws_access_key_id`, `google_service_account` or `azure_storage_account_name`; upper and lower
/// case are the same. Nothing is read from the environment: see [`options_from_env`]. Without
/// credentials among them the service's own way is taken, as the metadata server of the machine.
/// A request may take 5 minutes unless the option `timeout` says otherwise.
///
/// No request is made, so wrong credentials are met by the first operation. Failed operations are
/// tried again as [`RetryStorage`] does by default, and only by it.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) for another URL, one with credentials
/// in it, or an option that the service does not have;
/// [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) when this build lacks the
/// service's feature.
#[tracing::instrument(name = "object_open", skip_all, err(level = "debug"))]
pub fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Storage>> {
    let location = Location::parse(url)?;
    let connected = location
        .service
        .client()
        .and_then(|client| (client.connect)(&location.bucket, options));
    let (store, profile) =
        connected.map_err(|error| error.operation("open storage").context("url", &location))?;
    let store = PrefixStore::new(store, location.prefix);
    let storage = ObjectStorage::new(Arc::new(store), profile);
    let timer = Arc::new(TokioTimer::default());
    let options = RetryOptions::default();
    Ok(Arc::new(RetryStorage::new(storage, timer, options)))
}

/// Picks from environment variables those that are options of the service at `url`.
///
/// They begin with `AWS_`, `GOOGLE_` or `AZURE_`; those that the service does not have are left
/// out.
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
