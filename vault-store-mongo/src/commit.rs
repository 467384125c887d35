//! One batch, one transaction. It is written blindly, in one command for all kinds of change and in key order; a filter
//! that found nothing, or a key that was there, says that somebody loses. Only then is it asked who.

use crate::{
    Place,
    document::{binary, number, rev_of},
    error::{DUPLICATE_KEY, WRITE_CONFLICT, bounded, refused, unavailable},
    retry::{Pauses, Stop, until_answered},
    rows,
};
use mongodb::{
    ClientSession,
    bson::{Bson, Document, doc, oid::ObjectId},
    error::UNKNOWN_TRANSACTION_COMMIT_RESULT,
    options::{Acknowledgment, ReadConcern, WriteConcern},
};
use secrethub_core::{
    id::Rev,
    limits::{REQUEST_DEADLINE, VALUE_BYTES_MAX},
    store::{
        Batch, CommitError, Key, Op,
        judge::{Verdict, judge},
    },
};
use std::collections::HashMap;
use tokio::time::error::Elapsed;

/// Keys of one find. More would do; servers differ in how well they take a long list.
const KEYS_A_FIND: usize = 512;
/// Bytes of one command: MongoDB takes 16 MiB, and one value of the largest size must fit beside what came before it.
const COMMAND_BYTES: usize = VALUE_BYTES_MAX / 2;
/// Times that a commit without an answer is asked for again.
const TRIES: u32 = 8;
/// What a change weighs beside its value: key, revision, names of fields.
const CHANGE_BYTES: usize = 1_024;

pub(crate) async fn apply(store: &Place, batch: &Batch) -> Result<(), CommitError> {
    if batch.is_empty() {
        return Ok(());
    }
    until_answered(|| async {
        match attempt(store, batch).await {
            Err(stop @ (Stop::Refused | Stop::RowsAreThere)) => judge_now(store, batch, stop).await,
            other => other,
        }
    })
    .await
}

async fn attempt(store: &Place, batch: &Batch) -> Result<(), Stop> {
    let mut session = begin(store).await?;
    let written = bounded(async { Ok(write(store, &mut session, batch).await) }).await?;
    match written {
        Ok(()) => commit(&mut session).await,
        Err(stop) => {
            // Lets go of what is locked. Dropping the session would, too, but later than the caller's next attempt.
            drop(bounded(async { session.abort_transaction().await.map_err(refused) }).await);
            Err(stop)
        }
    }
}

async fn begin(store: &Place) -> Result<ClientSession, Stop> {
    let durable =
        WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(REQUEST_DEADLINE).build();
    let mut session = store.client.start_session().await.map_err(Stop::before_commit)?;
    session
        .start_transaction()
        .read_concern(ReadConcern::snapshot())
        .write_concern(durable)
        .await
        .map_err(Stop::before_commit)?;
    Ok(session)
}

/// Asks a few times more than the driver does. It is the same transaction, so that asking again is harmless; and one that
/// nobody ends keeps its locks, against its own re-sending too, until the server's patience is over.
async fn commit(session: &mut ClientSession) -> Result<(), Stop> {
    let asking = async {
        let mut pauses = Pauses::default();
        loop {
            match session.commit_transaction().await {
                Ok(()) => return Ok(()),
                Err(lost)
                    if lost.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) && pauses.count() < TRIES =>
                {
                    pauses.wait().await;
                }
                Err(error) => return Err(Stop::after_commit(&error)),
            }
        }
    };
    let late = |late: Elapsed| Err(Stop::Answer(CommitError::Unknown(late.into())));
    tokio::time::timeout(REQUEST_DEADLINE, asking).await.unwrap_or_else(late)
}

async fn write(store: &Place, session: &mut ClientSession, batch: &Batch) -> Result<(), Stop> {
    let mut changes = Command::new(store, "update", "updates");
    for (key, op) in batch.ops() {
        changes
            .add(session, change(batch.id(), key, op), op.value().map_or(0, |value| value.as_bytes().len()))
            .await?;
    }
    changes.send(session).await?;
    let mut removals = Command::new(store, "delete", "deletes");
    for (key, _) in batch.ops().filter(|(_, op)| matches!(op, Op::Remove(_))) {
        removals.add(session, doc! { "q": { "_id": key.as_str() }, "limit": 1 }, 0).await?;
    }
    removals.send(session).await?;
    rows::append(store, session, batch.records()).await
}

