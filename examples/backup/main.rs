//! Backs a workspace up, loses it, restores it: `cargo run --example backup`.
//!
//! Everything is in memory; with URLs of directories or buckets the code is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay::prompt::PromptContent;
use mainstay::repo::{ReplicateOptions, VerifyLevel};
use mainstay::{Actor, Progress, Result, Workspace};

#[tokio::main]
async fn main() -> Result<()> {
    let workspace = Workspace::create("mem:").await?;
    publish(&workspace, "Hello {{name}}").await?;
    publish(&workspace, "Hi {{name}}!").await?;

    // Every night, what is new. Whatever interrupts a night, the next goes on from there.
    let backup = Workspace::create("mem:").await?;
    let bytes = Arc::new(Bytes::default());
    let everything = ReplicateOptions::default().with_progress(Arc::clone(&bytes) as _);
    let nightly = Actor::new("nightly-backup")?;
    for night in 1..=3 {
        let report = workspace
            .replicate(&backup, &everything, nightly.clone())
            .await?;
        let (brought, read) = (report.transactions, bytes.0.swap(0, Ordering::Relaxed));
        anstream::println!("night {night}: {brought} transactions, {read} bytes");
        if night == 1 {
            publish(&workspace, "Good morning, {{name}}.").await?;
        }
    }

    // The workspace is lost, and another takes its place.
    let newest = "prompt:greeting".parse()?;
    let lost = workspace.prompts().get(&newest).await?;
    drop(workspace);
    let restored = Workspace::create("mem:").await?;
    backup.replicate(&restored, &everything, nightly).await?;
    let verified = restored.repo().verify(VerifyLevel::Full).await?;
    let found = restored.prompts().get(&newest).await?;
    anstream::println!("restored {}, faults: {}", found.node, verified.faults.len());
    assert_eq!(found.digest, lost.digest);
    Ok(())
}

async fn publish(workspace: &Workspace, text: &str) -> Result<()> {
    let (name, ada) = ("greeting".parse()?, Actor::new("ada")?);
    let prompts = workspace.prompts();
    let content = PromptContent::text(text);
    prompts.publish(&name, content, &[], ada, "wording").await?;
    Ok(())
}

/// Counts what is read.
#[derive(Debug, Default)]
struct Bytes(AtomicU64);

impl Progress for Bytes {
    fn advance(&self, unit: &'static str, done: u64, _total: Option<u64>) {
        if unit == "bytes" {
            self.0.store(done, Ordering::Relaxed);
        }
    }
}
