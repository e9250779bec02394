//! An object server that misbehaves on request.
//!
//! It runs inside the test, on a port of its own, and speaks so much of Amazon S3, Google Cloud
//! Storage, Azure Blob Storage and WebDAV as the `object_store` crate uses. Without faults it is a
//! correct and consistent store in memory. [`Rule`]s give the next requests [`Fault`]s: an answer
//! cut at any byte, a write applied twice or late, an error before or after the write. [`Chaos`]
//! draws them from a seed, and [`Conditions`] makes it one of the stores that break the promise of
//! exclusive creation.
//!
//! ```
//! use mainstay_hostile::{Boundary, Dialect, Fault, HostileServer, Rule, Verb};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let server = HostileServer::start(Dialect::S3).await?;
//! // The next write takes effect, but nobody hears of it.
//! server.add(Rule::new(Fault::CutAnswer(Boundary::BeforeStatus)).on(Verb::Put));
//!
//! let (url, options) = (server.url(), server.client_options());
//! // … hand both to the client, let it work, and look at what it did:
//! let (requests, objects) = (server.take_requests(), server.objects());
//! # assert!(url.starts_with("s3://") && options.len() == 4 && requests.is_empty() && objects.is_empty());
//! # std::io::Result::Ok(()) }).unwrap();
//! ```
//!
//! Start with [`HostileServer`], [`Rule`] and [`Fault`].
//!
//! It checks no signatures, keeps no metadata, knows one bucket named `bucket`, no multipart
//! uploads and no delimiters. Google Cloud Storage is modeled after its documentation; no Google
//! server was asked.

mod answer;
mod dialect;
mod fault;
mod journal;
mod objects;
mod operation;
mod serve;
mod server;
mod wire;

pub use dialect::Dialect;
pub use fault::{Boundary, Chaos, Fault, Rule, Verb};
pub use journal::Logged;
pub use objects::Conditions;
pub use server::{HostileServer, ServerOptions};
