//! The descriptor, the log and the checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, ErrorKind, RefPath, Result};
use mainstay_store::{Storage, StorageExt as _};

use super::{Findings, VerifyLevel, opening};
use crate::checkpoint::item::{Keys, Refs};
use crate::checkpoint::link::Links;
use crate::checkpoint::root::Anchor;
use crate::checkpoint::swept::Swept;
use crate::checkpoint::{self, load};
use crate::log::entry;
use crate::log::read::{self, READ_AHEAD, Stored, read_raw};
use crate::view::KeyUse;
use crate::{RefState, View, descriptor, keys};

/// Checks the log and its checkpoints; returns the newest view that is known: folded from the log
/// when that is sound, else `known`.
pub(super) async fn check(
    storage: &dyn Storage,
    known: &View,
    level: VerifyLevel,
    findings: &mut Findings,
) -> Result<View> {
    check_descriptor(storage, findings).await?;
    // In this order, since others may be committing: an entry is there before its checkpoint.
    let checkpoints = numbered(storage, checkpoint::ROOTS, findings).await?;
    let entries = numbered(storage, "log", findings).await?;

    findings.telling.expect("entries", entries.len() as u64);
    let (mut chain, mut of_checkpoints) = (Chain::new(), BTreeMap::new());
    let mut reads = stream::iter(entries)
        .map(|seq| async move { (seq, read_raw(storage, seq).await) })
        .buffered(READ_AHEAD);
    while let Some((seq, read)) = reads.next().await {
        findings.checked();
        chain.expect(seq, findings);
        match findings.note(entry::key(seq), read)? {
            Some(Some(bytes)) => chain.follow(seq, &bytes, findings)?,
            Some(None) => chain.gap(seq, seq, findings),
            None => chain.skip(seq, None),
        }
        if seq == known.seq && chain.digest.is_some() && chain.digest != known.entry {
            findings.fault(
                entry::key(seq),
                "corrupt",
                "not the entry that was read before",
            );
        }
        if checkpoints.contains(&seq) {
            let found = check_checkpoint(storage, seq, chain.view.as_ref()).await?;
            of_checkpoints.insert(seq, found);
        }
        findings.telling.add("entries", 1);
    }
    for seq in checkpoints.range((Bound::Excluded(chain.seq), Bound::Unbounded)) {
        of_checkpoints.insert(*seq, check_checkpoint(storage, *seq, None).await?);
    }
    let last = checkpoints.last().copied().unwrap_or(0).max(known.seq);
    chain.expect(last.saturating_add(1), findings);
    check_shards(storage, level, findings).await?;
    if let Some(view) = &chain.view {
        let whole = of_checkpoints.iter().filter(|(_, found)| found.is_empty());
        let whole = whole.map(|(seq, _)| *seq).collect();
        opening::note(storage, view, &whole, findings).await?;
    }
    let view = chain.view.unwrap_or_else(|| known.clone());
    excuse_condemned(storage, &view, &mut of_checkpoints).await?;
    for found in of_checkpoints.into_values() {
        findings.add(found);
    }
    Ok(view)
}

