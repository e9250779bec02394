//! A process that works on a workspace, for tests that need several or kill one.
//!
//! `worker <directory> <name> <count>` stores `count` blobs, each in a commit of its own that also
//! counts one shared ref up, and prints `acked <i>` after each. `worker` ends early when killed.

#![expect(clippy::print_stdout, reason = "the test reads what was acknowledged")]

use std::io::Write as _;
use std::process::ExitCode;

use bytes::Bytes;
use mainstay::repo::{Expectation, Repo, Step, Transaction, Value};
use mainstay::{Actor, Error, Name, NodeKind, RefPath, Result, Workspace};

#[tokio::main]
async fn main() -> ExitCode {
    match work(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed {error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn work(args: Vec<String>) -> Result<()> {
    let [directory, name, count] = &args[..] else {
        return Err(Error::invalid("usage: worker <directory> <name> <count>"));
    };
    let count: u64 = count
        .parse()
        .map_err(|_| Error::invalid("count is a number"))?;
    let name: Name = name.parse()?;
    let workspace = Workspace::open(directory).await?;
    for i in 1..=count {
        commit(workspace.repo(), &name, i).await?;
        println!("acked {i}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// The bytes of commit `i` of `name`: big enough to be chunked, different each time.
fn payload(name: &Name, i: u64) -> Bytes {
    let line = format!("{name} {i}\n");
    line.repeat(40_000 / line.len()).into()
}

async fn commit(repo: &Repo, name: &Name, i: u64) -> Result<()> {
    let mut ingest = repo.ingest();
    let blob = ingest.bytes(payload(name, i)).await?;
    ingest.finish().await?;

    let actor = Actor::new(name.as_str())?;
    let counter: RefPath = "run/counter/current".parse()?;
    let series = mainstay::repo::Series::new(NodeKind::Run, name.clone());
    repo.transact(|view| {
        let so_far = match view.get(&counter)?.and_then(|state| state.value.as_ref()) {
            Some(value) => value.decode::<u64>("count")?,
            None => 0,
        };
        let mine = series.numbered(series.next_number(view)?).ref_path();
        let mut transaction = Transaction::new(actor.clone(), format!("commit {i}"));
        transaction
            .set(
                counter.clone(),
                Value::new("count", &(so_far + 1))?,
                Expectation::Any,
            )
            .set(
                mine,
                Value::new("blob", &i)?.with_blobs([blob.digest]),
                Expectation::Absent,
            );
        Ok(Step::Commit(transaction, ()))
    })
    .await?;
    Ok(())
}
