//! Tests of `mainstay-store-sql` through its public interface.

#[cfg(test)]
mod open;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod sqlite;
