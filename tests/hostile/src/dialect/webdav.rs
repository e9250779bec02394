//! A web server with WebDAV listings.

use std::fmt::Write as _;

use hyper::Method;
use hyper::header::HeaderMap;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use quick_xml::escape::escape;

use super::{Dialect, MODIFIED_HTTP};
use crate::answer::Answer;
use crate::objects::{Condition, Stored};
use crate::operation::{Listing, Operation, decoded};

/// What a path in a URL cannot hold as it is.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

pub(super) fn parse(method: &Method, path: &str, headers: &HeaderMap) -> Operation {
    let Some(key) = path.strip_prefix('/').and_then(decoded) else {
        return Operation::Unknown;
    };
    match method.as_str() {
        "GET" => Operation::get(key, headers, false),
        "HEAD" => Operation::get(key, headers, true),
        // Conditions are not known to it.
        "PUT" => Operation::Put {
            key,
            condition: Condition::None,
        },
        "DELETE" => Operation::Delete { key },
        "PROPFIND" => Operation::List(Listing {
            prefix: directory(key),
            max: Some(usize::MAX),
            ..Listing::default()
        }),
        _ => Operation::Unknown,
    }
}

fn directory(mut key: String) -> String {
    if !key.is_empty() && !key.ends_with('/') {
        key.push('/');
    }
    key
}

pub(super) fn listed(objects: &[(String, Stored)]) -> Answer {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:multistatus xmlns:D=\"DAV:\">\
         <D:response><D:href>/</D:href><D:propstat><D:prop>",
    );
    // Writing to a string does not fail.
    let _written = write!(
        text,
        "<D:getlastmodified>{MODIFIED_HTTP}</D:getlastmodified>\
         <D:resourcetype><D:collection/></D:resourcetype></D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    );
    // Nothing promises an order.
    for (key, stored) in objects.iter().rev() {
        let path = utf8_percent_encode(key, ESCAPED).to_string();
        let _written = write!(
            text,
            "<D:response><D:href>/{}</D:href><D:propstat><D:prop>\
             <D:getlastmodified>{MODIFIED_HTTP}</D:getlastmodified>\
             <D:getcontentlength>{}</D:getcontentlength><D:getetag>{}</D:getetag>\
             <D:resourcetype/></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
             </D:response>",
            escape(&path),
            stored.bytes.len(),
            escape(Dialect::WebDav.tag(stored)),
        );
    }
    text.push_str("</D:multistatus>");
    Answer::xml(207, text)
}
