//! Who may do what. One function decides for enforcement and for capabilities alike; today it knows the built-in
//! policies, and it is the seam where written ones are compiled in.

use crate::{
    Operation,
    token::{DEFAULT, Identity, ROOT, WRAPPING},
};

/// The identity and policy that serve the first seed's interface.
pub const SECRET_MANAGER: &str = "secret-manager";

/// What a policy may grant on a path (Vault's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Create what is not there.
    Create,
    /// Remove.
    Delete,
    /// See names.
    List,
    /// Merge into what is there.
    Patch,
    /// See values.
    Read,
    /// Paths that operate the vault itself.
    Sudo,
    /// Change what is there.
    Update,
}

impl Capability {
    /// Vault's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Read => "read",
            Self::Sudo => "sudo",
            Self::Update => "update",
        }
    }

    /// What an operation needs. A write needs `update`; where written policies tell create from update, they will
    /// ask the engine first.
    pub fn needed(operation: Operation) -> Self {
        match operation {
            Operation::Read => Self::Read,
            Operation::List => Self::List,
            Operation::Write => Self::Update,
            Operation::Patch => Self::Patch,
            Operation::Delete => Self::Delete,
        }
    }
}

/// What was decided, and by which rule; the rule stands in the audit record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// May it.
    pub allowed: bool,
    /// `policy` or `policy: path` of the rule that decided.
    pub rule: String,
}

/// One rule of a built-in policy: an exact path, or a prefix that ends with `*`.
struct Rule(&'static str, &'static [Capability]);

use Capability::{Create, Delete, List, Patch, Read, Update};

/// What Vault's own default policy lets every token do.
const DEFAULT_RULES: &[Rule] = &[
    Rule("auth/token/lookup-self", &[Read]),
    Rule("auth/token/renew-self", &[Update]),
    Rule("auth/token/revoke-self", &[Update]),
    Rule("sys/capabilities-self", &[Update]),
    Rule("sys/internal/ui/resultant-acl", &[Read]),
    Rule("sys/renew", &[Update]),
    Rule("sys/leases/renew", &[Update]),
    Rule("sys/leases/lookup", &[Update]),
    Rule("cubbyhole/*", &[Create, Read, Update, Patch, Delete, List]),
    Rule("sys/wrapping/wrap", &[Update]),
    Rule("sys/wrapping/lookup", &[Update]),
    Rule("sys/wrapping/unwrap", &[Update]),
    Rule("sys/tools/hash", &[Update]),
    Rule("sys/tools/hash/*", &[Update]),
];

/// A wrapping token takes its reply out, and can do nothing else.
const WRAPPING_RULES: &[Rule] =
    &[Rule("cubbyhole/response", &[Read]), Rule("sys/wrapping/unwrap", &[Update])];

const SECRET_MANAGER_RULES: &[Rule] = &[Rule("secret-manager/*", &[Create, Read, Update])];

fn rules_of(policy: &str) -> &'static [Rule] {
    match policy {
        DEFAULT => DEFAULT_RULES,
        SECRET_MANAGER => SECRET_MANAGER_RULES,
        WRAPPING => WRAPPING_RULES,
        _ => &[],
    }
}

/// A built-in policy as it would be written; `None` = there is no such policy. Root has no rules: it needs none.
pub fn text(policy: &str) -> Option<String> {
    let line = |Rule(path, grants): &Rule| {
        let words: Vec<String> = grants.iter().map(|grant| format!("{:?}", grant.as_str())).collect();
        format!("path \"{path}\" {{\n    capabilities = [{}]\n}}\n", words.join(", "))
    };
    match policy {
        ROOT => Some(String::new()),
        DEFAULT => Some(rules_of(policy).iter().map(line).collect::<Vec<_>>().join("\n")),
        _ => None,
    }
}

fn covers(rule: &str, path: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => rule == path,
    }
}

/// Decides one operation on one path. What no rule grants is denied.
pub fn evaluate(identity: &Identity, path: &str, operation: Operation, sudo: bool) -> Decision {
    if identity.is_root() {
        return Decision { allowed: true, rule: ROOT.to_owned() };
    }
    let needed = Capability::needed(operation);
    for policy in &identity.policies {
        for Rule(pattern, grants) in rules_of(policy) {
            let enough = grants.contains(&needed) && (!sudo || grants.contains(&Capability::Sudo));
            if enough && covers(pattern, path) {
                return Decision { allowed: true, rule: format!("{policy}: {pattern}") };
            }
        }
    }
    Decision { allowed: false, rule: "no rule grants it".to_owned() }
}

/// All that the policies grant on a path, sorted as Vault sorts them: `root`, or capabilities, or `deny`.
pub fn capabilities(policies: &[String], path: &str) -> Vec<&'static str> {
    if policies.iter().any(|policy| policy == ROOT) {
        return vec![ROOT];
    }
    let rules =
        policies.iter().flat_map(|policy| rules_of(policy)).filter(|Rule(pattern, _)| covers(pattern, path));
    let mut granted: Vec<&'static str> =
        rules.flat_map(|Rule(_, grants)| *grants).map(|one| one.as_str()).collect();
    granted.sort_unstable();
    granted.dedup();
    if granted.is_empty() { vec!["deny"] } else { granted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(policies: &[&str]) -> Identity {
        let policies = policies.iter().map(|policy| (*policy).to_owned()).collect();
        Identity { policies, ..Identity::built_in("test") }
    }

    #[test]
    fn decides() {
        let check = |policies: &[&str], path: &str, operation: Operation, sudo: bool, expect: bool| {
            let decision = evaluate(&holder(policies), path, operation, sudo);
            assert_eq!(decision.allowed, expect, "{policies:?} {operation:?} {path}");
        };
        check(&["root"], "sys/seal", Operation::Write, true, true);
        check(&["default"], "sys/seal", Operation::Write, true, false);
        check(&["default"], "secret/data/a", Operation::Read, false, false);
        check(&["default"], "auth/token/lookup-self", Operation::Read, false, true);
        check(&["default"], "auth/token/lookup-self", Operation::Write, false, false);
        check(&["default"], "auth/token/lookup-selfie", Operation::Read, false, false);
        check(&["default"], "cubbyhole/a/b", Operation::Delete, false, true);
        check(&["default"], "cubbyhole", Operation::Delete, false, false);
        check(&[], "cubbyhole/a", Operation::Read, false, false);
        check(&["unknown"], "cubbyhole/a", Operation::Read, false, false);
        check(&[SECRET_MANAGER], "secret-manager/create", Operation::Write, false, true);
        check(&[SECRET_MANAGER], "secret/data/a", Operation::Read, false, false);
        check(&[WRAPPING], "cubbyhole/response", Operation::Read, false, true);
        check(&[WRAPPING], "cubbyhole/response", Operation::Write, false, false);
        check(&[WRAPPING], "cubbyhole/other", Operation::Read, false, false);
        check(&[WRAPPING], "auth/token/lookup-self", Operation::Read, false, false);
        check(&["default"], "secret-manager/create", Operation::Write, false, false);
    }

    #[test]
    fn tells_capabilities() {
        let check = |policies: &[&str], path: &str, expect: &[&str]| {
            assert_eq!(capabilities(&holder(policies).policies, path), expect, "{policies:?} {path}");
        };
        check(&["root", "default"], "x", &["root"]);
        check(&["default"], "x", &["deny"]);
        check(&["default"], "auth/token/lookup-self", &["read"]);
        check(&["default"], "cubbyhole/x", &["create", "delete", "list", "patch", "read", "update"]);
    }
}
