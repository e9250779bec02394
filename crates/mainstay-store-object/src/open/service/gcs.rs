//! Google Cloud Storage.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use mainstay_core::Result;
use object_store::ClientConfigKey;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use super::configure::{TIMEOUT, no_retries, not_built, with_options};
use super::{Client, Connected};
use crate::StoreProfile;

pub(super) const CLIENT: Client = Client {
    connect,
    is_option: |name| GoogleConfigKey::from_str(name).is_ok(),
};

fn connect(bucket: &str, options: &BTreeMap<String, String>) -> Result<Connected> {
    let timeout = GoogleConfigKey::Client(ClientConfigKey::Timeout);
    let builder = GoogleCloudStorageBuilder::new().with_config(timeout, TIMEOUT);
    let builder = with_options(builder, options, GoogleCloudStorageBuilder::with_config)?
        .with_bucket_name(bucket)
        .with_retry(no_retries());
    let store = builder
        .build()
        .map_err(|error| not_built(&error, options))?;
    Ok((Arc::new(store), StoreProfile::gcs()))
}
