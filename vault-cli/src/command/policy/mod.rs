//! `policy …`: who may do what, as texts; and what they would decide.

mod test;

use super::Command;
use crate::{
    context::{self, Context},
    failure::{Failure, OK},
    input, output,
};
use clap::{Args, Parser, Subcommand};
use secrethub_client::Reply;
use serde_json::{Map, Value, json};
use std::{io, path::PathBuf};

/// Write, read and test policies
#[derive(Parser, Debug)]
#[command(name = "policy", disable_help_subcommand = true)]
pub(crate) struct Policy {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show the names of all policies
    List,
    /// Show a policy's text
    Read {
        /// Name of the policy
        name: String,
    },
    /// Write a policy; it is in force at the next request
    Write {
        /// Name of the policy
        name: String,
        /// Its text: a file, or - for stdin
        file: String,
    },
    /// Delete a policy
    Delete {
        /// Name of the policy
        name: String,
    },
    /// Ask the server what it would decide, and why
    Simulate(Box<Simulate>),
    /// Decide the cases of a file without a server; exit code 1 if one is decided otherwise than expected
    Test {
        /// TOML file of policies and cases; docs/policies.md has an example
        file: PathBuf,
    },
}

/// A request that is not made.
#[derive(Args, Debug)]
struct Simulate {
    /// Policies of who asks; may be repeated
    #[arg(long = "policy", value_name = "NAME")]
    policies: Vec<String>,
    /// The token of who asks, by its accessor
    #[arg(long, conflicts_with = "policies")]
    accessor: Option<String>,
    /// A name that policies may be bound to, e.g. approle/web; may be repeated
    #[arg(long = "entity", value_name = "NAME")]
    entities: Vec<String>,
    /// read, list, create, update, patch, delete
    #[arg(long, default_value = "read")]
    operation: String,
    /// Where it would come from
    #[arg(long, value_name = "IP")]
    address: Option<String>,
    /// When: RFC 3339; now unless given
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// How long the token lives, e.g. 1h
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,
    /// Path of the request, e.g. secret/data/app
    path: String,
}

impl Simulate {
    fn fields(self) -> Value {
        let mut fields = Map::new();
        let texts = [
            ("accessor", self.accessor),
            ("ip_address", self.address),
            ("timestamp", self.time),
            ("requested_ttl", self.ttl),
        ];
        for (name, text) in texts {
            fields.extend(text.map(|text| (name.to_owned(), text.into())));
        }
        for (name, list) in [("policies", self.policies), ("entities", self.entities)] {
            if !list.is_empty() {
                fields.insert(name.to_owned(), json!(list));
            }
        }
        fields.insert("operation".to_owned(), self.operation.into());
        fields.insert("path".to_owned(), self.path.into());
        Value::Object(fields)
    }
}

impl Command for Policy {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        match self.action {
            Action::List => {
                let reply = context.client()?.policies().await?;
                let names = reply.data()["keys"].clone();
                let lines = || names.as_array().into_iter().flatten().map(output::cell).collect::<Vec<_>>();
                context.print_answer(&reply, &names, || lines().join("\n"))
            }
            Action::Read { name } => {
                let reply = context.client()?.policy_read(&name).await?;
                let text = reply.data()["policy"].as_str().unwrap_or_default().to_owned();
                let whole = json!({ "policy": text });
                context.print(&whole, &whole, || text.trim_end().to_owned())
            }
            Action::Write { name, file } => {
                let text = match file.as_str() {
                    "-" => text_of(input::bytes_of(&mut io::stdin().lock(), "stdin")?)?,
                    file => input::file(file)?,
                };
                let reply = context.client()?.policy_write(&name, &text).await?;
                context::done(&reply, &format!("Success! Uploaded policy: {}", name.to_lowercase()))
            }
            Action::Delete { name } => {
                let reply = context.client()?.policy_delete(&name).await?;
                context::done(&reply, &format!("Success! Deleted policy: {}", name.to_lowercase()))
            }
            Action::Simulate(simulate) => {
                show(&context, &context.client()?.policy_simulate(&simulate.fields()).await?)
            }
            Action::Test { file } => test::run(&context, &file),
        }
    }
}

fn text_of(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| Failure::local("stdin is not a text").hint("policies are UTF-8"))
}

/// The decision, and the steps that led to it.
fn show(context: &Context, reply: &Reply) -> Result<u8, Failure> {
    let data = reply.data();
    let rows = || {
        let steps = data["steps"].as_array().into_iter().flatten();
        let cells =
            |step: &Value| ["step", "result", "message"].map(|name| output::cell(&step[name])).to_vec();
        steps.map(cells).collect::<Vec<_>>()
    };
    let decided = format!("{}: {}", output::cell(&data["result"]), output::cell(&data["reason"]));
    context.print_answer(reply, data, || {
        format!("{decided}\n\n{}", output::table(&["Step", "Result", "Message"], rows()))
    })?;
    Ok(OK)
}
