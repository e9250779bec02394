//! The arguments of a benchmark.

/// Returns what stands behind `--` in `cargo bench --bench NAME -- …`, without what cargo adds.
#[must_use]
pub fn arguments() -> Vec<String> {
    std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect()
}
