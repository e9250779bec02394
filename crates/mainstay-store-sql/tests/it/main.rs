//! Tests of `mainstay-store-sql` through its public interface.

#[cfg(test)]
mod open;
#[cfg(test)]
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(test)]
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod processes;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod sqlite;
