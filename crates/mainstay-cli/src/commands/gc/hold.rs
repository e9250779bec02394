//! `mainstay gc hold`

use std::str::FromStr;

use clap::Args;
use mainstay::repo::Held;
use mainstay::{Error, Locator, Result, Workspace};

use crate::cli::Global;
use crate::output::Answer;
use crate::text::Fields;

/// Keep what things hold now, whatever becomes of them
///
/// THING is the sha256:… of a file, a ref or the beginning of refs, as model/fraud/version, or a version,
/// as model:fraud@1.2.0. What a thing was made from is not held with it. The name is free: a case, an
/// audit, a ticket.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay gc hold case-7 model:fraud@1.2.0 data:payments@latest
  mainstay gc hold audit/2026 model/fraud --reason \"asked for by the auditors\"")]
pub(crate) struct Hold {
    /// What to call it
    name: String,
    /// What to keep
    #[arg(required = true, value_name = "THING")]
    things: Vec<Thing>,
}

#[derive(Debug, Clone)]
enum Thing {
    Held(Held),
    Version(Locator),
}

impl FromStr for Thing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("sha256:") || text.contains('/') {
            text.parse().map(Self::Held)
        } else {
            text.parse().map(Self::Version)
        }
    }
}

impl Thing {
    async fn held(self, workspace: &Workspace) -> Result<Held> {
        match self {
            Self::Held(held) => Ok(held),
            Self::Version(locator) => {
                let node = workspace.resolve(&locator).await?;
                Ok(Held::Refs(node.ref_path()))
            }
        }
    }
}

impl Hold {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let (actor, reason) = (global.actor()?, global.reason("hold"));
        let workspace = global.open().await?;
        let mut things = Vec::new();
        for thing in self.things {
            things.push(thing.held(&workspace).await?);
        }
        let repo = workspace.repo();
        let hold = repo.hold(&self.name, things, actor, reason).await?;
        global.output().result(&hold, |out| {
            Fields::new()
                .with("hold", &hold.name)
                .with_all("of", &hold.of)
                .with("blobs", hold.blobs)
                .with_some("trees", (hold.trees > 0).then_some(hold.trees))
                .with("entry", hold.seq)
                .write(out)
        })?;
        Ok(Answer::Yes)
    }
}
