//! `audit checkpoint`: what to keep outside of the store, so that nobody who holds the store can rewrite the past.

use crate::{
    context::Context,
    failure::{Failure, OK},
    output::{self, Format},
};
use clap::Args;

#[derive(Args, Debug)]
pub(super) struct Checkpoint {
    /// Show the public key that verifies checkpoints and archives instead
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
        let reply = client.audit_checkpoint().await?;
        let data = reply.data();
        // As JSON even for people: it is made to be kept and given to `verify` again.
        match (context.field(), context.format()?) {
            (None, Format::Table) => output::say(output::encode(data, Format::Json)?).map(|()| OK),
            _ => context.print(data, data, String::new),
        }
    }
}
