//! Programs that measure Mainstay.
