//! `audit prune`: removes what is older than the retention, up to a checkpoint.

use crate::{context::Context, failure::Failure};
use clap::Args;
use serde_json::json;

#[derive(Args, Debug)]
pub(super) struct Prune {
    /// Days to keep; unless given, what the server is configured for
    #[arg(long)]
    days: Option<u32>,
}

impl Prune {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let fields = self.days.map_or_else(|| json!({}), |days| json!({"days": days}));
        let reply = context.client()?.audit_prune(&fields).await?;
        context.print_reply(&reply, "Success! Nothing was old enough to prune.")
    }
}
