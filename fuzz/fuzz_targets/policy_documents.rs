//! Any secrets, operations and conditions in a document, asked about any secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secrethub_core::{
    Operation,
    policy::{Facts, Policies, Policy, Question, Subject},
    token::Identity,
};

fuzz_target!(|input: (Vec<&str>, &str, &str, bool)| {
    let (patterns, conditions, secret, denies) = input;
    let patterns: Vec<String> = patterns.iter().map(|pattern| format!("{pattern:?}")).collect();
    let text = format!(
        r#"{{"allowed_secrets": [{}], "conditions": {{{conditions}}}, "deny_policy": {denies}}}"#,
        patterns.join(",")
    );
    let Ok((policy, _)) = Policy::parse("fuzz", &text) else { return };
    let mut policies = Policies::built_in();
    policies.add(policy);
    let identity = Identity { policies: vec!["fuzz".to_owned()], ..Identity::built_in("fuzz") };
    let path = format!("secret/data/{secret}");
    let question = Question {
        path: &path,
        operation: Operation::Read,
        exists: None,
        sudo: false,
        subject: Some(Subject::of("secret", secret, Operation::Read)),
        fields: None,
        wrap_ttl: None,
        facts: Facts::default(),
    };
    let decision = policies.evaluate(&identity, &question);
    assert!(!(denies && decision.allowed), "what only denies allows");
    policies.touches(&identity, "secret/metadata/", Some(("secret", "")));
});
