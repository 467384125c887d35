//! [`Secret`]: the only type that may hold key material, tokens and values at rest in memory.
//!
//! It is wiped when dropped, and it can be neither printed, serialised, cloned nor compared by accident:
//!
//! ```compile_fail
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! println!("{s:?}"); // no Debug
//! ```
//! ```compile_fail
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! let t = s.clone(); // no Clone
//! ```
//! ```compile_fail
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! let t = secrethub_core::Secret::new([0u8; 32]);
//! let same = s == t; // no PartialEq: use `same_bytes`
//! ```
//! ```compile_fail
//! let s = secrethub_core::Secret::new([0u8; 32]);
//! let j = serde_json::to_string(&s); // no Serialize
//! ```
//! ```compile_fail
//! let s = secrethub_core::Secret::new(String::new());
//! let t = format!("{s}"); // no Display
//! ```

use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A value that is wiped on drop and leaves only through [`Secret::expose`].
#[allow(missing_debug_implementations, reason = "a secret must not be printable, not even redacted")]
pub struct Secret<T: Zeroize + ?Sized>(SecretBox<T>);

/// A 256-bit key.
pub type Key32 = Secret<[u8; 32]>;

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
