//! `lease …`: look at, prolong and end what was given for a time.

use super::Command;
use crate::{
    context::{self, Context},
    failure::Failure,
    output,
};
use clap::{Parser, Subcommand};
use secrethub_client::{Reply, Revoke};
use serde_json::{Map, Value};

/// Look at, prolong and end leases
#[derive(Parser, Debug)]
#[command(name = "lease")]
pub(crate) struct Lease {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show what is known of a lease
    Lookup {
        /// Id of the lease
        id: String,
    },
    /// Let a lease live longer
    Renew {
        /// By how much, e.g. 24h
        #[arg(long, short, default_value = "")]
        increment: String,
        /// Id of the lease
        id: String,
    },
    /// End leases, and what they stand for
    Revoke {
        /// All whose ids start so
        #[arg(long)]
        prefix: bool,
        /// Forget them even if what they stand for cannot be destroyed; with --prefix
        #[arg(long, requires = "prefix")]
        force: bool,
        /// Wait until what they stand for is destroyed
        #[arg(long)]
        sync: bool,
        /// Id of the lease, or a prefix of ids
        id: String,
    },
}

impl Command for Lease {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let client = context.client()?;
        match self.action {
            Action::Lookup { id } => context.print_reply(&client.lease_lookup(&id).await?, ""),
            Action::Renew { increment, id } => {
                print_renewed(&context, &client.lease_renew(&id, &increment).await?)
            }
            Action::Revoke { prefix, force, sync, id } => {
                let (which, text) = match (prefix, force) {
                    (false, _) => (Revoke::One, "Revoked lease"),
                    (true, false) => (Revoke::Prefix, "Revoked any leases with prefix"),
                    (true, true) => (Revoke::Force, "Force revoked any leases with prefix"),
                };
                let reply = client.lease_revoke(&id, which, sync).await?;
                match sync || force {
                    true => context::done(&reply, &format!("Success! {text}: {id}")),
                    false => context::done(&reply, "All revocation operations queued successfully!"),
                }
            }
        }
    }
}

/// A renewed lease stands in the envelope itself.
fn print_renewed(context: &Context, reply: &Reply) -> Result<u8, Failure> {
    let body = reply.body();
    let rows = [
        ("lease_id", output::cell(&body["lease_id"])),
        ("lease_duration", output::duration(body["lease_duration"].as_u64().unwrap_or_default())),
        ("lease_renewable", output::cell(&body["renewable"])),
    ];
    let fields: Map<String, Value> =
        rows.iter().map(|(name, text)| ((*name).to_owned(), text.clone().into())).collect();
    context.print_answer(reply, &Value::Object(fields), || output::key_values(&rows))
}
