//! One batch, one round trip: a call of the function `secrethub_commit`, which locks, judges and writes, and is itself
//! the transaction.
//!
//! Judging here, between a lock and a write of our own, took five round trips and more (begin, locks, changes, records,
//! commit); the rows stayed locked for all of them, so nodes that share a key waited for each other's wire. Through the
//! function the locks are held for the server's own time. docs/postgresql.md has both figures.

use super::{
    fault::{Fault, unavailable},
    pool::Pool,
    rows::with_records,
    statement::{Statement, Value},
};
use secrethub_core::store::{Batch, CommitError, Key, Op};
use sqlx::Row;
use std::{sync::Arc, time::Duration};

/// Times a batch starts over. Each time somebody else got on.
const ATTEMPTS: u8 = 32;
/// How long the server may work on a batch, and wait for a lock on the way. Waiting for a standby is not counted.
const COMMIT_MAX: Duration = Duration::from_secs(5);
const LOCK_MAX: Duration = Duration::from_secs(4);

/// Commits a batch. The bound on attempts is also one in time, as the pauses between them are short.
pub(super) async fn apply(pool: &Arc<Pool>, batch: &Batch) -> Result<(), CommitError> {
    for attempt in 0..ATTEMPTS {
        let rows = match pool.write(COMMIT_MAX, statement(batch)).await {
            Err(fault) if fault.is_lost_race() => {
                tokio::time::sleep(pause(batch, attempt)).await;
                continue;
            }
            answer => answer.map_err(Fault::into_commit)?,
        };
        let losers: Result<Vec<Key>, CommitError> = rows
            .iter()
            .map(|row| {
                let name: &str = row.try_get(0).map_err(|error| Fault::of(error).into_commit())?;
                Ok(Key::new(name)?)
            })
            .collect();
        return match losers? {
            keys if keys.is_empty() => Ok(()),
            keys => Err(CommitError::Conflict { keys }),
        };
    }
    Err(CommitError::NotApplied(unavailable("others were faster every time")))
}

/// Longer each time, and different for each batch, whose id is random: who collided once does not collide again.
fn pause(batch: &Batch, attempt: u8) -> Duration {
    let random = batch.id().0[usize::from(attempt) % 16];
    let most = 1_u64 << attempt.min(5);
    Duration::from_micros(most * 1_000 * u64::from(random) / 256)
}

fn statement(batch: &Batch) -> Statement {
    let ops: Vec<(&Key, &Op)> = batch.ops().collect();
    let statement = Statement::within(COMMIT_MAX)
        .durable(LOCK_MAX)
        .sql("SELECT secrethub_commit(")
        .value(Value::Bytes(&batch.id().0))
        .sql(",")
        .array("text[]", ops.iter().map(|(key, _)| Value::Text(key.as_str())))
        .sql(",")
        .array("bytea[]", ops.iter().map(|(_, op)| expect(op)))
        .sql(",")
        .array("bytea[]", ops.iter().map(|(_, op)| value(op)))
        .sql(",")
        .array("boolean[]", ops.iter().map(|(_, op)| Value::Text(if op.writes() { "f" } else { "t" })))
        .sql(",")
        .array("int[]", runs(&ops).into_iter().map(Value::Int))
        .sql(",");
    with_records(statement, batch.records()).sql(")")
}

/// The revision that the key must have.
fn expect(op: &Op) -> Value<'_> {
    match op {
        Op::Create(_) => Value::Null,
        Op::Put(_) => Value::Bytes(&[]),
        Op::Replace(rev, _) | Op::Remove(rev) | Op::Guard(rev) => Value::Bytes(&rev.0),
    }
}

fn value(op: &Op) -> Value<'_> {
    op.value().map_or(Value::Null, |value| Value::Bytes(value.as_bytes()))
}

/// The last positions, from 1, of neighbours that need the same lock.
fn runs(ops: &[(&Key, &Op)]) -> Vec<i64> {
    let mut last = 0;
    let same = |(_, a): &(&Key, &Op), (_, b): &(&Key, &Op)| a.writes() == b.writes();
    let end = |run: &[(&Key, &Op)]| {
        last += i64::try_from(run.len()).unwrap_or(i64::MAX);
        last
    };
    ops.chunk_by(same).map(end).collect()
}
