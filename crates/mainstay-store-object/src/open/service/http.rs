//! WebDAV and other web servers.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use mainstay_core::Result;
use object_store::ClientConfigKey;
use object_store::http::HttpBuilder;

use super::configure::{Encryption, TIMEOUT, no_retries, not_built, with_options};
use super::{Client, Connected, Service};
use crate::StoreProfile;

/// Returns the client of a service that is a web server.
pub(super) fn client(service: Service) -> Option<Client> {
    let connect = match service {
        Service::Http => |server: &str, options: &_| connect("http", server, options),
        Service::Https => |server: &str, options: &_| connect("https", server, options),
        _ => return None,
    };
    Some(Client {
        connect,
        is_option: |name| HttpKey::from_str(name).is_ok(),
    })
}

/// An option of a client, which its environment variable gives a longer name.
struct HttpKey(ClientConfigKey);

impl FromStr for HttpKey {
    type Err = object_store::Error;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        let prefix = Service::Http.variables();
        name.strip_prefix(prefix).unwrap_or(name).parse().map(Self)
    }
}

/// Connects to the root of the server: what it lists are whole paths.
fn connect(scheme: &str, server: &str, options: &BTreeMap<String, String>) -> Result<Connected> {
    let url = format!("{scheme}://{server}/");
    let client = object_store::ClientOptions::new().with_config(ClientConfigKey::Timeout, TIMEOUT);
    let with =
        |client: object_store::ClientOptions, HttpKey(key), value| client.with_config(key, value);
    let client = with_options(client, options, with)?;
    let allowed = client.get_config_value(&ClientConfigKey::AllowHttp);
    let encryption = Encryption::of([Some(url.clone())], allowed);
    let store = HttpBuilder::new()
        .with_url(url)
        .with_client_options(client)
        .with_retry(no_retries())
        .build()
        .map_err(|error| not_built(&error, options))?;
    encryption.check()?;
    Ok((Arc::new(store), StoreProfile::http()))
}
