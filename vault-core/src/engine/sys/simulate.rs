//! `sys/policies/simulate`: what would be decided for somebody, and why. It asks the evaluator that enforces; nothing is done.

use super::{capabilities::holder_of, row};
use crate::{
    Operation::{self, Write},
    cx::Cx,
    engine::{
        Access::Token,
        Call, Field,
        FieldKind::{Any, Boolean, List, Map as MapKind, Seconds, Text},
        Route,
    },
    error::Error,
    id::Timestamp,
    policy::{Capability, Facts, Question, parse_operation},
    request::Reply,
    token::Identity,
};
use serde_json::{Value, json};
use std::time::Duration;

const FIELDS: &[Field] = &[
    Field::new("policies", List, "Policies of who asks; unless a token is named."),
    Field::new("accessor", Text, "The token of who asks, by its accessor."),
    Field::new("entities", List, "Names that policies may be bound to."),
    Field::new("entity_id", Text, "One such name (the second seed's word)."),
    Field::new(
        "path",
        Text,
        "Path of the request; `secret_path` names a secret of the mount `secret` instead.",
    ),
    Field::new("secret_path", Text, "A secret; dots are as good as slashes."),
    Field::new("operation", Text, "read, list, create, update, patch, delete; where absent: read."),
    Field::new("ip_address", Text, "Where it would come from."),
    Field::new("requested_ttl", Seconds, "How long the token lives."),
    Field::new("timestamp", Any, "When: RFC 3339 or seconds since 1970; now where absent."),
    Field::new("client_certificate", Boolean, "Has the client shown a verified certificate."),
    Field::new("sudo", Boolean, "Is `sudo` asked for too."),
    Field::new("fields", MapKind, "Fields of the request."),
    Field::new("wrap_ttl", Seconds, "How long its reply is to be wrapped."),
];

pub(super) const ROUTES: &[Route] = &[Route {
    example: r#"{"policies":["default"],"path":"secret/data/app","operation":"read","ip_address":"10.0.0.1"}"#,
    ..row(Write, "policies/simulate", Token, "What would be decided, and why.", FIELDS, |cx, call| {
        Box::pin(simulate(cx, call))
    })
}];

async fn simulate(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let identity = identity(cx, call).await?;
    let path = path(call)?;
    let (operation, exists) = operation(call)?;
    let facts = facts(cx, call, &identity)?;
    let empty = serde_json::Map::new();
    let question = Question {
        path: &path,
        operation,
        exists,
        sudo: call.boolean("sudo")?.unwrap_or(false),
        subject: None,
        fields: Some(call.map("fields")?.unwrap_or(&empty)),
        wrap_ttl: call.duration("wrap_ttl")?,
        facts,
    };
    let simulated = cx.simulate(&identity, question)?;
    let decision = &simulated.decision;
    Reply::data(&json!({
        "allowed": decision.allowed,
        "result": if decision.allowed { "allow" } else { "deny" },
        "reason": decision.reason.sentence(Capability::needed(operation, exists)),
        "rule": decision.reason.rule(),
        "policy_name": decision.reason.policy(),
        "steps": simulated.steps,
        "evaluated_at": facts.now.to_rfc3339(),
    }))
}

/// Who would ask: the holder of a token, or somebody with these policies and names.
async fn identity(cx: &mut Cx, call: Call<'_>) -> Result<Identity, Error> {
    let mut entities = call.list("entities")?.unwrap_or_default();
    entities.extend(call.text("entity_id")?.filter(|name| !name.is_empty()));
    if let Some(accessor) = call.text("accessor")?.filter(|accessor| !accessor.is_empty()) {
        let bad = || Error::invalid("invalid accessor");
        let hash = cx.root_document(&format!("accessor/{accessor}")).await?.ok_or_else(bad)?;
        let hash = String::from_utf8(hash).map_err(Error::internal)?;
        let mut identity = holder_of(cx, &hash).await?.ok_or_else(bad)?;
        identity.entities.extend(entities);
        return Ok(identity);
    }
    let named = call.list("policies")?.unwrap_or_default();
    if named.is_empty() && entities.is_empty() {
        return Err(Error::invalid("say who asks: policies, accessor or entities"));
    }
    let policies = named.iter().map(|name| name.trim().to_lowercase()).collect();
    Ok(Identity { policies, entities, ..Identity::built_in("simulated") })
}

fn path(call: Call<'_>) -> Result<String, Error> {
    if let Some(path) = call.text("path")?.filter(|path| !path.is_empty()) {
        return Ok(path.trim_start_matches('/').to_owned());
    }
    let secret = call.text("secret_path")?.filter(|path| !path.is_empty());
    let secret = secret.ok_or_else(|| Error::invalid("missing field \"path\""))?;
    Ok(format!("secret/data/{}", secret.trim_matches('/').replace('.', "/")))
}

fn operation(call: Call<'_>) -> Result<(Operation, Option<bool>), Error> {
    let word = call.text("operation")?.unwrap_or_else(|| "read".to_owned());
    let wrong = || Error::invalid("operation must be read, list, create, update, patch or delete");
    parse_operation(&word).ok_or_else(wrong)
}

fn facts(cx: &Cx, call: Call<'_>, identity: &Identity) -> Result<Facts, Error> {
    let wrong =
        || Error::invalid("timestamp must be a time such as 2026-01-31T12:00:00Z, or seconds since 1970");
    let now = match call.value("timestamp") {
        None => cx.now(),
        Some(Value::Number(seconds)) => {
            Timestamp(0).plus(Duration::from_secs(seconds.as_u64().ok_or_else(wrong)?))
        }
        Some(Value::String(text)) => Timestamp::from_rfc3339(text).ok_or_else(wrong)?,
        Some(_) => return Err(wrong()),
    };
    let address = call.text("ip_address")?.filter(|text| !text.is_empty()).map(|text| text.parse());
    Ok(Facts {
        now,
        address: address.transpose().map_err(|_| Error::invalid("ip_address must be an IP address"))?,
        client_certificate: call.boolean("client_certificate")?,
        ttl: call.duration("requested_ttl")?.or(identity.lifetime()),
    })
}
