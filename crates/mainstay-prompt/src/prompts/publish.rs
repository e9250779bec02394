//! Publishing: idempotent by content, labels in the same commit.

use mainstay_core::{Actor, Digest, Name, NodeRef, Result};
use mainstay_repo::{Expectation, Step, Transaction, Value, View};

use super::{Prompts, label_path, series};
use crate::record::Record;
use crate::{Compiled, PromptContent};

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The version that holds the content.
    pub node: NodeRef,
    /// The digest of the content.
    pub digest: Digest,
    /// Whether the version is new; `false` when the latest version had this content already.
    pub created: bool,
    /// The labels that were moved to the version, in the order given.
    pub moved_labels: Vec<Name>,
}

pub(super) async fn publish(
    prompts: &Prompts,
    name: &Name,
    content: PromptContent,
    labels: &[Name],
    actor: &Actor,
    reason: &str,
) -> Result<Published> {
    let compiled = Compiled::new(content)?;
    let value = Record::new(compiled.content()).into_value()?;
    let (_, published) = prompts
        .repo
        .transact(|view| {
            let mut transaction = Transaction::new(actor.clone(), reason);
            let published = plan(view, name, &value, labels, &mut transaction)?;
            Ok(if published.created || !published.moved_labels.is_empty() {
                Step::Commit(transaction, published)
            } else {
                Step::Done(published)
            })
        })
        .await?;
    Ok(published)
}

/// Fills `transaction` with what publishing `value` changes in `view`.
fn plan(
    view: &View,
    name: &Name,
    value: &Value,
    labels: &[Name],
    transaction: &mut Transaction,
) -> Result<Published> {
    let series = series(name);
    let digest = value.record_digest()?;
    let same = series.latest(view)?.filter(|(_, state)| {
        let latest = state.value.as_ref().map(Value::record_digest);
        matches!(latest, Some(Ok(latest)) if latest == digest)
    });
    let created = same.is_none();
    let node = if let Some((node, _)) = same {
        node
    } else {
        let node = series.numbered(series.next_number(view)?);
        transaction.set(node.ref_path(), value.clone(), Expectation::Absent);
        node
    };
    let mut moved_labels = Vec::new();
    for label in labels {
        let path = label_path(name, label)?;
        let current = view
            .get(&path)?
            .and_then(|state| state.value.as_ref()?.pointee());
        if current.as_ref() != Some(&node) && !moved_labels.contains(label) {
            transaction.set(path, Value::pointer(&node), Expectation::Any);
            moved_labels.push(label.clone());
        }
    }
    Ok(Published {
        node,
        digest,
        created,
        moved_labels,
    })
}
