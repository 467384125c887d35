//! [`Statement`]: what is sent to the server: one message, which is one transaction and one round trip.
//!
//! Values are written into the text, as literals. That is on purpose. A prepared statement lives in a session, and
//! behind a pooler that shares sessions by the transaction (PgBouncer) the next message may meet another session, where
//! the statement is missing or is somebody else's. A *simple query* relies on nothing that came before it: its settings
//! are `SET LOCAL` in the same message, so they hold with or without a pooler and end with it. What planning each time
//! costs, functions that keep their plans (`migrations/`) save for the commit, the only statement that is not trivial.
//!
//! Literals are safe by construction: bytes are hexadecimal digits, and text is an `E''` literal, in which a backslash
//! and a quote are the only signs that mean anything, whatever `standard_conforming_strings` is. A NUL, which no text of
//! PostgreSQL can hold and which would end the message, becomes U+FFFD.

use std::{fmt::Write, time::Duration};

/// A value in a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A message in the making.
#[derive(Debug)]
pub(super) struct Statement {
    text: String,
}

impl Statement {
    /// A statement that the server gives up after so long, and that no standby answers: what it shows may be older than
    /// what was acknowledged, and it refuses to be made writable.
    pub(super) fn within(limit: Duration) -> Self {
        let limit = limit.as_millis();
        let text = format!("SET LOCAL transaction_read_only=off;SET LOCAL statement_timeout={limit};");
        Self { text }
    }

    /// The same, whose changes are on disk, and on the synchronous standbys' disks, before it is answered, whatever the
    /// role or the database have set; and that waits for a lock at most so long.
    pub(super) fn durable(mut self, lock: Duration) -> Self {
        // Writing to a string cannot fail, here and below.
        let _ =
            write!(self.text, "SET LOCAL synchronous_commit=on;SET LOCAL lock_timeout={};", lock.as_millis());
        self
    }

    /// Inside of a transaction that was begun before, which has its own settings.
    pub(super) fn inside() -> Self {
        Self { text: String::new() }
    }

    /// Adds text of ours: never anything from outside.
    pub(super) fn sql(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value.
    pub(super) fn value(mut self, value: Value<'_>) -> Self {
        match value {
            Value::Null => self.text.push_str("NULL"),
            Value::Int(number) => drop(write!(self.text, "({number})")),
            Value::Text(text) => {
                self.text.push_str("E'");
                text.chars().for_each(|c| self.push_quoted(c, 1));
                self.text.push('\'');
            }
            Value::Bytes(bytes) => {
                self.text.push_str("E'\\\\x");
                self.push_hex(bytes);
                self.text.push_str("'::bytea");
            }
        }
        self
    }

    /// Adds an array of one type; `kind` is its name, as in `text[]`.
    pub(super) fn array<'a>(mut self, kind: &'static str, values: impl Iterator<Item = Value<'a>>) -> Self {
        self.text.push_str("E'{");
        for (at, value) in values.enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            match value {
                Value::Null => self.text.push_str("NULL"),
                Value::Int(number) => drop(write!(self.text, "{number}")),
                Value::Text(text) => {
                    self.text.push('"');
                    text.chars().for_each(|c| self.push_quoted(c, 2));
                    self.text.push('"');
                }
                Value::Bytes(bytes) => {
                    self.text.push_str("\"\\\\\\\\x");
                    self.push_hex(bytes);
                    self.text.push('"');
                }
            }
        }
        self.text.push_str("}'::");
        self.text.push_str(kind);
        self
    }

    /// The message.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A sign inside a literal (depth 1), or inside a quoted element of an array inside a literal (depth 2).
    fn push_quoted(&mut self, sign: char, depth: u8) {
        match (sign, depth) {
            ('\0', _) => self.text.push('\u{FFFD}'),
            ('\'', _) => self.text.push_str("''"),
            ('\\', 1) => self.text.push_str("\\\\"),
            ('\\', _) => self.text.push_str("\\\\\\\\"),
            ('"', 2) => self.text.push_str("\\\\\""),
            _ => self.text.push(sign),
        }
    }

    fn push_hex(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.text.reserve(bytes.len() * 2);
        for byte in bytes {
            self.text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            self.text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// A count or a number of the core, as PostgreSQL's largest integer has it.
pub(super) fn number(number: impl TryInto<i64>) -> Value<'static> {
    Value::Int(number.try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        let check = |value: Value<'_>, alone: &str, in_array: &str| {
            assert_eq!(Statement::inside().value(value).into_text(), alone);
            let array = Statement::inside().array("t[]", [value].into_iter()).into_text();
            assert_eq!(array, format!("E'{{{in_array}}}'::t[]"));
        };
        check(Value::Null, "NULL", "NULL");
        check(Value::Int(-7), "(-7)", "-7");
        check(Value::Text("a'b"), "E'a''b'", "\"a''b\"");
        check(Value::Text(r#"a\"b"#), r#"E'a\\"b'"#, r#""a\\\\\\"b""#);
        check(Value::Text("a\0é"), "E'a\u{FFFD}é'", "\"a\u{FFFD}é\"");
        check(Value::Bytes(&[0, 0xab]), r"E'\\x00ab'::bytea", r#""\\\\x00ab""#);
    }
}
