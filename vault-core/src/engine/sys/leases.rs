//! `sys/leases`: what ends by itself, by lease. Tokens are the leases there are; one's lease id is the path that made it
//! and the keyed hash of its text, which tells nothing and cannot be guessed.

use super::row;
use crate::{
    Operation::{List, Read, Write},
    cx::{Cx, Item},
    engine::{
        Access::{Sudo, Token as NeedsToken},
        Call, Field,
        FieldKind::{Boolean, Integer, Seconds, Text},
        Route,
    },
    error::Error,
    id::Timestamp,
    limits::{BATCH_TTL_MAX, LEASES_SCANNED_MAX, LIST_NAMES_MAX, REVOCATIONS_MAX, SCAN_ENTRIES_MAX},
    request::{LeaseInfo, Reply, Shape},
    system::{Newest, Revocation},
    token::{Token, due_key},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

const LEASE: Field = Field::new("lease_id", Text, "The lease's id, unless the path names it.");
const LOOKUP: &[Field] = &[LEASE];
const RENEW: &[Field] = &[LEASE, Field::new("increment", Seconds, "How long it shall live from now.")];
const REVOKE: &[Field] = &[LEASE, SYNC];
const SYNC: Field = Field::new("sync", Boolean, "`false` answers 202; the lease ends at once in any case.");
const PREFIX: &[Field] = &[SYNC];
const AFTER: Field = Field::new("after", Text, "Start after the lease with this hash.");
const KIND: Field =
    Field::new("type", Text, "`irrevocable`: leases that could not be ended; there are none.");
const LEASES: &[Field] = &[
    KIND,
    Field::new("engine_type", Text, "Only leases of this engine."),
    Field::new("agent_id", Text, "Only leases of this agent."),
    Field::new("limit", Integer, "At most so many; 100 where absent."),
    AFTER,
];

const RENEWED: &str = r#"{"lease_id":"auth/token/create/HASH","increment":"1h"}"#;
const REVOKED: &str = r#"{"lease_id":"auth/token/create/HASH"}"#;
const IRREVOCABLE: &str = r#"{"type":"irrevocable"}"#;

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    Route { example: r#"{"limit":10}"#, ..row(Read, "leases", Sudo, "The leases, or with a type those that cannot be ended.", LEASES,
        |cx, call| Box::pin(leases(cx, call))) },
    row(Read, "leases/stats", NeedsToken, "How many leases there are, and how many end within five minutes.", &[],
        |cx, _| Box::pin(stats(cx))),
    Route { example: IRREVOCABLE, ..row(Read, "leases/count", NeedsToken, "How many leases cannot be ended.", &[KIND],
        |_, call| Box::pin(count(call))) },
    Route { example: REVOKED, ..row(Write, "leases/lookup", NeedsToken, "What is known of a lease.", LOOKUP,
        |cx, call| Box::pin(lookup(cx, call))) },
    row(List, "leases/lookup/{prefix*}", Sudo, "List leases below a path.", &[AFTER],
        |cx, call| Box::pin(list(cx, call))),
    Route { example: RENEWED, ..row(Write, "leases/renew/{lease*}", NeedsToken, "Renew a lease.", RENEW,
        |cx, call| Box::pin(renew(cx, call))) },
    Route { example: REVOKED, ..row(Write, "leases/revoke/{lease*}", NeedsToken, "End a lease.", REVOKE,
        |cx, call| Box::pin(revoke(cx, call))) },
    row(Write, "leases/revoke-prefix/{prefix*}", Sudo, "End every lease below a path, at once on every node.", PREFIX,
        |cx, call| Box::pin(revoke_prefix(cx, call))),
    row(Write, "leases/revoke-force/{prefix*}", Sudo, "The same; ending a token cannot fail.", PREFIX,
        |cx, call| Box::pin(revoke_prefix(cx, call))),
    row(Write, "leases/tidy", Sudo, "Sweep what is left of dead leases; a job does so anyway.", &[],
        |_, _| Box::pin(tidy())),
    Route { example: RENEWED, ..row(Write, "renew/{lease*}", NeedsToken, "Old name of `leases/renew`.", RENEW,
        |cx, call| Box::pin(renew(cx, call))) },
    Route { example: REVOKED, ..row(Write, "revoke/{lease*}", NeedsToken, "Old name of `leases/revoke`.", REVOKE,
        |cx, call| Box::pin(revoke(cx, call))) },
    row(Write, "revoke-prefix/{prefix*}", Sudo, "Old name of `leases/revoke-prefix`.", PREFIX,
        |cx, call| Box::pin(revoke_prefix(cx, call))),
    row(Write, "revoke-force/{prefix*}", Sudo, "Old name of `leases/revoke-force`.", PREFIX,
        |cx, call| Box::pin(revoke_prefix(cx, call))),
];

/// A lease that stands.
struct Lease {
    hash: String,
    item: Item,
    token: Token,
}

impl Lease {
    fn id(&self) -> String {
        format!("{}/{}", self.token.path, self.hash)
    }
}

