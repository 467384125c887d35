//! Policies: compared by their texts, then written.

use super::{Outcome, Step, plan::Policy};
use crate::{failure::Failure, input};
use secrethub_client::{Client, Kind};

/// A policy of the file with its text, and whether it is missing.
pub(super) struct Missing<'a>(&'a Policy, String, bool);

/// Which are missing; one with another text is an error: somebody changed it, here or there.
pub(super) async fn compare<'a>(client: &Client, wanted: &'a [Policy]) -> Result<Vec<Missing<'a>>, Failure> {
    let mut found = Vec::new();
    for policy in wanted {
        let text = text_of(policy)?;
        let missing = match client.policy_read(&policy.name).await {
            Ok(reply) if reply.data()["policy"].as_str().is_some_and(|have| have.trim() == text.trim()) => {
                false
            }
            // What every vault has may be written over.
            Ok(_) if policy.name.eq_ignore_ascii_case("default") => true,
            Ok(_) => {
                let name = &policy.name;
                let what = format!(
                    "the policy {name:?} exists with another text; nothing was changed there or after it"
                );
                return Err(Failure::remote(what).hint(format!(
                    "compare: secrethub policy read {name}; then secrethub policy write {name} FILE"
                )));
            }
            Err(error) if error.kind() == Some(Kind::NotFound) => true,
            Err(error) => return Err(error.into()),
        };
        found.push(Missing(policy, text, missing));
    }
    Ok(found)
}

fn text_of(policy: &Policy) -> Result<String, Failure> {
    match (&policy.text, &policy.file) {
        (Some(text), _) => Ok(text.clone()),
        (None, Some(file)) => input::file(&file.to_string_lossy()),
        (None, None) => Ok(String::new()),
    }
}

/// Writes the missing ones.
pub(super) async fn make(
    client: &Client,
    policies: Vec<Missing<'_>>,
    steps: &mut Vec<Step>,
) -> Result<(), Failure> {
    for Missing(policy, text, missing) in policies {
        if missing {
            let made = client.policy_write(&policy.name, &text).await;
            made.map_err(|error| Failure::from(error).about(&format!("policy {}", policy.name)))?;
        }
        steps.push(Step::new(
            "policy",
            policy.name.clone(),
            if missing { Outcome::Made } else { Outcome::There },
        ));
    }
    Ok(())
}
