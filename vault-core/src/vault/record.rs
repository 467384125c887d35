//! What a request leaves in the audit log. Values go in only as keyed hashes.

use crate::{
    audit::{Columns, Draft, HeaderValue, Status, cut},
    barrier::Barrier,
    cx::Notes,
    engine::Mount,
    error::Error,
    id::Timestamp,
    limits::AUDIT_FIELDS_MAX,
    request::{Reply, Request},
    system::Auditing,
    token::Identity,
};
use serde_json::Value;

/// Collects the columns while a request is served.
pub(super) struct Ledger {
    columns: Columns,
    headers: Vec<(String, HeaderValue)>,
}

impl Ledger {
    pub(super) fn new(request: &Request, identity: Option<&Identity>, now: Timestamp) -> Self {
        let accessor = identity.and_then(|who| who.token.as_ref()).map(|token| token.accessor.clone());
        let accessor = accessor.filter(|accessor| !accessor.is_empty());
        let columns = Columns {
            timestamp: now,
            operation: request.operation.as_str().to_owned(),
            client_ip: request.remote.address.map(|address| address.to_string()),
            actor: identity.map(|who| cut(&who.display_name)),
            accessor,
            path: cut(&request.path),
            user_agent: request.remote.user_agent.as_deref().map(cut),
            request_id: cut(&request.id),
            ..Columns::default()
        };
        Self { columns, headers: Vec::new() }
    }

    /// Takes down the headers that an operator has chosen.
    pub(super) fn headers(&mut self, barrier: &Barrier, auditing: &Auditing, request: &Request) {
        for (name, header) in &auditing.headers {
            let told = |value: String| match header.hmac {
                true => HeaderValue::Hashed(barrier.value_hash(&format!("headers.{name}"), value.as_bytes())),
                false => HeaderValue::Plain(cut(&value)),
            };
            let values = request.remote.headers.values(name).into_iter();
            self.headers.extend(values.map(|value| (name.clone(), told(value))));
        }
    }

    pub(super) fn mount(&mut self, mount: &Mount) {
        self.columns.mount = Some(mount.path.clone());
    }

    pub(super) fn rule(&mut self, rule: impl Into<String>) {
        self.columns.rule = Some(rule.into());
    }

    /// The record of a request to an unsealed vault.
    pub(super) fn draft(
        mut self,
        barrier: &Barrier,
        request: &Request,
        notes: Notes,
        answer: &Result<Reply, Error>,
    ) -> Draft {
        let mut fields = Vec::new();
        for (name, value) in &request.fields {
            hash_field(barrier, name, value, &mut fields);
        }
        let headers = std::mem::take(&mut self.headers);
        Draft { columns: self.finish(notes, answer), fields, headers }
    }

    /// The record of a request to a sealed vault, which has no key to hash values with.
    pub(super) fn sealed_draft(self, notes: Notes, answer: &Result<Reply, Error>) -> Draft {
        Draft { columns: self.finish(notes, answer), fields: Vec::new(), headers: Vec::new() }
    }

    fn finish(mut self, notes: Notes, answer: &Result<Reply, Error>) -> Columns {
        let columns = &mut self.columns;
        if let Some(operation) = notes.operation {
            columns.operation = operation.to_owned();
        }
        if let Some(rule) = notes.rule {
            columns.rule = Some(rule.to_owned());
        }
        if let Some((actor, accessor)) = notes.came {
            columns.actor = Some(cut(&actor));
            columns.accessor = Some(accessor).filter(|accessor| !accessor.is_empty());
        }
        columns.secret_id = notes.secret_id;
        columns.lease_id = notes.lease_id;
        match answer {
            Ok(_) => columns.status = Status::Success,
            Err(error) => {
                columns.status = Status::Failure;
                columns.error = Some(cut(&format!("{:?}: {error}", error.kind())));
            }
        }
        self.columns
    }
}

/// One keyed hash a leaf; objects are entered so that `data.password` can be looked for by itself.
fn hash_field(barrier: &Barrier, name: &str, value: &Value, into: &mut Vec<(String, [u8; 16])>) {
    if into.len() >= AUDIT_FIELDS_MAX {
        return;
    }
    let digest = match value {
        Value::Object(map) => {
            for (inner, value) in map {
                hash_field(barrier, &format!("{name}.{inner}"), value, into);
            }
            return;
        }
        Value::String(text) => barrier.value_hash(name, text.as_bytes()),
        other => barrier.value_hash(name, zeroize::Zeroizing::new(other.to_string()).as_bytes()),
    };
    into.push((cut(name), digest));
}
