//! Beats: each is what was written, of the thing that its key says.

use futures::TryStreamExt as _;
use mainstay_core::{Digest, Result};
use mainstay_store::Storage;

use super::Findings;
use crate::{beat, keys};

pub(super) async fn check(storage: &dyn Storage, findings: &mut Findings) -> Result<()> {
    let mut listed = storage.list(&keys::below(beat::DIRECTORY), None);
    while let Some(found) = listed.try_next().await? {
        let hex = found.key.as_str().rsplit('/').next().unwrap_or_default();
        let digest = format!("sha256:{hex}").parse::<Digest>().ok();
        if digest.is_none_or(|digest| keys::addressed(beat::DIRECTORY, &digest) != found.key) {
            super::unknown(&found.key, findings);
            continue;
        }
        findings.checked();
        // One that is gone has been forgotten.
        let read = beat::read(storage, &found.key).await;
        findings.note(&found.key, read)?;
    }
    Ok(())
}
