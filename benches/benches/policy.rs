//! The evaluator: whether a decision takes as long with ten thousand rules as with one. Four policies a token, as an
//! application has.

#![allow(clippy::unwrap_used, reason = "a bench panics")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use secrethub_core::{
    Operation,
    policy::{Facts, Policies, Policy, Question, Subject},
    token::Identity,
};
use std::{fmt::Write as _, hint::black_box};

/// A policy of so many rules, of which the last decides about `secret/data/app<rules - 1>/db`.
fn rules(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let pattern = match number % 3 {
            0 => format!("secret/data/app{number}/*"),
            1 => format!("secret/data/app{number}/+"),
            _ => format!("secret/data/app{number}/db"),
        };
        let _ = writeln!(text, "path \"{pattern}\" {{ capabilities = [\"read\", \"update\"] }}");
        text
    })
}

fn policies(count: usize, document: bool) -> (Policies, Identity) {
    let mut policies = Policies::built_in();
    policies.add(Policy::parse("app", &rules(count)).unwrap().0);
    policies.add(Policy::parse("other", r#"path "kv/*" { capabilities = ["list"] }"#).unwrap().0);
    let mut names = vec!["default".to_owned(), "app".to_owned(), "other".to_owned()];
    if document {
        let text = r#"{"allowed_secrets": ["prod.*"], "conditions": {"ip_ranges": ["10.0.0.0/8"]}}"#;
        policies.add(Policy::parse("document", text).unwrap().0);
        names.push("document".to_owned());
    }
    (policies, Identity { policies: names, ..Identity::built_in("bench") })
}

fn question(path: &str) -> Question<'_> {
    let secret = path.strip_prefix("secret/data/");
    Question {
        path,
        operation: Operation::Read,
        exists: None,
        sudo: false,
        subject: secret.map(|secret| Subject::of("secret", secret, Operation::Read)),
        fields: None,
        wrap_ttl: None,
        facts: Facts { address: "10.0.0.1".parse().ok(), ..Facts::default() },
    }
}

fn evaluate(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy");
    for count in [1, 100, 10_000] {
        let (policies, identity) = policies(count, false);
        let (granted, denied) = (format!("secret/data/app{}/db", count - 1), "secret/data/none/db");
        assert!(policies.evaluate(&identity, &question(&granted)).allowed);
        assert!(!policies.evaluate(&identity, &question(denied)).allowed);
        for (name, path) in [("granted", granted.as_str()), ("denied", denied)] {
            group.bench_function(BenchmarkId::new(name, count), |bench| {
                bench.iter(|| policies.evaluate(black_box(&identity), &question(black_box(path))).allowed);
            });
        }
    }
    let (policies, identity) = policies(100, true);
    group.bench_function("document", |bench| {
        let question = question("secret/data/prod/db");
        bench.iter(|| policies.evaluate(black_box(&identity), black_box(&question)).allowed);
    });
    group.bench_function("compile/10000", |bench| {
        let text = rules(10_000);
        bench.iter(|| Policy::parse("app", black_box(&text)).unwrap().0);
    });
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
