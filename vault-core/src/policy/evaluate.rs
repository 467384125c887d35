//! The one evaluator: it decides for enforcement, for capabilities, for what a list shows and for the simulator alike.
//!
//! 1. Root may do everything.
//! 2. A document that denies, a policy that cannot be read, and a rule that denies and whose own path is not known, deny.
//! 3. Of all patterns that match the path the most exact decides (Vault): if one of its rules denies, the answer is no;
//!    else its rules' rights count together, as far as their conditions hold.
//! 4. Otherwise a document that allows, allows.
//! 5. What nothing grants is denied.

use super::{
    Capability, Deed, Facts, Grants, Holds, Policies, Subject,
    document::Document,
    parameters::{self, Parameters},
    pattern::Pattern,
    rule::Grant,
    variable::NoEntities,
};
use crate::{Operation, token::Identity};
use serde_json::{Map, Value};
use std::{borrow::Cow, time::Duration};

/// One request, as a policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The path of the request.
    pub path: &'q str,
    /// What it does.
    pub operation: Operation,
    /// Is there something at the path already; `None` = the engine cannot say, and a write is an update.
    pub exists: Option<bool>,
    /// Must the policy grant `sudo` too.
    pub sudo: bool,
    /// Which secret it is about.
    pub subject: Option<Subject<'q>>,
    /// Its fields; `None` = they are not asked about.
    pub fields: Option<&'q Map<String, Value>>,
    /// How long its reply is to be wrapped.
    pub wrap_ttl: Option<Duration>,
    /// What else is known of it.
    pub facts: Facts,
}

/// What was decided.
#[derive(Debug)]
pub struct Decision<'p> {
    /// May it.
    pub allowed: bool,
    /// Has it `sudo` on the path as well.
    pub sudo: bool,
    /// Why.
    pub reason: Reason<'p>,
}

