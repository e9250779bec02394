//! Whether a canonical file is stored as a patch of the latest version's.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{BulkDigest, Digest, ErrorKind, Name, NodeKind, Result, Telling};
use mainstay_repo::{Repo, Series};
use tokio::runtime::Handle;

use crate::digest::{Profile, TableHasher};
use crate::format::parquet::write::PROFILE;
use crate::format::{TableFormat, TableReader, TextTypes, unshared_bytes};
use crate::input::{InputFile, Origin};
use crate::passing::told;
use crate::patch::{self, MAX_DEPTH};
use crate::record::VersionRecord;
use crate::source::Source;
use crate::stored::{self, StoredTable, blob};
use crate::{FileEntry, Manifest, blocking, file_tree};

/// Files of which fewer bytes are new are stored whole without looking for a patch.
const MIN_NEW_BYTES: u64 = 64 * 1024;
/// The writer profiles whose files share pages, so that what is new tells whether a patch is worth looking for.
const ALIKE: RangeInclusive<u64> = 2..=PROFILE;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A file as the latest version has it, and what changes it into the new one.
pub(super) struct Patched {
    pub(super) base: FileEntry,
    /// `None` when nothing changes.
    pub(super) patch: Option<Bytes>,
}

/// Looks for patches of the latest version of a dataset, one for each of the files; the files come back.
pub(super) async fn find(
    (repo, telling): (&Repo, &Telling),
    dataset: &Name,
    files: Vec<InputFile>,
) -> Result<(Vec<InputFile>, Vec<Option<Patched>>)> {
    let latest = if files.iter().any(InputFile::is_canonical) {
        latest(repo, dataset).await?
    } else {
        None
    };
    let mut found = Vec::with_capacity(files.len());
    let Some(latest) = latest else {
        found.resize_with(files.len(), || None);
        return Ok((files, found));
    };
    for file in &files {
        // What is stored already stays as it is.
        let is_new = !matches!(file.origin, Origin::Stored(_));
        let same_path = if file.is_canonical() && is_new {
            file_tree::find(repo, &latest.files, &file.path).await?
        } else {
            None
        };
        let written = |entry: &FileEntry| {
            let canonical = entry.canonical.as_ref();
            canonical.is_some_and(|canonical| ALIKE.contains(&canonical.profile))
        };
        found.push(match same_path.filter(written) {
            Some(base) => patched((repo, telling), base, file).await?,
            None => None,
        });
    }
    Ok((files, found))
}

/// Reads the manifest of the latest version, if there is one.
async fn latest(repo: &Repo, dataset: &Name) -> Result<Option<Manifest>> {
    let series = Series::new(NodeKind::Data, dataset.clone());
    let snapshot: Option<Digest> = repo
        .read(|view| match series.latest(view)? {
            Some((_, state)) => Ok(Some(VersionRecord::of(state)?.snapshot)),
            None => Ok(None),
        })
        .await?;
    match snapshot {
        Some(snapshot) => {
            let manifest = blob(repo, &snapshot).await?.bytes().await?;
            Manifest::from_slice(&manifest).map(Some)
        }
        None => Ok(None),
    }
}

async fn patched(
    (repo, telling): (&Repo, &Telling),
    base: FileEntry,
    file: &InputFile,
) -> Result<Option<Patched>> {
    let chunks = blob(repo, &base.digest).await?.chunks();
    let held: BTreeSet<BulkDigest> = chunks.map_ok(|(_, chunk)| chunk).try_collect().await?;
    let (repo, runtime, new) = (repo.clone(), Handle::current(), file.origin.open()?);
    let telling = telling.clone();
    blocking::run_on_own_thread(move || {
        // What moves rows is not free of panics on rare types; such tables are stored whole.
        let looked = catch_unwind(AssertUnwindSafe(|| {
            look((&repo, &runtime), &base, &new, &held, &telling)
        }));
        match looked {
            Ok(Err(error)) if !is_reason_for_whole(error.kind()) => Err(error),
            Ok(Ok(Some(patch))) => Ok(Some(Patched {
                patch: (!patch.is_empty()).then_some(patch),
                base,
            })),
            Ok(Ok(None) | Err(_)) | Err(_) => Ok(None),
        }
    })
    .await
}

fn is_reason_for_whole(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unsupported | ErrorKind::Invalid | ErrorKind::Corrupt
    )
}

/// Finds the bytes of a patch that is well smaller than what would be stored else, empty when the rows
/// are those of the base.
fn look(
    (repo, runtime): (&Repo, &Handle),
    base: &FileEntry,
    new: &Source,
    held: &BTreeSet<BulkDigest>,
    telling: &Telling,
) -> Result<Option<Bytes>> {
    let new_bytes = unshared_bytes(new, held).unwrap_or(0);
    if new_bytes < MIN_NEW_BYTES {
        return Ok(None);
    }
    let types = TextTypes::default();
    let open_base = || stored::open(repo, runtime, base, &types, None);
    let open_new = || TableReader::open(new.clone(), TableFormat::Parquet, &types, None);
    let StoredTable { schema, .. } = open_base()?;
    if schema != *open_new()?.schema() {
        return Ok(None);
    }
    let base_batches = || Ok(Box::new(told(open_base()?.batches, telling)) as Batches);
    let new_batches = || Ok(Box::new(told(open_new()?, telling)) as Batches);
    let found = patch::find(&base_batches, &new_batches, &schema)?;
    let Some(found) = found else {
        return Ok(None);
    };
    if found.is_empty() {
        // Nothing was found to differ, but for rows of equal hashes.
        let same = digest(&schema, base_batches()?)? == digest(&schema, new_batches()?)?;
        return Ok(same.then(Bytes::new));
    }
    let bytes = patch::encode(&found)?;
    // A patch costs every reader something: an eighth is the least that it must save.
    let is_small = (bytes.len() as u64).saturating_mul(8) <= new_bytes.saturating_mul(7);
    let patched: u64 = base.patches().iter().map(|patch| patch.bytes).sum();
    let is_light = (patched + bytes.len() as u64).saturating_mul(2) <= base.bytes;
    if base.patches().len() >= MAX_DEPTH || !is_light || !is_small {
        return Ok(None);
    }
    let patched = patch::apply(patch::decode(&bytes, &schema)?, base_batches()?, &schema)?;
    let same = digest(&schema, patched)? == digest(&schema, new_batches()?)?;
    Ok(same.then_some(bytes))
}

fn digest(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<BulkDigest> {
    let mut hasher = TableHasher::new(Arc::as_ref(schema), Profile::Strict)?;
    for batch in batches {
        hasher.update(&batch?)?;
    }
    Ok(hasher.finish()?.table)
}
