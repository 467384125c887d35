//! `unwrap`: takes an answer that waits under a wrapping token.

use super::{Command, generic, token};
use crate::{context::Context, failure::Failure, input};
use clap::Parser;

/// Take the answer that a wrapping token stands for; it can be taken once
#[derive(Parser, Debug)]
#[command(name = "unwrap")]
pub(crate) struct Unwrap {
    /// Wrapping token: `-` for stdin, `@FILE` for a file; left out = your own token is one
    token: Option<String>,
}

impl Command for Unwrap {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let ask = |text: String| input::secret_by(Some(&text), "Wrapping token (will be hidden): ");
        let wrapping = self.token.map(ask).transpose()?;
        // Who has no token of their own asks with the wrapping token itself.
        let client = match crate::context::find_token()? {
            None => context.client_with(wrapping.clone())?,
            own => context.client_with(own)?,
        };
        let reply = client.bare().wrapping_unwrap(wrapping.as_ref()).await?;
        match reply.auth().is_object() {
            true => token::print_auth(&context, &reply),
            false => generic::print(&context, &reply, "Success! There was nothing in it."),
        }
    }
}
