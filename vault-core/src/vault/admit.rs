//! From a request to the route that may serve it: mount, rights, route, in that order, so that a stranger learns
//! nothing about what exists.

use super::{question::question, record::Ledger};
use crate::{
    cx::{Filter, folder_of, touches},
    engine::{Access, Engine, FieldKind, Mount, Params, Route, engine_of, is_nothing},
    error::{Error, ErrorKind},
    limits::{LEASE_TTL_MAX, WRAP_TTL_MIN},
    policy::{Capability, Facts, Policies, Reason},
    request::{Operation, Request},
    store::Key,
    system::MountTable,
    token::{DEFAULT, Identity},
};
use std::sync::Arc;

/// A request that may be served, and by whom.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    pub(super) mount: &'a Arc<Mount>,
    pub(super) engine: &'static Engine,
    pub(super) route: &'static Route,
    pub(super) params: Params<'a>,
    /// What a list shows, where it does not show everything.
    pub(super) filter: Option<Filter>,
    /// Has who asks `sudo` on the path.
    pub(super) sudo: bool,
}

/// A request that is not served.
pub(super) struct Refusal(pub(super) Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// What a request is judged by.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) mounts: &'a MountTable,
    pub(super) identity: Option<&'a Identity>,
    pub(super) request: &'a Request,
    /// Is there something already where it would write; `None` = nobody can tell.
    pub(super) exists: Option<bool>,
    /// The operator's switch.
    pub(super) open_ceremonies: bool,
    pub(super) facts: Facts,
}

/// Decides whether a request is served; the ledger learns what decided.
pub(super) fn admit<'a>(asked: &Asked<'a>, ledger: &mut Ledger) -> Result<Admitted<'a>, Refusal> {
    let request = asked.request;
    if !request.namespace.trim_matches('/').is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "namespace not found").into());
    }
    request.check()?;
    let found = find(asked.mounts, request);
    if let Ok(admitted) = &found {
        ledger.mount(admitted.mount);
        match admitted.route.access {
            Access::Probe | Access::Open | Access::Login => ledger.rule("open to anybody"),
            Access::Ceremony if asked.open_ceremonies => {
                ledger.rule("open to anybody: unauthenticated_ceremonies");
            }
            Access::Ceremony if request.token.is_none() => return Err(no_strangers().into()),
            Access::Ceremony | Access::Token | Access::Sudo => {
                return admit_holder(asked, found, ledger);
            }
        }
        check_protection(request, admitted.route.access)?;
        return found.map_err(Refusal);
    }
    admit_holder(asked, found, ledger)
}

/// What needs a token.
fn admit_holder<'a>(
    asked: &Asked<'a>,
    found: Result<Admitted<'a>, Error>,
    ledger: &mut Ledger,
) -> Result<Admitted<'a>, Refusal> {
    // What does not exist is denied like what is forbidden, unless a policy covers the path.
    let identity = asked.identity.ok_or_else(Error::unauthenticated)?;
    let (request, policies) = (asked.request, asked.mounts.policies());
    let sudo =
        found.as_ref().is_ok_and(|found| matches!(found.route.access, Access::Sudo | Access::Ceremony));
    let at = asked.mounts.resolve(&request.path).map(|(mount, rest)| (&**mount, rest));
    let question = question(request, at, sudo, asked.exists, asked.facts);
    let decision = policies.evaluate(identity, &question);
    let filter =
        at.filter(|_| !decision.allowed).and_then(|at| filter(asked, identity, at, &decision.reason));
    match &filter {
        Some(_) => ledger.rule("a list of what the token may touch"),
        None => ledger.rule(decision.reason.rule()),
    }
    if !decision.allowed && filter.is_none() {
        let needed = Capability::needed(request.operation, asked.exists);
        return Err(explained(policies, identity, &decision.reason, needed, asked.facts).into());
    }
    check_protection(request, Access::Token)?;
    let admitted = found.map_err(Refusal)?;
    Ok(Admitted { filter, sudo: decision.sudo, ..admitted })
}

/// Who may not list, and may touch something below, is shown just that. A rule that denies, denies this too.
fn filter(asked: &Asked<'_>, identity: &Identity, at: (&Mount, &str), reason: &Reason<'_>) -> Option<Filter> {
    let silent = matches!(reason, Reason::NoRule | Reason::NotGranted(_));
    if asked.request.operation != Operation::List || !silent {
        return None;
    }
    let folder = folder_of(at.0, at.1)?;
    touches(asked.mounts.policies(), identity, at.0, &folder).then_some(Filter { folder })
}

