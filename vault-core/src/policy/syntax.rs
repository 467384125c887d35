//! From a policy's text to a tree of keys and values: HCL 1 and JSON alike, since the second is the first with other
//! punctuation. Written here because policies are in HCL **1**: the libraries read HCL 2, which refuses two blocks on a
//! line, quoted keys and other things that stand in people's policies; and because a key that stands twice must be seen
//! twice: of two rules for one path, the one that denies must not get lost.

use std::{iter::Peekable, str::CharIndices};

/// Nesting that a text may have: a policy needs four.
const DEPTH_MAX: usize = 16;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Keys and values, in their order, doubles included.
    Object(Vec<Item>),
    /// Several.
    List(Vec<Value>),
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

/// `key "label" … = value`, or the same without `=` where the value is an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// The key, and in HCL the labels behind it.
    pub(super) keys: Vec<String>,
    /// What it is set to.
    pub(super) value: Value,
    /// Where it stands, from 1.
    pub(super) line: usize,
}

/// Reads a whole text. The message of a refusal names the line.
pub(super) fn parse(text: &str) -> Result<Vec<Item>, String> {
    let mut parser = Parser { text, chars: text.char_indices().peekable(), line: 1, depth: 0 };
    parser.skip_blank()?;
    let items = match parser.peek() {
        Some('{') => parser.object()?,
        _ => parser.items(None)?,
    };
    parser.skip_blank()?;
    match parser.peek() {
        None => Ok(items),
        Some(other) => Err(parser.wrong(&format!("{other:?} after the end"))),
    }
}

struct Parser<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    line: usize,
    depth: usize,
}

