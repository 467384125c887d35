//! The native half of the Python package `secrethub`. It moves requests to the door of a vault, embedded or remote, and
//! replies back; the names and shapes that Python sees are made in `python/secrethub`.
//!
//! | file | what it is |
//! |---|---|
//! | `embedded`, `remote` | a vault in this process, and a client of one elsewhere |
//! | `running` | a runtime for each of them, waiting without the GIL, and what a fork leaves behind |
//! | `promise` | the same wait as a future of asyncio |
//! | `reply`, `secret`, `json` | what comes back, and how it stays out of Python's memory until it is asked for |
//! | `failure` | every failure as the exception of its kind |

mod embedded;
mod failure;
mod json;
mod promise;
mod remote;
mod reply;
mod running;
mod secret;

use std::alloc::System;
use zeroizing_alloc::ZeroAlloc;

/// Wipes all memory that this library gives back; Python's own objects are not among it.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// What `python/secrethub` is made over. Private: its users are the classes there.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::{embedded::Embedded, promise::end_of_program, remote::Remote, reply::Reply, secret::Secret};
}
