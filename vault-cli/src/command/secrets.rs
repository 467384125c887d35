//! `secrets …`: which secrets engines stand where.

use super::{
    Command,
    generic::plain,
    tuning::{self, Tuning},
};
use crate::{
    context::{self, Context},
    failure::{Failure, OK},
    output,
};
use clap::{Args, Parser, Subcommand};
use secrethub_client::Table;
use serde_json::{Value, json};

/// Enable, disable, list, move and tune secrets engines
#[derive(Parser, Debug)]
#[command(name = "secrets")]
pub(crate) struct Secrets {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Put an engine at a path
    Enable(Box<Enable>),
    /// Take an engine away, with everything in it
    Disable {
        /// Path, e.g. secret
        path: String,
    },
    /// Show which engine stands where
    List {
        /// Show settings too
        #[arg(long)]
        detailed: bool,
    },
    /// Give an engine another path; what is in it comes along
    Move {
        /// Path that it has
        from: String,
        /// Path that it shall have
        to: String,
    },
    /// Change an engine's settings
    Tune {
        #[command(flatten)]
        tuning: Box<Tuning>,
        /// Path, e.g. secret
        path: String,
    },
}

#[derive(Args, Debug)]
struct Enable {
    #[command(flatten)]
    tuning: Tuning,
    /// Where; its type unless given
    #[arg(long)]
    path: Option<String>,
    /// Leave it out of replication
    #[arg(long)]
    local: bool,
    /// Wrap its keys by the seal too
    #[arg(long)]
    seal_wrap: bool,
    /// Type, e.g. kv, kv-v2
    #[arg(value_name = "TYPE")]
    kind: String,
}

impl Command for Secrets {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        match self.action {
            Action::Enable(enable) => enable.run(&context).await,
            Action::Disable { path } => {
                let path = plain(&path);
                let reply = context.client()?.disable(Table::Secrets, path).await?;
                context::done(
                    &reply,
                    &format!("Success! Disabled the secrets engine (if it existed) at: {path}/"),
                )
            }
            Action::List { detailed } => tuning::list(&context, Table::Secrets, detailed).await,
            Action::Move { from, to } => move_mount(&context, plain(&from), plain(&to)).await,
            Action::Tune { tuning, path } => {
                let (path, fields) = (plain(&path), Value::Object(tuning.fields()?));
                let reply = context.client()?.tune(Table::Secrets, path, &fields).await?;
                context::done(&reply, &format!("Success! Tuned the secrets engine at: {path}/"))
            }
        }
    }
}

impl Enable {
    async fn run(&self, context: &Context) -> Result<u8, Failure> {
        let path = plain(self.path.as_deref().unwrap_or(&self.kind));
        let mut fields = self.tuning.new_mount(&self.kind)?;
        fields.insert("local".to_owned(), json!(self.local));
        fields.insert("seal_wrap".to_owned(), json!(self.seal_wrap));
        let reply = context.client()?.enable(Table::Secrets, path, &Value::Object(fields)).await?;
        context::done(&reply, &format!("Success! Enabled the {} secrets engine at: {path}/", self.kind))
    }
}

async fn move_mount(context: &Context, from: &str, to: &str) -> Result<u8, Failure> {
    let client = context.client()?;
    let reply = client.remount(from, to).await?;
    let id = reply.data()["migration_id"].as_str().unwrap_or_default().to_owned();
    let with = format!("secrets engine {from}/ to {to}/, with migration ID {id}");
    output::say(format!("Started moving {with}"))?;
    if tuning::wait_for_move(&client, &id).await? {
        return output::say(format!("Success! Finished moving {with}")).map(|()| OK);
    }
    let hint = format!("look at it later: secrethub read sys/remount/status/{id}");
    Err(Failure::remote("the move goes on").hint(hint))
}
