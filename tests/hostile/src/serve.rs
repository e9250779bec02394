//! One request: what it does, and what goes wrong with it.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::answer::{Answer, Body};
use crate::dialect::{batch_answer, batch_keys, error};
use crate::objects::{Condition, Page, Write};
use crate::operation::{Asked, Listing, Operation};
use crate::server::Shared;
use crate::wire::{End, Tap};
use crate::{Boundary, Fault, Logged};

/// A request to be applied later.
#[derive(Debug)]
pub(crate) struct Late {
    /// The number of the request before which it is applied.
    due: u64,
    operation: Operation,
    body: Bytes,
}

impl Late {
    pub(crate) async fn apply(&self, shared: &Shared) {
        let _unheard = apply(shared, &self.operation, self.body.clone()).await;
    }
}

pub(crate) async fn serve(
    shared: Arc<Shared>,
    tap: Arc<Tap>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query());
    let operation = shared
        .dialect
        .parse(&head.method, path, query, &head.headers);
    let (number, fault) = note(&shared, &operation);
    apply_late(&shared, number).await;
    if fault == Some(Fault::CutRequest) {
        tap.end_at(Boundary::BeforeStatus, End::Close, 0);
        return Ok(Answer::new(200).into_response());
    }
    let limited = Limited::new(body, shared.options.max_object_bytes).collect();
    let Ok(collected) = limited.await else {
        let answer = error(400, "EntityTooLarge");
        return Ok(answer.into_response());
    };
    let exchange = Exchange {
        shared: &shared,
        tap: &tap,
        number,
        operation,
        body: collected.to_bytes(),
    };
    Ok(exchange.respond(fault).await)
}

/// Logs a request and takes its fault.
fn note(shared: &Shared, operation: &Operation) -> (u64, Option<Fault>) {
    let (verb, key) = (operation.verb(), operation.key());
    let mut journal = shared.journal();
    let number = journal.number();
    let fault = shared.script().take(number, verb, key);
    let entry = Logged {
        number,
        verb,
        key: key.to_owned(),
        conditional: operation.is_conditional(),
        fault,
        status: None,
    };
    journal.push(entry, shared.options.max_logged);
    (number, fault)
}

async fn apply_late(shared: &Shared, number: u64) {
    let due = {
        let mut late = shared.late();
        let all = std::mem::take(&mut *late);
        let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|late| late.due <= number);
        *late = later;
        due
    };
    for request in due {
        request.apply(shared).await;
    }
}

/// A request that was read whole.
struct Exchange<'a> {
    shared: &'a Shared,
    tap: &'a Tap,
    number: u64,
    operation: Operation,
    body: Bytes,
}

impl Exchange<'_> {
    async fn respond(self, fault: Option<Fault>) -> Response<Body> {
        match fault {
            None => self.applied().await.into_response(),
            Some(Fault::Refused(status)) => self.answered(status).into_response(),
            Some(Fault::Failed(status)) => {
                let _unsaid = self.applied().await;
                self.answered(status).into_response()
            }
            Some(Fault::CutRequest | Fault::LostRequest) => self.silence(),
            Some(Fault::CutAnswer(boundary)) => self.ended(boundary, End::Close).await,
            Some(Fault::Stalled(boundary)) => self.ended(boundary, End::Stall).await,
            Some(Fault::Twice) => {
                let _unsaid = self.applied().await;
                self.applied().await.into_response()
            }
            Some(Fault::Late(requests)) => {
                self.shared.late().push(Late {
                    due: self.number.saturating_add(requests).saturating_add(1),
                    operation: self.operation.clone(),
                    body: self.body.clone(),
                });
                self.silence()
            }
            Some(Fault::LongerLength(bytes)) => self.applied().await.longer(bytes).into_response(),
            Some(Fault::ShorterLength(bytes)) => {
                self.applied().await.shorter(bytes).into_response()
            }
            Some(Fault::Slow { piece, pause }) => {
                self.applied().await.into_slow_response(piece, pause)
            }
        }
    }

    /// Applies the request and logs the answer.
    async fn applied(&self) -> Answer {
        let answer = apply(self.shared, &self.operation, self.body.clone()).await;
        self.shared.journal().set_status(self.number, answer.status);
        answer
    }

    fn answered(&self, status: u16) -> Answer {
        self.shared.journal().set_status(self.number, status);
        let answer = self.shared.dialect.error_of_status(status);
        if matches!(self.operation, Operation::Get { head: true, .. }) {
            return answer.without_body();
        }
        answer
    }

    fn silence(&self) -> Response<Body> {
        self.tap.end_at(Boundary::BeforeStatus, End::Close, 0);
        Answer::new(200).into_response()
    }

    async fn ended(&self, boundary: Boundary, end: End) -> Response<Body> {
        let answer = self.applied().await;
        self.tap.end_at(boundary, end, answer.body.len() as u64);
        answer.into_response()
    }
}

