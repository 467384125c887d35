//! From a request to what a policy is asked: which secret it is about, whether it would create something, and what is
//! known of where and when it comes from.

use crate::{
    cx::store_error,
    engine::{Mount, engine_of, parse_duration},
    error::Error,
    id::Timestamp,
    policy::{Facts, Question},
    request::{Operation, Request},
    store::{Key, Store},
    system::MountTable,
    token::{Identity, Seen},
};
use serde_json::Value;
use std::time::Duration;

/// What is known of a request.
pub(super) fn facts(request: &Request, identity: Option<&Identity>, now: Timestamp) -> Facts {
    let asked = request.fields.get("ttl").and_then(|ttl| match ttl {
        Value::Number(number) => number.as_u64().map(Duration::from_secs),
        Value::String(text) => parse_duration(text),
        _ => None,
    });
    Facts {
        now,
        address: request.remote.address,
        client_certificate: Some(request.remote.client_certificate),
        ttl: identity.and_then(Identity::lifetime).max(asked),
    }
}

/// The question to the policies about a request at a mount.
pub(super) fn question<'q>(
    request: &'q Request,
    at: Option<(&'q Mount, &'q str)>,
    sudo: bool,
    exists: Option<bool>,
    facts: Facts,
) -> Question<'q> {
    Question {
        path: &request.path,
        operation: request.operation,
        exists,
        sudo,
        subject: at.and_then(|(mount, rest)| mount.subject(rest, request.operation)),
        fields: Some(&request.fields),
        wrap_ttl: request.wrap_ttl,
        facts,
    }
}

/// Is there something where a request would write; with the key that tells. `None` = the engine does not tell.
pub(super) async fn existence(
    store: &dyn Store,
    mounts: &MountTable,
    seen: &Seen,
    request: &Request,
) -> Result<Option<(Key, bool)>, Error> {
    let by_root = seen.identity.as_ref().is_none_or(|identity| identity.is_root());
    if request.operation != Operation::Write || by_root {
        return Ok(None);
    }
    let at = mounts.resolve(&request.path);
    let key = at.and_then(|(mount, rest)| {
        let key = (engine_of(mount)?.exists?)(rest)?;
        let [namespace, id, slash] = mount.scope_parts();
        Key::join(&[namespace, id, slash, &key]).ok()
    });
    let Some(key) = key else { return Ok(None) };
    if let Some((_, entry)) = seen.ahead.as_ref().filter(|(ahead, _)| *ahead == key) {
        return Ok(Some((key, entry.is_some())));
    }
    let found = store.get(std::slice::from_ref(&key)).await.map_err(store_error)?;
    let exists = found.into_iter().flatten().next().is_some();
    Ok(Some((key, exists)))
}
