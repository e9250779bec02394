//! Work on as many threads as there are cores.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};

use mainstay_core::Result;

/// The most threads.
const MAX_THREADS: usize = 8;

/// Does `count` pieces of work, each by its number; returns what they say, in any order.
///
/// # Errors
/// One of those of the work, which is not begun again after it.
pub(super) fn each<T: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = cores.min(MAX_THREADS).min(count);
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(done);
            }
            let outcome = work(number);
            done.push(outcome.inspect_err(|_| next.store(count, Ordering::Relaxed))?);
        }
    };
    thread::scope(|scope| {
        let mut others = Vec::new();
        for _ in 1..threads {
            let builder = thread::Builder::new().name("mainstay-data".to_owned());
            others.push(builder.spawn_scoped(scope, some)?);
        }
        let mut done = some();
        for other in others {
            let more = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            done = done.and_then(|mut done| {
                done.extend(more?);
                Ok(done)
            });
        }
        done
    })
}