impl Parser<'_> {
    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, next)| *next)
    }

    fn next(&mut self) -> Option<char> {
        let (_, next) = self.chars.next()?;
        self.line += usize::from(next == '\n');
        Some(next)
    }

    /// Takes this character if it is the next.
    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Blanks and comments: `#`, `//`, `/* */`.
    fn skip_blank(&mut self) -> Result<(), String> {
        loop {
            match self.peek() {
                Some(next) if next.is_whitespace() || next == '\u{feff}' => {
                    self.next();
                }
                Some('#') => self.skip_line(),
                Some('/') => {
                    self.next();
                    match self.next() {
                        Some('/') => self.skip_line(),
                        Some('*') => self.skip_comment()?,
                        _ => return Err(self.wrong("a lone '/'; a comment begins with '//' or '/*'")),
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|next| next != '\n') {
            self.next();
        }
    }

    fn skip_comment(&mut self) -> Result<(), String> {
        loop {
            match self.next() {
                Some('*') if self.peek() == Some('/') => {
                    self.next();
                    return Ok(());
                }
                Some(_) => {}
                None => return Err(self.wrong("a comment is not closed by '*/'")),
            }
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth >= DEPTH_MAX {
            return Err(self.wrong("nested too deep"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn object(&mut self) -> Result<Vec<Item>, String> {
        self.next();
        self.deeper(|parser| parser.items(Some('}')))
    }

    /// Keys with their values up to `end`, which is taken too.
    fn items(&mut self, end: Option<char>) -> Result<Vec<Item>, String> {
        let mut items = Vec::new();
        loop {
            self.skip_blank()?;
            match self.peek() {
                next if next == end => {
                    self.next();
                    return Ok(items);
                }
                None => return Err(self.wrong("'}' is missing")),
                Some(_) => items.push(self.item()?),
            }
            self.skip_blank()?;
            self.take(',');
        }
    }

    fn item(&mut self) -> Result<Item, String> {
        let line = self.line;
        let mut keys = vec![self.key()?];
        loop {
            self.skip_blank()?;
            match self.peek() {
                Some('=' | ':') => {
                    self.next();
                    self.skip_blank()?;
                    let value = self.value()?;
                    return Ok(Item { keys, value, line });
                }
                Some('{') => {
                    let value = Value::Object(self.object()?);
                    return Ok(Item { keys, value, line });
                }
                Some('"') => keys.push(self.quoted()?),
                _ => {
                    let key = keys.concat();
                    return Err(self.wrong(&format!("'=' or '{{' is missing after {key:?}")));
                }
            }
        }
    }

    fn key(&mut self) -> Result<String, String> {
        match self.peek() {
            Some('"') => self.quoted(),
            Some(first) if first.is_alphabetic() || first == '_' => Ok(self.word().to_owned()),
            Some(other) => Err(self.wrong(&format!("a name was expected, not {other:?}"))),
            None => Err(self.wrong("a name was expected")),
        }
    }

    /// Letters, digits and what numbers and names are made of.
    fn word(&mut self) -> &str {
        let at = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        let part = |next: char| next.is_alphanumeric() || matches!(next, '_' | '-' | '.' | '+');
        while self.peek().is_some_and(part) {
            self.next();
        }
        let end = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        &self.text[at..end]
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some('{') => Ok(Value::Object(self.object()?)),
            Some('[') => self.list(),
            Some('"') => Ok(Value::Text(self.quoted()?)),
            Some(_) => {
                match self.word() {
                    "true" => Ok(Value::Boolean(true)),
                    "false" => Ok(Value::Boolean(false)),
                    word => match word.parse::<f64>() {
                        Ok(number) if number.is_finite() => Ok(Value::Number(number)),
                        _ => Err(self
                            .wrong("a value was expected: a text in quotes, a number, a list or an object")),
                    },
                }
            }
            None => Err(self.wrong("a value was expected")),
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        self.next();
        self.deeper(|parser| {
            let mut values = Vec::new();
            loop {
                parser.skip_blank()?;
                if parser.take(']') {
                    return Ok(Value::List(values));
                }
                values.push(parser.value()?);
                parser.skip_blank()?;
                if !parser.take(',') && parser.peek() != Some(']') {
                    return Err(parser.wrong("',' or ']' is missing in a list"));
                }
            }
        })
    }

    fn quoted(&mut self) -> Result<String, String> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escaped()?),
                Some('\n') | None => return Err(self.wrong("a text is not closed by '\"' on its line")),
                Some(next) => text.push(next),
            }
        }
    }

    /// What follows a backslash (RFC 8259 §7).
    fn escaped(&mut self) -> Result<char, String> {
        match self.next() {
            Some(same @ ('"' | '\\' | '/')) => Ok(same),
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('u') => self.code_point(),
            _ => Err(self.wrong("an unknown escape in a text")),
        }
    }

    fn code_point(&mut self) -> Result<char, String> {
        let first = self.hex_digits()?;
        let code = match first {
            0xD800..=0xDBFF if self.take('\\') && self.take('u') => {
                let second = self.hex_digits()?;
                let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400);
                low.map_or(first, |low| 0x1_0000 + ((first - 0xD800) << 10) + low)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| self.wrong("an escape that is no character"))
    }

    fn hex_digits(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|digit| digit.to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.wrong("'\\u' needs four hex digits"))?;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(keys: &[&str], value: Value, line: usize) -> Item {
        Item { keys: keys.iter().map(|key| (*key).to_owned()).collect(), value, line }
    }

    fn texts(texts: &[&str]) -> Value {
        Value::List(texts.iter().map(|text| Value::Text((*text).to_owned())).collect())
    }

    #[test]
    fn hcl_and_json_say_the_same() {
        let rule = |line| item(&["capabilities"], texts(&["read", "list"]), line);
        let check = |text: &str, expect: Vec<Item>| assert_eq!(parse(text).unwrap(), expect, "{text}");
        let block = |first, second| vec![item(&["path", "a/*"], Value::Object(vec![rule(second)]), first)];
        check(r#"path "a/*" { capabilities = ["read", "list"] }"#, block(1, 1));
        check("path \"a/*\" {\n  capabilities = [\"read\",\n \"list\",]\n}\n", block(1, 2));
        check(r#""path" "a/*" = { "capabilities" = ["read" , "list"] }"#, block(1, 1));
        check(
            "# x\n// y\n/* z\n */ path \"a/*\" { # in\n capabilities = [\"read\", \"list\"] }",
            block(4, 5),
        );
        let json = Value::Object(vec![item(&["a/*"], Value::Object(vec![rule(1)]), 1)]);
        check(r#"{"path": {"a/*": {"capabilities": ["read", "list"]}}}"#, vec![item(&["path"], json, 1)]);
        check("", vec![]);
        check("{}", vec![]);
        check(
            "a = 1 b = true, c = \"x\\u00e9\\ud83d\\ude00\\n\"",
            vec![
                item(&["a"], Value::Number(1.0), 1),
                item(&["b"], Value::Boolean(true), 1),
                item(&["c"], Value::Text("xé😀\n".into()), 1),
            ],
        );
    }

    #[test]
    fn what_stands_twice_is_seen_twice() {
        let items = parse(r#"{"path": {"a": {}, "a": {}}}"#).unwrap();
        let Value::Object(paths) = &items[0].value else { panic!("{items:?}") };
        assert_eq!(paths.len(), 2);
    }

    #[test]
    fn refusals_name_the_line() {
        let check = |text: &str, expect: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("path \"a\" {\n", "line 2: '}' is missing");
        check("path \"a\"", "line 1: '=' or '{' is missing");
        check("\n\npath \"a {\n", "line 4: a text is not closed");
        check("a = nope", "a value was expected");
        check("a = [1 2]", "',' or ']'");
        check("a = \"\\q\"", "unknown escape");
        check("a = \"\\ud800\"", "no character");
        check("{} x", "after the end");
        check("/* x", "not closed by '*/'");
        check("a / b", "a lone '/'");
        check("= 1", "a name was expected");
        check(&"a { ".repeat(100), "nested too deep");
        check(&format!("a = {}", "[".repeat(100)), "nested too deep");
        check("a = 1e999", "a value was expected");
    }
}
