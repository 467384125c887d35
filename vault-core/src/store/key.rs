//! [`Key`]: the name of an entry. One order, by UTF-8 bytes, in every backend.

use super::StoreError;
use crate::limits::KEY_BYTES_MAX;
use std::{fmt, sync::Arc};

/// A `/`-separated name of at most [`KEY_BYTES_MAX`] bytes: segments are not empty and hold no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks and takes a name.
    pub fn new(text: impl AsRef<str>) -> Result<Self, StoreError> {
        let text = text.as_ref();
        if is_good(text) {
            Ok(Self(text.into()))
        } else {
            Err(StoreError::InvalidKey(text.chars().take(64).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One pass over the bytes, since keys are made at every request; only a text beyond ASCII is looked at twice.
fn is_good(text: &str) -> bool {
    let (mut before, mut ascii) = (b'/', true);
    for byte in text.bytes() {
        if byte.is_ascii_control() || (before == b'/' && byte == b'/') {
            return false;
        }
        ascii &= byte.is_ascii();
        before = byte;
    }
    before != b'/' && text.len() <= KEY_BYTES_MAX && (ascii || !text.chars().any(char::is_control))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A half-open stretch of keys, `from <= key < to`, both compared as raw bytes; the bounds need not be valid keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// First text that is inside.
    pub from: String,
    /// First text that is outside; `None` = to the end.
    pub to: Option<String>,
}

impl Range {
    /// Every key that starts with `prefix`.
    pub fn prefix(prefix: &str) -> Self {
        Self { from: prefix.to_owned(), to: successor(prefix) }
    }

    /// The rest of this range strictly after `key`.
    #[must_use]
    pub fn after(mut self, key: &str) -> Self {
        // No text stands between k and k‖NUL, and no key holds a NUL.
        self.from = format!("{key}\0");
        self
    }

    /// Does the range hold `key`.
    pub fn contains(&self, key: &str) -> bool {
        key >= self.from.as_str() && self.to.as_deref().is_none_or(|to| key < to)
    }
}

/// The least text greater than every text that starts with `prefix`.
fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let long = "k".repeat(KEY_BYTES_MAX);
        for good in ["a", "a/b", "ns/0/é/日", "a b", "~", long.as_str()] {
            assert!(Key::new(good).is_ok(), "{good}");
        }
        let longer = "k".repeat(KEY_BYTES_MAX + 1);
        for bad in ["", "/", "a/", "/a", "a//b", "a\nb", "a\0", "a\u{85}", longer.as_str()] {
            assert!(Key::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prefix_holds_exactly_what_starts_with_it() {
        let check = |prefix: &str, key: &str, expect: bool| {
            assert_eq!(Range::prefix(prefix).contains(key), expect, "{prefix} {key}");
        };
        check("a/", "a/", true);
        check("a/", "a/b", true);
        check("a/", "a/\u{10FFFF}x", true);
        check("a/", "a0", false);
        check("a/", "a", false);
        check("", "anything", true);
        check("a\u{10FFFF}", "a\u{10FFFF}b", true);
        check("a\u{10FFFF}", "b", false);
        check("\u{D7FF}", "\u{D7FF}z", true);
        check("\u{D7FF}", "\u{E000}", false);
    }

    #[test]
    fn after_excludes_the_key_itself() {
        let rest = Range::prefix("a/").after("a/b");
        assert!(!rest.contains("a/b"));
        assert!(rest.contains("a/b!"));
        assert!(rest.contains("a/b/c"));
        assert!(!rest.contains("a/a"));
    }
}
