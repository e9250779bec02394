//! Behaviour of the repository through its public interface.

mod basics;
mod support;
