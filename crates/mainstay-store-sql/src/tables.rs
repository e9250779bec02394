//! What both databases share: how objects lie in rows, and how they are asked for.

pub(crate) mod blocking;
pub(crate) mod bounds;
pub(crate) mod chunk;
pub(crate) mod format;
pub(crate) mod pages;
pub(crate) mod patience;
pub(crate) mod settings;
