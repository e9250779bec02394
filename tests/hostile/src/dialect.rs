//! The protocols the server speaks, each as far as the `object_store` crate uses it.

mod azure;
mod webdav;
mod xml;

pub(crate) use azure::{batch_answer, batch_keys};

use hyper::Method;
use hyper::header::HeaderMap;

use crate::answer::Answer;
use crate::objects::{Condition, Stored};
use crate::operation::{Listing, Operation};

/// The one bucket, or container.
pub(crate) const BUCKET: &str = "bucket";

/// When every object was written: nothing depends on it.
const MODIFIED_HTTP: &str = "Tue, 24 Nov 2026 17:00:00 GMT";
const MODIFIED_ISO: &str = "2026-11-24T17:00:00.000Z";

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Amazon S3. An entity tag is the MD5 of the bytes, so that it comes back when they do.
    S3,
    /// The XML interface of Google Cloud Storage, with generation preconditions.
    ///
    /// A model of its documentation, not of its server.
    Gcs,
    /// Azure Blob Storage, as the emulator's account.
    Azure,
    /// A web server that lists by `PROPFIND` and knows no conditions.
    WebDav,
}

impl Dialect {
    pub(crate) fn parse(
        self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Operation {
        match self {
            Self::S3 | Self::Gcs => xml::parse(self, method, path, query, headers),
            Self::Azure => azure::parse(method, path, query, headers),
            Self::WebDav => webdav::parse(method, path, headers),
        }
    }

    /// Spells the entity tag of an object.
    pub(crate) fn tag(self, stored: &Stored) -> String {
        match self {
            Self::S3 | Self::Gcs => format!("\"{}\"", stored.md5()),
            Self::Azure | Self::WebDav => format!("\"0x{:016X}\"", stored.generation),
        }
    }

    /// Reports whether an object is as the condition says.
    pub(crate) fn meets(self, condition: &Condition, stored: Option<&Stored>) -> bool {
        match (condition, stored) {
            (Condition::None, _) => true,
            (Condition::Absent, stored) => stored.is_none(),
            (Condition::Tag(_), None) => false,
            (Condition::Tag(tag), Some(stored)) if self == Self::Gcs => {
                *tag == stored.generation.to_string()
            }
            (Condition::Tag(tag), Some(stored)) => *tag == self.tag(stored),
        }
    }

    /// Adds what is said of an object.
    pub(crate) fn describe(self, answer: Answer, stored: &Stored) -> Answer {
        let answer = answer
            .with_header("etag", self.tag(stored))
            .with_header("last-modified", MODIFIED_HTTP);
        match self {
            Self::Gcs => answer.with_header("x-goog-generation", stored.generation.to_string()),
            _ => answer,
        }
    }

    pub(crate) fn written(self, stored: &Stored) -> Answer {
        let status = if matches!(self, Self::Azure | Self::WebDav) {
            201
        } else {
            200
        };
        self.describe(Answer::new(status), stored)
    }

    /// The answer to a write whose condition is not met.
    pub(crate) fn unmet(self, condition: &Condition) -> Answer {
        match (self, condition) {
            (Self::Azure, Condition::Absent) => error(409, "BlobAlreadyExists"),
            (Self::Azure, _) => error(412, "ConditionNotMet"),
            _ => error(412, "PreconditionFailed"),
        }
    }

    pub(crate) fn absent(self) -> Answer {
        match self {
            Self::Azure => error(404, "BlobNotFound"),
            _ => error(404, "NoSuchKey"),
        }
    }

    pub(crate) fn deleted(self, existed: bool) -> Answer {
        match self {
            Self::S3 => Answer::new(204),
            _ if !existed => self.absent(),
            Self::Azure => Answer::new(202),
            _ => Answer::new(204),
        }
    }

    /// Reports whether the last bytes of an object can be asked for.
    pub(crate) fn has_suffix_ranges(self) -> bool {
        self != Self::Azure
    }

    pub(crate) fn listed(
        self,
        listing: &Listing,
        objects: &[(String, Stored)],
        more: bool,
    ) -> Answer {
        match self {
            Self::S3 | Self::Gcs => xml::listed(self, listing, objects, more),
            Self::Azure => azure::listed(listing, objects, more),
            Self::WebDav => webdav::listed(objects),
        }
    }

    /// The error code that goes with a status, where a fault asks for one.
    pub(crate) fn error_of_status(self, status: u16) -> Answer {
        error(
            status,
            match (self, status) {
                (Self::S3, 409) => "ConditionalRequestConflict",
                (Self::Azure, 409) => "OperationTimedOut",
                (_, 412) => "PreconditionFailed",
                (_, 429) => "TooManyRequests",
                (_, 501) => "NotImplemented",
                (Self::Azure, 503) => "ServerBusy",
                (_, 503) => "SlowDown",
                (_, 500..) => "InternalError",
                _ => "InvalidRequest",
            },
        )
    }
}

pub(crate) fn error(status: u16, code: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <Error><Code>{code}</Code><Message>{code}</Message></Error>"
    );
    Answer::xml(status, body)
}
