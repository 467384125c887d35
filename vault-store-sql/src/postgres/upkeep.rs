//! Partitions of `audit_logs`, made ahead and dropped when they are past and empty: at open, and every hour by each node.
//! The server's function does it with its owner's rights, for one caller at a time; the others have nothing to do. If it
//! never ran, records would go into the default partition and nothing would be lost.

use super::{
    fault::Fault,
    pool::Pool,
    statement::{Statement, Value},
};
use secrethub_core::store::StoreError;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};

/// Months ahead: a node that is the only one may be down for two of them.
const MONTHS_AHEAD: i64 = 3;
const EVERY: Duration = Duration::from_secs(3_600);
const UPKEEP_MAX: Duration = Duration::from_secs(60);

/// Does it once.
pub(super) async fn once(pool: &Arc<Pool>) -> Result<(), StoreError> {
    let statement = Statement::within(UPKEEP_MAX)
        .sql("SELECT secrethub_upkeep(")
        .value(Value::Int(MONTHS_AHEAD))
        .sql("::int)");
    pool.write(UPKEEP_MAX, statement).await.map(drop).map_err(Fault::into_store)
}

/// Does it for as long as the store is open.
pub(super) async fn run(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        if let Err(error) = once(&pool).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "partitions of audit_logs were not looked after; tried again in an hour"
            );
        }
    }
}
