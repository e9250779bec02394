//! Comparing versions, as far down as was asked for.

use std::collections::BTreeSet;

use mainstay_core::{Error, NodeRef, Result};

use super::{Datasets, rows};
use crate::diff::{CompareOptions, ComparedRows, DatasetDiff, FilesDiff, SchemaDiff};
use crate::logical::semantic_type;
use crate::rows::stored::Keys;
use crate::rows::{Both, Identity, Side};
use crate::{Manifest, file_tree};

pub(super) async fn compare(
    datasets: &Datasets,
    nodes: Both<&NodeRef>,
    options: &CompareOptions,
) -> Result<DatasetDiff> {
    let manifests = datasets.load_both(nodes.before, nodes.after).await?;
    if options.rows.is_some() {
        check_tables(&manifests, nodes)?;
    }
    let files = Both::of(|side| &manifests[side].files);
    let changes = file_tree::changes(&datasets.repo, files.before, files.after);
    let files = FilesDiff::of(files.before.count(), files.after.count(), changes).await?;
    let mut diff = DatasetDiff::between(&manifests, files, &options.thresholds)?;
    let Some(rows) = &options.rows else {
        return Ok(diff);
    };
    let identity = match &rows.identity {
        Some(identity) => identity.clone(),
        None => recorded(datasets, nodes, &manifests, &diff.schema).await?,
    };
    let keys = keys(datasets, nodes, &identity, &diff.schema).await?;
    if diff.same_rows {
        let alike = (&identity, keys);
        let alike = ComparedRows::alike(alike, diff.rows.after, !diff.same_table);
        diff.rows.compared = Some(alike);
        return Ok(diff);
    }
    let manifests = datasets.with_tables(manifests).await?;
    let telling = datasets.telling();
    let reading = (&datasets.repo, telling);
    let compared = rows::compare(reading, manifests, (identity, keys), rows, &diff.schema);
    let (compared, bytes) = compared.await?;
    diff.rows.compared = Some(compared);
    diff.bytes_read += bytes;
    Ok(diff)
}

/// Checks that both versions have rows to compare.
pub(super) fn check_tables(manifests: &Both<Manifest>, nodes: Both<&NodeRef>) -> Result<()> {
    for side in Side::BOTH {
        if manifests[side].table.is_none() {
            let error = Error::invalid("the version has no table whose rows could be compared");
            return Err(error.context("data", nodes[side]));
        }
    }
    Ok(())
}

/// Tells whether rows have keys of their own, as the versions were found to have when they were made.
pub(super) async fn keys(
    datasets: &Datasets,
    nodes: Both<&NodeRef>,
    identity: &Identity,
    schema: &SchemaDiff,
) -> Result<Keys> {
    let Identity::Key(key) = identity else {
        return Ok(Keys::Unique);
    };
    let mut found = Keys::Unique;
    for side in Side::BOTH {
        let name = |name| match side {
            Side::Before => schema.earlier_name(name),
            Side::After => name,
        };
        let key: BTreeSet<&str> = key.iter().map(|column| name(column)).collect();
        let record = datasets.record(nodes[side]).await?;
        let recorded: BTreeSet<&str> = record.key.iter().map(String::as_str).collect();
        // Rows that fewer columns tell apart, more do as well.
        match record.repeated_keys {
            Some(0) if recorded.is_subset(&key) => {}
            Some(_) if recorded == key => return Ok(Keys::Repeated),
            _ => found = Keys::Unknown,
        }
    }
    Ok(found)
}

/// Reports whether a type holds the values of both, so that they may be of one key.
fn meet(before: &str, after: &str) -> bool {
    let types = [before, after];
    let is_signed = |name: &&str| name.starts_with("int");
    before == after
        || match types.map(semantic_type) {
            ["int", "int"] => !(types.contains(&"uint64") && types.iter().any(is_signed)),
            ["float", "float"] => true,
            _ => false,
        }
}

/// Returns the key that was recorded with the later version, else with the earlier one, if both tables have
/// its columns, of types whose values may be those of one key.
async fn recorded(
    datasets: &Datasets,
    nodes: Both<&NodeRef>,
    manifests: &Both<Manifest>,
    schema: &SchemaDiff,
) -> Result<Identity> {
    let mut key = datasets.record(nodes.after).await?.key;
    if key.is_empty() {
        let earlier = datasets.record(nodes.before).await?.key;
        let later = earlier.iter().map(|name| schema.later_name(name));
        key = later.map(str::to_owned).collect();
    }
    let is_shared = |name: &String| {
        let before = manifests.before.column(schema.earlier_name(name));
        let both = before.zip(manifests.after.column(name));
        both.is_some_and(|(before, after)| meet(&before.logical_type, &after.logical_type))
    };
    Ok(if !key.is_empty() && key.iter().all(is_shared) {
        Identity::Key(key)
    } else {
        Identity::WholeRow
    })
}
