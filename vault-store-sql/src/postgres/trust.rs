//! May the server be trusted with what is acknowledged? What would lose it is refused, what could is warned about.

use super::{OpenError, pool::Lease};
use sqlx::{Row, postgres::PgRow};
use std::time::Duration;

/// The oldest server that still gets security fixes, and the first whose `extract` is exact.
const VERSION_MIN: i64 = 140_000;
const ASK_MAX: Duration = Duration::from_secs(5);

/// What the server says of itself.
#[derive(Clone, Debug)]
struct Said {
    version: i64,
    is_standby: bool,
    encoding: String,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    synchronous_standby_names: String,
}

/// Asks the server, refuses or warns. Answers the connection.
pub(super) async fn check(mut lease: Lease) -> Result<Lease, OpenError> {
    let ask = "SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery(),
        current_setting('server_encoding'), current_setting('fsync'), current_setting('full_page_writes'),
        current_setting('synchronous_commit'), current_setting('synchronous_standby_names')";
    let rows = lease.ask(ASK_MAX, ask.to_owned()).await?;
    let row =
        rows.first().ok_or_else(|| OpenError::Refused("the server says nothing of itself".to_owned()))?;
    for warning in judge(&read(row)?)? {
        tracing::warn!("{warning}");
    }
    Ok(lease)
}

fn read(row: &PgRow) -> Result<Said, sqlx::Error> {
    Ok(Said {
        version: row.try_get(0)?,
        is_standby: row.try_get(1)?,
        encoding: row.try_get(2)?,
        fsync: row.try_get(3)?,
        full_page_writes: row.try_get(4)?,
        synchronous_commit: row.try_get(5)?,
        synchronous_standby_names: row.try_get(6)?,
    })
}

fn judge(said: &Said) -> Result<Vec<&'static str>, OpenError> {
    let refuse = |what: &str| Err(OpenError::Refused(what.to_owned()));
    if said.version < VERSION_MIN {
        return refuse("the server is older than PostgreSQL 14: upgrade it");
    }
    if said.is_standby {
        // It may be about to be promoted, or the address about to follow the primary.
        return Err(OpenError::Unreachable("the server is a standby: name the primary".into()));
    }
    if said.encoding != "UTF8" {
        return refuse("the database is not in UTF8: make one with ENCODING 'UTF8' TEMPLATE template0");
    }
    if said.fsync != "on" {
        return refuse("the server has fsync = off and would lose acknowledged commits: turn it on");
    }
    let mut warnings = Vec::new();
    if said.full_page_writes != "on" {
        warnings.push(
            "PostgreSQL has full_page_writes = off: a loss of power can tear its pages, unless the disk never does",
        );
    }
    if said.synchronous_commit == "off" {
        warnings.push(
            "this role or database has synchronous_commit = off; commits of secrets wait for the disk all the same",
        );
    }
    if said.synchronous_standby_names.is_empty() {
        warnings.push(
            "PostgreSQL has no synchronous standby (synchronous_standby_names is empty): a failover can lose writes and \
             audit records that were acknowledged",
        );
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lose_a_commit_is_refused_and_what_could_is_said() {
        let good = Said {
            version: 150_020,
            is_standby: false,
            encoding: "UTF8".into(),
            fsync: "on".into(),
            full_page_writes: "on".into(),
            synchronous_commit: "on".into(),
            synchronous_standby_names: "ANY 1 (*)".into(),
        };
        let check = |change: fn(&mut Said), expect: Result<&[&str], &str>| {
            let mut said = good.clone();
            change(&mut said);
            match (judge(&said), expect) {
                (Ok(warnings), Ok(parts)) => {
                    assert_eq!(warnings.len(), parts.len(), "{warnings:?}");
                    assert!(
                        warnings.iter().zip(parts).all(|(said, part)| said.contains(part)),
                        "{warnings:?}"
                    );
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, expect) => panic!("{found:?} {expect:?}"),
            }
        };
        check(|_| {}, Ok(&[]));
        check(|said| said.version = 130_014, Err("older than"));
        check(|said| said.is_standby = true, Err("standby"));
        check(|said| said.encoding = "SQL_ASCII".into(), Err("UTF8"));
        check(|said| said.fsync = "off".into(), Err("fsync"));
        check(|said| said.full_page_writes = "off".into(), Ok(&["full_page_writes"]));
        check(|said| said.synchronous_commit = "off".into(), Ok(&["synchronous_commit"]));
        check(|said| said.synchronous_standby_names.clear(), Ok(&["failover"]));
    }
}
