//! `audit checkpoint`: what to keep outside of the store, so that nobody who holds the store can rewrite the past.

use crate::{
    context::Context,
    failure::{Failure, OK},
    output::{self, Format},
};
use clap::Args;
use serde_json::Value;

#[derive(Args, Debug)]
pub(super) struct Checkpoint {
    /// Show the public key that verifies checkpoints instead
    #[arg(long)]
    public_key: bool,
}

impl Checkpoint {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let client = context.client()?;
        if self.public_key {
            let reply = client.audit_public_key().await?;
            let data = reply.data();
            return context.print(data, data, || output::cell(&data["public_key"]));
        }
        let reply = client.audit_checkpoints().await?;
        let newest = reply.data()["checkpoints"].get(0).cloned().unwrap_or_default();
        if newest.is_null() {
            return Err(Failure::remote("there is no checkpoint yet")
                .hint("one is made at unseal, at seal and as records come"));
        }
        print(context, &newest)
    }
}

/// As JSON even for people: it is made to be kept and given to `verify` again.
fn print(context: &Context, newest: &Value) -> Result<u8, Failure> {
    match (context.field(), context.format()?) {
        (None, Format::Table) => output::say(output::encode(newest, Format::Json)?).map(|()| OK),
        _ => context.print(newest, newest, String::new),
    }
}
