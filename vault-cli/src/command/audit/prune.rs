//! `audit prune`: removes what is older than the retention, up to a checkpoint.

use crate::{context::Context, failure::Failure};

/// Asks the server to do at once what its job does by itself.
pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let reply = context.client()?.audit_prune().await?;
    context.print_reply(&reply, "Success! Pruned.")
}
