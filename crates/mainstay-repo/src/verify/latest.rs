//! What collections do while a repository is verified.

use std::sync::Arc;

use mainstay_core::{RefPath, Result};
use mainstay_store::Storage;

use crate::blobs::condemned::Condemned;
use crate::blobs::pack::PackId;
use crate::checkpoint::load;
use crate::log::read::{self, READ_AHEAD};
use crate::{View, gc};

/// The newest view, as far as something that is not there had to be explained.
#[derive(Debug)]
pub(super) struct Latest {
    storage: Arc<dyn Storage>,
    first: View,
    newest: View,
    /// How many runs of collection there were at first.
    runs: u64,
    condemned: Arc<Condemned>,
}

impl Latest {
    pub(super) fn new(storage: &Arc<dyn Storage>, view: &View, condemned: Arc<Condemned>) -> Self {
        Self {
            storage: Arc::clone(storage),
            first: view.clone(),
            newest: view.clone(),
            runs: condemned.run,
            condemned,
        }
    }

    /// The packs that are condemned as far as is known.
    pub(super) fn condemned(&self) -> &Arc<Condemned> {
        &self.condemned
    }

    /// Reports whether a pack that is not there has been condemned.
    pub(super) async fn condemns(&mut self, pack: &PackId) -> Result<bool> {
        if !self.condemned.contains(pack) {
            self.catch_up().await?;
        }
        Ok(self.condemned.contains(pack))
    }

    /// The newest run of collection, if there has been one since verification began.
    pub(super) async fn runs_since(&mut self) -> Result<Option<u64>> {
        self.catch_up().await?;
        Ok(Some(self.condemned.run).filter(|runs| *runs > self.runs))
    }

    /// Reports whether a ref has still the value that it had, as of when this was last looked for.
    pub(super) async fn is_unchanged(&self, path: &RefPath) -> Result<bool> {
        let mut generations = [None; 2];
        for (view, generation) in [&self.first, &self.newest]
            .into_iter()
            .zip(&mut generations)
        {
            let state = |view: &View| Ok(view.state(path)?.map(|state| state.generation));
            *generation = view.read(state).await?;
        }
        Ok(generations[0] == generations[1])
    }

    async fn catch_up(&mut self) -> Result<()> {
        let newest = async {
            let known = self.newest.clone();
            let view = read::catch_up(&*self.storage, known, u64::MAX, READ_AHEAD).await?;
            let condemned = gc::condemned_in(&view, &self.condemned).await?;
            Ok((view, condemned))
        };
        match newest.await {
            Ok((view, condemned)) => {
                self.newest = view;
                self.condemned = condemned;
                Ok(())
            }
            // Told of where the log is checked.
            Err(error) if load::is_damage(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
