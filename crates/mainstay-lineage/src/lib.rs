//! Typed provenance graph: ancestors, descendants, what changed, exports.
