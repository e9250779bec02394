//! Prompts with inference configuration: idempotent publishing, labels, strict rendering.
