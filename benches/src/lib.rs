//! What the benchmarks share.

mod counted;
mod house;

pub use counted::Counted;
pub use house::{House, SECRETS};
