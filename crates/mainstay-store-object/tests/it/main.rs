//! Tests of `mainstay-store-object` through its public interface.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod open;
#[cfg(test)]
mod scripted;
#[cfg(test)]
#[cfg(feature = "s3")]
mod wire;
