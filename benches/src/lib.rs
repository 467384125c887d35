//! What the benchmarks share.

mod counted;

pub use counted::Counted;
