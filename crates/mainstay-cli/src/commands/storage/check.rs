//! `mainstay storage check`

use std::io::{self, Write};
use std::sync::Arc;

use clap::{Args, value_parser};
use futures::TryStreamExt as _;
use mainstay::store::conformance::{self, RaceOptions, RunOptions, race};
use mainstay::store::{Prefix, PrefixStorage, Storage, probe};
use mainstay::{Error, ErrorKind, IdSource as _, Location, RandomIds, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, Cell, GOOD, Line, PLAIN, Table};

/// Try whether a storage keeps the promises that workspaces rely on
///
/// Probes it as a workspace does before its first write, lets writers race for the same keys, and runs
/// every case of the conformance suite. All of that happens below check/<random id>/, which is deleted
/// in the end. Exit code 1 when a promise is broken. What holds today may break once in a million
/// times: a check refutes, it does not prove.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay storage check s3://models/scratch
  mainstay storage check /mnt/share --writers 32 --rounds 1000")]
pub(crate) struct Check {
    /// The storage, as for --repo; a directory has to be there
    url: String,
    /// How many writers race for each key
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = value_parser!(u16).range(2..=1024))]
    writers: u16,
    /// For how many keys they race
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=1_000_000))]
    rounds: u32,
}

#[derive(Serialize)]
struct Document {
    storage: String,
    backend: &'static str,
    ok: bool,
    promises: Vec<Promise>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "a name of the document")]
struct Promise {
    promise: String,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Kept,
    Broken,
    /// The storage says that it cannot do this, as to hold an object so large.
    Skipped,
}

impl Check {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let location = Location::parse(&self.url)?;
        if let Location::Directory(path) = &location
            && !path.is_dir()
        {
            return Err(Error::not_found("directory", path.display()));
        }
        let directory = format!("check/{}", RandomIds::default().write_id()?);
        let output = global.output();
        output.note(&format!("working below {directory}/ of {location}"));
        let storage = PrefixStorage::new(
            location.open_unprobed().await?,
            Prefix::directory(&directory)?,
        );
        let storage: Arc<dyn Storage> = Arc::new(storage);

        let promises = self.promises(&storage).await;
        // Also after an error, which is worth more than one of deleting.
        let cleared = clear(&*storage).await;
        let promises = promises?;
        cleared?;

        let document = Document {
            storage: location.to_string(),
            backend: storage.capabilities().backend,
            ok: promises
                .iter()
                .all(|promise| promise.verdict != Verdict::Broken),
            promises,
        };
        output.result(&document, |out| document.write(out))?;
        Ok(Answer::of(document.ok))
    }

    async fn promises(&self, storage: &Arc<dyn Storage>) -> Result<Vec<Promise>> {
        let mut promises = vec![
            probed(&**storage).await?,
            self.raced(Arc::clone(storage)).await?,
        ];
        promises.extend(conforms(Arc::clone(storage)).await);
        Ok(promises)
    }

    async fn raced(&self, storage: Arc<dyn Storage>) -> Result<Promise> {
        let options = RaceOptions::default()
            .with_writers(self.writers)
            .with_rounds(self.rounds);
        let report = race(storage, &options).await?;
        let (writers, rounds) = (self.writers, self.rounds);
        let promise = format!("of {writers} racing creators one wins, {rounds} times");
        Ok(if report.is_exclusive() {
            Promise::kept(promise)
        } else {
            Promise::broken(promise, report)
        })
    }
}

/// What a workspace asks of a storage before its first write.
async fn probed(storage: &dyn Storage) -> Result<Promise> {
    let promise = "the probe before the first write passes";
    match probe(storage, &RandomIds::default()).await {
        Ok(()) => Ok(Promise::kept(promise)),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Promise::broken(promise, error)),
        Err(error) => Err(error),
    }
}

async fn conforms(storage: Arc<dyn Storage>) -> Vec<Promise> {
    let report = conformance::run(storage, &RunOptions::default()).await;
    let promise = |case: &conformance::Case| {
        let words = case.name.replace('_', " ");
        let failure = report.failed.iter().find(|(name, _)| name == case.name);
        match failure {
            Some((_, failure)) => Promise::broken(words, failure),
            None if report.skipped.contains(&case.name) => Promise {
                promise: words,
                verdict: Verdict::Skipped,
                found: None,
            },
            None => Promise::kept(words),
        }
    };
    conformance::cases().iter().map(promise).collect()
}

async fn clear(storage: &dyn Storage) -> Result<()> {
    let listing = storage.list(&Prefix::all(), None);
    let left: Vec<_> = listing.map_ok(|object| object.key).try_collect().await?;
    for key in left {
        storage.delete(&key).await?;
    }
    Ok(())
}

impl Promise {
    fn kept(promise: impl Into<String>) -> Self {
        Self {
            promise: promise.into(),
            verdict: Verdict::Kept,
            found: None,
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers make what they pass")]
    fn broken(promise: impl Into<String>, found: impl ToString) -> Self {
        Self {
            promise: promise.into(),
            verdict: Verdict::Broken,
            found: Some(found.to_string()),
        }
    }
}

impl Document {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new(["promise", "verdict"]);
        for promise in &self.promises {
            table.row([Cell::from(&promise.promise), promise.verdict.cell()]);
        }
        table.write(out)?;
        for promise in &self.promises {
            if let Some(found) = &promise.found {
                writeln!(out, "\n{BAD}{}{BAD:#}", promise.promise)?;
                for line in found.lines() {
                    writeln!(out, "  {}", Line(line))?;
                }
            }
        }
        let broken = self.promises.iter();
        let broken = broken.filter(|promise| promise.verdict == Verdict::Broken);
        match broken.count() {
            0 => writeln!(out, "\n{GOOD}ok{GOOD:#}, no promise was broken"),
            broken => writeln!(
                out,
                "\n{broken} promises broken: do not keep a workspace there"
            ),
        }
    }
}

impl Verdict {
    fn cell(self) -> Cell {
        match self {
            Self::Kept => Cell::new("kept", GOOD),
            Self::Broken => Cell::new("broken", BAD),
            Self::Skipped => Cell::new("skipped", PLAIN),
        }
    }
}
