//! Connections.

use std::time::Duration;

use deadpool_postgres::{
    Client, ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime,
};
use mainstay_core::{Error, ErrorKind, Result};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::config::{Config, Encryption};
use super::error::{failure, no_connection};
use super::{STANDBY, tls};
use crate::tables::blocking::blocking;

/// How long a call waits for a connection that others use.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every session is told. Names are found where the server defines them and nowhere else, and
/// no session that is stuck holds a lock for long.
pub(super) const SETTINGS: &str = "
    SET search_path = pg_catalog;
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = '5min';
    SET idle_in_transaction_session_timeout = '1min';
    SELECT
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN set_config('synchronous_commit', 'on', false)
        END,
        pg_is_in_recovery()";

/// Which servers are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Primary,
    Any,
}

pub(super) async fn pool(config: &Config, wanted: Wanted) -> Result<Pool> {
    let client = config.client();
    let recycling = ManagerConfig {
        // A connection that has ended is known to have; anything else shows when it is used.
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = match config.encryption {
        Encryption::Off => Manager::from_config(client, NoTls, recycling),
        Encryption::Offered | Encryption::Required => {
            let roots = config.root_certificates.clone();
            let tls = blocking(move || tls::connector(roots.as_deref())).await?;
            Manager::from_config(client, tls, recycling)
        }
    };
    let hook = Hook::async_fn(move |client, _| Box::pin(set_up(client, wanted)));
    Pool::builder(manager)
        .max_size(config.max_connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(config.connect_timeout))
        .post_create(hook)
        .build()
        .map_err(|error| Error::new(ErrorKind::Internal, "no pool").with_source(error))
}

pub(super) async fn client(pool: &Pool) -> Result<Client> {
    pool.get().await.map_err(|error| no_connection(&error))
}

async fn set_up(client: &mut ClientWrapper, wanted: Wanted) -> Result<(), HookError> {
    let answers = client.simple_query(SETTINGS).await;
    let standby = answers
        .map_err(HookError::Backend)?
        .iter()
        .any(|answer| matches!(answer, SimpleQueryMessage::Row(row) if row.get(1) == Some("t")));
    match (standby, wanted) {
        (true, Wanted::Primary) => Err(HookError::message(STANDBY)),
        _ => Ok(()),
    }
}

/// Reports whether the server keeps what it acknowledges when the machine crashes.
pub(super) async fn is_durable(client: &Client) -> Result<bool> {
    let syncs =
        "SELECT current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'";
    let row = client.query_one(syncs, &[]).await;
    row.and_then(|row| row.try_get(0))
        .map_err(|error| failure(&error))
}
