//! `approle …`: roles that applications log in with, and their SecretIDs.

use super::{
    Command,
    generic::plain,
    logins::{self, Thing},
};
use crate::{context::Context, failure::Failure, input};
use clap::{Parser, Subcommand};
use serde_json::Value;

/// Make, read and delete the roles of applications, and their SecretIDs
#[derive(Parser, Debug)]
#[command(name = "approle")]
pub(crate) struct AppRole {
    #[command(subcommand)]
    action: Action,
    /// Where the method stands below auth/
    #[arg(long, default_value = "approle", global = true)]
    path: String,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Make or change a role
    Write {
        /// The role's name
        name: String,
        /// Settings, e.g. token_policies=web token_ttl=1h
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Show a role
    Read {
        /// The role's name
        name: String,
    },
    /// Show which roles there are
    List,
    /// Take a role away; its tokens end at once
    Delete {
        /// The role's name
        name: String,
    },
    /// Show the id of a role
    RoleId {
        /// The role's name
        name: String,
    },
    /// Make a SecretID; with -wrap-ttl only who unwraps it sees it
    SecretId {
        /// The role's name
        name: String,
        /// Settings, e.g. ttl=10m num_uses=1 cidr_list=10.0.0.0/8
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
}

impl Command for AppRole {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let below = format!("auth/{}/role", plain(&self.path));
        let role = Thing { below: &below, what: "role" };
        match self.action {
            Action::Write { name, fields } => logins::write(&context, role, &name, &fields).await,
            Action::Read { name } => logins::read(&context, role, &name).await,
            Action::List => logins::list(&context, role).await,
            Action::Delete { name } => logins::delete(&context, role, &name).await,
            Action::RoleId { name } => {
                let reply = context.client()?.read(&format!("{below}/{}/role-id", plain(&name)), &[]).await?;
                context.print_reply(&reply, "")
            }
            Action::SecretId { name, fields } => {
                let body = Value::Object(input::fields(&fields)?);
                let path = format!("{below}/{}/secret-id", plain(&name));
                context.print_reply(&context.client()?.write(&path, &body).await?, "")
            }
        }
    }
}
