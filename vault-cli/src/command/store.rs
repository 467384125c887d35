//! `store copy`: from one store to another, as it lies there: sealed, and without any key.

use super::Command;
use crate::{
    config::{Environment, StoreUrl},
    context::Context,
    failure::{Failure, OK},
    output,
    progress::Progress,
};
use clap::{Parser, Subcommand};
use secrethub::{
    StoreOptions, TokioHost,
    core::{
        backup::{Source, Target, copy},
        store::{Backend, Key},
    },
    default_crypto, open_store_with,
};
use std::sync::Arc;

/// Move a vault from one store to another
#[derive(Parser, Debug)]
#[command(name = "store")]
pub(crate) struct Store {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Copy everything into an empty store while no server runs; run again, it goes on where it was interrupted
    Copy {
        /// The store to read: sqlite:PATH, postgres://…, mongodb://…, or file:PATH of a URL
        #[arg(long, value_name = "URL")]
        from: String,
        /// The store to fill
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

impl Command for Store {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let Action::Copy { from, to } = self.action;
        let source = open("--from", &from, StoreOptions::default().read_only()).await?;
        let name = name_of(&*source).await?;
        let target = open("--to", &to, StoreOptions::default()).await?;
        let target = Target::begin(target, Arc::new(TokioHost::new()), default_crypto(), &name).await?;
        let progress = Progress::start("Copying:");
        let tally = copy(Source::at_rest(source).await?, target, |tally| progress.tally(tally)).await?;
        drop(progress);
        context.print(&tally, &serde_json::json!(tally), || {
            let rows = [
                ("Entries", tally.entries.to_string()),
                ("Audit Records", tally.records.to_string()),
                ("Digest", tally.digest.clone()),
            ];
            format!("Success! Copied and compared:\n\n{}", output::key_values(&rows))
        })?;
        Ok(OK)
    }
}

/// Opens a store that an argument names.
pub(super) async fn open(place: &str, url: &str, options: StoreOptions) -> Result<Arc<dyn Backend>, Failure> {
    let url = StoreUrl::read(place, url, &Environment::read()?)?;
    open_store_with(url.as_str(), options).await.map_err(|error| Failure::local(error.to_string()))
}

/// Names the vault in a store: going on with another one's would mix the two.
async fn name_of(store: &dyn Backend) -> Result<String, Failure> {
    let key = Key::new("sys/seal").map_err(|error| Failure::local(error.to_string()))?;
    let found = store.get(&[key]).await.map_err(|error| Failure::local(error.to_string()))?;
    let Some(seal) = found.into_iter().flatten().next() else {
        return Err(Failure::local("there is no vault in the store to copy from"));
    };
    Ok(hex::encode(default_crypto().hash.sha256(&[seal.value.as_bytes()])))
}