/// Forgets what is missing of checkpoints that a collection has condemned, perhaps after they were
/// listed: what is left of them is still what was written.
async fn excuse_condemned(
    storage: &dyn Storage,
    view: &View,
    of_checkpoints: &mut BTreeMap<u64, Findings>,
) -> Result<()> {
    if of_checkpoints.values().all(Findings::is_empty) {
        return Ok(());
    }
    let newest = async {
        let newest = read::catch_up(storage, view.clone(), u64::MAX, READ_AHEAD).await?;
        Swept::read(&newest).await
    };
    match newest.await {
        Ok(swept) => {
            for (seq, found) in of_checkpoints {
                if swept.condemns(*seq) {
                    *found = check_condemned(storage, *seq).await?;
                }
            }
            Ok(())
        }
        // Told of elsewhere.
        Err(error) if load::is_damage(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn check_descriptor(storage: &dyn Storage, findings: &mut Findings) -> Result<()> {
    findings.checked();
    match descriptor::check(storage).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.fault(descriptor::key(), "missing", "the repository's descriptor");
        }
        checked => {
            findings.note(descriptor::key(), checked)?;
        }
    }
    Ok(())
}

/// The log as far as it has been followed.
#[derive(Debug)]
struct Chain {
    seq: u64,
    /// The fold of the log; `None` after a fault.
    view: Option<View>,
    /// The digest of the newest entry, if it could be read.
    digest: Option<Digest>,
}

impl Chain {
    fn new() -> Self {
        Self {
            seq: 0,
            view: Some(View::empty()),
            digest: None,
        }
    }

    /// Reports the entries that are missing before `seq`.
    fn expect(&mut self, seq: u64, findings: &mut Findings) {
        let next = self.seq.saturating_add(1);
        if seq > next {
            self.gap(next, seq - 1, findings);
        }
    }

    fn gap(&mut self, first: u64, last: u64, findings: &mut Findings) {
        let detail = format!("log entries {first} to {last}");
        findings.fault(entry::key(first), "missing", detail);
        self.skip(last, None);
    }

    fn skip(&mut self, seq: u64, digest: Option<Digest>) {
        self.seq = seq;
        self.view = None;
        self.digest = digest;
    }

    /// Checks an entry and that it follows the one before.
    fn follow(&mut self, seq: u64, bytes: &Bytes, findings: &mut Findings) -> Result<()> {
        let digest = Digest::of(bytes);
        let object = entry::key(seq);
        let Some(stored) = findings.note(&object, Stored::decode(seq, bytes))? else {
            self.skip(seq, Some(digest));
            return Ok(());
        };
        if let Some(view) = &self.view {
            self.view = findings.note(&object, view.apply(stored))?;
        } else if self.digest.is_some() && stored.entry.prev != self.digest {
            let detail = "the hash chain of the log is broken here";
            findings.fault(object, "corrupt", detail);
        }
        self.seq = seq;
        self.digest = Some(digest);
        Ok(())
    }
}

/// Checks that a checkpoint can be read and holds the state that the log comes to.
async fn check_checkpoint(
    storage: &dyn Storage,
    seq: u64,
    folded: Option<&View>,
) -> Result<Findings> {
    let mut findings = Findings::default();
    findings.checked();
    let object = checkpoint::root_key(seq);
    let Some(root) = findings.note(&object, load::root(storage, seq).await)? else {
        return Ok(findings);
    };
    let refs = load::layer::<Refs>(storage, &root).await;
    let keys = load::layer::<Keys>(storage, &root).await;
    let links = load::layer::<Links>(storage, &root).await;
    let (refs, keys) = (findings.note(&object, refs)?, findings.note(&object, keys)?);
    let links = findings.note(&object, links)?;
    if let (Some(refs), Some(keys), Some(links), Some(folded)) = (refs, keys, links, folded)
        && !(same((root.anchor(), &refs, &keys), folded)
            && (root.links.is_none() || links.iter().eq(folded.links.iter())))
    {
        findings.fault(object, "corrupt", "not the state that the log comes to");
    }
    Ok(findings)
}

/// Checks the root of a checkpoint that may lack it, and shards that it names.
async fn check_condemned(storage: &dyn Storage, seq: u64) -> Result<Findings> {
    let mut findings = Findings::default();
    findings.checked();
    let root = load::root_if_stored(storage, seq).await;
    findings.note(checkpoint::root_key(seq), root)?;
    Ok(findings)
}

/// Whether the state of a checkpoint is what the whole log was folded to.
fn same(
    (anchor, refs, keys): (
        Anchor,
        &BTreeMap<RefPath, RefState>,
        &BTreeMap<String, KeyUse>,
    ),
    folded: &View,
) -> bool {
    let folded_refs = folded.refs.iter().map(|(path, state)| (path, &**state));
    (anchor.seq, anchor.time, Some(anchor.entry)) == (folded.seq, folded.time, folded.entry)
        && refs.iter().eq(folded_refs)
        && keys.iter().eq(folded.keys.iter())
}

/// Checks the names of the shards, and with `Full` the bytes also of those that no checkpoint names.
async fn check_shards(
    storage: &dyn Storage,
    level: VerifyLevel,
    findings: &mut Findings,
) -> Result<()> {
    let mut listed = storage.list(&keys::below(checkpoint::SHARDS), None);
    while let Some(object) = listed.try_next().await? {
        let hex = object.key.as_str().rsplit('/').next().unwrap_or_default();
        let Ok(named) = format!("sha256:{hex}").parse::<Digest>() else {
            super::unknown(&object.key, findings);
            continue;
        };
        findings.checked();
        if level == VerifyLevel::Full {
            let bytes = storage.get_all(&object.key).await?;
            // One that is gone has been deleted since, or else a checkpoint lacks it.
            if bytes.is_some_and(|bytes| Digest::of(&bytes) != named) {
                let error = Error::corrupt(&object.key, "content does not match its name");
                findings.error(&object.key, error)?;
            }
        }
    }
    Ok(())
}

/// The numbers of the keys below a directory; others are reported.
async fn numbered(
    storage: &dyn Storage,
    directory: &str,
    findings: &mut Findings,
) -> Result<BTreeSet<u64>> {
    let mut listed = storage.list(&keys::below(directory), None);
    let mut numbers = BTreeSet::new();
    while let Some(object) = listed.try_next().await? {
        match keys::number(&object.key) {
            Some(number) if number > 0 => {
                numbers.insert(number);
            }
            _ => super::unknown(&object.key, findings),
        }
    }
    Ok(numbers)
}
