//! Deployment units, channels, canary steps, guardrail verdicts and coordinated rollback.
