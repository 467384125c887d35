//! `app …`: applications, what they may do, and their first token.

use super::{
    Command,
    generic::plain,
    logins::{self, Thing},
};
use crate::{context::Context, failure::Failure, input};
use clap::{Parser, Subcommand};
use serde_json::{Map, Value, json};

/// Register, suspend and delete applications
#[derive(Parser, Debug)]
#[command(name = "app")]
pub(crate) struct App {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Register an application; its bootstrap token is shown once
    Register {
        /// Its name, which no other has
        name: String,
        /// Settings, e.g. policies=web token_ttl=1h description=…
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Change what is named
    Update {
        /// The application's id
        id: String,
        /// Settings
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
    },
    /// Show an application
    Read {
        /// The application's id
        id: String,
    },
    /// Show the applications
    List {
        /// Only those in this state
        #[arg(long)]
        status: Option<String>,
        /// Only those of this agent
        #[arg(long)]
        agent_id: Option<String>,
    },
    /// Make another bootstrap token; the one before is worth nothing
    Token {
        /// The application's id
        id: String,
    },
    /// Have nothing served of what it holds
    Suspend {
        /// The application's id
        id: String,
    },
    /// Let a suspended application go on
    Activate {
        /// The application's id
        id: String,
    },
    /// Take an application away, and end all that it holds
    Delete {
        /// The application's id
        id: String,
    },
}

impl Command for App {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let app = Thing { below: "apps", what: "application" };
        let client = context.client()?;
        let reply = match self.action {
            Action::Register { name, fields } => {
                let mut body = input::fields(&fields)?;
                body.insert("name".to_owned(), json!(name));
                client.write("apps", &Value::Object(body)).await?
            }
            Action::Update { id, fields } => {
                client.write(&at(&id, ""), &Value::Object(input::fields(&fields)?)).await?
            }
            Action::Read { id } => return logins::read(&context, app, &id).await,
            Action::Delete { id } => return logins::delete(&context, app, &id).await,
            Action::List { status, agent_id } => {
                let wanted = [("status", status), ("agent_id", agent_id)];
                let query: Vec<(&str, String)> =
                    wanted.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                let reply = client.read("apps", &query).await?;
                let fields = Value::Object(reply.data().as_object().cloned().unwrap_or_else(Map::new));
                return context.print_answer(&reply, &fields, || table(&fields));
            }
            Action::Token { id } => client.write(&at(&id, "/token"), &json!({})).await?,
            Action::Suspend { id } => client.write(&at(&id, "/suspend"), &json!({})).await?,
            Action::Activate { id } => client.write(&at(&id, "/activate"), &json!({})).await?,
        };
        context.print_reply(&reply, "")
    }
}

fn at(id: &str, below: &str) -> String {
    format!("apps/{}{below}", plain(id))
}

/// One line an application.
fn table(data: &Value) -> String {
    let apps = data["apps"].as_array().into_iter().flatten();
    let text = |app: &Value, name: &str| app[name].as_str().unwrap_or_default().to_owned();
    let lines =
        apps.map(|app| format!("{}  {:9}  {}", text(app, "app_id"), text(app, "status"), text(app, "name")));
    lines.collect::<Vec<_>>().join("\n")
}
