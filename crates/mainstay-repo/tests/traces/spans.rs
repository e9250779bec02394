//! A subscriber that keeps the requests of storages.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The requests that there have been.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<Request>>>);

/// A request of a storage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// The names of the spans around it, from the outermost.
    pub(crate) around: Vec<&'static str>,
    pub(crate) bytes: u64,
}

/// Which of the requests a span is.
struct Place(usize);

impl Requests {
    pub(crate) fn all(&self) -> Vec<Request> {
        self.0.lock().unwrap().clone()
    }
}

impl Visit for Request {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "bytes" {
            self.bytes = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Requests {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        if !span.name().starts_with("storage_") {
            return;
        }
        let around = span.scope().from_root().map(|span| span.name());
        let mut around: Vec<_> = around.collect();
        around.pop();
        let mut requests = self.0.lock().unwrap();
        span.extensions_mut().insert(Place(requests.len()));
        requests.push(Request { around, bytes: 0 });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        if let Some(Place(place)) = span.extensions().get() {
            values.record(&mut self.0.lock().unwrap()[*place]);
        }
    }
}
