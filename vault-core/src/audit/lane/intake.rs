//! From a [`Change`] to what queues for the lane. All that can be done without knowing the place in the chain is done
//! here, on the caller's side: checks, order, digests of what is written.

use super::{Change, Draft, SubmitError};
use crate::{
    audit::{AuditRecord, Columns, HeaderValue, cut},
    crypto::Hash,
    id::BootId,
    limits::{
        AUDIT_FIELDS_MAX, AUDIT_HEADERS_MAX, AUDIT_TEXT_BYTES_MAX, REQUEST_BYTES_MAX, REQUEST_OPS_MAX,
        VALUE_BYTES_MAX,
    },
    store::{Key, Op},
};
use futures::channel::oneshot;
use std::time::Duration;

/// What a record weighs in a batch beside its values: its columns, twice, and its link.
const RECORD_BYTES: usize = 1_024;

/// A change that waits, with who waits for it.
#[derive(Debug)]
pub(super) struct Item {
    /// One operation a key, in key order.
    pub(super) ops: Vec<(Key, Op)>,
    /// Complete but for chain, number, time to commit and the clamp of its timestamp.
    pub(super) record: AuditRecord,
    pub(super) received: Duration,
    pub(super) bytes: usize,
    pub(super) urgent: bool,
    pub(super) caller: Caller,
}

/// Who waits for a change, until it is answered or its time is over. One that goes unanswered is told
/// [`SubmitError::Unknown`].
#[derive(Debug)]
pub(super) struct Caller {
    reply: Option<oneshot::Sender<Result<(), SubmitError>>>,
    deadline: Option<Duration>,
}

impl Caller {
    /// Tells the caller. One that has left is not told; its change is committed all the same.
    pub(super) fn answer(self, answer: Result<(), SubmitError>) {
        if let Some(reply) = self.reply {
            let _ = reply.send(answer);
        }
    }

    /// Lets go of a caller whose time is over. Its change stays where it is.
    pub(super) fn expire(&mut self, now: Duration) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.reply = None;
        }
    }
}

/// Where the answer to a change arrives.
pub(super) type Answer = oneshot::Receiver<Result<(), SubmitError>>;

impl Item {
    /// Checks a change and makes it ready to be numbered.
    pub(super) fn new(
        change: Change,
        hash: &dyn Hash,
        own: &Key,
        audited: bool,
    ) -> Result<(Self, Answer), SubmitError> {
        let Change { mut ops, draft, received, deadline, urgent } = change;
        normalise(&mut ops, own)?;
        let draft = tidy(draft);
        let bytes = weigh(&ops)? + draft.headers.len() * AUDIT_TEXT_BYTES_MAX;
        let mut record = AuditRecord {
            chain: BootId([0; 16]),
            seq: 0,
            columns: draft.columns,
            writes: Vec::new(),
            fields: draft.fields,
            headers: draft.headers,
        };
        if audited {
            record.writes = digests(&ops, hash);
        } else {
            blank(&mut record);
        }
        let (reply, answer) = oneshot::channel();
        let caller = Caller { reply: Some(reply), deadline };
        Ok((Self { ops, record, received, bytes, urgent, caller }, answer))
    }
}

/// Sorts by key and merges a change's own guards as a batch would, so that later on one operation stands for a key.
fn normalise(ops: &mut Vec<(Key, Op)>, own: &Key) -> Result<(), SubmitError> {
    if ops.len() > REQUEST_OPS_MAX {
        return Err(SubmitError::TooLarge);
    }
    if ops.iter().any(|(key, _)| key == own) {
        return Err(SubmitError::Clash(own.clone()));
    }
    ops.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut clash = None;
    ops.dedup_by(|(key, op), (kept_key, kept)| {
        if key != kept_key {
            return false;
        }
        match kept.merge(op) {
            Some(true) => std::mem::swap(kept, op),
            Some(false) => {}
            None => clash = Some(key.clone()),
        }
        true
    });
    clash.map_or(Ok(()), |key| Err(SubmitError::Clash(key)))
}

