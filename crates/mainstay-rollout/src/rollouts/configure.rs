//! Which pointers follow a channel.

use mainstay_core::{Actor, Error, ErrorKind, Name, Result};
use mainstay_repo::{Repo, Step, View};

use crate::channel::{CONFIG_KIND, Channel};
use crate::draft::Draft;
use crate::{ChannelConfig, Unit, record};

pub(super) async fn configure(
    repo: &Repo,
    channel: &Name,
    config: &ChannelConfig,
    actor: &Actor,
    reason: &str,
) -> Result<()> {
    let in_context = |error: Error| error.operation("configure").context("channel", channel);
    config.check().map_err(in_context)?;
    repo.transact(|view| {
        let channel = Channel::new(view, channel);
        if channel.config()? == *config {
            return Ok(Step::Done(()));
        }
        expect_free(view, &channel.name, config)?;
        let mut draft = Draft::default();
        let value = record::encode(CONFIG_KIND, config)?;
        draft.write(view, channel.config_path()?, value)?;
        if let Some((unit, _)) = channel.current()? {
            draft.check(view, channel.current_path()?)?;
            draft.align(view, &Unit::read(view, &unit)?, config)?;
        }
        let transaction = draft.into_transaction(actor.clone(), reason);
        Ok(Step::Commit(transaction, ()))
    })
    .await
    .map_err(in_context)?;
    Ok(())
}

/// Refuses pointers that follow another channel: the two would take them from each other.
fn expect_free(view: &View, channel: &Name, config: &ChannelConfig) -> Result<()> {
    let others =
        channels(view)?.filter(|(other, last)| *last == "config" && *other != channel.as_str());
    for (other, _) in others {
        let follows = Channel::new(view, &other.parse()?).config()?.follows;
        if let Some(path) = config
            .follows
            .keys()
            .find(|path| follows.contains_key(path))
        {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "the pointer follows another channel",
            )
            .context("pointer", path)
            .context("follows", other));
        }
    }
    Ok(())
}

/// Lists the refs `channel/<name>/<last>`, in order.
pub(super) fn channels(view: &View) -> Result<impl Iterator<Item = (&str, &str)>> {
    let refs = view.below("channel")?;
    Ok(refs.filter_map(|(path, _)| {
        let segments: Vec<&str> = path.segments().collect();
        match segments[..] {
            [_, name, last] => Some((name, last)),
            _ => None,
        }
    }))
}