/// The lease that the path or the body names.
fn named(call: Call<'_>) -> Result<String, Error> {
    let id = match call.text("lease_id")?.filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => call.param("lease").to_owned(),
    };
    if id.is_empty() { Err(Error::invalid("missing field \"lease_id\"")) } else { Ok(id) }
}

async fn find(cx: &mut Cx, id: &str) -> Result<Option<Lease>, Error> {
    let Some((path, hash)) = id.trim_end_matches('/').rsplit_once('/') else { return Ok(None) };
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let Some(item) = cx.root_item(&format!("token/{hash}")).await? else { return Ok(None) };
    let token: Token = item.json()?;
    if token.path != path || !is_leased(cx, &token) || !cx.stands(&token).await? {
        return Ok(None);
    }
    cx.note_lease(id);
    Ok(Some(Lease { hash: hash.to_owned(), item, token }))
}

/// What never expires is no lease.
fn is_leased(cx: &Cx, token: &Token) -> bool {
    token.expires.is_some() && token.is_good(cx.now()) && !cx.is_revoked(token)
}

fn unknown() -> Error {
    Error::invalid("invalid lease")
}

async fn lookup(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let lease = find(cx, &named(call)?).await?.ok_or_else(unknown)?;
    Reply::data(&json!({
        "id": lease.id(),
        "path": lease.token.path,
        "issue_time": lease.token.created.to_rfc3339(),
        "expire_time": lease.token.expires.map(Timestamp::to_rfc3339),
        "last_renewal": lease.token.last_renewal.map(Timestamp::to_rfc3339),
        "renewable": lease.token.renewable,
        "ttl": lease.token.ttl(cx.now()),
    }))
}

async fn renew(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let lease = find(cx, &named(call)?).await?.ok_or_else(unknown)?;
    if !lease.token.renewable {
        return Err(Error::invalid("lease is not renewable"));
    }
    let longest = cx.longest_below(&lease.token.path);
    let (id, now, increment) = (lease.id(), cx.now(), call.duration("increment")?);
    let Lease { hash, item, token } = lease;
    let until = token.renewed_until(now, increment, longest);
    // The door counts a use unless the engine changes the asking token itself.
    let own = cx.identity().is_some_and(|identity| identity.hash == hash);
    let uses_left = token.uses_left.map(|uses| uses.saturating_sub(u64::from(own)));
    let renewed = Token { expires: Some(until), last_renewal: Some(now), uses_left, ..token };
    cx.replace_json(&item, &renewed)?;
    cx.put_root(&due_key(&hash, until), &[])?;
    let duration = Duration::from_secs(renewed.ttl(now));
    Ok(Reply { lease: LeaseInfo { id, renewable: true, duration }, ..Reply::empty() })
}

/// Ends it, and all below it. What is not there is ended already.
async fn revoke(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if let Some(lease) = find(cx, &named(call)?).await? {
        remove(cx, &lease).await?;
    }
    answer(call)
}

async fn remove(cx: &mut Cx, lease: &Lease) -> Result<(), Error> {
    if let Some(accessor) = cx.root_item(&format!("accessor/{}", lease.token.accessor)).await? {
        cx.remove(&accessor)?;
    }
    cx.remove(&lease.item)?;
    cx.put_root(&format!("token-sweep/{}", lease.hash), &[])
}

fn answer(call: Call<'_>) -> Result<Reply, Error> {
    let shape = if call.boolean("sync")? == Some(false) { Shape::Accepted } else { Shape::default() };
    Ok(Reply { shape, ..Reply::empty() })
}

async fn revoke_prefix(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let prefix = call.param("prefix").trim_matches('/');
    if prefix.is_empty() {
        return Err(Error::invalid("say which leases: the path is missing"));
    }
    match find(cx, prefix).await? {
        Some(lease) => remove(cx, &lease).await?,
        None => {
            stage_revocation(cx, prefix).await?;
            cx.advance_epochs().await?;
        }
    }
    answer(call)
}

/// Ends every lease below a path with the commit; the epochs must be advanced with it.
pub(super) async fn stage_revocation(cx: &mut Cx, prefix: &str) -> Result<(), Error> {
    if cx.standing_revocations() >= REVOCATIONS_MAX {
        return Err(Error::unavailable("too many prefixes are being revoked; try again in a minute"));
    }
    let read = cx.root_item("revocations").await?;
    let before = read.as_ref().map(Item::json::<Newest>).transpose()?;
    let before = before.unwrap_or(Newest { format: 1, newest: 0, batch_floor: 0 });
    let number = before.newest + 1;
    let document = Newest { newest: number, ..before };
    match &read {
        Some(read) => cx.replace_json(read, &document)?,
        None => cx.create_root_json("revocations", &document)?,
    }
    // Every node's clock is within a few seconds of this one's, or it says so.
    let until = Some(cx.now().plus(BATCH_TTL_MAX).plus(Duration::from_secs(3_600)));
    let (prefix, after) = (prefix.to_owned(), String::new());
    let tombstone = Revocation { format: 1, number, prefix, after, until, swept: false };
    cx.create_root_json(&format!("revocation/{number:016x}"), &tombstone)
}

