//! [`wiped`]: a library that moves a context from one place on the stack to another leaves behind what was in it, and the
//! last block of a MAC's input stands in its context as it is.

use std::hint::black_box;

/// Words of stack that are overwritten: several times what the contexts of either library take.
const WORDS: usize = 512;

/// Runs `work`, then overwrites the stack that it had used.
#[inline(never)]
pub(super) fn wiped<T>(work: impl FnOnce() -> T) -> T {
    let answer = below(work);
    wipe();
    answer
}

/// In a frame of its own, where [`wipe`] will have its own.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn wipe() {
    black_box(&mut [0_u64; WORDS]);
}
