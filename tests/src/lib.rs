//! Cross-crate behaviour of the workspace; see `it/`.
