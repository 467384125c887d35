//! What would be decided, step by step, for who asks why. The decision is the evaluator's own; the steps show what it rests
//! on, and the first that fails is the reason of a refusal.

use super::{
    Capability, Grants, Holds, Policies, Question, Reason, condition::Conditions, evaluate::Decision,
};
use crate::token::Identity;
use serde::Serialize;

/// One step.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was looked at (the second seed's names).
    pub step: &'static str,
    /// `pass` or `fail`.
    pub result: &'static str,
    /// What was found.
    pub message: String,
}

/// A decision, and how it came about.
#[derive(Debug)]
pub struct Simulation<'p> {
    /// What the evaluator decided.
    pub decision: Decision<'p>,
    /// The steps, up to the first that fails.
    pub steps: Vec<Step>,
}

/// What the rule says that decides.
struct Ruling<'p> {
    rights: Grants,
    conditions: Option<&'p Conditions>,
}

impl Policies {
    /// Decides, and says how.
    pub fn simulate<'p>(&'p self, identity: &'p Identity, question: &Question<'_>) -> Simulation<'p> {
        let decision = self.evaluate(identity, question);
        let mut steps = Vec::new();
        self.explain(identity, question, &decision.reason, &mut steps);
        Simulation { decision, steps }
    }

    /// Adds steps until one fails.
    fn explain(
        &self,
        identity: &Identity,
        question: &Question<'_>,
        reason: &Reason<'_>,
        steps: &mut Vec<Step>,
    ) -> Option<()> {
        if *reason == Reason::Root {
            return push(steps, "Entity Binding", true, "root may do everything".to_owned());
        }
        let names: Vec<&str> = self.of(identity).map(|policy| policy.name()).collect();
        let bound = match names.is_empty() {
            true => "no policy holds for who asks".to_owned(),
            false => format!("policies that hold for who asks: {}", names.join(", ")),
        };
        push(steps, "Entity Binding", !names.is_empty(), bound)?;
        let needed = Capability::needed(question.operation, question.exists);
        let matched = !matches!(reason, Reason::NoRule);
        push(steps, "Secret Path Match", matched, reason.sentence(needed))?;
        let Some(ruling) = self.ruling(identity, question, reason) else {
            return push(steps, "Operation Allowed", false, reason.sentence(needed));
        };
        let enough = ruling.rights.has(needed) && (!question.sudo || ruling.rights.has(Capability::Sudo));
        let sudo = if question.sudo { " and sudo" } else { "" };
        push(steps, "Operation Allowed", enough, format!("{}{sudo} is asked for", needed.as_str()))?;
        for (step, holds, what) in ruling.conditions.into_iter().flat_map(|all| all.each(&question.facts)) {
            push(steps, step, holds == Holds::Yes, what)?;
        }
        match reason {
            Reason::Parameters(_, what) => push(steps, "Parameters", false, what.clone()),
            Reason::Granted(_) => Some(()),
            // Several rules for one pattern: another than the one that was shown decides.
            other => push(steps, "Other Rules", false, other.sentence(needed)),
        }
    }

    /// The rule behind a reason; `None` = it denies, or there is none.
    fn ruling<'p>(
        &'p self,
        identity: &'p Identity,
        question: &Question<'_>,
        reason: &Reason<'_>,
    ) -> Option<Ruling<'p>> {
        let label = match reason {
            Reason::Granted(label) | Reason::NotGranted(label) | Reason::Unmet(label) => label,
            Reason::Parameters(label, _) => label,
            Reason::Root | Reason::Denied(_) | Reason::Broken(_) | Reason::NoRule => return None,
        };
        let document = self.documents(identity).find(|document| *document.label == **label);
        if let Some(document) = document {
            let rights =
                if document.covers(question.subject.as_ref()?) { all_but_sudo() } else { Grants::NONE };
            return Some(Ruling { rights, conditions: Some(&document.conditions) });
        }
        let mut ruling = Ruling { rights: Grants::NONE, conditions: None };
        for grant in self.grants_at(identity, question.operation, question.path) {
            let named = *grant.label == **label;
            let holds = grant.conditions.as_ref().is_none_or(|all| all.hold(&question.facts) == Holds::Yes);
            if named || holds {
                ruling.rights = ruling.rights.with(grant.rights);
            }
            if named {
                ruling.conditions = grant.conditions.as_deref();
            }
        }
        Some(ruling)
    }
}

fn all_but_sudo() -> Grants {
    Capability::ALL
        .iter()
        .filter(|one| **one != Capability::Sudo)
        .fold(Grants::NONE, |sum, one| sum.with(Grants::of(&[*one])))
}

/// `None` once a step fails: what comes after it says nothing.
fn push(steps: &mut Vec<Step>, step: &'static str, passed: bool, message: String) -> Option<()> {
    steps.push(Step { step, result: if passed { "pass" } else { "fail" }, message });
    passed.then_some(())
}
