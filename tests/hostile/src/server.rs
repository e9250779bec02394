//! The server and how tests hold it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use crate::dialect::BUCKET;
use crate::fault::Script;
use crate::journal::Journal;
use crate::objects::Objects;
use crate::serve::{Late, serve};
use crate::wire::{Tap, Wire};
use crate::{Chaos, Conditions, Dialect, Logged, Rule};

/// What the server takes at most, and how it pages.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The bytes of one object; 64 MiB unless set.
    pub max_object_bytes: usize,
    /// The bytes of all objects; 1 GiB unless set.
    pub max_total_bytes: u64,
    /// Connections at a time; 256 unless set.
    pub max_connections: usize,
    /// Requests remembered; 1,000,000 unless set.
    pub max_logged: usize,
    /// Objects on one page of a listing; 1000 unless set, as the services have it.
    pub page: usize,
    /// Whether a listing begins at the beginning whatever the client asks for, as Azurite's does;
    /// no unless set.
    pub ignores_offsets: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_object_bytes: 64 << 20,
            max_total_bytes: 1 << 30,
            max_connections: 256,
            max_logged: 1_000_000,
            page: 1000,
            ignores_offsets: false,
        }
    }
}

impl ServerOptions {
    /// Sets how many objects are on one page of a listing; 0 is taken as 1.
    #[must_use]
    pub fn with_page(mut self, objects: usize) -> Self {
        self.page = objects.max(1);
        self
    }

    /// Makes listings begin at the beginning whatever the client asks for.
    #[must_use]
    pub fn with_offsets_ignored(mut self) -> Self {
        self.ignores_offsets = true;
        self
    }

    /// Sets the bytes of the largest object.
    #[must_use]
    pub fn with_max_object_bytes(mut self, bytes: usize) -> Self {
        self.max_object_bytes = bytes;
        self
    }
}

/// A server on a port of its own of the loopback interface.
///
/// It runs on the tokio runtime that started it, and ends when this value is dropped, with every
/// connection.
#[derive(Debug)]
pub struct HostileServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: AbortHandle,
}

/// What the connections have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dialect: Dialect,
    pub(crate) options: ServerOptions,
    pub(crate) objects: Objects,
    conditions: Mutex<Conditions>,
    script: Mutex<Script>,
    journal: Mutex<Journal>,
    late: Mutex<Vec<Late>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn conditions(&self) -> Conditions {
        *lock(&self.conditions)
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(crate) fn late(&self) -> MutexGuard<'_, Vec<Late>> {
        lock(&self.late)
    }
}

impl HostileServer {
    /// Starts a server without faults.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(dialect: Dialect) -> io::Result<Self> {
        Self::start_with(dialect, ServerOptions::default()).await
    }

    /// As [`start`](Self::start), with limits.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start_with(dialect: Dialect, options: ServerOptions) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            dialect,
            options,
            objects: Objects::default(),
            conditions: Mutex::default(),
            script: Mutex::default(),
            journal: Mutex::default(),
            late: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self {
            shared,
            address,
            accepting,
        })
    }

    /// Returns where the server listens, as `http://127.0.0.1:4711`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the URL of the one bucket, as `s3://bucket`.
    #[must_use]
    pub fn url(&self) -> String {
        match self.shared.dialect {
            Dialect::S3 => format!("s3://{BUCKET}"),
            Dialect::Gcs => format!("gs://{BUCKET}"),
            Dialect::Azure => format!("az://{BUCKET}"),
            Dialect::WebDav => self.endpoint(),
        }
    }

    /// Returns the options with which an `object_store` client finds the server. The credentials
    /// among them are made up, and contain `5ec7e7` where they are secret.
    #[must_use]
    pub fn client_options(&self) -> BTreeMap<String, String> {
        let endpoint = self.endpoint();
        let options = match self.shared.dialect {
            Dialect::S3 => vec![
                ("aws_endpoint", endpoint),
                ("aws_access_key_id", "id".to_owned()),
                ("aws_secret_access_key", "5ec7e7".to_owned()),
            ],
            Dialect::Gcs => vec![
                ("google_base_url", endpoint),
                (
                    "google_service_account_key",
                    r#"{"disable_oauth":true,"client_email":"","private_key":"5ec7e7","private_key_id":""}"#
                        .to_owned(),
                ),
            ],
            Dialect::Azure => vec![
                ("azure_storage_use_emulator", "true".to_owned()),
                ("azure_endpoint", endpoint),
            ],
            Dialect::WebDav => vec![],
        };
        let allowed = ("allow_http", "true".to_owned());
        let options = options.into_iter().chain([allowed]);
        options
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Sets how conditions of writes are treated from now on.
    pub fn set_conditions(&self, conditions: Conditions) {
        *lock(&self.shared.conditions) = conditions;
    }

    /// Adds a rule; of several that match, the oldest applies.
    pub fn add(&self, rule: Rule) {
        self.shared.script().push(rule);
    }

    /// Sets faults at random for requests that no rule matches.
    pub fn set_chaos(&self, chaos: Chaos) {
        self.shared.script().set_chaos(Some(chaos));
    }

    /// Forgets all rules and chaos; conditions stay.
    pub fn behave(&self) {
        self.shared.script().clear();
    }

    /// Applies the requests that are still to come late.
    pub async fn deliver_late(&self) {
        let late = std::mem::take(&mut *self.shared.late());
        for request in late {
            request.apply(&self.shared).await;
        }
    }

    /// Returns how many requests have arrived in all.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.shared.journal().count()
    }

    /// Takes the requests that arrived since the last call, in the order of arrival.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Logged> {
        self.shared.journal().take()
    }

    /// Returns all objects by their keys.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.shared.objects.all()
    }

    /// Writes an object past the protocol.
    pub fn insert(&self, key: &str, bytes: impl Into<Bytes>) {
        let _write = self.shared.objects.insert(key, bytes.into(), u64::MAX);
    }

    /// Deletes an object past the protocol; reports whether it was there.
    pub fn remove(&self, key: &str) -> bool {
        self.shared.objects.delete(key)
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(shared.options.max_connections));
    // Ends the connections when it is dropped.
    let mut connections = JoinSet::new();
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            converse(stream, shared).await;
            drop(slot);
        });
    }
}

/// Answers the requests of one connection until it ends, however it does.
async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let _without_delay = stream.set_nodelay(true);
    let tap = Arc::new(Tap::default());
    let wire = Wire::new(stream, Arc::clone(&tap));
    let service = service_fn(move |request| serve(Arc::clone(&shared), Arc::clone(&tap), request));
    let _ended = hyper::server::conn::http1::Builder::new()
        .max_headers(64)
        .max_buf_size(64 << 10)
        .writev(false)
        // An answer is the same at any time.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(wire), service)
        .await;
}
