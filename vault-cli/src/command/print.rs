//! `print token`: the token that the other commands send.

use super::Command;
use crate::{
    context::{self, Context},
    failure::{Failure, OK},
    output,
};
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;

/// Print what the other commands use
#[derive(Parser, Debug)]
#[command(name = "print")]
pub(crate) struct Print {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Print the token: of the environment, else the one that `login` kept
    Token,
}

impl Command for Print {
    async fn run(self, _context: Context) -> Result<u8, Failure> {
        let Action::Token = self.action;
        let token = context::find_token()?;
        // EXPOSE: the command is for a script that needs the token.
        output::say(token.as_ref().map_or("", |token| token.expose_secret())).map(|()| OK)
    }
}
