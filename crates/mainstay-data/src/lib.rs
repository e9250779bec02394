//! Immutable dataset snapshots with logical digests, statistics, tags and schema diff.
