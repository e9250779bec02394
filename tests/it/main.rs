//! What only the crates together can show.

mod layering;
mod processes;
