//! What commands take in: `key=value`, `key=@file`, `key=-`, a whole JSON object, and secrets from prompt or stdin.

use crate::failure::Failure;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::Path,
};
use zeroize::Zeroizing;

/// Bytes read from stdin or a file at most: more could not be sent anyhow.
const INPUT_BYTES_MAX: u64 = secrethub::core::limits::BODY_BYTES_MAX as u64;

/// The fields that arguments spell:
///
/// | argument | field |
/// |---|---|
/// | `k=v` | the text `v` |
/// | `k=@FILE` | the text of a file, whole |
/// | `k=-` | the text of stdin, whole |
/// | `k=\@v`, `k=\-` | the text `@v`, `-` |
/// | `@FILE`, `-` | all fields of a JSON object |
///
/// A key given twice becomes a list, as Vault has it.
pub(crate) fn fields(args: &[String]) -> Result<Map<String, Value>, Failure> {
    fields_from(args, &mut io::stdin().lock())
}

fn fields_from(args: &[String], stdin: &mut dyn Read) -> Result<Map<String, Value>, Failure> {
    let mut fields = Map::new();
    let from_stdin = |arg: &&String| *arg == "-" || arg.ends_with("=-");
    if args.iter().filter(from_stdin).count() > 1 {
        return Err(
            Failure::local("stdin can be read only once").hint("take the others from files: key=@FILE")
        );
    }
    for arg in args {
        match arg.split_once('=') {
            _ if arg == "-" => fields.extend(object(&text_of(stdin, "stdin")?, "stdin")?),
            None if arg.starts_with('@') => fields.extend(object(&file(&arg[1..])?, &arg[1..])?),
            Some((key, value)) if !key.is_empty() => insert(&mut fields, key, value_of(value, stdin)?),
            _ => {
                let hint = "write key=value, key=@FILE or key=- (from stdin)";
                return Err(Failure::local("an argument is not a field").hint(hint));
            }
        }
    }
    Ok(fields)
}

fn value_of(value: &str, stdin: &mut dyn Read) -> Result<String, Failure> {
    match value.strip_prefix('@') {
        Some(path) => file(path),
        None if value == "-" => text_of(stdin, "stdin"),
        None => Ok(value
            .strip_prefix('\\')
            .filter(|rest| rest.starts_with(['@', '-']))
            .unwrap_or(value)
            .to_owned()),
    }
}

fn insert(fields: &mut Map<String, Value>, key: &str, value: String) {
    let value = Value::String(value);
    match fields.get_mut(key) {
        None => drop(fields.insert(key.to_owned(), value)),
        Some(Value::Array(items)) => items.push(value),
        Some(one) => *one = Value::Array(vec![one.take(), value]),
    }
}

fn object(text: &str, name: &str) -> Result<Map<String, Value>, Failure> {
    // The parser's own message could repeat a part of a secret.
    serde_json::from_str(text).map_err(|error| {
        Failure::local(format!(
            "{name} is not a JSON object (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}

/// A file's text.
pub(crate) fn file(path: &str) -> Result<String, Failure> {
    let mut file = fs::File::open(Path::new(path)).map_err(|error| Failure::from(error).about(path))?;
    text_of(&mut file, path)
}

fn text_of(source: &mut dyn Read, name: &str) -> Result<String, Failure> {
    let bytes = bytes_of(source, name)?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::local(format!("{name} is not UTF-8 text"))
            .hint("encode it first (base64), or store it by: secrethub secret create")
    })
}

/// All bytes of a source, up to what one request can carry.
pub(crate) fn bytes_of(source: &mut dyn Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = INPUT_BYTES_MAX;
    let read =
        source.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Failure::from(error).about(name))?;
    match u64::try_from(read) {
        Ok(read) if read <= limit => Ok(bytes),
        _ => Err(Failure::local(format!("{name} is larger than {limit} bytes"))),
    }
}

/// A secret: asked for without echo at a terminal, else one line of stdin.
pub(crate) fn secret(prompt: &str) -> Result<SecretString, Failure> {
    let text = if io::stdin().is_terminal() {
        Zeroizing::new(rpassword::prompt_password(prompt)?)
    } else {
        let mut line = Zeroizing::new(String::new());
        io::stdin().read_line(&mut line)?;
        line
    };
    match text.trim() {
        "" => Err(Failure::local("nothing was given").hint("type it at the prompt, or pipe it into stdin")),
        text => Ok(text.into()),
    }
}

/// A secret that is to be made: at a terminal asked for twice, so that a slip is noticed while it is harmless.
pub(crate) fn new_secret(prompt: &str, again: &str) -> Result<SecretString, Failure> {
    let first = secret(prompt)?;
    // EXPOSE: compared with what the same person has typed; nobody can time it.
    if io::stdin().is_terminal() && secret(again)?.expose_secret() != first.expose_secret() {
        return Err(Failure::local("the two differ; nothing was done").hint("try again"));
    }
    Ok(first)
}

/// A secret given as an argument only by reference: `-` is stdin, `@FILE` a file, nothing the prompt.
pub(crate) fn secret_by(reference: Option<&str>, prompt: &str) -> Result<SecretString, Failure> {
    match reference {
        None | Some("-") => secret(prompt),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => Ok(Zeroizing::new(file(path)?).trim().into()),
            None => Ok(text.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(args: &[&str], stdin: &str) -> Result<Value, String> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let fields = fields_from(&args, &mut stdin.as_bytes());
        fields.map(Value::Object).map_err(|failure| failure.to_string())
    }

    #[test]
    fn arguments_become_fields() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.display().to_string()
        };
        let (text, json) = (write("a.txt", b"line\n"), write("a.json", br#"{"n": 1, "k": "x"}"#));
        let check = |args: &[&str], stdin: &str, expect: Value| {
            assert_eq!(parse(args, stdin).unwrap(), expect, "{args:?}");
        };
        check(&[], "", json!({}));
        check(&["k=v", "e=", "q=a=b"], "", json!({"k": "v", "e": "", "q": "a=b"}));
        check(&["k=-"], "from stdin\n", json!({"k": "from stdin\n"}));
        check(&[&format!("k=@{text}")], "", json!({"k": "line\n"}));
        check(&[&format!("@{json}"), "k=v"], "", json!({"n": 1, "k": ["x", "v"]}));
        check(&["-"], r#"{"a": {"b": true}}"#, json!({"a": {"b": true}}));
        check(&[r"k=\@v", r"l=\-", r"m=\n"], "", json!({"k": "@v", "l": "-", "m": r"\n"}));
        check(&["k=1", "k=2", "k=3"], "", json!({"k": ["1", "2", "3"]}));
    }

    #[test]
    fn bad_arguments_say_what_to_write_and_repeat_nothing() {
        let check = |args: &[&str], stdin: &str, part: &str| {
            let error = parse(args, stdin).unwrap_err();
            assert!(error.contains(part) && !error.contains("hunter2"), "{args:?}: {error}");
        };
        check(&["hunter2"], "", "key=value");
        check(&["=hunter2"], "", "key=value");
        check(&["a=-", "b=-"], "hunter2", "only once");
        check(&["-"], "hunter2", "not a JSON object");
        check(&["-"], "[\"hunter2\"]", "not a JSON object");
        check(&["k=@/nonexistent/file"], "", "/nonexistent/file");
        assert!(
            fields_from(&["k=-".into()], &mut [0xff_u8].as_slice())
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
    }
}
