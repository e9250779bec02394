//! Amazon S3, and what Google Cloud Storage has in common with it.

use std::fmt::Write as _;

use hyper::Method;
use hyper::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use quick_xml::escape::escape;

use super::{BUCKET, Dialect, MODIFIED_ISO};
use crate::answer::Answer;
use crate::objects::{Condition, Stored};
use crate::operation::{Listing, Operation, header, key_below, parameters};

const GENERATION: &str = "x-goog-if-generation-match";

pub(super) fn parse(
    dialect: Dialect,
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Operation {
    let Some(key) = key_below(path, BUCKET) else {
        return Operation::Unknown;
    };
    match (method.as_str(), key.is_empty()) {
        ("GET", true) => list(query),
        ("GET", false) => Operation::get(key, headers, false),
        ("HEAD", false) => Operation::get(key, headers, true),
        ("PUT", false) => Operation::Put {
            key,
            condition: condition(dialect, headers),
        },
        ("DELETE", false) => Operation::Delete { key },
        _ => Operation::Unknown,
    }
}

fn condition(dialect: Dialect, headers: &HeaderMap) -> Condition {
    if dialect == Dialect::Gcs {
        return match header(headers, GENERATION) {
            None => Condition::None,
            Some("0") => Condition::Absent,
            Some(generation) => Condition::Tag(generation.to_owned()),
        };
    }
    match header(headers, IF_MATCH.as_str()) {
        Some(tag) => Condition::Tag(tag.to_owned()),
        None if header(headers, IF_NONE_MATCH.as_str()) == Some("*") => Condition::Absent,
        None => Condition::None,
    }
}

fn list(query: Option<&str>) -> Operation {
    let mut parameters = parameters(query);
    if parameters
        .get("list-type")
        .is_none_or(|version| version != "2")
        || parameters.contains_key("delimiter")
    {
        return Operation::Unknown;
    }
    let mut take = |name| parameters.remove(name);
    Operation::List(Listing {
        prefix: take("prefix").unwrap_or_default(),
        token: take("continuation-token"),
        after: take("start-after").unwrap_or_default(),
        from: String::new(),
        max: take("max-keys").and_then(|max| max.parse().ok()),
    })
}

pub(super) fn listed(
    dialect: Dialect,
    listing: &Listing,
    objects: &[(String, Stored)],
    more: bool,
) -> Answer {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>{BUCKET}</Name>\
         <Prefix>{}</Prefix><KeyCount>{}</KeyCount><IsTruncated>{more}</IsTruncated>",
        escape(&listing.prefix),
        objects.len(),
    );
    if let Some((last, _)) = objects.last().filter(|_| more) {
        let last = escape(last);
        // Writing to a string does not fail.
        let _written = write!(
            text,
            "<NextContinuationToken>{last}</NextContinuationToken>"
        );
    }
    for (key, stored) in objects {
        let _written = write!(
            text,
            "<Contents><Key>{}</Key><LastModified>{MODIFIED_ISO}</LastModified>\
             <ETag>{}</ETag><Size>{}</Size></Contents>",
            escape(key),
            escape(dialect.tag(stored)),
            stored.bytes.len(),
        );
    }
    text.push_str("</ListBucketResult>");
    Answer::xml(200, text)
}
