//! Replication: refs with their history, and the blobs they name, from one repository into another.
//!
//! Each transaction of the source becomes one of the target, in the same order. The entry that holds it
//! also moves a cursor, so a run goes on exactly where the last one ended, however that was, and runs
//! that race do nothing twice. `docs/formats/replica.md` is normative.

mod apply;
mod clock;
mod cursor;
mod options;
mod provide;
mod read;
mod run;
mod scope;
mod standing;
#[cfg(test)]
mod tests;

use mainstay_core::{Actor, Error, Result};

use self::cursor::Stream;
pub use self::options::{ReplicateOptions, ReplicateReport};
use self::run::Run;
use self::scope::Scope;
use crate::{Repo, descriptor};

/// Replicates into `target` what `options` select of `source`.
pub(crate) async fn replicate(
    source: &Repo,
    target: &Repo,
    options: &ReplicateOptions,
    by: Actor,
) -> Result<ReplicateReport> {
    let scope = Scope::of(options)?;
    let source_id = descriptor::id(&*source.inner.storage).await?;
    if descriptor::id(&*target.inner.storage).await? == source_id {
        return Err(Error::invalid(
            "source and target are one repository, or one is a copy of the other's files",
        )
        .context("id", source_id));
    }
    let stream = Stream::new(source_id, scope, by)?;
    Run::new(source, target, stream, options).finish().await
}
