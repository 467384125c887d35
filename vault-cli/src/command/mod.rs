//! The commands: one file each, one line each in [`COMMANDS`].

mod app;
mod approle;
mod audit;
mod auth;
mod completion;
mod generic;
mod import;
mod kv;
mod lease;
mod login;
mod logins;
mod operator;
mod path_help;
mod policy;
mod print;
mod secret;
mod secrets;
mod server;
mod status;
mod store;
mod token;
mod tuning;
mod unwrap;
mod userpass;
mod version;
mod version_history;

use crate::{context::Context, failure::Failure};
use clap::{ArgMatches, Args, Parser};
use std::{future::Future, pin::Pin};

/// A command: its arguments, and what it does. The exit code is [`crate::failure::OK`] unless it says otherwise.
pub(crate) trait Command: Parser + Send + 'static {
    /// Does it.
    fn run(self, context: Context) -> impl Future<Output = Result<u8, Failure>> + Send;
}

type Running = Pin<Box<dyn Future<Output = Result<u8, Failure>> + Send>>;

/// A row of [`COMMANDS`]: how to build a command's arguments, and how to run what was parsed.
struct Entry {
    command: fn() -> clap::Command,
    run: fn(&ArgMatches, Context) -> Running,
}

const fn entry<C: Command>() -> Entry {
    Entry { command: C::command, run: run_one::<C> }
}

fn run_one<C: Command>(matches: &ArgMatches, context: Context) -> Running {
    match C::from_arg_matches(matches) {
        Ok(command) => Box::pin(command.run(context)),
        Err(error) => Box::pin(async move { Err(Failure::local(error.to_string())) }),
    }
}

/// Every command, in the order of the help.
const COMMANDS: &[Entry] = &[
    entry::<server::Server>(),
    entry::<status::Status>(),
    entry::<operator::Operator>(),
    entry::<login::Login>(),
    entry::<kv::Kv>(),
    entry::<secret::Secret>(),
    entry::<generic::Read>(),
    entry::<generic::Write>(),
    entry::<generic::Patch>(),
    entry::<generic::Delete>(),
    entry::<generic::List>(),
    entry::<generic::Scan>(),
    entry::<unwrap::Unwrap>(),
    entry::<policy::Policy>(),
    entry::<token::Token>(),
    entry::<lease::Lease>(),
    entry::<secrets::Secrets>(),
    entry::<auth::Auth>(),
    entry::<approle::AppRole>(),
    entry::<app::App>(),
    entry::<userpass::UserPass>(),
    entry::<audit::Audit>(),
    entry::<store::Store>(),
    entry::<import::Import>(),
    entry::<path_help::PathHelp>(),
    entry::<print::Print>(),
    entry::<completion::Completion>(),
    entry::<version::Version>(),
    entry::<version_history::VersionHistory>(),
];

/// The whole command line.
pub(crate) fn command_line() -> clap::Command {
    let root = clap::Command::new("secrethub")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A secrets manager: sealed, versioned, audited; speaks the Vault HTTP API")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help("Exit codes: 0 done, 1 a mistake on this side, 2 the server refused or does not answer.");
    Context::augment_args(root).subcommands(COMMANDS.iter().map(|entry| (entry.command)()))
}

/// Runs the command that was parsed.
pub(crate) async fn run(name: &str, matches: &ArgMatches, context: Context) -> Result<u8, Failure> {
    match COMMANDS.iter().find(|entry| (entry.command)().get_name() == name) {
        Some(entry) => (entry.run)(matches, context).await,
        None => Err(Failure::local(format!("{name:?} is no command"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command_line().debug_assert();
    }

    #[test]
    fn every_command_has_a_section_in_the_docs() {
        let docs = include_str!("../../../docs/cli.md");
        for entry in COMMANDS {
            let command = (entry.command)();
            let name = command.get_name();
            assert!(docs.contains(&format!("`{name}")), "docs/cli.md says nothing of {name}");
            for sub in command.get_subcommands() {
                let name = format!("{name} {}", sub.get_name());
                assert!(docs.contains(&format!("`{name}")), "docs/cli.md says nothing of {name}");
            }
        }
    }

    #[test]
    fn common_options_work_before_and_after_the_command() {
        for line in ["secrethub --format json status", "secrethub status --format json"] {
            let matches = command_line().try_get_matches_from(line.split(' ')).unwrap();
            let format = matches.get_one::<crate::output::Format>("format");
            assert_eq!(format, Some(&crate::output::Format::Json), "{line}");
        }
    }
}