async fn tidy() -> Result<Reply, Error> {
    let reply = Reply { shape: Shape::Accepted, ..Reply::empty() };
    Ok(reply.warn("Dead leases are swept continuously; there is nothing to start."))
}

/// Ending a token is one commit: there is no lease that could not be ended.
async fn count(call: Call<'_>) -> Result<Reply, Error> {
    check_irrevocable(&call.text("type")?.unwrap_or_default())?;
    Reply::data(&json!({ "lease_count": 0, "counts": {} }))
}

fn check_irrevocable(kind: &str) -> Result<(), Error> {
    if kind == "irrevocable" { Ok(()) } else { Err(Error::invalid("field \"type\" must be \"irrevocable\"")) }
}

/// Looks at every lease after a hash, in the order of hashes; says after which one to go on if the bound was reached.
async fn walk(
    cx: &mut Cx,
    after: Option<String>,
    mut see: impl FnMut(&Lease),
) -> Result<Option<String>, Error> {
    let mut after = after.map(|hash| format!("token/{hash}"));
    for _ in 0..LEASES_SCANNED_MAX / SCAN_ENTRIES_MAX {
        let page = cx.root_page("token/", after.as_deref(), SCAN_ENTRIES_MAX).await?;
        let Some(last) = page.last() else { return Ok(None) };
        after = Some(last.key().to_owned());
        for item in page {
            let token: Token = item.json()?;
            let hash = item.key()["token/".len()..].to_owned();
            if is_leased(cx, &token) {
                see(&Lease { hash, item, token });
            }
        }
    }
    Ok(after.map(|key| key["token/".len()..].to_owned()))
}

fn after_of(call: Call<'_>) -> Result<Option<String>, Error> {
    Ok(call.text("after")?.filter(|after| !after.is_empty()))
}

fn cut(reply: Reply, next: Option<String>) -> Reply {
    match next {
        Some(next) => reply.warn(format!("not all leases were looked at; ask again with after={next}")),
        None => reply,
    }
}

async fn list(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let prefix = match call.param("prefix").trim_matches('/') {
        "" => String::new(),
        path => format!("{path}/"),
    };
    let mut names = BTreeSet::new();
    let next = walk(cx, after_of(call)?, |lease| {
        let id = lease.id();
        let Some(rest) = id.strip_prefix(&prefix).filter(|_| names.len() < LIST_NAMES_MAX) else { return };
        names.insert(rest.find('/').map_or(rest, |at| &rest[..=at]).to_owned());
    });
    let next = next.await?;
    if names.is_empty() {
        return Err(Error::not_found());
    }
    Ok(cut(Reply::data(&json!({ "keys": names }))?, next))
}

/// The second seed's list; with a type it is Vault's.
async fn leases(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if let Some(kind) = call.text("type")?.filter(|kind| !kind.is_empty()) {
        check_irrevocable(&kind)?;
        return Reply::data(&json!({ "lease_count": 0, "leases": [] }));
    }
    let limit = call.integer("limit")?.filter(|limit| *limit > 0).unwrap_or(100);
    let limit = usize::try_from(limit).unwrap_or(LIST_NAMES_MAX).min(LIST_NAMES_MAX);
    let wanted = |name: &str| Ok::<_, Error>(call.text(name)?.filter(|text| !text.is_empty()));
    // Tokens belong to no agent.
    let none = wanted("engine_type")?.is_some_and(|kind| kind != "token") || wanted("agent_id")?.is_some();
    let (mut total, mut shown) = (0, Vec::new());
    let next = walk(cx, after_of(call)?, |lease| {
        if none {
            return;
        }
        total += 1;
        if shown.len() < limit {
            shown.push(describe(lease));
        }
    });
    let next = next.await?;
    Ok(cut(Reply::data(&json!({ "leases": shown, "total": total }))?, next))
}

fn describe(lease: &Lease) -> Value {
    json!({
        "lease_id": lease.id(),
        "engine_type": "token",
        "role": null,
        "expires_at": lease.token.expires.map(Timestamp::to_rfc3339),
        "renewable": lease.token.renewable,
        "agent_id": null,
    })
}

async fn stats(cx: &mut Cx) -> Result<Reply, Error> {
    let (mut total, mut soon) = (0, 0);
    let limit = cx.now().plus(Duration::from_secs(300));
    let next = walk(cx, None, |lease| {
        total += 1;
        soon += u64::from(lease.token.expires.is_some_and(|end| end < limit));
    });
    let next = next.await?;
    let by_engine = if total == 0 { json!({}) } else { json!({ "token": total }) };
    let data = json!({ "total_active": total, "by_engine": by_engine, "expiring_soon": soon });
    Ok(cut(Reply::data(&data)?, next))
}