/// Why it was so decided.
#[derive(Debug, PartialEq, Eq)]
pub enum Reason<'p> {
    /// Root may do everything.
    Root,
    /// This rule grants it: `policy: pattern`, or the name of a document.
    Granted(&'p str),
    /// This rule denies it.
    Denied(&'p str),
    /// This policy cannot be read.
    Broken(&'p str),
    /// This rule is the one that counts, and does not grant this.
    NotGranted(&'p str),
    /// This rule would grant it if its conditions held.
    Unmet(&'p str),
    /// This rule grants it, but not with such fields or such wrapping.
    Parameters(&'p str, String),
    /// No rule speaks of the path.
    NoRule,
}

impl Reason<'_> {
    /// The rule that decided, for the audit log.
    pub fn rule(&self) -> Cow<'static, str> {
        match self {
            Self::Root => Cow::Borrowed("root"),
            Self::Granted(rule) | Self::Denied(rule) | Self::NotGranted(rule) => {
                Cow::Owned((*rule).to_owned())
            }
            Self::Broken(policy) => Cow::Owned(format!("{policy}: cannot be read")),
            Self::Unmet(rule) => Cow::Owned(format!("{rule} (a condition does not hold)")),
            Self::Parameters(rule, what) => Cow::Owned(format!("{rule} ({what})")),
            Self::NoRule => Cow::Borrowed("no rule grants it"),
        }
    }

    /// The policy that decided; `None` = none did.
    pub fn policy(&self) -> Option<&str> {
        let rule = match self {
            Self::Root => return Some("root"),
            Self::NoRule => return None,
            Self::Granted(rule) | Self::Denied(rule) | Self::NotGranted(rule) | Self::Unmet(rule) => rule,
            Self::Broken(policy) => policy,
            Self::Parameters(rule, _) => rule,
        };
        Some(rule.split_once(": ").map_or(*rule, |(policy, _)| policy))
    }

    /// The whole of it as a sentence.
    pub fn sentence(&self, needed: Capability) -> String {
        let needed = needed.as_str();
        match self {
            Self::Root => "root may do everything".to_owned(),
            Self::Granted(rule) => format!("rule \"{rule}\" grants {needed}"),
            Self::Denied(rule) => format!("rule \"{rule}\" denies it"),
            Self::Broken(policy) => {
                format!("policy {policy:?} cannot be read by this release, and denies everything")
            }
            Self::NotGranted(rule) => {
                format!("rule \"{rule}\" is the most exact for this path and does not grant {needed}")
            }
            Self::Unmet(rule) => {
                format!("rule \"{rule}\" would grant {needed}, but one of its conditions does not hold")
            }
            Self::Parameters(rule, what) => format!("rule \"{rule}\" grants {needed}, but {what}"),
            Self::NoRule => format!("no rule of the token's policies grants {needed} on this path"),
        }
    }
}

/// What the most exact pattern says.
#[derive(Clone, Copy)]
struct Best<'p> {
    label: &'p str,
    rights: Grants,
    /// A rule that grants more, if its conditions held.
    unmet: Option<(&'p str, Grants)>,
}

/// All grants of the most exact pattern that matches, of all policies of who asks.
struct Chosen<'p>(Vec<&'p Grant>, Option<&'p [Grant]>);

impl<'p> Chosen<'p> {
    fn iter(&self) -> impl Iterator<Item = &'p Grant> + Clone + '_ {
        self.1.into_iter().flatten().chain(self.0.iter().copied())
    }
}

impl Policies {
    /// Decides one request. What no rule grants is denied.
    pub fn evaluate<'p>(&'p self, identity: &'p Identity, question: &Question<'_>) -> Decision<'p> {
        if identity.is_root() {
            return Decision { allowed: true, sudo: true, reason: Reason::Root };
        }
        let deny = |reason| Decision { allowed: false, sudo: false, reason };
        if let Some(reason) = self.denied_outright(identity, question) {
            return deny(reason);
        }
        let chosen = self.chosen(identity, question.operation, question.path);
        let best = weigh(&chosen, &question.facts);
        let needed = Capability::needed(question.operation, question.exists);
        let mut reason = Reason::NoRule;
        if let Some(best) = best {
            if best.rights.denies() {
                return deny(Reason::Denied(best.label));
            }
            let enough =
                |rights: Grants| rights.has(needed) && (!question.sudo || rights.has(Capability::Sudo));
            if enough(best.rights) {
                match check_parameters(&chosen, question) {
                    Ok(()) => {
                        let sudo = best.rights.has(Capability::Sudo);
                        return Decision { allowed: true, sudo, reason: Reason::Granted(best.label) };
                    }
                    Err(what) => reason = Reason::Parameters(best.label, what),
                }
            } else {
                reason = match best.unmet {
                    Some((label, rights)) if enough(rights.with(best.rights)) => Reason::Unmet(label),
                    _ => Reason::NotGranted(best.label),
                };
            }
        }
        self.allowed_by_document(identity, question, reason)
    }

    /// A policy that cannot be read, or a document that denies.
    fn denied_outright<'p>(&'p self, identity: &'p Identity, question: &Question<'_>) -> Option<Reason<'p>> {
        self.of(identity).find_map(|policy| {
            if policy.broken {
                return Some(Reason::Broken(policy.name()));
            }
            if let Some(grant) = policy.may_deny(&NoEntities, question.path)
                && holds(grant, &question.facts) != Holds::No
            {
                return Some(Reason::Denied(&grant.label));
            }
            let document = policy.document.as_ref().filter(|document| document.denies)?;
            let judged = document.judge(question.subject.as_ref()?, &question.facts)?;
            (judged != Holds::No).then_some(Reason::Denied(&document.label))
        })
    }

    fn allowed_by_document<'p>(
        &'p self,
        identity: &'p Identity,
        question: &Question<'_>,
        mut reason: Reason<'p>,
    ) -> Decision<'p> {
        let documents = self.documents(identity).filter(|document| !document.denies && !question.sudo);
        for document in documents {
            match question.subject.as_ref().and_then(|subject| document.judge(subject, &question.facts)) {
                Some(Holds::Yes) => {
                    let reason = Reason::Granted(&document.label);
                    return Decision { allowed: true, sudo: false, reason };
                }
                Some(_) if reason == Reason::NoRule => reason = Reason::Unmet(&document.label),
                _ => {}
            }
        }
        Decision { allowed: false, sudo: false, reason }
    }

    pub(super) fn documents<'p>(
        &'p self,
        identity: &'p Identity,
    ) -> impl Iterator<Item = &'p Document> + Clone {
        self.of(identity).filter_map(|policy| policy.document.as_ref())
    }

    /// The grants of the most exact pattern that matches. `LIST a/` is as good as `LIST a` (Vault).
    fn chosen<'p>(&'p self, identity: &'p Identity, operation: Operation, path: &str) -> Chosen<'p> {
        let chosen = self.chosen_at(identity, path);
        match path.strip_suffix('/') {
            Some(bare) if operation == Operation::List && chosen.iter().next().is_none() => {
                self.chosen_at(identity, bare)
            }
            _ => chosen,
        }
    }

    /// The same, one by one, for who asks why.
    pub(super) fn grants_at<'p>(
        &'p self,
        identity: &'p Identity,
        operation: Operation,
        path: &str,
    ) -> Vec<&'p Grant> {
        self.chosen(identity, operation, path).iter().collect()
    }

    fn chosen_at<'p>(&'p self, identity: &'p Identity, path: &str) -> Chosen<'p> {
        let found = || self.of(identity).filter_map(|policy| policy.paths.best(path));
        let (mut best, mut ties): (Option<(&Pattern, &[Grant])>, bool) = (None, false);
        for (pattern, grants) in found() {
            match best.map(|(have, _)| pattern.cmp(have)) {
                Some(std::cmp::Ordering::Less) => {}
                Some(std::cmp::Ordering::Equal) => ties = true,
                _ => (best, ties) = (Some((pattern, grants)), false),
            }
        }
        let templated = self.templated(identity, path);
        let top =
            best.map(|(pattern, _)| pattern).into_iter().chain(templated.iter().map(|(one, _)| one)).max();
        let Some(top) = top else { return Chosen(Vec::new(), None) };
        let mut grants: Vec<&Grant> =
            templated.iter().filter(|(one, _)| one == top).map(|(_, grant)| *grant).collect();
        match best {
            Some((pattern, only)) if pattern == top && !ties => Chosen(grants, Some(only)),
            Some((pattern, _)) if pattern == top => {
                grants.extend(found().filter(|(one, _)| *one == top).flat_map(|(_, grants)| grants));
                Chosen(grants, None)
            }
            _ => Chosen(grants, None),
        }
    }

    /// Rules whose paths depend on who asks, as far as they match. Nearly always: none.
    fn templated<'p>(&'p self, identity: &'p Identity, path: &str) -> Vec<(Pattern, &'p Grant)> {
        let with = self.of(identity).filter(|policy| !policy.templates.is_empty());
        with.flat_map(|policy| policy.filled(&NoEntities))
            .filter(|(pattern, _)| pattern.matches(path))
            .collect()
    }

    /// All that may be done at a path. `subject` tells which secret a path is about, and what each operation does.
    pub fn rights<'q>(
        &self,
        identity: &Identity,
        path: &str,
        subject: &dyn Fn(Operation) -> Option<Subject<'q>>,
        facts: Facts,
    ) -> Grants {
        let operations = [
            (Operation::Read, None),
            (Operation::List, None),
            (Operation::Write, Some(false)),
            (Operation::Write, Some(true)),
            (Operation::Patch, None),
            (Operation::Delete, None),
        ];
        let mut rights = Grants::NONE;
        for (operation, exists) in operations {
            let question = Question {
                path,
                operation,
                exists,
                sudo: false,
                subject: subject(operation),
                fields: None,
                wrap_ttl: None,
                facts,
            };
            let decision = self.evaluate(identity, &question);
            if decision.allowed {
                rights = rights.with(Grants::of(&[Capability::needed(operation, exists)]));
            }
        }
        let best = weigh(&self.chosen_at(identity, path), &facts);
        if identity.is_root() || best.is_some_and(|best| best.rights.has(Capability::Sudo)) {
            rights = rights.with(Grants::of(&[Capability::Sudo]));
        }
        rights
    }

    /// May who asks do anything at all below a folder, which ends with a slash: as far as the patterns tell, whatever
    /// their conditions say. `below` is the folder's mount and its place in it.
    pub fn touches(&self, identity: &Identity, folder: &str, below: Option<(&str, &str)>) -> bool {
        if identity.is_root() {
            return true;
        }
        self.of(identity).any(|policy| {
            let grants = |grants: &[Grant]| grants.iter().any(|grant| grant.rights.any());
            let filled = policy.filled(&NoEntities);
            let document = policy.document.as_ref().filter(|document| !document.denies);
            policy.paths.any_below(folder, &grants)
                || filled.iter().any(|(pattern, grant)| grant.rights.any() && pattern.reaches_below(folder))
                || document
                    .zip(below)
                    .is_some_and(|(document, (mount, at))| document.reaches_below(mount, at))
        })
    }

    /// The patterns of who asks with their rights, for interfaces that show what can be reached.
    pub fn patterns<'p>(&'p self, identity: &'p Identity) -> Vec<(&'p str, Grants)> {
        let slots = self.of(identity).flat_map(|policy| policy.paths.slots());
        let sum = |grants: &[Grant]| grants.iter().fold(Grants::NONE, |sum, grant| sum.with(grant.rights));
        slots.map(|(pattern, grants)| (pattern.text(), sum(grants))).collect()
    }
}

