//! Azure Blob Storage.

use std::fmt::Write as _;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, IF_MATCH, IF_NONE_MATCH};
use quick_xml::escape::escape;

use super::{BUCKET, Dialect, MODIFIED_HTTP};
use crate::answer::Answer;
use crate::objects::{Condition, Stored};
use crate::operation::{Listing, Operation, header, key_below, parameters};

/// The account of the emulator, which is part of the path.
const ACCOUNT: &str = "devstoreaccount1";

pub(super) fn parse(
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Operation {
    let Some(key) = key_below(path, &format!("{ACCOUNT}/{BUCKET}")) else {
        return Operation::Unknown;
    };
    let parameters = parameters(query);
    let of_container = parameters
        .get("restype")
        .is_some_and(|kind| kind == "container");
    let component = parameters.get("comp").map(String::as_str);
    match (method.as_str(), of_container, component) {
        ("GET", true, Some("list")) if !parameters.contains_key("delimiter") => {
            let parameter = |name| parameters.get(name).cloned().unwrap_or_default();
            Operation::List(Listing {
                prefix: parameter("prefix"),
                token: parameters.get("marker").cloned(),
                after: String::new(),
                from: parameter("startFrom"),
                max: parameter("maxresults").parse().ok(),
            })
        }
        ("POST", true, Some("batch")) => header(headers, CONTENT_TYPE.as_str())
            .and_then(|kind| kind.strip_prefix("multipart/mixed; boundary="))
            .map_or(Operation::Unknown, |boundary| Operation::DeleteBatch {
                boundary: boundary.to_owned(),
            }),
        (_, true, _) | (_, _, Some(_)) => Operation::Unknown,
        _ if key.is_empty() => Operation::Unknown,
        ("GET", ..) => Operation::get(key, headers, false),
        ("HEAD", ..) => Operation::get(key, headers, true),
        ("PUT", ..) if header(headers, "x-ms-blob-type") == Some("BlockBlob") => Operation::Put {
            key,
            condition: condition(headers),
        },
        ("DELETE", ..) => Operation::Delete { key },
        _ => Operation::Unknown,
    }
}

fn condition(headers: &HeaderMap) -> Condition {
    match header(headers, IF_MATCH.as_str()) {
        Some(tag) => Condition::Tag(tag.to_owned()),
        None if header(headers, IF_NONE_MATCH.as_str()) == Some("*") => Condition::Absent,
        None => Condition::None,
    }
}

pub(super) fn listed(listing: &Listing, objects: &[(String, Stored)], more: bool) -> Answer {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Prefix>{}</Prefix><Blobs>",
        escape(&listing.prefix),
    );
    for (key, stored) in objects {
        // Writing to a string does not fail.
        let _written = write!(
            text,
            "<Blob><Name>{}</Name><Properties><Last-Modified>{MODIFIED_HTTP}</Last-Modified>\
             <Content-Length>{}</Content-Length><Content-Type>application/octet-stream\
             </Content-Type><Etag>{}</Etag></Properties></Blob>",
            escape(key),
            stored.bytes.len(),
            escape(Dialect::Azure.tag(stored)),
        );
    }
    let next = objects.last().filter(|_| more);
    let next = next.map_or_else(String::new, |(key, _)| escape(key).into_owned());
    let _written = write!(
        text,
        "</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
    );
    Answer::xml(200, text)
}

/// Reads the keys that a batch asks to delete, in order; `None` for anything but deletions.
pub(crate) fn batch_keys(body: &[u8], boundary: &str) -> Option<Vec<String>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut keys = Vec::new();
    for part in text.split(&format!("--{boundary}\r\n")).skip(1) {
        let (_, request) = part.split_once("\r\n\r\n")?;
        let target = request.strip_prefix("DELETE ")?.split(' ').next()?;
        let path = target.split('?').next()?;
        keys.push(key_below(path, &format!("{ACCOUNT}/{BUCKET}"))?);
    }
    Some(keys)
}

/// Answers a batch with what became of each of its keys.
pub(crate) fn batch_answer(existed: &[bool]) -> Answer {
    const BOUNDARY: &str = "batchresponse_hostile";
    let mut text = String::new();
    for (number, existed) in existed.iter().enumerate() {
        let status = if *existed {
            "202 Accepted"
        } else {
            "404 The specified blob does not exist."
        };
        let _written = write!(
            text,
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n\
             HTTP/1.1 {status}\r\nServer: hostile\r\n\r\n\r\n"
        );
    }
    let _written = write!(text, "--{BOUNDARY}--\r\n");
    Answer::new(202)
        .with_header(
            "content-type",
            format!("multipart/mixed; boundary={BOUNDARY}"),
        )
        .with_body(text)
}