/// A denial, with its reason for who may read the policies that it rests on: the one that decided, or where none did all
/// that the token has.
fn explained(
    policies: &Policies,
    identity: &Identity,
    reason: &Reason<'_>,
    needed: Capability,
    facts: Facts,
) -> Error {
    let may_read = |policy: &str| {
        let path = format!("sys/policies/acl/{policy}");
        policy == DEFAULT || policies.rights(identity, &path, &|_| None, facts).has(Capability::Read)
    };
    let may_see = match reason.policy() {
        Some(policy) => may_read(policy),
        None => identity.policies.iter().all(|policy| may_read(policy)),
    };
    if may_see { Error::denied().with_message(reason.sentence(needed)) } else { Error::denied() }
}

/// As Vault answers where its unauthenticated ceremonies are off: the path is known, this way of asking is not served.
fn no_strangers() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a ceremony needs a token with sudo on this path; without one it is served only where the setting \
         `unauthenticated_ceremonies` is on",
    )
}

/// A protection that is asked for and cannot be given is refused, never left out.
fn check_protection(request: &Request, access: Access) -> Result<(), Error> {
    let Some(ttl) = request.wrap_ttl.filter(|ttl| !ttl.is_zero()) else { return Ok(()) };
    if access == Access::Probe {
        return Err(Error::invalid(
            "what this path says is public and cannot be wrapped; leave out the wrap TTL",
        ));
    }
    if ttl < WRAP_TTL_MIN || ttl > LEASE_TTL_MAX {
        let (least, most) = (WRAP_TTL_MIN.as_secs(), LEASE_TTL_MAX.as_secs());
        return Err(Error::invalid(format!("the wrap TTL must be between {least}s and {most}s")));
    }
    Ok(())
}

/// The key that the request will ask for first, if its path alone tells.
pub(super) fn target(mounts: &MountTable, request: &Request) -> Option<Key> {
    let (mount, rest) = mounts.resolve(&request.path)?;
    let target = engine_of(mount)?.target?;
    let [namespace, id, slash] = mount.scope_parts();
    Key::join(&[namespace, id, slash, &target(request.operation, rest)?]).ok()
}

fn find<'a>(mounts: &'a MountTable, request: &'a Request) -> Result<Admitted<'a>, Error> {
    let unknown = || {
        let path = crate::audit::cut(&request.path);
        Error::new(ErrorKind::NotFound, format!("no handler for route \"{path}\". route entry not found."))
    };
    let (mount, rest) = mounts.resolve(&request.path).ok_or_else(unknown)?;
    let engine = engine_of(mount).ok_or_else(unknown)?;
    let mut known = false;
    for route in engine.routes {
        if let Some(params) = route.matches(rest).or_else(|| listed_without_slash(route, rest)) {
            if route.operation == request.operation {
                return Ok(Admitted { mount, engine, route, params, filter: None, sudo: false });
            }
            known = true;
        }
    }
    if known { Err(Error::new(ErrorKind::Unsupported, "unsupported operation")) } else { Err(unknown()) }
}

/// `LIST accessors/` is `LIST accessors`.
fn listed_without_slash<'p>(route: &Route, rest: &'p str) -> Option<Params<'p>> {
    let bare = rest.strip_suffix('/').filter(|_| route.operation == Operation::List)?;
    route.matches(bare)
}

impl Admitted<'_> {
    /// A field that asks for a protection we do not have makes the request fail.
    pub(super) fn check_refused(&self, request: &Request) -> Result<(), Error> {
        let refused = self.route.fields.iter().filter(|field| field.kind == FieldKind::Refused);
        for field in refused {
            if !request.fields.get(field.name).is_none_or(is_nothing) {
                return Err(Error::invalid(format!(
                    "field {:?} is not available here; leave it out",
                    field.name
                )));
            }
        }
        Ok(())
    }

    /// A warning that names the fields that nobody reads.
    pub(super) fn unknown_fields(&self, request: &Request) -> Option<String> {
        let known =
            |name: &str| self.route.fields.iter().any(|field| field.name == name || field.name == "*");
        let ignored: Vec<&str> =
            request.fields.keys().map(String::as_str).filter(|name| !known(name)).collect();
        if ignored.is_empty() {
            return None;
        }
        Some(format!("Endpoint ignored these unrecognized parameters: [{}]", ignored.join(" ")))
    }
}
