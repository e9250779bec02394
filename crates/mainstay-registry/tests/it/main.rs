//! The registry on a repository in memory.

mod aliases;
mod fixture;
mod format;
mod pull;
mod register;
mod resolve;
mod search;
mod stages;
