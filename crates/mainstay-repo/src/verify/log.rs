//! The descriptor, the log and the checkpoints.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use mainstay_core::{Digest, Result};

use super::{Findings, VerifyLevel};
use crate::log::entry;
use crate::log::read::{Stored, read_raw};
use crate::{Repo, View, descriptor, keys};

/// Checks the log and returns the newest view that is known: folded from the log when that is sound,
/// else the one in memory.
pub(super) async fn check(
    repo: &Repo,
    _level: VerifyLevel,
    findings: &mut Findings,
) -> Result<View> {
    let storage = &*repo.inner.storage;
    findings.checked();
    match descriptor::check(storage).await {
        Err(error) if error.kind() == mainstay_core::ErrorKind::NotFound => {
            findings.fault(descriptor::key(), "missing", "the repository's descriptor");
        }
        checked => {
            findings.note(descriptor::key(), checked)?;
        }
    }
    let known = repo.inner.head();
    let entries = numbered(repo, "log", findings).await?;
    let last = entries.last().copied().unwrap_or(0).max(known.seq);
    let mut chain = Chain {
        view: Some(View::empty()),
        previous: None,
    };
    for seq in 1..=last {
        if entries.contains(&seq) {
            findings.checked();
            let read = read_raw(storage, seq).await;
            match findings.note(entry::key(seq), read)?.flatten() {
                Some(bytes) => chain.follow(seq, &bytes, findings)?,
                None => chain.broken(None),
            }
        } else {
            findings.fault(entry::key(seq), "missing", "log entry");
            chain.broken(None);
        }
        if seq == known.seq && chain.previous.is_some() && chain.previous != known.entry {
            findings.fault(
                entry::key(seq),
                "corrupt",
                "not the entry that was read before",
            );
        }
    }
    Ok(chain.view.unwrap_or(known))
}

/// The log as far as it has been followed.
#[derive(Debug)]
struct Chain {
    /// The fold of the log; `None` after a fault.
    view: Option<View>,
    /// The digest of the entry before, if it could be read.
    previous: Option<Digest>,
}

impl Chain {
    fn follow(&mut self, seq: u64, bytes: &[u8], findings: &mut Findings) -> Result<()> {
        let digest = Digest::of(bytes);
        let object = entry::key(seq);
        let decoded = Stored::decode(seq, bytes);
        let Some(stored) = findings.note(&object, decoded)? else {
            self.broken(Some(digest));
            return Ok(());
        };
        if let Some(view) = &self.view {
            self.view = findings.note(&object, view.apply(stored))?;
        } else if self.previous.is_some() && stored.entry.prev != self.previous {
            findings.fault(
                object,
                "corrupt",
                "the hash chain of the log is broken here",
            );
        }
        self.previous = Some(digest);
        Ok(())
    }

    fn broken(&mut self, previous: Option<Digest>) {
        self.view = None;
        self.previous = previous;
    }
}

/// The numbers of the keys below a directory; others are reported.
async fn numbered(repo: &Repo, directory: &str, findings: &mut Findings) -> Result<BTreeSet<u64>> {
    let prefix = keys::below(directory);
    let mut listed = repo.inner.storage.list(&prefix, None);
    let mut numbers = BTreeSet::new();
    while let Some(object) = listed.try_next().await? {
        match keys::number(&object.key) {
            Some(number) => {
                numbers.insert(number);
            }
            None => super::unknown(&object.key, findings),
        }
    }
    Ok(numbers)
}