fn holds(grant: &Grant, facts: &Facts) -> Holds {
    grant.conditions.as_ref().map_or(Holds::Yes, |conditions| conditions.hold(facts))
}

/// Puts the rules of one pattern together. `None` = there are none.
fn weigh<'p>(chosen: &Chosen<'p>, facts: &Facts) -> Option<Best<'p>> {
    let mut best: Option<Best<'p>> = None;
    for grant in chosen.iter() {
        let holds = holds(grant, facts);
        let have = best.get_or_insert(Best { label: &grant.label, rights: Grants::NONE, unmet: None });
        match (grant.rights.denies(), holds) {
            // A refusal is in force unless it is known not to be.
            (true, Holds::Yes | Holds::Unknown) => {
                *have = Best { label: &grant.label, rights: Grants::DENY, unmet: None };
                return best;
            }
            (true, Holds::No) => {}
            (false, Holds::Yes) => {
                if !have.rights.any() {
                    have.label = &grant.label;
                }
                have.rights = have.rights.with(grant.rights);
            }
            (false, _) => have.unmet = Some((&grant.label, grant.rights)),
        }
    }
    best
}

/// Constraints of the rules that are in force; as with rights, they count together.
fn check_parameters(chosen: &Chosen<'_>, question: &Question<'_>) -> Result<(), String> {
    let Some(fields) = question.fields else { return Ok(()) };
    let in_force = chosen.iter().filter(|grant| holds(grant, &question.facts) == Holds::Yes);
    let rules = in_force.filter_map(|grant| grant.parameters.as_deref());
    if rules.clone().next().is_none() {
        return Ok(());
    }
    let writes = matches!(question.operation, Operation::Write | Operation::Patch);
    let rules: Vec<&Parameters> = rules.collect();
    parameters::check(&rules.into_iter(), fields, writes, question.wrap_ttl)
}

impl<'a> Subject<'a> {
    /// The subject of an operation where the engine has no better word for what it does.
    pub fn of(mount: &'a str, secret: &'a str, operation: Operation) -> Self {
        Self { mount, secret, deed: Deed::of(operation) }
    }
}

#[cfg(test)]
mod tests;
