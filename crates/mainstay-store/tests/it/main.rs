//! Tests of `mainstay-store` through its public interface.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod encrypt;
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
