//! Tests of `mainstay-store` through its public interface.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod encrypt;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
mod full_disk;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
mod image;
#[cfg(test)]
mod metrics;
#[cfg(test)]
#[cfg(unix)]
mod payload;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
mod power_cut;
#[cfg(test)]
mod probe;
#[cfg(test)]
#[cfg(unix)]
mod processes;
#[cfg(test)]
mod race;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod route;
