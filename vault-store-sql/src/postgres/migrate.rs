//! [`migrate`]: brings the tables to this version, once, whoever starts first.
//!
//! Each migration is a file and a row in `secrethub_schema`. Nodes of two versions run side by side during an upgrade, so
//! a migration only *expands*: adds what the older version does not mind. What the older version needs is taken away, in
//! a *contraction*, one release later at the earliest; its row says from which version on the tables can be used, and a
//! node below that refuses to start.

use super::{OpenError, pool::Lease, statement::Statement, statement::Value};
use sqlx::Row;
use std::time::Duration;

/// A step, and the oldest version that can still work on what it leaves.
struct Migration {
    usable_from: i64,
    sql: &'static str,
}

/// In order; a migration that was released is never changed.
const MIGRATIONS: [Migration; 1] = [Migration { usable_from: 1, sql: include_str!("migrations/0001.sql") }];

/// This version.
const VERSION: i64 = MIGRATIONS.len() as i64;
/// Nodes that start together wait for each other; a migration of a large table takes its time.
const MIGRATE_MAX: Duration = Duration::from_secs(600);
/// "SeHu", and a number of its own.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1399146613, 1)";

/// Where the tables stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Version { version: i64, usable_from: i64 },
}

/// Migrates if need be; with `read_only`, only looks whether the tables can be used. Answers the connection.
pub(super) async fn migrate(mut lease: Lease, read_only: bool) -> Result<Lease, OpenError> {
    if !judge(found(&mut lease).await?, read_only)? {
        return Ok(lease);
    }
    // Dropped on the way, the connection closes, and the server rolls back.
    lease.ask(MIGRATE_MAX, format!("BEGIN;{LOCK}")).await?;
    let found = found(&mut lease).await?;
    if judge(found, read_only)? {
        let from = match found {
            Found::Nothing => 0,
            Found::Version { version, .. } => version,
        };
        for (number, migration) in (1..).zip(&MIGRATIONS).filter(|(number, _)| *number > from) {
            tracing::info!(version = number, "migrating the tables");
            lease.ask(MIGRATE_MAX, text(number, migration)).await.map_err(|fault| explain(fault.into()))?;
        }
    }
    lease.ask(MIGRATE_MAX, "COMMIT".to_owned()).await?;
    Ok(lease)
}

/// `true`: there is something to do.
fn judge(found: Found, read_only: bool) -> Result<bool, OpenError> {
    let refuse = |what: String| Err(OpenError::Refused(what));
    match found {
        Found::Version { usable_from, version } if usable_from > VERSION => refuse(format!(
            "its tables are of version {version}, which needs a program that knows version {usable_from}, and this one \
             knows {VERSION}: start a newer program"
        )),
        Found::Version { version, .. } if version >= VERSION => Ok(false),
        Found::Nothing if read_only => refuse("it holds no SecretHub store".to_owned()),
        Found::Version { version, .. } if read_only => refuse(format!(
            "its tables are of version {version} and not migrated yet: start the server first"
        )),
        _ => Ok(true),
    }
}

async fn found(lease: &mut Lease) -> Result<Found, OpenError> {
    // A look at the catalogue itself: `to_regclass` may remember that there was no such table before the lock was had.
    let there = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'secrethub_schema'
        AND relnamespace = current_schema()::regnamespace)";
    let rows = lease.ask(MIGRATE_MAX, there.to_owned()).await?;
    if !rows.first().map_or(Ok(false), |row| row.try_get(0))? {
        return Ok(Found::Nothing);
    }
    let newest = "SELECT version, usable_from FROM secrethub_schema ORDER BY version DESC LIMIT 1";
    let rows = lease.ask(MIGRATE_MAX, newest.to_owned()).await?;
    match rows.first() {
        Some(row) => Ok(Found::Version { version: row.try_get(0)?, usable_from: row.try_get(1)? }),
        None => Ok(Found::Nothing),
    }
}

/// A migration with its row. What its functions call is looked up where its tables are, and nowhere else.
fn text(number: i64, migration: &Migration) -> String {
    let begin = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
        CREATE TABLE IF NOT EXISTS secrethub_schema (
            version bigint PRIMARY KEY, usable_from bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());";
    Statement::inside()
        .sql(begin)
        .sql(migration.sql)
        .sql("INSERT INTO secrethub_schema (version, usable_from) VALUES (")
        .value(Value::Int(number))
        .sql(",")
        .value(Value::Int(migration.usable_from))
        .sql(")")
        .into_text()
}

fn explain(error: OpenError) -> OpenError {
    match error {
        OpenError::Refused(what) => OpenError::Refused(format!(
            "its tables cannot be made: {what}. Start once as the role that owns them, or see docs/postgresql.md"
        )),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_tables_are_migrated_and_newer_ones_used_if_they_can_be() {
        let check = |found: Found, read_only: bool, expect: Result<bool, &str>| match (
            judge(found, read_only),
            expect,
        ) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expect) => panic!("{found:?} {expect:?}"),
        };
        let at = |version: i64, usable_from: i64| Found::Version { version, usable_from };
        check(Found::Nothing, false, Ok(true));
        check(Found::Nothing, true, Err("no SecretHub store"));
        check(at(VERSION, 1), false, Ok(false));
        check(at(VERSION, 1), true, Ok(false));
        check(at(VERSION - 1, 0), false, Ok(true));
        check(at(VERSION - 1, 0), true, Err("not migrated"));
        check(at(VERSION + 1, VERSION), false, Ok(false));
        check(at(VERSION + 2, VERSION + 1), false, Err("newer program"));
    }
}
