//! YAML and other text of MLflow's.

use std::sync::LazyLock;

use mainstay_core::{Error, Result};
use regex::Regex;
use serde::de::DeserializeOwned;

use super::disk::{Disk, fail};

/// The longest YAML file in bytes.
pub(super) const MAX_YAML_BYTES: usize = 4 << 20;

/// Reads a YAML file; `None` when it is not there.
///
/// One document, at most 32 deep and of 50,000 nodes, aliases included: what a few anchors could expand
/// to is refused.
pub(super) fn yaml<T: DeserializeOwned>(disk: &Disk, path: &str) -> Result<Option<T>> {
    let Some(text) = disk.text(path, MAX_YAML_BYTES)? else {
        return Ok(None);
    };
    parse(&text)
        .map(Some)
        .map_err(|error| fail(error, &disk.root().join(path)))
}

pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    let mut options = serde_saphyr::options! {
        // What the file holds stays out of errors.
        with_snippet: false,
        reject_tagged_field_names: true,
        budget: serde_saphyr::budget! {
            max_depth: 32,
            flow_nesting_limit: 32,
            max_documents: 1,
            max_nodes: 50_000,
            max_events: 200_000,
            max_anchors: 64,
            max_aliases: 64,
            max_recorded_anchor_events: 50_000,
            max_recorded_anchor_bytes: MAX_YAML_BYTES,
            max_total_scalar_bytes: MAX_YAML_BYTES,
            max_merge_keys: 16,
            max_inclusion_depth: 0,
        },
    };
    options.alias_limits.max_total_replayed_events = 50_000;
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Error::invalid("not the YAML that MLflow writes").with_source(error))
}

#[expect(clippy::expect_used, reason = "the pattern is a literal, and tested")]
static USERINFO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"'?\#]*@"#).expect("a regular expression")
});

/// Drops user names and passwords of the URLs in a text.
pub(super) fn without_credentials(text: &str) -> String {
    USERINFO.replace_all(text, "$1").into_owned()
}
