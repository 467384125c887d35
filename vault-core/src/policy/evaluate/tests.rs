//! What the evaluator decides, in rows; and what must hold of it whatever the policies and the request.

use super::*;
use crate::{policy::Policy, token::Token};
use proptest::prelude::*;

/// A vault with these policies, in the order of their letters, and somebody whose token names them all.
fn house(texts: &[&str]) -> (Policies, Identity) {
    let mut policies = Policies::built_in();
    let mut names = Vec::new();
    for (letter, text) in ('a'..).zip(texts) {
        let name = letter.to_string();
        policies.add(Policy::parse(&name, text).unwrap().0);
        names.push(name);
    }
    (policies, Identity { policies: names, ..Identity::built_in("test") })
}

fn ask<'q>(path: &'q str, operation: Operation) -> Question<'q> {
    let secret = path.strip_prefix("secret/data/");
    Question {
        path,
        operation,
        exists: None,
        sudo: false,
        subject: secret.map(|secret| Subject::of("secret", secret, operation)),
        fields: None,
        wrap_ttl: None,
        facts: Facts::default(),
    }
}

const READ: &str = r#"path "secret/data/*" { capabilities = ["read"] }"#;

#[test]
fn rules_on_paths() {
    let check = |texts: &[&str], path: &str, operation: Operation, expect: bool, reason: &str| {
        let (policies, identity) = house(texts);
        let decision = policies.evaluate(&identity, &ask(path, operation));
        assert_eq!(decision.allowed, expect, "{texts:?} {operation:?} {path}");
        let sentence = decision.reason.sentence(Capability::needed(operation, None));
        assert!(sentence.contains(reason), "{sentence}");
    };
    use Operation::{Delete, List, Read, Write};
    check(&[], "secret/data/a", Read, false, "no rule of the token's policies grants read");
    check(&[READ], "secret/data/a", Read, true, r#"rule "a: secret/data/*" grants read"#);
    check(
        &[READ],
        "secret/data/a",
        Write,
        false,
        "is the most exact for this path and does not grant update",
    );
    check(&[READ], "secret/metadata/a", Read, false, "no rule");
    // The most exact pattern decides, of whichever policy.
    let none = r#"path "secret/data/x" { capabilities = ["delete"] }"#;
    check(&[READ, none], "secret/data/x", Read, false, r#"rule "b: secret/data/x""#);
    check(&[READ, none], "secret/data/x", Delete, true, "grants delete");
    // Rules for one pattern count together, and a refusal among them stands.
    let write = r#"path "secret/data/*" { capabilities = ["update"] }"#;
    let deny = r#"path "secret/data/*" { capabilities = ["deny"] }"#;
    check(&[READ, write], "secret/data/x", Write, true, "grants update");
    check(&[READ, write, deny], "secret/data/x", Read, false, r#"rule "c: secret/data/*" denies it"#);
    check(&[deny, READ], "secret/data/x", Read, false, "denies it");
    let exact = r#"path "secret/data/x" { capabilities = ["read"] }"#;
    check(&[deny, exact], "secret/data/x", Read, true, "grants read");
    let list = r#"path "secret/metadata/a" { capabilities = ["list"] }"#;
    check(&[list], "secret/metadata/a/", List, true, "grants list");
    check(&[list], "secret/metadata/a", List, true, "grants list");
    check(&[list], "secret/metadata/a/b/", List, false, "no rule");
}

#[test]
fn creating_and_changing_differ() {
    let check = |grants: &str, exists: Option<bool>, expect: bool| {
        let (policies, identity) = house(&[&format!(r#"path "a" {{ capabilities = ["{grants}"] }}"#)]);
        let question = Question { exists, ..ask("a", Operation::Write) };
        assert_eq!(policies.evaluate(&identity, &question).allowed, expect, "{grants} {exists:?}");
    };
    check("create", Some(false), true);
    check("create", Some(true), false);
    check("create", None, false);
    check("update", Some(false), false);
    check("update", Some(true), true);
    check("update", None, true);
}

#[test]
fn sudo_is_asked_beside_the_operation() {
    let check = |grants: &str, sudo: bool, expect: bool, has: bool| {
        let (policies, identity) = house(&[&format!(r#"path "sys/seal" {{ capabilities = [{grants}] }}"#)]);
        let decision = policies.evaluate(&identity, &Question { sudo, ..ask("sys/seal", Operation::Write) });
        assert_eq!((decision.allowed, decision.sudo), (expect, has), "{grants} {sudo}");
    };
    check(r#""update""#, false, true, false);
    check(r#""update""#, true, false, false);
    check(r#""sudo""#, true, false, false);
    check(r#""update", "sudo""#, true, true, true);
}

#[test]
fn conditions_narrow_and_do_not_open_what_is_behind() {
    let near = Facts { address: Some("10.0.0.1".parse().unwrap()), ..Facts::default() };
    let far = Facts { address: Some("192.0.2.1".parse().unwrap()), ..Facts::default() };
    let check = |texts: &[&str], facts: Facts, expect: bool| {
        let (policies, identity) = house(texts);
        let question = Question { facts, ..ask("secret/data/prod/x", Operation::Read) };
        assert_eq!(policies.evaluate(&identity, &question).allowed, expect, "{texts:?} {facts:?}");
    };
    let inside =
        r#"path "secret/data/prod/*" { capabilities = ["read"] conditions { ip_ranges = ["10.0.0.0/8"] } }"#;
    check(&[inside], near, true);
    check(&[inside], far, false);
    check(&[inside], Facts::default(), false);
    // A wider rule does not stand in for the exact one whose condition fails.
    check(&[READ, inside], far, false);
    // Another rule for the same pattern does.
    check(&[inside, r#"path "secret/data/prod/*" { capabilities = ["read"] }"#], far, true);
    let keep_out = r#"path "secret/data/prod/*" { capabilities = ["deny"] conditions { ip_ranges = ["192.0.2.0/24"] } }"#;
    check(&[r#"path "secret/data/prod/*" { capabilities = ["read"] }"#, keep_out], near, true);
    check(&[r#"path "secret/data/prod/*" { capabilities = ["read"] }"#, keep_out], far, false);
    // A refusal that cannot be judged is in force.
    check(&[r#"path "secret/data/prod/*" { capabilities = ["read"] }"#, keep_out], Facts::default(), false);
}

#[test]
fn documents() {
    let near = Facts { address: Some("10.0.0.1".parse().unwrap()), ..Facts::default() };
    let check = |texts: &[&str], operation: Operation, facts: Facts, expect: bool| {
        let (policies, identity) = house(texts);
        let question = Question { facts, ..ask("secret/data/prod/db", operation) };
        assert_eq!(policies.evaluate(&identity, &question).allowed, expect, "{texts:?} {operation:?}");
    };
    let (read, write) = (Operation::Read, Operation::Write);
    let all = r#"{"allowed_secrets": ["prod.*"], "allowed_operations": ["read", "write"]}"#;
    check(&[all], read, near, true);
    check(&[all], write, near, true);
    check(&[all], Operation::Delete, near, false);
    let deny = r#"{"allowed_secrets": ["prod.**"], "allowed_operations": ["write"], "deny_policy": true}"#;
    check(&[all, deny], write, near, false);
    check(&[all, deny], read, near, true);
    // A document that denies stands above every rule on paths.
    let path = r#"path "secret/data/prod/db" { capabilities = ["update", "read"] }"#;
    check(&[path, deny], write, near, false);
    check(&[path, deny], read, near, true);
    // A rule on paths that denies stands above a document that allows.
    check(&[all, r#"path "secret/data/prod/*" { capabilities = ["deny"] }"#], read, near, false);
    let inside = r#"{"allowed_secrets": ["prod.*"], "conditions": {"ip_ranges": ["10.0.0.0/8"]}}"#;
    check(&[inside], read, near, true);
    check(&[inside], read, Facts::default(), false);
    let (policies, identity) = house(&[r#"{"allowed_secrets": ["**"], "allowed_operations": ["write"]}"#]);
    assert!(!policies.evaluate(&identity, &ask("sys/seal", write)).allowed, "no secret");
}

#[test]
fn bindings_attach_and_withhold() {
    let bound = r#"{"allowed_secrets": ["prod.*"], "entity_bindings": ["app-1"]}"#;
    let path = r#"entity_bindings = ["app-1"] path "secret/data/prod/*" { capabilities = ["read"] }"#;
    for text in [bound, path] {
        let check = |entities: &[&str], named: bool, expect: bool| {
            let (policies, mut identity) = house(&[text]);
            identity.entities = entities.iter().map(|entity| (*entity).to_owned()).collect();
            if !named {
                identity.policies.clear();
            }
            let question = ask("secret/data/prod/db", Operation::Read);
            assert_eq!(
                policies.evaluate(&identity, &question).allowed,
                expect,
                "{text} {entities:?} {named}"
            );
        };
        check(&["app-1"], false, true);
        check(&["app-1"], true, true);
        check(&["app-2"], true, false);
        check(&[], true, false);
        check(&["app-2", "app-1"], false, true);
    }
}

#[test]
fn what_cannot_be_read_denies_everything() {
    let (mut policies, identity) = house(&[READ, READ]);
    policies.add(Policy::broken("b", "?"));
    let decision = policies.evaluate(&identity, &ask("secret/data/a", Operation::Read));
    assert_eq!(decision.reason, Reason::Broken("b"));
    let root = Identity { policies: vec!["root".into(), "b".into()], ..identity };
    assert!(policies.evaluate(&root, &ask("secret/data/a", Operation::Read)).allowed);
}

#[test]
fn templates_grant_nothing_to_nobody_and_deny_as_widely_as_they_could() {
    let check = |texts: &[&str], path: &str, expect: bool| {
        let (policies, identity) = house(texts);
        assert_eq!(
            policies.evaluate(&identity, &ask(path, Operation::Read)).allowed,
            expect,
            "{texts:?} {path}"
        );
    };
    let own = r#"path "secret/data/{{identity.entity.name}}/*" { capabilities = ["read"] }"#;
    check(&[own], "secret/data/alice/x", false);
    let keep_out = r#"path "secret/data/{{identity.entity.name}}/*" { capabilities = ["deny"] }"#;
    check(&[READ, keep_out], "secret/data/alice/x", false);
    check(&[READ, keep_out], "secret/data/alice", true);
}

#[test]
fn parameters_count_with_the_rule_that_grants() {
    let check = |fields: Value, wrap: Option<u64>, expect: bool| {
        let text = r#"path "secret/data/*" { capabilities = ["update"] allowed_parameters = { "data" = [] } max_wrapping_ttl = "2m" }"#;
        let (policies, identity) = house(&[text]);
        let Value::Object(fields) = fields else { panic!("an object") };
        let wrap_ttl = wrap.map(Duration::from_secs);
        let question = Question { fields: Some(&fields), wrap_ttl, ..ask("secret/data/a", Operation::Write) };
        assert_eq!(policies.evaluate(&identity, &question).allowed, expect, "{fields:?} {wrap:?}");
    };
    check(serde_json::json!({"data": {}}), Some(60), true);
    check(serde_json::json!({"data": {}}), None, false);
    check(serde_json::json!({"data": {}, "options": {}}), Some(60), false);
}

#[test]
fn rights_tell_what_would_be_allowed() {
    let check = |texts: &[&str], path: &str, expect: &[&str]| {
        let (policies, identity) = house(texts);
        let subject = |operation| ask(path, operation).subject;
        assert_eq!(
            policies.rights(&identity, path, &subject, Facts::default()).words(),
            expect,
            "{texts:?} {path}"
        );
    };
    check(&[READ], "secret/data/a", &["read"]);
    check(&[READ], "x", &["deny"]);
    check(&[r#"path "a" { capabilities = ["create", "sudo"] }"#], "a", &["create", "sudo"]);
    check(&[r#"path "a" { policy = "write" }"#], "a", &["create", "delete", "list", "read", "update"]);
    let document = r#"{"allowed_secrets": ["a"], "allowed_operations": ["write"]}"#;
    check(&[document], "secret/data/a", &["create", "patch", "update"]);
    check(&[READ, document], "secret/data/a", &["create", "patch", "read", "update"]);
}

#[test]
fn the_built_in_policies() {
    let check = |names: &[&str], path: &str, operation: Operation, sudo: bool, expect: bool| {
        let policies = names.iter().map(|name| (*name).to_owned()).collect();
        let identity = Identity { policies, ..Identity::built_in("test") };
        let built_in = Policies::built_in();
        let decision = built_in.evaluate(&identity, &Question { sudo, ..ask(path, operation) });
        assert_eq!(decision.allowed, expect, "{names:?} {operation:?} {path}");
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
    check(&["secret-manager"], "secret-manager/create", Operation::Write, false, true);
    check(&["secret-manager"], "secret/data/a", Operation::Read, false, false);
    check(&["response-wrapping"], "cubbyhole/response", Operation::Read, false, true);
    check(&["response-wrapping"], "cubbyhole/response", Operation::Write, false, false);
    check(&["response-wrapping"], "cubbyhole/other", Operation::Read, false, false);
    check(&["response-wrapping"], "auth/token/lookup-self", Operation::Read, false, false);
    check(&["default"], "secret-manager/create", Operation::Write, false, false);
}

#[test]
fn a_token_is_as_long_as_it_lives() {
    let text = r#"path "secret/data/*" { capabilities = ["read"] conditions { max_ttl = "1h" } }"#;
    let (policies, identity) = house(&[text]);
    let check = |seconds: Option<u64>, expect: bool| {
        let expires = seconds.map(|seconds| crate::id::Timestamp(seconds * 1_000_000));
        let token = Token { expires, policies: identity.policies.clone(), ..Token::blank() };
        let identity = Identity::of(token, "h");
        let facts = Facts { ttl: identity.lifetime(), ..Facts::default() };
        let question = Question { facts, ..ask("secret/data/a", Operation::Read) };
        assert_eq!(policies.evaluate(&identity, &question).allowed, expect, "{seconds:?}");
    };
    check(Some(3_600), true);
    check(Some(3_601), false);
    check(None, false);
}

/// A rule, a document or a condition of a few letters.
fn policy() -> impl Strategy<Value = String> {
    let path = proptest::sample::select(vec![
        "secret/data/*",
        "secret/data/a",
        "secret/data/+",
        "secret/data/a*",
        "secret/data/a/b",
        "secret/*",
        "*",
        "sys/x",
        "secret/data/{{identity.entity.id}}",
    ]);
    let grants = proptest::sample::select(vec![
        r#""read""#,
        r#""update""#,
        r#""read", "update""#,
        r#""deny""#,
        r#""list", "create""#,
        r#""sudo", "read""#,
    ]);
    let conditions = proptest::sample::select(vec![
        "",
        r#"conditions { ip_ranges = ["10.0.0.0/8"] }"#,
        r#"conditions { max_ttl = "1h" }"#,
        r#"denied_parameters = { "x" = [] }"#,
        r#"allowed_parameters = { "y" = [] }"#,
    ]);
    let rule = (path, grants, conditions)
        .prop_map(|(path, grants, more)| format!("path \"{path}\" {{ capabilities = [{grants}]\n {more} }}"));
    let secret = proptest::sample::select(vec!["**", "a", "a.*", "*"]);
    let deed = proptest::sample::select(vec!["read", "write", "delete"]);
    let document = (secret, deed, any::<bool>()).prop_map(|(secret, deed, deny)| {
        format!(
            r#"{{"allowed_secrets": ["{secret}"], "allowed_operations": ["{deed}"], "deny_policy": {deny}}}"#
        )
    });
    prop_oneof![3 => rule, 1 => document]
}

fn denial() -> impl Strategy<Value = String> {
    policy().prop_filter("denies", |text| text.contains("\"deny\"") || text.contains("\"deny_policy\": true"))
}

fn question()
-> impl Strategy<Value = (&'static str, Operation, Option<bool>, bool, Facts, Map<String, Value>)> {
    let path = proptest::sample::select(vec![
        "secret/data/a",
        "secret/data/a/b",
        "secret/data/b",
        "sys/x",
        "secret/x",
    ]);
    let operation = proptest::sample::select(vec![
        Operation::Read,
        Operation::List,
        Operation::Write,
        Operation::Patch,
        Operation::Delete,
    ]);
    let address = proptest::option::of(proptest::sample::select(vec!["10.0.0.1", "192.0.2.1"]));
    let ttl = proptest::option::of(proptest::sample::select(vec![60, 7_200]));
    let fields = proptest::sample::select(vec!["x", "y", "z"]);
    (path, operation, any::<Option<bool>>(), any::<bool>(), address, ttl, fields).prop_map(
        |(path, operation, exists, sudo, address, ttl, field)| {
            let address = address.map(|address| address.parse().unwrap());
            let facts = Facts { address, ttl: ttl.map(Duration::from_secs), ..Facts::default() };
            (path, operation, exists, sudo, facts, Map::from_iter([(field.to_owned(), Value::Null)]))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Adding a policy that denies never allows more.
    #[test]
    fn a_denial_never_allows_more(
        texts in proptest::collection::vec(policy(), 0..6),
        denial in denial(),
        (path, operation, exists, sudo, facts, fields) in question(),
    ) {
        let asked = Question { exists, sudo, facts, fields: Some(&fields), ..ask(path, operation) };
        let few: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (policies, identity) = house(&few);
        let before = policies.evaluate(&identity, &asked).allowed;
        let more: Vec<&str> = few.iter().copied().chain([denial.as_str()]).collect();
        let (policies, identity) = house(&more);
        let after = policies.evaluate(&identity, &asked).allowed;
        prop_assert!(before || !after, "{denial} allows more");
    }

    /// The order in which a token names its policies decides nothing.
    #[test]
    fn order_does_not_matter(
        texts in proptest::collection::vec(policy(), 0..6),
        (path, operation, exists, sudo, facts, fields) in question(),
    ) {
        let asked = Question { exists, sudo, facts, fields: Some(&fields), ..ask(path, operation) };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (policies, mut identity) = house(&texts);
        let one = policies.evaluate(&identity, &asked).allowed;
        identity.policies.reverse();
        prop_assert_eq!(policies.evaluate(&identity, &asked).allowed, one);
    }

    /// What a token is told that it may do is what it may do.
    #[test]
    fn rights_are_what_is_enforced(
        texts in proptest::collection::vec(policy(), 0..6),
        (path, operation, exists, _, facts, _) in question(),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (policies, identity) = house(&texts);
        let subject = |operation| ask(path, operation).subject;
        let rights = policies.rights(&identity, path, &subject, facts);
        let allowed = policies.evaluate(&identity, &Question { exists, facts, ..ask(path, operation) }).allowed;
        prop_assert_eq!(rights.has(Capability::needed(operation, exists)), allowed);
    }

    /// The simulator decides as the evaluator does, and its steps end in the decision: they all pass if and only if it may.
    #[test]
    fn the_simulator_is_the_evaluator(
        texts in proptest::collection::vec(policy(), 0..6),
        (path, operation, exists, sudo, facts, fields) in question(),
    ) {
        let asked = Question { exists, sudo, facts, fields: Some(&fields), ..ask(path, operation) };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (policies, identity) = house(&texts);
        let simulated = policies.simulate(&identity, &asked);
        prop_assert_eq!(simulated.decision.allowed, policies.evaluate(&identity, &asked).allowed);
        let passed = simulated.steps.iter().all(|step| step.result == "pass");
        prop_assert_eq!(passed, simulated.decision.allowed, "{:?} {:?}", simulated.decision.reason, simulated.steps);
    }
}
