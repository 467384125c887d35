//! `operator …`: what whoever runs a server does to its seal and keys.

mod bootstrap;
mod diagnose;
mod generate_root;
mod init;
mod members;
mod rekey;
mod snapshot;

use super::{Command, status};
use crate::{
    context::Context,
    failure::{Failure, OK},
    input, output,
};
use bootstrap::Bootstrap;
use clap::{Parser, Subcommand};
use diagnose::Diagnose;
use generate_root::GenerateRoot;
use rekey::Rekey;
use secrethub_client::{Init, SealStatus};
use serde_json::{Value, json};
use snapshot::Snapshot;

/// Initialise, unseal, seal, rotate, and what several people do together
#[derive(Parser, Debug)]
#[command(name = "operator")]
pub(crate) struct Operator {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Make the keys of a new vault; they are shown once and never again. A server with `seal = "passphrase"` asks for one
    Init {
        /// Shares to split the unseal key into
        #[arg(long, short = 'n', default_value_t = 5)]
        key_shares: u8,
        /// Shares that unseal
        #[arg(long, short = 't', default_value_t = 3)]
        key_threshold: u8,
        /// Only tell whether the vault is initialised: exit code 0 yes, 2 no
        #[arg(long)]
        status: bool,
    },
    /// Give one share of the unseal key, or the passphrase: prompted for, or a line of stdin
    Unseal {
        /// Forget the shares given so far
        #[arg(long)]
        reset: bool,
        /// Hand the vault over to the seal that the server is configured with
        #[arg(long)]
        migrate: bool,
        /// `-` for stdin, `@FILE` for a file; a bare share works too but stays in the shell's history
        #[arg(value_name = "SHARE")]
        share: Option<String>,
    },
    /// Forget the keys until the vault is unsealed again
    Seal,
    /// Install a new data key; what the old ones sealed stays readable
    Rotate,
    /// Show the active data key
    KeyStatus,
    /// Show the nodes
    Members,
    /// Ask a node to lead no more: no node leads here, so nothing changes
    StepDown,
    /// Make a root token, together: each gives one share
    GenerateRoot(GenerateRoot),
    /// Make new unseal or recovery shares, together: each gives one of the old ones
    RotateKeys(Rekey),
    /// The old name of `rotate-keys`
    Rekey(Rekey),
    /// Look for what stands in a server's way on this machine, without one: exit code 0 nothing, 1 a failure, 2 a warning
    Diagnose(Diagnose),
    /// Keep everything that the store holds, look at what was kept, and bring it back
    Snapshot {
        #[command(subcommand)]
        action: Snapshot,
    },
    /// Another spelling of `snapshot`, which scripts know
    Raft {
        #[command(subcommand)]
        action: Raft,
    },
    /// Make what a file says there shall be, where it is missing: keys, mounts, auth methods, tokens
    Bootstrap(Bootstrap),
}

#[derive(Subcommand, Debug)]
enum Raft {
    /// Keep, look, bring back
    Snapshot {
        #[command(subcommand)]
        action: Snapshot,
    },
}

impl Command for Operator {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        match self.action {
            Action::Init { status: true, .. } => init::status(&context).await,
            Action::Init { key_shares, key_threshold, .. } => {
                init::run(&context, Init { shares: key_shares, threshold: key_threshold }).await
            }
            Action::Unseal { reset: true, .. } => {
                status::print(&context, &context.client_with(None)?.unseal_reset().await?)
            }
            Action::Unseal { share, migrate, .. } => {
                let client = context.client_with(None)?;
                let share = match share {
                    Some(share) => input::secret_by(Some(&share), "Unseal Key (will be hidden): ")?,
                    None => input::secret(prompt(&client.seal_status().await?, migrate))?,
                };
                let status = match migrate {
                    true => client.unseal_migrate(&share).await?,
                    false => client.unseal(&share).await?,
                };
                status::print(&context, &status)
            }
            Action::Seal => {
                context.client()?.seal().await?;
                output::say("Success! Vault is sealed.").map(|()| OK)
            }
            Action::Rotate => {
                let client = context.client()?;
                client.rotate().await?;
                print_key_status(&context, "Success! Rotated key\n\n").await
            }
            Action::KeyStatus => print_key_status(&context, "").await,
            Action::Members => members::run(&context).await,
            Action::StepDown => {
                context.client()?.write("sys/step-down", &json!({})).await?;
                output::say("Success! Stepped down: every node serves everything, as before.").map(|()| OK)
            }
            Action::Diagnose(diagnose) => diagnose.run(&context).await,
            Action::Snapshot { action } | Action::Raft { action: Raft::Snapshot { action } } => {
                action.run(&context).await
            }
            Action::Bootstrap(bootstrap) => bootstrap.run(&context).await,
            Action::GenerateRoot(ceremony) => ceremony.run(&context).await,
            Action::RotateKeys(ceremony) | Action::Rekey(ceremony) => ceremony.run(&context).await,
        }
    }
}

/// What is asked for: as the server's seal has it.
fn prompt(status: &SealStatus, migrate: bool) -> &'static str {
    match status.seal_type.as_str() {
        "passphrase" if !migrate => "Passphrase (will be hidden): ",
        _ => "Unseal Key (will be hidden): ",
    }
}

async fn print_key_status(context: &Context, before: &str) -> Result<u8, Failure> {
    let key = context.client()?.key_status().await?;
    context.print(&key, &json!(key), || {
        let rows = [
            ("Key Term", key.term.to_string()),
            ("Install Time", key.install_time.clone()),
            ("Encryption Count", key.encryptions.to_string()),
        ];
        format!("{before}{}", output::key_values(&rows))
    })
}

/// The nonce of the ceremony that a share is given to: the one its holder names, else the one under way, which is
/// shown before the share is asked for.
fn meant(status: &Value, given: Option<&str>, what: &str, begin: &'static str) -> Result<String, Failure> {
    match (given, status["nonce"].as_str().unwrap_or_default()) {
        (Some(nonce), _) => Ok(nonce.to_owned()),
        (None, "") => Err(Failure::remote(format!("no {what} is in progress")).hint(begin)),
        (None, nonce) => {
            output::note(format!("Operation nonce: {nonce}"));
            Ok(nonce.to_owned())
        }
    }
}

/// What a status says, a line each; what is empty is left out, and progress is told as part of what is needed.
fn rows(status: &Value, shown: &[(&str, &str)]) -> Vec<Vec<String>> {
    let row = |&(title, field): &(&str, &str)| {
        let value = match (&status[field], &status["required"]) {
            (Value::Null, _) => return None,
            (Value::String(text), _) if text.is_empty() => return None,
            (progress, required) if field == "progress" && required.is_u64() => {
                format!("{progress}/{required}")
            }
            (value, _) => output::cell(value),
        };
        Some(vec![title.to_owned(), value])
    };
    shown.iter().filter_map(row).collect()
}
