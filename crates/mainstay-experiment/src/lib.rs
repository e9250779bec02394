//! Stable assignment, Thompson sampling and always-valid guardrails; pure.
