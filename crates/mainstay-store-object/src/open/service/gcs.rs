//! Google Cloud Storage.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use mainstay_core::Result;
use object_store::ClientConfigKey;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use super::configure::{Encryption, TIMEOUT, no_retries, not_built, with_options};
use super::{Client, Connected};
use crate::StoreProfile;

const ALLOW_HTTP: GoogleConfigKey = GoogleConfigKey::Client(ClientConfigKey::AllowHttp);

pub(super) const CLIENT: Client = Client {
    connect,
    is_option: |name| GoogleConfigKey::from_str(name).is_ok(),
};

fn connect(bucket: &str, options: &BTreeMap<String, String>) -> Result<Connected> {
    let timeout = GoogleConfigKey::Client(ClientConfigKey::Timeout);
    let builder = GoogleCloudStorageBuilder::new()
        .with_config(timeout, TIMEOUT)
        // The one client that allows it by default.
        .with_config(ALLOW_HTTP, "false");
    let builder = with_options(builder, options, GoogleCloudStorageBuilder::with_config)?
        .with_bucket_name(bucket)
        .with_retry(no_retries());
    let encryption = Encryption::of(
        [builder.get_config_value(&GoogleConfigKey::BaseUrl)],
        builder.get_config_value(&ALLOW_HTTP),
    );
    let store = builder
        .build()
        .map_err(|error| not_built(&error, options))?;
    encryption.check()?;
    Ok((Arc::new(store), StoreProfile::gcs()))
}
