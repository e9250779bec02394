//! Environment manifests: capture without running Python, digest, compare.
