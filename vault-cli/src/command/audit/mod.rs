//! `audit …`: who did what, and the proof that the log tells all of it. One file an action.

mod archive;
mod checkpoint;
mod devices;
mod export;
mod imported;
mod prune;
mod search;
mod tail;
mod verify;

use super::Command;
use crate::{context::Context, failure::Failure};
use clap::{Args, Parser, Subcommand};
use secrethub_client::AuditSearch;

/// Search, follow, export, verify and prune the audit log
#[derive(Parser, Debug)]
#[command(name = "audit")]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show the newest records, oldest of them first
    Tail(tail::Tail),
    /// Find records, newest first
    Search(search::Search),
    /// Check records, chains and checkpoints: by the server, or with the public key alone
    Verify(verify::Verify),
    /// Write all matching records as CSV or JSON
    Export(export::Export),
    /// Write signed segments of all chains to a folder; goes on where the last run ended
    Archive(archive::Archive),
    /// Show the audit records that were imported from the first seed, oldest first
    Imported(imported::Imported),
    /// Remove records older than the retention
    Prune,
    /// Show the devices that follow the log
    List(devices::List),
    /// Add a device that follows the log
    Enable(devices::Enable),
    /// Take a device away
    Disable {
        /// Path of the device
        path: String,
    },
    /// Show the newest checkpoint or the public key, to be kept outside of the store
    Checkpoint(checkpoint::Checkpoint),
}

impl Command for Audit {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        match self.action {
            Action::Tail(tail) => tail.run(&context).await,
            Action::Search(search) => search.run(&context).await,
            Action::Verify(verify) => verify.run(&context).await,
            Action::Export(export) => export.run(&context).await,
            Action::Archive(archive) => archive.run(&context).await,
            Action::Imported(imported) => imported.run(&context).await,
            Action::List(list) => list.run(&context).await,
            Action::Enable(enable) => enable.run(&context).await,
            Action::Disable { path } => devices::disable(&context, &path).await,
            Action::Prune => prune::run(&context).await,
            Action::Checkpoint(checkpoint) => checkpoint.run(&context).await,
        }
    }
}

/// Which records; every option that is given must match.
#[derive(Args, Debug, Default)]
struct Which {
    /// Not before, RFC 3339 (2026-01-31T00:00:00Z)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before, RFC 3339
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Who asked, as the log names them
    #[arg(long)]
    actor: Option<String>,
    /// Paths that start so
    #[arg(long)]
    path: Option<String>,
    /// read, update, list, delete, create, fetch …
    #[arg(long)]
    operation: Option<String>,
    /// success or failure
    #[arg(long)]
    status: Option<String>,
    /// Id of a request, as in its reply
    #[arg(long)]
    request_id: Option<String>,
    /// Id of a secret
    #[arg(long)]
    secret_id: Option<String>,
}

impl From<Which> for AuditSearch {
    fn from(which: Which) -> Self {
        Self {
            from: which.from,
            to: which.to,
            actor: which.actor,
            path: which.path,
            operation: which.operation,
            status: which.status,
            request_id: which.request_id,
            secret_id: which.secret_id,
            ..Self::default()
        }
    }
}
