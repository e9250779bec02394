//! Databases that this build lacks.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::Arc;

use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::Storage;

type Opened = Ready<Result<Arc<dyn Storage>>>;

#[cfg(not(feature = "sqlite"))]
pub(crate) fn sqlite(_file: &std::path::Path, _options: BTreeMap<String, String>) -> Opened {
    ready(Err(not_built("sqlite")))
}

#[cfg(not(feature = "postgres"))]
pub(crate) fn postgres(_server: &crate::url::Server, _options: BTreeMap<String, String>) -> Opened {
    ready(Err(not_built("postgres")))
}

fn not_built(feature: &'static str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "this build cannot open the database: build mainstay-store-sql with the feature",
    )
    .context("feature", feature)
}
