//! Any text as a policy: it is read or refused, never a panic, and what was read decides the same twice. What it grants at
//! a path, the simulator grants too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secrethub_core::{
    Operation,
    policy::{Facts, Policies, Policy, Question},
    token::Identity,
};

fuzz_target!(|input: (&str, &str)| {
    let (text, path) = input;
    let Ok((policy, _)) = Policy::parse("fuzz", text) else { return };
    assert_eq!(policy.text(), text);
    let mut policies = Policies::built_in();
    policies.add(policy);
    let identity = Identity { policies: vec!["fuzz".to_owned()], ..Identity::built_in("fuzz") };
    for operation in [Operation::Read, Operation::List, Operation::Write] {
        let question = Question {
            path,
            operation,
            exists: None,
            sudo: false,
            subject: None,
            fields: None,
            wrap_ttl: None,
            facts: Facts::default(),
        };
        let simulated = policies.simulate(&identity, &question);
        assert_eq!(simulated.decision.allowed, policies.evaluate(&identity, &question).allowed);
        assert_eq!(simulated.decision.allowed, simulated.steps.iter().all(|step| step.result == "pass"));
    }
    policies.touches(&identity, path, None);
});
