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

    /// The same of a name in parts, which are put together without an allocation of their own.
    pub fn join(parts: &[&str]) -> Result<Self, StoreError> {
        let (mut room, mut length) = ([0; KEY_BYTES_MAX], 0);
        for part in parts {
            let end = length + part.len();
            // Too long for a key, so there is room enough for an error.
            let Some(place) = room.get_mut(length..end) else { return Self::new(parts.concat()) };
            place.copy_from_slice(part.as_bytes());
            length = end;
        }
        // Never an error: texts that are put together are a text.
        Self::new(std::str::from_utf8(&room[..length]).unwrap_or_default())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Keys are made several times in every request, so a usual one, plain ASCII, is checked in passes without a branch, which a
/// processor makes of sixteen bytes at a time.
fn is_good(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() > KEY_BYTES_MAX || matches!(bytes, [] | [b'/', ..] | [.., b'/']) {
        return false;
    }
    let empty = bytes.iter().zip(&bytes[1..]).fold(false, |found, (a, b)| found | (*a == b'/' && *b == b'/'));
    let plain = bytes.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    !empty && (plain || !text.chars().any(char::is_control))
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
        let deep = format!("{}//{}", "k".repeat(40), "k".repeat(40));
        let control = format!("{}\u{7F}", "k".repeat(80));
        for bad in [
            "", "/", "//", "a/", "/a", "a//b", "a//", "a\nb", "\na", "a\0", "a\u{7F}", "a\u{85}", "é//b",
            "é\n", &deep, &control, &longer,
        ] {
            assert!(Key::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_make_the_same_key() {
        let long = "k".repeat(KEY_BYTES_MAX);
        let check = |parts: &[&str]| {
            let (joined, whole) = (Key::join(parts), Key::new(parts.concat()));
            assert_eq!(
                joined.map_err(|error| error.to_string()),
                whole.map_err(|error| error.to_string()),
                "{parts:?}"
            );
        };
        for parts in
            [&[][..], &[""], &["a"], &["a/", "", "é"], &["a/", "/b"], &["a", "/"], &[&long], &[&long, "k"]]
        {
            check(parts);
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
