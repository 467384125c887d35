//! `login`: checks a token and keeps it for the commands that follow.

use super::Command;
use crate::{
    context::Context,
    failure::{Failure, OK},
    input, output, token_file,
};
use clap::Parser;
use secrecy::ExposeSecret;

/// Keep a token for the commands that follow: prompted for, or a line of stdin
#[derive(Parser, Debug)]
#[command(name = "login")]
pub(crate) struct Login {
    /// `-` for stdin, `@FILE` for a file; a bare token works too but stays in the shell's history
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
    /// Check the token, but do not keep it
    #[arg(long)]
    no_store: bool,
}

impl Command for Login {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let token = input::secret_by(self.token.as_deref(), "Token (will be hidden): ")?;
        let reply = context.client_with(Some(token.clone()))?.token_lookup_self().await?;
        if !self.no_store {
            let path = token_file::path().ok_or_else(|| {
                Failure::local("there is no home folder to keep the token in").hint("use --no-store")
            })?;
            // EXPOSE: keeping the token is what the command is for.
            token_file::write(&path, token.expose_secret())?;
            output::note(format!("The token is kept in {}; SECRETHUB_TOKEN overrides it.", path.display()));
        }
        context.print_reply(&reply, "Success! You are now authenticated.").map(|_| OK)
    }
}
