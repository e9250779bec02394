//! Workspace benches.
