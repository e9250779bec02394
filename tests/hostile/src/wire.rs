//! A connection that ends where it is told to.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::Boundary;

/// How far into the answer the middle of the headers is: behind the status line.
const IN_HEADERS: u64 = 24;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// What happens at the boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    Stall,
}

/// Where the answer under way ends, shared by the connection and who answers on it.
#[derive(Debug, Default)]
pub(crate) struct Tap(Mutex<Option<Plan>>);

#[derive(Debug)]
struct Plan {
    boundary: Boundary,
    end: End,
    /// The bytes of the whole body.
    body: u64,
    sent: u64,
    /// The last bytes sent, as far as they may be the end of the head.
    matched: usize,
    /// The bytes of the head, once it was sent.
    head: Option<u64>,
}

impl Tap {
    /// Ends the answer about to be given, which has a body of so many bytes.
    pub(crate) fn end_at(&self, boundary: Boundary, end: End, body: u64) {
        *self.plan() = Some(Plan {
            boundary,
            end,
            body,
            sent: 0,
            matched: 0,
            head: None,
        });
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Option<Plan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// Returns how many of `bytes` may still be sent.
    fn allowed(&self, bytes: &[u8]) -> usize {
        let limit = match self.boundary {
            Boundary::BeforeStatus => 0,
            Boundary::InHeaders => IN_HEADERS,
            Boundary::Byte(count) => count,
            Boundary::AfterHeaders => return self.head_within(bytes),
            Boundary::InBody => match self.head {
                None => return self.head_within(bytes),
                Some(head) => head + self.body / 2,
            },
        };
        usize::try_from(limit.saturating_sub(self.sent)).map_or(bytes.len(), |n| n.min(bytes.len()))
    }

    /// Returns how many of `bytes` belong to the head.
    fn head_within(&self, bytes: &[u8]) -> usize {
        if self.head.is_some() {
            return 0;
        }
        let mut matched = self.matched;
        for (at, &byte) in bytes.iter().enumerate() {
            matched = next_match(matched, byte);
            if matched == END_OF_HEAD.len() {
                return at + 1;
            }
        }
        bytes.len()
    }

    fn is_answered(&self) -> bool {
        self.head.is_some_and(|head| self.sent >= head + self.body)
    }

    fn note_sent(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.sent += 1;
            if self.head.is_none() {
                self.matched = next_match(self.matched, byte);
                if self.matched == END_OF_HEAD.len() {
                    self.head = Some(self.sent);
                }
            }
        }
    }
}

fn next_match(matched: usize, byte: u8) -> usize {
    if END_OF_HEAD.get(matched) == Some(&byte) {
        matched + 1
    } else {
        usize::from(byte == b'\r')
    }
}

/// The connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    tap: Arc<Tap>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, tap: Arc<Tap>) -> Self {
        Self { stream, tap }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The answer was shorter than where it was to end: no further request is taken.
        match self.tap.plan().as_ref().filter(|plan| plan.is_answered()) {
            Some(Plan {
                end: End::Close, ..
            }) => return Poll::Ready(Ok(())),
            Some(_) => return Poll::Pending,
            None => {}
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tap = Arc::clone(&self.tap);
        let mut plan = tap.plan();
        let Some(plan) = plan.as_mut() else {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        };
        let allowed = plan.allowed(bytes);
        if allowed == 0 && !bytes.is_empty() {
            return match plan.end {
                End::Close => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                // Nobody wakes the connection up: it ends with the server.
                End::Stall => Poll::Pending,
            };
        }
        let sent = Pin::new(&mut self.stream).poll_write(context, &bytes[..allowed]);
        if let Poll::Ready(Ok(count)) = &sent {
            plan.note_sent(&bytes[..*count]);
        }
        sent
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
