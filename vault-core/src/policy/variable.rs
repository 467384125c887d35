//! Patterns with a hole: `secret/data/{{identity.entity.name}}/*` means another path for each who asks. Who asks is told
//! by a [`Resolver`]; until entities exist none is known, and then a rule that grants grants nothing, and one that denies
//! denies whatever could stand in the hole.

use super::pattern::Pattern;

/// Tells what stands for a variable of a template.
pub trait Resolver {
    /// The value of `identity.entity.id` and the like; `None` = who asks has no such thing.
    fn resolve(&self, variable: &str) -> Option<String>;
}

/// Nobody has an entity yet.
#[derive(Clone, Copy, Debug)]
pub struct NoEntities;

impl Resolver for NoEntities {
    fn resolve(&self, _: &str) -> Option<String> {
        None
    }
}

/// Where a variable may begin (Vault's names).
const ROOTS: [&str; 3] = ["identity.entity.", "identity.groups.ids.", "identity.groups.names."];

pub(super) fn is_template(pattern: &str) -> bool {
    pattern.contains("{{")
}

/// Refuses a pattern whose holes could never be filled.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    let mut rest = pattern;
    while let Some((_, hole)) = rest.split_once("{{") {
        let (name, after) = hole.split_once("}}").ok_or("'{{' is not closed by '}}'")?;
        let name = name.trim();
        if !ROOTS.iter().any(|root| name.len() > root.len() && name.starts_with(root)) {
            return Err(format!("{name:?} is no variable; they begin with {}", ROOTS.join(", ")));
        }
        rest = after;
    }
    if rest.contains("}}") { Err("'}}' without '{{'".to_owned()) } else { Ok(()) }
}

/// The pattern for who asks; none where something of it is not known.
pub(super) fn fill(pattern: &str, resolver: &dyn Resolver) -> Option<Pattern> {
    let mut known = true;
    let filled = replace(pattern, resolver, &mut |_, _| {
        known = false;
        None
    });
    filled.filter(|_| known).map(|filled| Pattern::new(&filled))
}

/// Where something is not known: a pattern that covers everything that could be meant.
pub(super) fn widen(pattern: &str, resolver: &dyn Resolver) -> Option<Pattern> {
    let mut holes = false;
    let widened = replace(pattern, resolver, &mut |before, after| {
        holes = true;
        is_whole_segment(before, after).then_some("+")
    })?;
    holes.then(|| Pattern::new(&widened))
}

/// Puts values into the holes. `unknown` is asked for what to put where there is none; if it has nothing either, any rest
/// is meant.
fn replace<'u>(
    pattern: &str,
    resolver: &dyn Resolver,
    unknown: &mut dyn FnMut(&str, &str) -> Option<&'u str>,
) -> Option<String> {
    let (mut filled, mut rest) = (String::new(), pattern);
    while let Some((before, hole)) = rest.split_once("{{") {
        let (name, after) = hole.split_once("}}")?;
        filled.push_str(before);
        // What a value holds must not become a wildcard or lead into another folder.
        match resolver.resolve(name.trim()).filter(|value| is_plain(value)) {
            Some(value) => filled.push_str(&value),
            None => match unknown(&filled, after) {
                Some(any) => filled.push_str(any),
                None => return Some(filled + "*"),
            },
        }
        rest = after;
    }
    Some(filled + rest)
}

fn is_plain(value: &str) -> bool {
    !value.is_empty() && !value.contains(['/', '*']) && value != "+" && value != "." && value != ".."
}

fn is_whole_segment(before: &str, after: &str) -> bool {
    (before.is_empty() || before.ends_with('/')) && (after.is_empty() || after.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Entity(&'static str);

    impl Resolver for Entity {
        fn resolve(&self, variable: &str) -> Option<String> {
            (variable == "identity.entity.name").then(|| self.0.to_owned())
        }
    }

    #[test]
    fn holes_are_filled() {
        let check = |pattern: &str, name: &'static str, expect: Option<&str>, wide: Option<&str>| {
            let (filled, widened) = (fill(pattern, &Entity(name)), widen(pattern, &Entity(name)));
            assert_eq!(filled.as_ref().map(Pattern::text), expect, "{pattern} {name}");
            assert_eq!(widened.as_ref().map(Pattern::text), wide, "{pattern} {name}");
        };
        let own = "secret/data/{{identity.entity.name}}/*";
        check(own, "alice", Some("secret/data/alice/*"), None);
        check("a/{{ identity.entity.name }}", "alice", Some("a/alice"), None);
        for hostile in ["", "a/b", "*", "a*", "+", ".."] {
            check(own, hostile, None, Some("secret/data/+/*"));
        }
        check("a/x-{{identity.entity.id}}/b", "alice", None, Some("a/x-*"));
        check("a/{{identity.entity.id}}", "alice", None, Some("a/+"));
        check("{{identity.entity.id}}/{{identity.entity.name}}", "alice", None, Some("+/alice"));
        assert!(fill(own, &NoEntities).is_none());
    }

    #[test]
    fn holes_that_cannot_be_filled_are_refused() {
        for good in
            ["a/b", "{{identity.entity.id}}", "a/{{identity.groups.names.ops.id}}/{{identity.entity.id}}"]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["{{identity.entity.id", "}}", "{{token.id}}", "{{}}", "{{identity.entity.}}", "a{{x}}b"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
