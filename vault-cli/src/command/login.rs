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
    /// How to log in; so far a token is the only way
    #[arg(long, default_value = "token")]
    method: String,
    /// Check the token, but do not keep it
    #[arg(long)]
    no_store: bool,
    /// Say nothing of the token
    #[arg(long)]
    no_print: bool,
    /// Print the token and nothing else, and do not keep it
    #[arg(long, conflicts_with = "no_print")]
    token_only: bool,
}

impl Command for Login {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        if self.method != "token" {
            let hint = "log in by `secrethub write auth/…/login`, then give the token to `secrethub login`";
            return Err(
                Failure::local(format!("`login` knows the method token, not {:?}", self.method)).hint(hint)
            );
        }
        let token = input::secret_by(self.token.as_deref(), "Token (will be hidden): ")?;
        let reply = context.client_with(Some(token.clone()))?.bare().token_lookup_self().await?;
        if self.token_only {
            // EXPOSE: a script asks for it.
            return output::say_bare(token.expose_secret()).map(|()| OK);
        }
        if !self.no_store {
            let path = token_file::path().ok_or_else(|| {
                Failure::local("there is no home folder to keep the token in").hint("use --no-store")
            })?;
            // EXPOSE: keeping the token is what the command is for.
            token_file::write(&path, token.expose_secret())?;
            output::note(format!("The token is kept in {}; SECRETHUB_TOKEN overrides it.", path.display()));
        }
        if self.no_print {
            return Ok(OK);
        }
        context.print_reply(&reply, "Success! You are now authenticated.").map(|_| OK)
    }
}
