//! Tallies: their objects, and that the bases which the log names are there.

use futures::TryStreamExt as _;
use mainstay_core::{RefPath, Result};
use mainstay_store::Storage;

use super::Findings;
use crate::log::read::{READ_AHEAD, catch_up};
use crate::tally::object::{self, DIRECTORY, ObjectName};
use crate::tally::position::base_key;
use crate::{RefState, View, keys};

/// Checks every object of tallies, and every base that `view` names.
pub(super) async fn check(
    storage: &dyn Storage,
    view: &View,
    findings: &mut Findings,
) -> Result<()> {
    let mut listed = storage.list(&keys::below(DIRECTORY), None);
    while let Some(found) = listed.try_next().await? {
        if ObjectName::parse(&found.key).is_none() {
            super::unknown(&found.key, findings);
            continue;
        }
        findings.checked();
        // One that is gone was of no more use.
        findings.note(&found.key, object::check(storage, &found.key).await)?;
    }
    let subjects = view.read(|view| {
        let subjects = view.states_below(DIRECTORY)?;
        Ok(subjects.map(|(path, _)| path.clone()).collect::<Vec<_>>())
    });
    let Some(subjects) = findings.note("log", subjects.await)? else {
        return Ok(());
    };
    for path in subjects {
        check_base(storage, view, &path, findings).await?;
    }
    Ok(())
}

/// Checks that the base which a subject's ref names is there, until it does or the ref stands still.
async fn check_base(
    storage: &dyn Storage,
    view: &View,
    path: &RefPath,
    findings: &mut Findings,
) -> Result<()> {
    let mut view = view.clone();
    loop {
        let state = state(&view, path).await;
        let Some(Some(state)) = findings.note("log", state)? else {
            return Ok(());
        };
        let Some(Some(key)) = findings.note(format!("ref {path}"), base_key(path, &state))? else {
            return Ok(());
        };
        match object::check(storage, &key).await {
            Ok(None) => {}
            // A damaged one was reported when it was listed.
            Ok(Some(())) => return Ok(()),
            checked => return findings.note(&key, checked).map(drop),
        }
        let newer = catch_up(storage, view.clone(), u64::MAX, READ_AHEAD).await;
        let Some(newer) = findings.note("log", newer)? else {
            return Ok(());
        };
        let unchanged = self::state(&newer, path).await;
        if matches!(unchanged, Ok(Some(now)) if now.generation == state.generation) {
            findings.fault(&key, "missing", format!("named by ref {path}"));
            return Ok(());
        }
        view = newer;
    }
}

async fn state(view: &View, path: &RefPath) -> Result<Option<RefState>> {
    view.read(|view| Ok(view.state(path)?.cloned())).await
}
