//! The one error type of the workspace.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do about an [`Error`].
///
/// A new kind is added only when a caller would act differently on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named thing does not exist: check the name, or create it.
    NotFound,
    /// The named thing exists and must not be replaced: pick another name or version.
    AlreadyExists,
    /// Somebody else changed the thing first: read it again and decide anew.
    Conflict,
    /// This writer has been replaced by a newer one: stop writing.
    Fenced,
    /// The input is wrong: mend it; retrying cannot help.
    Invalid,
    /// Stored bytes are not what was written: restore them; never trust the data.
    Corrupt,
    /// Written by a newer Mainstay, or two things do not fit together: upgrade or choose others.
    Incompatible,
    /// The storage refused the credentials, or a policy asks for a role: get the permission.
    PermissionDenied,
    /// The storage cannot be reached or is full: retry later or free resources.
    Unavailable,
    /// The storage asks to slow down: retry later.
    RateLimited,
    /// This build or backend cannot do it: use another.
    Unsupported,
    /// The caller stopped the operation.
    Cancelled,
    /// A defect in Mainstay: report it.
    Internal,
}

impl ErrorKind {
    /// Returns the kind's stable name, as `--json` prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Incompatible => "incompatible",
            Self::PermissionDenied => "permission_denied",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::Unsupported => "unsupported",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: what kind, what was being done, to which thing, and why.
///
/// One pointer wide; clones share the cause. The message is for people and is not part of the interface; match on
/// [`kind`](Error::kind). The cause is in [`source`](StdError::source), never flattened into text.
///
/// ```
/// use mainstay_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::NotFound, "no such model")
///     .operation("promote")
///     .context("model", "fraud");
/// assert_eq!(error.to_string(), "promote: no such model (model: fraud)");
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone)]
pub struct Error(Box<Repr>);

#[derive(Clone)]
struct Repr {
    kind: ErrorKind,
    message: String,
    operation: Option<&'static str>,
    context: Vec<(&'static str, String)>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    ambiguous: bool,
}

impl Error {
    /// Creates an error. `message` is lower case, without a final period.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Repr {
            kind,
            message: message.into(),
            operation: None,
            context: Vec::new(),
            source: None,
            ambiguous: false,
        }))
    }

    /// Names the operation that failed; the innermost name is kept.
    #[must_use]
    pub fn operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Adds a key and a value that say which thing failed.
    #[must_use]
    pub fn context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Marks that the operation may have taken effect although it failed: a lost response.
    #[must_use]
    pub fn ambiguous(mut self) -> Self {
        self.0.ambiguous = true;
        self
    }

    /// Returns what the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the message without operation and context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the keys and values that say which thing failed, in the order they were added.
    pub fn contexts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .context
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
    }

    /// Returns the name of the operation that failed, if one was given.
    #[must_use]
    pub fn operation_name(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// Reports whether the same call may succeed later without any change by the caller.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::RateLimited)
    }

    /// Reports whether the operation may have taken effect although it failed.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous
    }

    /// Creates a [`ErrorKind::NotFound`] error for `thing`.
    #[must_use]
    pub fn not_found(what: &'static str, thing: impl fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format!("no such {what}")).context(what, thing)
    }

    /// Creates a [`ErrorKind::Invalid`] error.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Creates a [`ErrorKind::Corrupt`] error for the stored `object`.
    #[must_use]
    pub fn corrupt(object: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message).context("object", object)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.0.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(&self.0.message)?;
        let mut separator = " (";
        for (key, value) in &self.0.context {
            write!(f, "{separator}{key}: {value}")?;
            separator = ", ";
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("operation", &self.0.operation)
            .field("context", &self.0.context)
            .field("ambiguous", &self.0.ambiguous)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<std::io::Error> for Error {
    /// Maps an I/O error to the kind a caller acts on; a full disk is [`ErrorKind::Unavailable`].
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let (kind, message) = match error.kind() {
            Io::NotFound => (ErrorKind::NotFound, "no such file or directory"),
            Io::AlreadyExists => (ErrorKind::AlreadyExists, "file exists"),
            Io::PermissionDenied | Io::ReadOnlyFilesystem => {
                (ErrorKind::PermissionDenied, "permission denied")
            }
            Io::StorageFull | Io::QuotaExceeded => (ErrorKind::Unavailable, "no space left"),
            Io::InvalidInput | Io::InvalidData | Io::NotADirectory | Io::IsADirectory => {
                (ErrorKind::Invalid, "invalid file or argument")
            }
            Io::UnexpectedEof => (ErrorKind::Corrupt, "file ends too early"),
            _ => (ErrorKind::Unavailable, "input or output failed"),
        };
        Self::new(kind, message).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn the_innermost_operation_and_every_context_are_kept_in_order() {
        let error = Error::invalid("bad")
            .operation("inner")
            .context("a", 1)
            .operation("outer")
            .context("b", 2);
        assert_eq!(error.to_string(), "inner: bad (a: 1, b: 2)");
    }

    #[test]
    fn a_full_disk_is_unavailable_and_keeps_its_cause() {
        let error = Error::from(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.is_retryable());
        assert!(StdError::source(&error).is_some());
    }
}
