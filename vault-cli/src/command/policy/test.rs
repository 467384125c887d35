//! `policy test FILE`: policies and cases in one file, decided here by the evaluator that the server has. For pipelines:
//! nothing is asked of a server, and the exit code tells.

use crate::{
    context::Context,
    failure::{Failure, LOCAL, OK},
    output,
};
use secrethub::core::{
    engine::{Mount, parse_duration},
    id::Timestamp,
    policy::{Capability, Facts, Policies, Policy, Question, parse_operation},
    token::Identity,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    /// From names to files with the policies' texts, relative to this one.
    policies: BTreeMap<String, PathBuf>,
    /// KV mounts with their versions; `secret = 2` where none is named.
    #[serde(default)]
    kv: Option<BTreeMap<String, u8>>,
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

/// A request, and what is expected of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    path: String,
    expect: Expect,
    /// `read`, `list`, `create`, `update`, `patch`, `delete`.
    #[serde(default = "read")]
    operation: String,
    /// Policies of who asks; all of the file unless named.
    policies: Option<Vec<String>>,
    #[serde(default)]
    entities: Vec<String>,
    /// The rule that shall decide.
    rule: Option<String>,
    #[serde(default)]
    sudo: bool,
    address: Option<String>,
    time: Option<String>,
    ttl: Option<String>,
    client_certificate: Option<bool>,
    #[serde(default)]
    fields: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Allow,
    Deny,
}

/// What came of a case.
#[derive(Debug, Serialize)]
struct Verdict {
    path: String,
    operation: String,
    expect: Expect,
    result: Expect,
    reason: String,
    passed: bool,
}

fn read() -> String {
    "read".to_owned()
}

pub(super) fn run(context: &Context, file: &Path) -> Result<u8, Failure> {
    let place = file.display().to_string();
    let text = fs::read_to_string(file).map_err(|error| Failure::from(error).about(&place))?;
    let plan: Plan = toml::from_str(&text).map_err(|error| {
        Failure::local(error.to_string()).about(&place).hint("docs/policies.md has an example with every key")
    })?;
    let policies = compile(&plan, file.parent().unwrap_or(Path::new(".")))?;
    let verdicts: Vec<Verdict> =
        plan.cases.iter().map(|case| judge(&plan, &policies, case)).collect::<Result<_, _>>()?;
    let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
    let whole = json!({ "passed": verdicts.len() - failed, "failed": failed, "cases": verdicts });
    context.print(&whole, &whole, || {
        let rows = verdicts.iter().map(Verdict::row).collect();
        let table = output::table(&["Result", "Operation", "Path", "Why"], rows);
        format!("{table}\n\n{} passed, {failed} failed", verdicts.len() - failed)
    })?;
    Ok(if failed == 0 { OK } else { LOCAL })
}

impl Verdict {
    fn row(&self) -> Vec<String> {
        let result = if self.passed { "ok" } else { "FAILED" };
        vec![result.to_owned(), self.operation.clone(), self.path.clone(), self.reason.clone()]
    }
}

fn compile(plan: &Plan, folder: &Path) -> Result<Policies, Failure> {
    let mut policies = Policies::built_in();
    for (name, file) in &plan.policies {
        let file = folder.join(file);
        let place = file.display().to_string();
        let text = fs::read_to_string(&file).map_err(|error| Failure::from(error).about(&place))?;
        let parsed = Policy::parse(&name.to_lowercase(), &text);
        let (policy, warnings) = parsed.map_err(|what| Failure::local(what).about(&place))?;
        warnings.iter().for_each(|warning| output::note(format!("{place}: {warning}")));
        policies.add(policy);
    }
    Ok(policies)
}

