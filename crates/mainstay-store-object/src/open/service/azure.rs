//! Azure Blob Storage.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use mainstay_core::Result;
use object_store::ClientConfigKey;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};

use super::configure::{Encryption, TIMEOUT, is_true, no_retries, not_built, with_options};
use super::{Client, Connected};
use crate::StoreProfile;

/// The account of every emulator and its key, which are public.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const ALLOW_HTTP: AzureConfigKey = AzureConfigKey::Client(ClientConfigKey::AllowHttp);

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
    let builder = at_emulator(builder);
    let encryption = Encryption::of(
        [builder.get_config_value(&AzureConfigKey::Endpoint)],
        builder.get_config_value(&ALLOW_HTTP),
    );
    let store = builder
        .build()
        .map_err(|error| not_built(&error, options))?;
    encryption.check()?;
    Ok((Arc::new(store), StoreProfile::azure()))
}

/// Takes an emulator at an endpoint for a service with the emulator's account in its path, because
/// the client knows an emulator only at one address.
fn at_emulator(builder: MicrosoftAzureBuilder) -> MicrosoftAzureBuilder {
    let value = |key| builder.get_config_value(&key);
    let emulated = value(AzureConfigKey::UseEmulator).is_some_and(|value| is_true(&value));
    let Some(endpoint) = value(AzureConfigKey::Endpoint).filter(|_| emulated) else {
        return builder;
    };
    let account = value(AzureConfigKey::AccountName).unwrap_or(EMULATOR_ACCOUNT.to_owned());
    let authorized = [
        AzureConfigKey::AccessKey,
        AzureConfigKey::SasKey,
        AzureConfigKey::Token,
    ]
    .into_iter()
    .any(|key| value(key).is_some());
    let endpoint = endpoint.trim_end_matches('/');
    let endpoint = match endpoint.strip_suffix(&account) {
        Some(server) if server.ends_with('/') => endpoint.to_owned(),
        _ => format!("{endpoint}/{account}"),
    };
    let builder = builder
        .with_use_emulator(false)
        .with_endpoint(endpoint)
        .with_account(account)
        .with_allow_http(true);
    if authorized {
        builder
    } else {
        builder.with_access_key(EMULATOR_KEY)
    }
}
