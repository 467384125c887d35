//! `auth …`: which auth methods stand where.

use super::{
    Command,
    generic::plain,
    path_help,
    tuning::{self, Tuning},
};
use crate::{
    context::{self, Context},
    failure::Failure,
};
use clap::{Args, Parser, Subcommand};
use secrethub_client::Table;
use serde_json::{Map, Value, json};

/// Enable, disable, list and tune auth methods
#[derive(Parser, Debug)]
#[command(name = "auth", disable_help_subcommand = true)]
pub(crate) struct Auth {
    #[command(subcommand)]
    action: Action,
}

/// What auth methods have beside what all mounts have.
#[derive(Args, Debug)]
struct Method {
    #[command(flatten)]
    tuning: Tuning,
    /// Tokens it gives: service, batch, default-service, default-batch
    #[arg(long, value_name = "TYPE")]
    token_type: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Put a method at a path
    Enable {
        #[command(flatten)]
        method: Box<Method>,
        /// Where, below auth/; its type unless given
        #[arg(long)]
        path: Option<String>,
        /// Leave it out of replication
        #[arg(long)]
        local: bool,
        /// Type, e.g. userpass
        #[arg(value_name = "TYPE")]
        kind: String,
    },
    /// Take a method away; the tokens that it gave end
    Disable {
        /// Path below auth/
        path: String,
    },
    /// Show which method stands where
    List {
        /// Show settings too
        #[arg(long)]
        detailed: bool,
    },
    /// Change a method's settings
    Tune {
        #[command(flatten)]
        method: Box<Method>,
        /// Path below auth/
        path: String,
    },
    /// Show what can be done at a method's path
    Help {
        /// Path below auth/
        path: String,
    },
}

impl Command for Auth {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        match self.action {
            Action::Enable { method, path, local, kind } => {
                let path = plain(path.as_deref().unwrap_or(&kind));
                let mut fields = method.tuning.new_mount(&kind)?;
                fields.insert("local".to_owned(), json!(local));
                if let Some(Value::Object(config)) = fields.get_mut("config") {
                    config.extend(method.token_type());
                }
                let reply = context.client()?.enable(Table::Auth, path, &Value::Object(fields)).await?;
                context::done(&reply, &format!("Success! Enabled {kind} auth method at: {path}/"))
            }
            Action::Disable { path } => {
                let path = plain(&path);
                let reply = context.client()?.disable(Table::Auth, path).await?;
                context::done(
                    &reply,
                    &format!("Success! Disabled the auth method (if it existed) at: {path}/"),
                )
            }
            Action::List { detailed } => tuning::list(&context, Table::Auth, detailed).await,
            Action::Tune { method, path } => {
                let path = plain(&path);
                let mut fields = method.tuning.fields()?;
                fields.extend(method.token_type());
                let reply = context.client()?.tune(Table::Auth, path, &Value::Object(fields)).await?;
                context::done(&reply, &format!("Success! Tuned the auth method at: {path}/"))
            }
            Action::Help { path } => path_help::show(&context, &format!("auth/{}", plain(&path))).await,
        }
    }
}

impl Method {
    fn token_type(&self) -> Map<String, Value> {
        self.token_type.iter().map(|kind| ("token_type".to_owned(), json!(kind))).collect()
    }
}
