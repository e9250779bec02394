//! Azure Blob Storage.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use mainstay_core::Result;
use object_store::ClientConfigKey;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};

use super::configure::{TIMEOUT, no_retries, not_built, with_options};
use super::{Client, Connected};
use crate::StoreProfile;

pub(super) const CLIENT: Client = Client {
    connect,
    is_option: |name| AzureConfigKey::from_str(name).is_ok(),
};

fn connect(container: &str, options: &BTreeMap<String, String>) -> Result<Connected> {
    let timeout = AzureConfigKey::Client(ClientConfigKey::Timeout);
    let builder = MicrosoftAzureBuilder::new().with_config(timeout, TIMEOUT);
    let builder = with_options(builder, options, MicrosoftAzureBuilder::with_config)?
        .with_container_name(container)
        .with_retry(no_retries());
    let store = builder
        .build()
        .map_err(|error| not_built(&error, options))?;
    Ok((Arc::new(store), StoreProfile::azure()))
}
