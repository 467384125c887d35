//! [`Secret`]: the only type that may hold key material, tokens and values at rest in memory.
//!
//! It is wiped when dropped, and it can be neither printed, serialised, cloned nor compared by accident:
//!
//! ```
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! assert!(s.same_bytes(&[0; 32])); // what all the failures below have in common compiles
//! ```
//! ```compile_fail,E0277
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! println!("{s:?}"); // no Debug
//! ```
//! ```compile_fail,E0277
//! let s = secrethub_core::Secret::new(String::new());
//! let t = format!("{s}"); // no Display
//! ```
//! ```compile_fail,E0599
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! let t = s.clone(); // no Clone
//! ```
//! ```compile_fail,E0369
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! let t = secrethub_core::Secret::new([0u8; 32]);
//! let same = s == t; // no PartialEq: use `same_bytes`
//! ```
//! ```compile_fail,E0277
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! let j = serde_json::to_string(&s); // no Serialize
//! ```
//!
//! A stable compiler takes any failure for the one that was meant, so the crate asserts the same of itself, exactly,
//! when it is compiled.

use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A value that is wiped on drop and leaves only through [`Secret::expose`].
#[allow(missing_debug_implementations, reason = "a secret must not be printable, not even redacted")]
pub struct Secret<T: Zeroize + ?Sized>(SecretBox<T>);

/// A 256-bit key.
pub type Key32 = Secret<[u8; 32]>;

// The box does it, and says so: this compiles only while it does.
impl<T: Zeroize + ?Sized> ZeroizeOnDrop for Secret<T> where SecretBox<T>: ZeroizeOnDrop {}

impl<T: Zeroize> Secret<T> {
    /// Takes a value. For arrays prefer [`Secret::init`], which never leaves a copy on the stack.
    pub fn new(value: T) -> Self {
        Self(SecretBox::new(Box::new(value)))
    }
}

impl<T: Zeroize + Default> Secret<T> {
    /// Lets `fill` write the value in its final place on the heap.
    pub fn init(fill: impl FnOnce(&mut T)) -> Self {
        Self(SecretBox::init_with_mut(fill))
    }
}

impl<T: Zeroize + ?Sized> Secret<T> {
    /// The value itself. Outside `secret.rs` and the modules that do cryptography, a call carries an
    /// `// EXPOSE:` comment with its reason.
    pub fn expose(&self) -> &T {
        self.0.expose_secret()
    }

    /// The value itself, to be changed in place.
    pub fn expose_mut(&mut self) -> &mut T {
        self.0.expose_secret_mut()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Secret<T> {
    /// Compares in time that depends on the lengths alone.
    pub fn same_bytes(&self, other: &[u8]) -> bool {
        bool::from(self.expose().as_ref().ct_eq(other))
    }
}

/// Compiles only while no such type implements the trait: with it, two `item`s would fit and `_` be ambiguous.
macro_rules! assert_never {
    ($($type:ty: $trait:path),+ $(,)?) => {$(
        const _: fn() = || {
            struct Implemented;
            trait Never<A> {
                fn item() {}
            }
            impl<T: ?Sized> Never<()> for T {}
            impl<T: ?Sized + $trait> Never<Implemented> for T {}
            let _ = <$type as Never<_>>::item;
        };
    )+};
}

assert_never!(
    Key32: std::fmt::Debug,
    Secret<String>: std::fmt::Debug,
    Secret<String>: std::fmt::Display,
    Key32: Clone,
    Secret<String>: Clone,
    Key32: PartialEq,
    Key32: std::hash::Hash,
    Key32: PartialOrd,
    Key32: serde::Serialize,
    Secret<String>: serde::de::DeserializeOwned,
    Secret<String>: std::ops::Deref,
    Secret<String>: AsRef<str>,
    Secret<Vec<u8>>: AsRef<[u8]>,
    Secret<Vec<u8>>: std::borrow::Borrow<[u8]>,
);

const fn assert_wiped<T: ZeroizeOnDrop + ?Sized>() {}
const _: () = {
    assert_wiped::<Key32>();
    assert_wiped::<Secret<String>>();
    assert_wiped::<Secret<[u8]>>();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_bytes_and_lengths() {
        let check = |a: &str, b: &str, expect: bool| {
            assert_eq!(Secret::new(a.to_owned()).same_bytes(b.as_bytes()), expect, "{a} {b}");
        };
        check("", "", true);
        check("a", "a", true);
        check("a", "b", false);
        check("a", "aa", false);
    }
}
