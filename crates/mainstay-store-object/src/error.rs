//! Errors of `object_store`, told in the words of the workspace and without secrets.

use std::error::Error as StdError;
use std::{fmt, io};

use mainstay_core::{Error, ErrorKind};

/// Why nothing is sent unencrypted.
pub(crate) const PLAIN_HTTP: &str = "plain http shows data and credentials to the network; use \
    https, or allow it with the option allow_http = true";

/// A server without conditional writes answers so.
const NOT_IMPLEMENTED: u16 = 501;

/// Reports whether an error says that there is no such object.
pub(crate) fn is_absent(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
}

/// What is known about a failure, without any text of the service, of a URL or of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    variant: Variant,
    status: Option<u16>,
    /// Whether a refusal names as its reason that the object is there.
    says_exists: bool,
    transport: Option<Transport>,
    io: Option<io::ErrorKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    NotFound,
    Denied,
    /// The request would have gone out unencrypted, so it did not.
    Unencrypted,
    Unsupported,
    Invalid,
    Refused,
    Other,
}

/// Where a request got stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "s3", feature = "gcs", feature = "azure", feature = "http")),
    expect(dead_code, reason = "only services have a transport")
)]
enum Transport {
    NotConnected,
    TimedOut,
    Cut,
}

impl Report {
    pub(crate) fn of(error: &object_store::Error) -> Self {
        use object_store::Error as Foreign;
        let variant = match error {
            Foreign::NotFound { .. } => Variant::NotFound,
            Foreign::PermissionDenied { .. } | Foreign::Unauthenticated { .. } => Variant::Denied,
            Foreign::NotSupported { .. } | Foreign::NotImplemented { .. } => Variant::Unsupported,
            Foreign::InvalidPath { .. } | Foreign::UnknownConfigurationKey { .. } => {
                Variant::Invalid
            }
            Foreign::AlreadyExists { .. }
            | Foreign::Precondition { .. }
            | Foreign::NotModified { .. } => Variant::Refused,
            _ => Variant::Other,
        };
        let mut report = Self {
            variant,
            status: None,
            says_exists: false,
            transport: None,
            io: None,
        };
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            report.status = report.status.or_else(|| status_in(&text));
            report.says_exists |= text.contains("<Code>BlobAlreadyExists</Code>");
            report.transport = report.transport.or_else(|| transport_of(error));
            let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
            report.io = report.io.or(io);
            // The type is private to `reqwest`.
            if text == "URL scheme is not allowed" {
                report.variant = Variant::Unencrypted;
            }
            cause = error.source();
        }
        report
    }

    /// Reports whether a refused creation may have met another one that can still fail, rather than
    /// an object.
    pub(crate) fn may_be_absent(self) -> bool {
        self.status == Some(409) && !self.says_exists
    }

    /// Reports whether a failed write can have taken effect.
    pub(crate) fn may_be_applied(self) -> bool {
        match (self.variant, self.status) {
            (Variant::Other, Some(408)) => true,
            (Variant::Other, Some(status)) => status >= 500 && status != NOT_IMPLEMENTED,
            (Variant::Other, None) => self.transport != Some(Transport::NotConnected),
            _ => false,
        }
    }

    /// Reports whether the failure can be that a range lies beyond the end of the object.
    pub(crate) fn may_be_out_of_range(self) -> bool {
        let no_answer = self.status.is_none() && self.transport.is_none() && self.io.is_none();
        self.variant == Variant::Other && (self.status == Some(416) || no_answer)
    }

    pub(crate) fn into_error(self) -> Error {
        let (kind, message) = self.kind();
        let error = Error::new(kind, message);
        match self.cause() {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }

    fn kind(self) -> (ErrorKind, &'static str) {
        match (self.variant, self.status) {
            (Variant::NotFound, _) => (ErrorKind::NotFound, "no such bucket or object"),
            (Variant::Denied, _) | (_, Some(401 | 403)) => {
                (ErrorKind::PermissionDenied, "the store refuses access")
            }
            (Variant::Unsupported, _) | (_, Some(NOT_IMPLEMENTED)) => {
                (ErrorKind::Unsupported, "the store cannot do this")
            }
            (Variant::Unencrypted, _) => (ErrorKind::Invalid, PLAIN_HTTP),
            (Variant::Invalid, _) => (ErrorKind::Invalid, "the store cannot take this key"),
            (Variant::Refused, _) => (
                ErrorKind::Unavailable,
                "another write of the object is under way",
            ),
            (_, Some(429)) => (ErrorKind::RateLimited, "the store asks to slow down"),
            (_, Some(408)) => (
                ErrorKind::Unavailable,
                "the store waited too long for the request",
            ),
            (_, Some(400..=499)) => (ErrorKind::Invalid, "the store refuses the request"),
            (_, Some(300..=399)) => (
                ErrorKind::Invalid,
                "the store is elsewhere; look at the region and the endpoint",
            ),
            (_, Some(_)) => (ErrorKind::Unavailable, "the store failed"),
            (Variant::Other, None) => self.kind_of_cause(),
        }
    }

    fn kind_of_cause(self) -> (ErrorKind, &'static str) {
        match (self.transport, self.io) {
            (Some(Transport::NotConnected), _) => {
                (ErrorKind::Unavailable, "the store cannot be reached")
            }
            (Some(Transport::TimedOut), _) => (ErrorKind::Unavailable, "the store did not answer"),
            (Some(Transport::Cut), _) => (ErrorKind::Unavailable, "the connection was cut"),
            (None, Some(io)) => (Error::from(io::Error::from(io)).kind(), "the store failed"),
            (None, None) => (ErrorKind::Unavailable, "the store failed"),
        }
    }

    fn cause(self) -> Option<Cause> {
        match (self.status, self.io) {
            (Some(status), _) => Some(Cause::Status(status)),
            (None, Some(io)) => Some(Cause::Io(io)),
            (None, None) => None,
        }
    }
}

/// The cause of an error, as far as it is safe to tell.
#[derive(Debug)]
enum Cause {
    Status(u16),
    Io(io::ErrorKind),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "HTTP status {status}"),
            Self::Io(kind) => kind.fmt(f),
        }
    }
}

impl StdError for Cause {}

/// Finds the HTTP status in the text of one error of a chain.
///
/// `object_store` keeps its type that holds the status private; of its texts one tells of a status
/// without naming it, and two begin or end with it.
fn status_in(text: &str) -> Option<u16> {
    if text.starts_with("Received redirect without LOCATION") {
        return Some(301);
    }
    let digits = match text.strip_prefix("Server returned non-2xx status code: ") {
        Some(rest) => rest.get(..3)?,
        None => text.strip_suffix(')')?.rsplit_once("(code: ")?.1,
    };
    let status = digits.parse().ok()?;
    // S3 says so when the request stopped halfway, and means it to be sent again.
    if status == 400 && text.contains("<Code>RequestTimeout</Code>") {
        return Some(408);
    }
    (100..600).contains(&status).then_some(status)
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure", feature = "http"))]
fn transport_of(error: &(dyn StdError + 'static)) -> Option<Transport> {
    use object_store::client::{HttpError, HttpErrorKind};
    let error = error.downcast_ref::<HttpError>()?;
    Some(match error.kind() {
        HttpErrorKind::Connect => Transport::NotConnected,
        HttpErrorKind::Timeout => Transport::TimedOut,
        // A request that is said not to have been sent can still have been received.
        _ => Transport::Cut,
    })
}

#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure", feature = "http")))]
fn transport_of(_error: &(dyn StdError + 'static)) -> Option<Transport> {
    None
}

#[cfg(test)]
mod tests;