async fn apply(shared: &Shared, operation: &Operation, body: Bytes) -> Answer {
    let dialect = shared.dialect;
    match operation {
        Operation::Put { key, condition } => put(shared, key, condition, body).await,
        Operation::Get {
            key,
            range,
            tag,
            head,
        } => {
            let answer = get(shared, key, *range, tag.as_deref());
            if *head { answer.without_body() } else { answer }
        }
        Operation::Delete { key } => dialect.deleted(shared.objects.delete(key)),
        Operation::DeleteBatch { boundary } => match batch_keys(&body, boundary) {
            Some(keys) => {
                let existed: Vec<_> = keys.iter().map(|key| shared.objects.delete(key)).collect();
                batch_answer(&existed)
            }
            None => error(400, "InvalidInput"),
        },
        Operation::List(listing) => list(shared, listing),
        Operation::Unknown => dialect.error_of_status(501),
    }
}

async fn put(shared: &Shared, key: &str, condition: &Condition, bytes: Bytes) -> Answer {
    let (dialect, max) = (shared.dialect, shared.options.max_total_bytes);
    let write = if *condition == Condition::None {
        shared.objects.insert(key, bytes, max)
    } else {
        let is_met = |stored: Option<&_>| dialect.meets(condition, stored);
        let conditions = shared.conditions();
        let objects = &shared.objects;
        objects.write_if(key, bytes, max, conditions, is_met).await
    };
    match write {
        Write::Done(stored) => dialect.written(&stored),
        Write::Unmet => dialect.unmet(condition),
        Write::Full => error(507, "InsufficientStorage"),
    }
}

fn get(shared: &Shared, key: &str, range: Option<Asked>, tag: Option<&str>) -> Answer {
    let dialect = shared.dialect;
    let Some(stored) = shared.objects.get(key) else {
        return dialect.absent();
    };
    if tag.is_some_and(|tag| tag != dialect.tag(&stored)) {
        return dialect.unmet(&Condition::Tag(String::new()));
    }
    let size = stored.bytes.len() as u64;
    let range =
        range.filter(|range| dialect.has_suffix_ranges() || !matches!(range, Asked::Last(_)));
    let answer = match range.map(|range| range.within(size)) {
        None => Answer::new(200).with_body(stored.bytes.clone()),
        Some(None) => {
            let unsatisfied = format!("bytes */{size}");
            let answer = error(416, "InvalidRange");
            return answer.with_header("content-range", unsatisfied);
        }
        Some(Some(range)) => {
            // Within the length of the bytes, which is a usize.
            let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
            let part = stored.bytes.slice(at(range.start)..at(range.end));
            let place = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            Answer::new(206)
                .with_body(part)
                .with_header("content-range", place)
        }
    };
    dialect
        .describe(answer, &stored)
        .with_header("accept-ranges", "bytes")
        .with_header("content-type", "application/octet-stream")
}

fn list(shared: &Shared, listing: &Listing) -> Answer {
    let max = listing.max.unwrap_or(shared.options.page);
    let (after, from) = match &listing.token {
        Some(token) => (token.as_str(), ""),
        None if shared.options.ignores_offsets => ("", ""),
        None => (listing.after.as_str(), listing.from.as_str()),
    };
    let page = Page {
        prefix: &listing.prefix,
        after,
        from,
    };
    let (objects, more) = shared.objects.page(&page, max);
    shared.dialect.listed(listing, &objects, more)
}
