//! `kv metadata get|put|delete`: what is known of a secret beside its values.

use super::{At, done, show};
use crate::{context::Context, failure::Failure, input};
use clap::{Args, Subcommand};
use secrethub_client::Client;
use serde_json::{Map, Value, json};

#[derive(Args, Debug)]
pub(super) struct Metadata {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show settings and all versions
    Get {
        #[command(flatten)]
        at: At,
    },
    /// Change settings
    Put(Put),
    /// Remove the secret with all its versions and metadata
    Delete {
        #[command(flatten)]
        at: At,
    },
}

#[derive(Args, Debug)]
struct Put {
    #[command(flatten)]
    at: At,
    /// Versions to keep; 0 = as the mount says
    #[arg(long)]
    max_versions: Option<u64>,
    /// Must every write name the version it follows
    #[arg(long, default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    cas_required: Option<bool>,
    /// After which a version deletes itself, e.g. 720h
    #[arg(long)]
    delete_version_after: Option<String>,
    /// key=value to attach; repeatable
    #[arg(long, value_name = "K=V")]
    custom_metadata: Vec<String>,
}

impl Metadata {
    pub(super) async fn run(self, context: &Context, client: &Client) -> Result<u8, Failure> {
        match self.action {
            Action::Get { at } => {
                let place = at.find(client).await?.versioned("kv metadata")?;
                let found = place.kv(client).metadata(place.path()).await;
                let reply =
                    found.map_err(|error| super::super::generic::absent(error, &place.shown("metadata")))?;
                show::versions(context, &place, &reply)
            }
            Action::Put(put) => {
                let fields = put.fields()?;
                let place = put.at.find(client).await?.versioned("kv metadata")?;
                done(&place.kv(client).put_metadata(place.path(), &fields).await?, "Data written to", &place)
            }
            Action::Delete { at } => {
                let place = at.find(client).await?.versioned("kv metadata")?;
                let reply = place.kv(client).delete_metadata(place.path()).await?;
                done(&reply, "Data deleted (if it existed) at", &place)
            }
        }
    }
}

impl Put {
    fn fields(&self) -> Result<Value, Failure> {
        let mut fields = Map::new();
        let mut put =
            |name: &str, value: Option<Value>| fields.extend(value.map(|value| (name.to_owned(), value)));
        put("max_versions", self.max_versions.map(|number| json!(number)));
        put("cas_required", self.cas_required.map(|on| json!(on)));
        put("delete_version_after", self.delete_version_after.as_ref().map(|text| json!(text)));
        if !self.custom_metadata.is_empty() {
            put("custom_metadata", Some(Value::Object(input::fields(&self.custom_metadata)?)));
        }
        Ok(Value::Object(fields))
    }
}
