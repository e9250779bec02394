//! Reads every file that a view names.

use mainstay_core::{ErrorKind, RefPath, Result};
use mainstay_repo::{RefState, View};

use super::{Process, tolerate};

pub(super) async fn act(process: &Process) {
    let Some(view) = tolerate(process.repo.view().await, &[]) else {
        return;
    };
    let Some(files) = tolerate(view.read(files).await, &[]) else {
        return;
    };
    for (path, state) in files {
        let blobs = state.value.iter().flat_map(|value| &value.blobs);
        for digest in blobs {
            let read = async {
                match process.repo.blob(digest).await? {
                    Some(blob) => blob.bytes().await.map(Some),
                    None => Ok(None),
                }
            };
            // Its bytes were checked against the digest on the way.
            let gone = match read.await {
                Ok(bytes) => bytes.is_none(),
                Err(error) if error.kind() == ErrorKind::Unavailable => false,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
                    true
                }
            };
            if gone {
                assert_dropped(process, &path, &state).await;
            }
        }
    }
}

fn files(view: &View) -> Result<Vec<(RefPath, RefState)>> {
    let files = view.below("files")?;
    Ok(files
        .map(|(path, state)| (path.clone(), state.clone()))
        .collect())
}

/// What cannot be read any more must have been dropped since.
async fn assert_dropped(process: &Process, path: &RefPath, before: &RefState) {
    loop {
        let now = process.repo.read(|view| Ok(view.state(path)?.cloned()));
        if let Some(now) = tolerate(now.await, &[]) {
            let generation = now.map(|state| state.generation);
            assert_ne!(generation, Some(before.generation), "{path} is lost");
            return;
        }
    }
}
