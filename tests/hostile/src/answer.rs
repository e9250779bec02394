//! An answer, before it is sent.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Status, headers and body; `length` is declared where it is not that of the body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Bytes,
    length: Option<u64>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            length: None,
        }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers
            .push((HeaderName::from_static(name), value.into()));
        self
    }

    pub(crate) fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn xml(status: u16, text: String) -> Self {
        Self::new(status)
            .with_header("content-type", "application/xml")
            .with_body(text)
    }

    /// Leaves the body out but declares its length.
    pub(crate) fn without_body(mut self) -> Self {
        self.length = Some(self.body.len() as u64);
        self.body = Bytes::new();
        self
    }

    /// Declares more than there is.
    pub(crate) fn longer(mut self, bytes: u64) -> Self {
        self.length = Some(self.body.len() as u64 + bytes);
        self
    }

    /// Leaves out the last bytes.
    pub(crate) fn shorter(mut self, bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let kept = self.body.len().saturating_sub(bytes);
        self.body.truncate(kept);
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let body = match self.length {
            None => whole(self.body.clone()),
            Some(_) if self.body.is_empty() => whole(Bytes::new()),
            // A stream does not say how long it is, so nobody minds the length declared.
            Some(_) => StreamBody::new(cut_short(self.body.clone())).boxed_unsync(),
        };
        self.head(body)
    }

    /// As a body that comes in pieces.
    pub(crate) fn into_slow_response(self, piece: usize, pause: Duration) -> Response<Body> {
        let pieces: Vec<_> = self
            .body
            .chunks(piece.max(1))
            .map(Bytes::copy_from_slice)
            .collect();
        let slow = stream::iter(pieces).then(move |piece| async move {
            pause_for(pause).await;
            Ok(Frame::data(piece))
        });
        self.head(StreamBody::new(slow).boxed_unsync())
    }

    fn head(&self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        // A status without a body must not declare one.
        if self.status != 204 {
            let length = self.length.unwrap_or(self.body.len() as u64);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Sends the bytes and then fails.
fn cut_short(bytes: Bytes) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    let failure = stream::once(async {
        // Meanwhile the bytes are sent.
        tokio::task::yield_now().await;
        Err(io::ErrorKind::BrokenPipe.into())
    });
    stream::iter([Ok(Frame::data(bytes))]).chain(failure)
}

#[expect(clippy::disallowed_methods, reason = "a slow server is slow")]
async fn pause_for(pause: Duration) {
    tokio::time::sleep(pause).await;
}
