//! Prompts from file to repository.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod content;
mod diff;
mod golden;
mod prompts;
mod render;
