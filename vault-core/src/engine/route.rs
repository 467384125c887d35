//! [`Route`]: one row of an engine's table. Routing, OpenAPI, the authz test, CLI help and the list of unknown
//! fields all come from this one row.

use super::Call;
use crate::{Operation, Reply, cx::Cx, error::Error};
use futures::future::BoxFuture;
use std::fmt;

/// Serves a route. Write an `async fn serve(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error>` and put
/// `|cx, call| Box::pin(serve(cx, call))` into the table.
pub type Handler = for<'a> fn(&'a mut Cx, Call<'a>) -> BoxFuture<'a, Result<Reply, Error>>;

/// Who may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, at any time, and it is never audited: what load balancers ask every second.
    Probe,
    /// Anybody, also on a sealed vault; the handler itself decides what a stranger may see.
    Open,
    /// Anybody, once the vault is unsealed (a login).
    Login,
    /// Who holds a good token that a policy lets through.
    Token,
    /// The same, and the policy must grant `sudo`.
    Sudo,
    /// The same again; and anybody where the operator has switched Vault's unauthenticated ceremonies on.
    Ceremony,
}

/// What a field holds; parsing is lenient as Vault's is (`"7"` is 7, `"1h"` is 3600 seconds, `"a,b"` is a list).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A duration: seconds, or a text such as `30m`.
    Seconds,
    /// A list.
    List,
    /// An object.
    Map,
    /// Anything at all.
    Any,
    /// A protection that we do not have yet: a request that asks for it is refused, never served without.
    Refused,
}

/// One field of a request: in the path if the pattern names it, else in the query (read, list, delete) or the body.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// What it means, for people.
    pub summary: &'static str,
}

impl Field {
    /// A row for a route's table.
    pub const fn new(name: &'static str, kind: FieldKind, summary: &'static str) -> Self {
        Self { name, kind, summary }
    }
}

/// Body fields are the caller's own (KV v1, cubbyhole): none is unknown.
pub const FREE: &[Field] = &[Field::new("*", FieldKind::Any, "Any fields; they are the secret.")];

/// One row.
#[derive(Clone, Copy)]
pub struct Route {
    /// What it serves.
    pub operation: Operation,
    /// Below the mount: literal segments, `{name}` for one segment, and `{name*}` for all the rest: last it may be
    /// empty; before a literal, as in `mounts/{path*}/tune`, it is all up to that.
    pub pattern: &'static str,
    /// Who may come.
    pub access: Access,
    /// One sentence.
    pub summary: &'static str,
    /// Fields of query and body.
    pub fields: &'static [Field],
    /// A body (or query) that works, as a JSON object.
    pub example: &'static str,
    /// Serves it.
    pub handler: Handler,
}

impl Route {
    /// Does the pattern match, and what do its names stand for.
    pub fn matches<'p>(&self, path: &'p str) -> Option<Params<'p>> {
        let mut params = Params::default();
        let (mut pattern, mut path) = (self.pattern, path);
        loop {
            let (part, pattern_rest) = split(pattern);
            if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix("*}")) {
                let rest = match pattern_rest {
                    None => path,
                    Some(end) => path.strip_suffix(end)?.strip_suffix('/')?,
                };
                params.push(name, rest);
                return Some(params);
            }
            let (segment, path_rest) = split(path);
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(_) if segment.is_empty() => return None,
                Some(name) => params.push(name, segment),
                None if part == segment => {}
                None => return None,
            }
            match (pattern_rest, path_rest) {
                (None, None) => return Some(params),
                // `data/{path*}` also matches `data`: the rest is empty.
                (Some(rest), None) if rest.starts_with('{') && rest.ends_with("*}") => {
                    params.push(&rest[1..rest.len() - 2], "");
                    return Some(params);
                }
                (Some(a), Some(b)) => (pattern, path) = (a, b),
                _ => return None,
            }
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation.as_str(), self.pattern)
    }
}

/// A row for who holds a token that a policy lets through.
pub(crate) const fn row(
    operation: Operation,
    pattern: &'static str,
    summary: &'static str,
    fields: &'static [Field],
    example: &'static str,
    handler: Handler,
) -> Route {
    Route { operation, pattern, access: Access::Token, summary, fields, example, handler }
}

/// How many rows some tables have together.
pub(crate) const fn rows(tables: &[&[Route]]) -> usize {
    let (mut sum, mut table) = (0, 0);
    while table < tables.len() {
        sum += tables[table].len();
        table += 1;
    }
    sum
}

/// Several tables as one, in their order: an engine that is large has a table a file.
pub(crate) const fn joined<const ROWS: usize>(tables: &[&[Route]]) -> [Route; ROWS] {
    let mut all = [tables[0][0]; ROWS];
    let (mut at, mut table) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            all[at] = tables[table][row];
            at += 1;
            row += 1;
        }
        table += 1;
    }
    all
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    }
}

/// What the names of a pattern stand for in one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'p>([(&'static str, &'p str); 3], usize);

impl<'p> Params<'p> {
    fn push(&mut self, name: &'static str, value: &'p str) {
        debug_assert!(self.1 < self.0.len(), "a pattern has at most three names");
        if let Some(slot) = self.0.get_mut(self.1) {
            *slot = (name, value);
            self.1 += 1;
        }
    }

    /// The value of a name; empty if the pattern has no such name.
    pub fn of(&self, name: &str) -> &'p str {
        self.0[..self.1].iter().find(|(have, _)| *have == name).map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(pattern: &'static str) -> Route {
        let handler: Handler = |_, _| Box::pin(async { Ok(Reply::empty()) });
        let (operation, access) = (Operation::Read, Access::Token);
        Route { operation, pattern, access, summary: "", fields: &[], example: "{}", handler }
    }

    #[test]
    fn patterns_match_whole_paths() {
        let check = |pattern: &'static str, path: &str, expect: Option<(&str, &str)>| {
            let route = route(pattern);
            let params = route.matches(path);
            assert_eq!(params.is_some(), expect.is_some(), "{pattern} {path}");
            if let (Some(params), Some((name, value))) = (params, expect) {
                assert_eq!(params.of(name), value, "{pattern} {path}");
            }
        };
        check("health", "health", Some(("", "")));
        check("health", "health/x", None);
        check("health", "healthy", None);
        check("mounts/{path}", "mounts/kv", Some(("path", "kv")));
        check("mounts/{path}", "mounts/", None);
        check("mounts/{path}", "mounts/kv/tune", None);
        check("mounts/{path}/tune", "mounts/kv/tune", Some(("path", "kv")));
        check("data/{path*}", "data/a/b", Some(("path", "a/b")));
        check("data/{path*}", "data/", Some(("path", "")));
        check("data/{path*}", "data", Some(("path", "")));
        check("data/{path*}", "database", None);
        check("mounts/{path*}/tune", "mounts/a/b/tune", Some(("path", "a/b")));
        check("mounts/{path*}/tune", "mounts/tune", None);
        check("mounts/{path*}/tune", "mounts/a/tuned", None);
        check("mounts/{path*}/tune", "mounts/a", None);
        check("mounts/{path*}/tune", "mounts", None);
        check("{path*}", "", Some(("path", "")));
        check("{path*}", "a/b/", Some(("path", "a/b/")));
    }
}