fn weigh(ops: &[(Key, Op)]) -> Result<usize, SubmitError> {
    let mut bytes = RECORD_BYTES;
    for (key, op) in ops {
        let value = op.value().map_or(0, |value| value.as_bytes().len());
        if value > VALUE_BYTES_MAX {
            return Err(SubmitError::TooLarge);
        }
        bytes += key.as_str().len() + value;
    }
    if bytes > REQUEST_BYTES_MAX { Err(SubmitError::TooLarge) } else { Ok(bytes) }
}

/// Makes the texts of a record fit for every store: cut, without NUL (PostgreSQL has no text with it, and one bad record
/// must not spoil a merged commit), and never an empty `Some`, which reads back as `None`.
fn tidy(mut draft: Draft) -> Draft {
    let c = &mut draft.columns;
    [&mut c.operation, &mut c.path, &mut c.request_id].into_iter().for_each(tidy_text);
    let optional = [
        &mut c.secret_id,
        &mut c.client_ip,
        &mut c.actor,
        &mut c.accessor,
        &mut c.mount,
        &mut c.user_agent,
        &mut c.rule,
        &mut c.lease_id,
        &mut c.error,
    ];
    for text in optional {
        text.iter_mut().for_each(tidy_text);
        text.take_if(|text| text.is_empty());
    }
    draft.fields.truncate(AUDIT_FIELDS_MAX);
    draft.fields.iter_mut().for_each(|(name, _)| tidy_text(name));
    draft.headers.truncate(AUDIT_HEADERS_MAX);
    for (_, value) in &mut draft.headers {
        if let HeaderValue::Plain(text) = value {
            tidy_text(text);
        }
    }
    draft
}

fn tidy_text(text: &mut String) {
    if text.len() > AUDIT_TEXT_BYTES_MAX {
        *text = cut(text);
    }
    if text.contains('\0') {
        *text = text.replace('\0', " ");
    }
}

/// What the record says was written. Guards change nothing and are not listed.
fn digests(ops: &[(Key, Op)], hash: &dyn Hash) -> Vec<(Key, Option<[u8; 32]>)> {
    let written = ops.iter().filter(|(_, op)| op.writes());
    let digest = |op: &Op| op.value().map(|value| hash.sha256(&[value.as_bytes()]));
    written.map(|(key, op)| (key.clone(), digest(op))).collect()
}

/// With auditing switched off a record keeps its place in the chain, its time, its request's id and how it ended
/// (that column has no empty value, and "success" would be a lie).
fn blank(record: &mut AuditRecord) {
    let Columns { timestamp, request_id, status, .. } = std::mem::take(&mut record.columns);
    record.columns = Columns { timestamp, request_id, status, ..Columns::default() };
    record.fields.clear();
    record.headers.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_every_store() {
        let check = |text: &str, expect: Option<&str>| {
            let columns = Columns {
                path: text.to_owned(),
                user_agent: Some(text.to_owned()),
                error: Some(text.to_owned()),
                ..Columns::default()
            };
            let headers = vec![("x".to_owned(), HeaderValue::Plain(text.to_owned())); 40];
            let tidied = tidy(Draft { columns, fields: vec![(text.to_owned(), [0; 16]); 40], headers });
            assert_eq!(tidied.columns.path, expect.unwrap_or_default());
            assert_eq!(tidied.columns.user_agent.as_deref(), expect);
            assert_eq!(tidied.columns.error.as_deref(), expect);
            assert_eq!(
                tidied.fields,
                vec![(expect.unwrap_or_default().to_owned(), [0; 16]); AUDIT_FIELDS_MAX]
            );
            let value = HeaderValue::Plain(expect.unwrap_or_default().to_owned());
            assert_eq!(tidied.headers, vec![("x".to_owned(), value); AUDIT_HEADERS_MAX]);
        };
        check("plain", Some("plain"));
        check("", None);
        check("a\0b", Some("a b"));
        check(&"x".repeat(5_000), Some(&"x".repeat(AUDIT_TEXT_BYTES_MAX)));
    }
}