fn judge(plan: &Plan, policies: &Policies, case: &Case) -> Result<Verdict, Failure> {
    let about = format!("case {} {}", case.operation, case.path);
    let wrong = |what: &str| Failure::local(what.to_owned()).about(&about);
    let (operation, exists) = parse_operation(&case.operation)
        .ok_or_else(|| wrong("operation must be read, list, create, update, patch or delete"))?;
    let names = case.policies.clone().unwrap_or_else(|| plan.policies.keys().cloned().collect());
    if let Some(name) = names.iter().find(|name| policies.find(&name.to_lowercase()).is_none()) {
        return Err(wrong(&format!("the policy {name:?} is not in this file")));
    }
    let identity = Identity {
        policies: names.iter().map(|name| name.to_lowercase()).collect(),
        entities: case.entities.clone(),
        ..Identity::built_in("case")
    };
    let (mounts, facts) = (mounts(plan), facts(case).map_err(|what| wrong(&what))?);
    let at = mounts.iter().find_map(|mount| Some((mount, case.path.strip_prefix(&mount.path)?)));
    let question = Question {
        path: &case.path,
        operation,
        exists,
        sudo: case.sudo,
        subject: at.and_then(|(mount, rest)| mount.subject(rest, operation)),
        fields: Some(&case.fields),
        wrap_ttl: None,
        facts,
    };
    let decision = policies.evaluate(&identity, &question);
    let result = if decision.allowed { Expect::Allow } else { Expect::Deny };
    let by_rule = case.rule.as_ref().is_none_or(|rule| decision.reason.rule().starts_with(rule.as_str()));
    Ok(Verdict {
        path: case.path.clone(),
        operation: case.operation.clone(),
        expect: case.expect,
        result,
        reason: decision.reason.sentence(Capability::needed(operation, exists)),
        passed: result == case.expect && by_rule,
    })
}

fn mounts(plan: &Plan) -> Vec<Mount> {
    let secret = || BTreeMap::from([("secret".to_owned(), 2)]);
    let kv = plan.kv.clone().unwrap_or_else(secret);
    let mount = |(path, version): (String, u8)| {
        let mut mount = Mount::built_in(&format!("{}/", path.trim_matches('/')), "kv", "kv", "");
        mount.options.insert("version".to_owned(), version.to_string());
        mount
    };
    kv.into_iter().map(mount).collect()
}

fn facts(case: &Case) -> Result<Facts, String> {
    let address = case.address.as_deref().map(str::parse).transpose();
    let ttl = case.ttl.as_deref().map(|ttl| parse_duration(ttl).ok_or("ttl is no time such as \"1h\""));
    Ok(Facts {
        now: match &case.time {
            Some(time) => {
                Timestamp::from_rfc3339(time).ok_or("time is no time such as 2026-01-31T12:00:00Z")?
            }
            None => Timestamp::default(),
        },
        address: address.map_err(|_| "address is no IP address")?,
        client_certificate: case.client_certificate,
        ttl: ttl.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
policies = { app = "app.hcl", doc = "doc.json" }
[[case]]
path = "secret/data/app/x"
expect = "allow"
policies = ["app"]
[[case]]
path = "secret/data/app/x"
operation = "update"
expect = "deny"
policies = ["app"]
rule = "app: secret/data/app/*"
[[case]]
path = "secret/data/prod/db"
expect = "allow"
address = "10.0.0.1"
policies = ["doc"]
[[case]]
path = "secret/data/prod/db"
expect = "deny"
policies = ["doc"]
"#;

    fn judged(plan: &str) -> Result<Vec<bool>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.hcl"), r#"path "secret/data/app/*" { capabilities = ["read"] }"#)
            .unwrap();
        let document = r#"{"allowed_secrets": ["prod.*"], "conditions": {"ip_ranges": ["10.0.0.0/8"]}}"#;
        fs::write(folder.path().join("doc.json"), document).unwrap();
        let plan: Plan = toml::from_str(plan).map_err(|error| Failure::local(error.to_string()))?;
        let policies = compile(&plan, folder.path())?;
        plan.cases.iter().map(|case| judge(&plan, &policies, case).map(|verdict| verdict.passed)).collect()
    }

    #[test]
    fn cases_are_decided_as_the_server_would() {
        assert_eq!(judged(PLAN).unwrap(), [true; 4]);
        let other = PLAN.replacen("allow", "deny", 1);
        assert_eq!(judged(&other).unwrap(), [false, true, true, true]);
        let other = PLAN.replace("rule = \"app: secret/data/app/*\"", "rule = \"doc\"");
        assert_eq!(judged(&other).unwrap(), [true, false, true, true]);
    }

    #[test]
    fn mistakes_are_named() {
        let check = |from: &str, to: &str, part: &str| {
            let error = judged(&PLAN.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("operation = \"update\"", "operation = \"sudo\"", "operation must be");
        check("[\"app\"]", "[\"none\"]", "not in this file");
        check("10.0.0.1", "ten", "no IP address");
        check("app.hcl", "gone.hcl", "gone.hcl");
        check("expect = \"allow\"", "expected = \"allow\"", "unknown field");
        check("address = \"10.0.0.1\"", "ttl = \"soon\"", "no time");
        check("address = \"10.0.0.1\"", "time = \"noon\"", "no time");
    }
}
