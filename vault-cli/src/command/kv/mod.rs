//! `kv …`: versioned secrets. The mount's version is asked for, so that version 1 mounts work too.

mod metadata;
mod place;
mod show;

use super::Command;
use crate::{
    context::{self, Context},
    failure::Failure,
    input,
};
use clap::{Args, Parser, Subcommand};
use place::Place;
use secrethub_client::{Client, Reply};
use serde_json::Value;

/// Store and read versioned secrets
#[derive(Parser, Debug)]
#[command(name = "kv")]
pub(crate) struct Kv {
    #[command(subcommand)]
    action: Action,
}

/// Where a secret is.
#[derive(Args, Debug)]
pub(crate) struct At {
    /// Mount, when the path does not start with it
    #[arg(long)]
    mount: Option<String>,
    /// Path, e.g. secret/app
    path: String,
}

#[derive(Args, Debug)]
struct Versions {
    /// Versions, e.g. 1,2
    #[arg(long, value_delimiter = ',', required = true)]
    versions: Vec<u64>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Read a secret
    Get {
        #[command(flatten)]
        at: At,
        /// Which version; 0 = the newest
        #[arg(long, default_value_t = 0)]
        version: u64,
    },
    /// Store a new version
    Put {
        #[command(flatten)]
        at: At,
        /// Only if the newest version is this; 0 = must not exist
        #[arg(long)]
        cas: Option<u64>,
        /// Fields: key=value, key=@FILE, key=- (stdin), @FILE or - (a JSON object)
        #[arg(value_name = "K=V", required = true)]
        fields: Vec<String>,
    },
    /// Store a new version made of the newest and these fields
    Patch {
        #[command(flatten)]
        at: At,
        /// Only if the newest version is this
        #[arg(long)]
        cas: Option<u64>,
        /// Fields: key=value, key=@FILE, key=- (stdin), @FILE or - (a JSON object)
        #[arg(value_name = "K=V", required = true)]
        fields: Vec<String>,
    },
    /// Soft-delete the newest version, or the named ones
    Delete {
        #[command(flatten)]
        at: At,
        /// Versions, e.g. 1,2
        #[arg(long, value_delimiter = ',')]
        versions: Vec<u64>,
    },
    /// Bring soft-deleted versions back
    Undelete {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        versions: Versions,
    },
    /// Destroy the data of versions for good
    Destroy {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        versions: Versions,
    },
    /// List the names below a path
    List {
        #[command(flatten)]
        at: At,
    },
    /// Make an old version the newest
    Rollback {
        #[command(flatten)]
        at: At,
        /// Which version to bring back
        #[arg(long)]
        version: u64,
    },
    /// What is known of a secret and its versions
    Metadata(metadata::Metadata),
}

impl Command for Kv {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let client = context.client()?;
        match self.action {
            Action::Get { at, version } => get(&context, &client, &at.find(&client).await?, version).await,
            Action::Put { at, cas, fields } => {
                let fields = Value::Object(input::fields(&fields)?);
                put(&context, &client, &at.find(&client).await?, &fields, cas).await
            }
            Action::Patch { at, cas, fields } => {
                let fields = Value::Object(input::fields(&fields)?);
                let place = at.find(&client).await?.versioned("kv patch")?;
                show::written(&context, &place, &place.kv(&client).patch(place.path(), &fields, cas).await?)
            }
            Action::Delete { at, versions } => delete(&client, &at.find(&client).await?, &versions).await,
            Action::Undelete { at, versions } => {
                let place = at.find(&client).await?.versioned("kv undelete")?;
                done(
                    &place.kv(&client).undelete(place.path(), &versions.versions).await?,
                    "Data written to",
                    &place,
                )
            }
            Action::Destroy { at, versions } => {
                let place = at.find(&client).await?.versioned("kv destroy")?;
                done(
                    &place.kv(&client).destroy(place.path(), &versions.versions).await?,
                    "Data destroyed at",
                    &place,
                )
            }
            Action::List { at } => list(&context, &client, &at.find(&client).await?).await,
            Action::Rollback { at, version } => {
                let place = at.find(&client).await?.versioned("kv rollback")?;
                show::written(&context, &place, &place.kv(&client).rollback(place.path(), version).await?)
            }
            Action::Metadata(metadata) => metadata.run(&context, &client).await,
        }
    }
}

async fn get(context: &Context, client: &Client, place: &Place, version: u64) -> Result<u8, Failure> {
    if !place.is_versioned() {
        let path = place.whole();
        let reply = client.read(&path, &[]).await.map_err(|error| super::generic::absent(error, &path))?;
        return context.print_reply(&reply, "");
    }
    let version = Some(version).filter(|&version| version > 0);
    match place.kv(client).read(place.path(), version).await {
        Ok(reply) => show::secret(context, place, &reply),
        Err(error) => show::absent(place, error),
    }
}

async fn put(
    context: &Context,
    client: &Client,
    place: &Place,
    fields: &Value,
    cas: Option<u64>,
) -> Result<u8, Failure> {
    if place.is_versioned() {
        return show::written(context, place, &place.kv(client).put(place.path(), fields, cas).await?);
    }
    if cas.is_some() {
        return Err(Failure::local("a version 1 mount has no versions to check").hint("leave --cas out"));
    }
    done(&client.write(&place.whole(), fields).await?, "Data written to", place)
}

async fn delete(client: &Client, place: &Place, versions: &[u64]) -> Result<u8, Failure> {
    let reply = match (place.is_versioned(), versions) {
        (false, _) => client.delete(&place.whole()).await?,
        (true, []) => place.kv(client).delete(place.path()).await?,
        (true, versions) => place.kv(client).delete_versions(place.path(), versions).await?,
    };
    done(&reply, "Data deleted (if it existed) at", place)
}

async fn list(context: &Context, client: &Client, place: &Place) -> Result<u8, Failure> {
    let listed = if place.is_versioned() {
        place.kv(client).list(place.path()).await
    } else {
        client.list(&place.whole()).await
    };
    context.print_keys(&listed.map_err(|error| super::generic::absent(error, &place.shown("metadata")))?)
}

/// Says that something was done, and what the server adds.
fn done(reply: &Reply, what: &str, place: &Place) -> Result<u8, Failure> {
    context::done(reply, &format!("Success! {what}: {}", place.shown("data")))
}