/// One change with its condition. Where the condition is absence, the unique `_id` is it: the filter finds nothing, the
/// insert that follows collides. What is removed is locked here, in its place, and deleted afterwards.
fn change(id: Rev, key: &Key, op: &Op) -> Document {
    let key = key.as_str();
    let at = |rev: &Rev| doc! { "_id": key, "rev": binary(&rev.0) };
    let locked = || doc! { "$set": { "guard": ObjectId::new() } };
    let new = |value: &[u8]| doc! { "rev": binary(&id.0), "value": binary(value) };
    match op {
        Op::Create(value) => {
            let absent = doc! { "_id": key, "rev": { "$exists": false } };
            doc! { "q": absent, "u": new(value.as_bytes()), "upsert": true }
        }
        Op::Put(value) => {
            // At this very revision it was applied before, and must not be again: others may have moved on elsewhere.
            let other = doc! { "_id": key, "rev": { "$ne": binary(&id.0) } };
            doc! { "q": other, "u": new(value.as_bytes()), "upsert": true }
        }
        Op::Replace(rev, value) => doc! { "q": at(rev), "u": new(value.as_bytes()) },
        Op::Remove(rev) | Op::Guard(rev) => doc! { "q": at(rev), "u": locked() },
    }
}

/// Statements of one kind, sent as often as a command is full. Every one of them must find its document.
struct Command<'a> {
    store: &'a Place,
    name: &'static str,
    field: &'static str,
    statements: Vec<Bson>,
    bytes: usize,
}

impl<'a> Command<'a> {
    fn new(store: &'a Place, name: &'static str, field: &'static str) -> Self {
        Self { store, name, field, statements: Vec::new(), bytes: 0 }
    }

    async fn add(
        &mut self,
        session: &mut ClientSession,
        statement: Document,
        bytes: usize,
    ) -> Result<(), Stop> {
        if self.bytes + bytes > COMMAND_BYTES {
            self.send(session).await?;
        }
        self.statements.push(statement.into());
        self.bytes += bytes + CHANGE_BYTES;
        Ok(())
    }

    async fn send(&mut self, session: &mut ClientSession) -> Result<(), Stop> {
        let statements = std::mem::take(&mut self.statements);
        self.bytes = 0;
        if statements.is_empty() {
            return Ok(());
        }
        let all = statements.len() as u64;
        let command = doc! { self.name: self.store.kv.name(), self.field: statements, "ordered": true };
        let reply =
            self.store.database.run_command(command).session(session).await.map_err(Stop::before_commit)?;
        check(&reply, all)
    }
}

/// Did every statement find its document? A command that did half its work answers `ok`.
fn check(reply: &Document, all: u64) -> Result<(), Stop> {
    if let Some(error) = reply.get_array("writeErrors").ok().and_then(|errors| errors.first()?.as_document())
    {
        return Err(match error.get_i32("code") {
            Ok(DUPLICATE_KEY) => Stop::Refused,
            Ok(WRITE_CONFLICT) => Stop::Again(unavailable("write conflict")),
            code => {
                Stop::from(unavailable(format!("the server refused a write (code {})", code.unwrap_or(0))))
            }
        });
    }
    if number(reply, "n") == Some(all) { Ok(()) } else { Err(Stop::Refused) }
}

/// Who lost, or was it applied before? Read in a transaction that is committed as durably as a batch: what it says must
/// not be undone by a failover, least of all that the batch was applied.
async fn judge_now(store: &Place, batch: &Batch, stop: Stop) -> Result<(), Stop> {
    let mut session = begin(store).await?;
    let found = bounded(async { Ok(revisions(store, &mut session, batch).await) }).await??;
    commit(&mut session).await?;
    match judge(batch, |key| found.get(key.as_str()).copied()) {
        Verdict::Applied => Ok(()),
        Verdict::Conflict(keys) => Err(Stop::Answer(CommitError::Conflict { keys })),
        Verdict::Apply => Err(match stop {
            Stop::RowsAreThere => {
                Stop::from(crate::error::unreadable("audit_logs holds rows of this number"))
            }
            other => other,
        }),
    }
}

async fn revisions(
    store: &Place,
    session: &mut ClientSession,
    batch: &Batch,
) -> Result<HashMap<String, Rev>, Stop> {
    let names: Vec<&str> = batch.ops().map(|(key, _)| key.as_str()).collect();
    let mut found = HashMap::with_capacity(names.len());
    for names in names.chunks(KEYS_A_FIND) {
        let size = u32::try_from(KEYS_A_FIND + 1).unwrap_or(u32::MAX);
        let find =
            store.kv.find(doc! { "_id": { "$in": names } }).projection(doc! { "rev": 1 }).batch_size(size);
        let mut cursor = find.session(&mut *session).await.map_err(Stop::before_commit)?;
        while let Some(document) = cursor.next(session).await.transpose().map_err(Stop::before_commit)? {
            let name = document.get_str("_id").map_err(|_| crate::error::unreadable("kv._id"))?;
            found.insert(name.to_owned(), rev_of(&document)?);
        }
    }
    Ok(found)
}
