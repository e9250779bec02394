//! Telling how far long work has come.

use std::fmt;

/// Is told how far a long operation has come.
///
/// Operations that take one call it from any thread, often, and never twice at a time for one unit, so
/// an implementation returns at once: it stores the numbers or redraws a bar.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use mainstay_core::Progress;
///
/// #[derive(Debug, Default)]
/// struct Bytes(AtomicU64);
///
/// impl Progress for Bytes {
///     fn advance(&self, unit: &'static str, done: u64, _total: Option<u64>) {
///         if unit == "bytes" {
///             self.0.store(done, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let bytes = Bytes::default();
/// bytes.advance("bytes", 512, Some(1024));
/// assert_eq!(bytes.0.into_inner(), 512);
/// ```
pub trait Progress: fmt::Debug + Send + Sync {
    /// Says that `done` of `total` units have been dealt with since the operation began.
    ///
    /// `unit` is a plural noun, as `"bytes"` or `"files"`; an operation may count several. Of one
    /// unit, `done` does not decrease. `total` is `None` where it is not known.
    fn advance(&self, unit: &'static str, done: u64, total: Option<u64>);
}
