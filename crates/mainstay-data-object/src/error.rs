//! From our errors to those of `object_store`.

use mainstay_core::{Error, ErrorKind};
use object_store::path::Path;

/// The name that errors of `object_store` carry.
pub(crate) const STORE: &str = "Mainstay snapshot";

pub(crate) fn absent(path: &Path) -> object_store::Error {
    object_store::Error::NotFound {
        path: path.to_string(),
        source: "the snapshot has no such file".into(),
    }
}

/// Says that a snapshot is only read.
pub(crate) fn read_only(operation: &str) -> object_store::Error {
    object_store::Error::NotImplemented {
        operation: format!("{operation}: a snapshot does not change"),
        implementer: STORE.to_owned(),
    }
}

pub(crate) fn of(error: Error, path: &Path) -> object_store::Error {
    let path = path.to_string();
    match error.kind() {
        ErrorKind::NotFound => object_store::Error::NotFound {
            path,
            source: error.into(),
        },
        ErrorKind::PermissionDenied => object_store::Error::PermissionDenied {
            path,
            source: error.into(),
        },
        _ => object_store::Error::Generic {
            store: STORE,
            source: error.into(),
        },
    }
}

pub(crate) fn bad_range(source: Box<dyn std::error::Error + Send + Sync>) -> object_store::Error {
    object_store::Error::Generic {
        store: STORE,
        source,
    }
}
