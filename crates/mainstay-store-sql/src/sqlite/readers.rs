//! Connections that read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::{Error, ErrorKind, Result};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection::{self, Purpose};
use crate::tables::blocking::blocking;

/// How many read at once; each has a cache of its own.
const READERS: usize = 8;

/// A few connections, opened when first needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    purpose: Purpose,
    turns: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, purpose: Purpose) -> Self {
        Self {
            path,
            purpose,
            turns: Semaphore::new(READERS),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Runs `work` with a connection, where it may block.
    pub(super) async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _turn = self.turns.acquire().await.map_err(|error| {
            Error::new(ErrorKind::Internal, "the connections are gone").with_source(error)
        })?;
        let readers = Arc::clone(self);
        blocking(move || {
            let idle = readers.idle().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => connection::open(&readers.path, readers.purpose)?,
            };
            let result = work(&mut connection);
            if result.is_ok() {
                readers.idle().push(connection);
            }
            result
        })
        .await
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
