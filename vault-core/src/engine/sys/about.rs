//! What the server says of itself to who operates it: its node, its versions, its settings.

use super::row;
use crate::{
    Operation::{List, Read},
    cx::Cx,
    engine::{
        Access::{Sudo, Token},
        Route,
    },
    error::Error,
    limits::SCAN_ENTRIES_MAX,
    request::{Reply, Shape},
    system::{Member, VERSION_PREFIX, Version},
};
use serde_json::{Map, Value, json};

/// The rows of this file.
pub(super) const ROUTES: &[Route] = &[
    row(Read, "ha-status", Token, "The nodes; each serves everything.", &[], |cx, _| Box::pin(ha_status(cx))),
    row(List, "version-history", Token, "Versions of the server that this vault has seen.", &[], |cx, _| {
        Box::pin(version_history(cx))
    }),
    row(Read, "config/state/sanitized", Sudo, "The server's settings, without secrets.", &[], |cx, _| {
        Box::pin(sanitized(cx))
    }),
];

async fn ha_status(cx: &mut Cx) -> Result<Reply, Error> {
    let members = cx.system().members().await?;
    let nodes: Vec<Value> = members.iter().map(tell).collect();
    Reply::shaped(Shape::Double, &json!({ "nodes": nodes }))
}

/// The first six fields are Vault's, where the active node has no echo: here that is the one that answers.
fn tell(member: &Member) -> Value {
    let record = &member.record;
    json!({
        "hostname": record.hostname,
        "api_address": record.api_address,
        "cluster_address": "",
        "active_node": true,
        "last_echo": (!member.is_self).then(|| record.beat.to_rfc3339()),
        "version": record.version,
        "node_id": member.boot.to_hex(),
        "is_self": member.is_self,
        "started": record.started.to_rfc3339(),
        "stale": member.stale,
        "degraded": member.degraded,
        "clock_ahead_ms": member.ahead_micros / 1_000,
        "store_latency_us": record.store_micros,
        "cpu_percent": record.cpu_percent,
        "memory_bytes": record.memory_bytes,
    })
}

/// Oldest first. A version that serves for less than a minute may not be noted yet; it is told with the present time.
async fn version_history(cx: &mut Cx) -> Result<Reply, Error> {
    let items = cx.scan(VERSION_PREFIX, None, SCAN_ENTRIES_MAX).await?;
    let mut versions: Vec<Version> = items.iter().map(|item| item.json()).collect::<Result<_, _>>()?;
    versions.sort_by_key(|version| version.installed);
    let current = cx.system().settings().version.clone();
    if versions.iter().all(|version| version.version != current) {
        let previous = versions.last().map(|version| version.version.clone());
        versions.push(Version::new(current, previous, cx.now()));
    }
    let info = |version: &Version| {
        json!({
            "previous_version": version.previous,
            "timestamp_installed": version.installed.to_rfc3339(),
            // No build date: builds are reproducible.
            "build_date": "",
        })
    };
    let keys: Vec<&str> = versions.iter().map(|version| version.version.as_str()).collect();
    let infos: Map<String, Value> =
        versions.iter().map(|version| (version.version.clone(), info(version))).collect();
    Reply::data(&json!({ "keys": keys, "key_info": infos }))
}

async fn sanitized(cx: &mut Cx) -> Result<Reply, Error> {
    let storage = cx.system().backend().kind().to_owned();
    let seal = cx.system().seal_status().await?.kind;
    let settings = cx.system().settings();
    Reply::data(&json!({
        "api_addr": settings.api_address,
        "cluster_addr": "",
        "cluster_name": settings.cluster_name,
        "default_lease_ttl": 0,
        "max_lease_ttl": 0,
        "disable_mlock": true,
        "listeners": [{ "type": "tcp", "config": null }],
        "seals": [{ "type": seal, "disabled": false }],
        "storage": { "type": storage },
    }))
}
