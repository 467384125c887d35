//! `read`, `write`, `patch`, `delete`, `list`, `scan`: any path of the API, for what has no command of its own.

use super::Command;
use crate::{context::Context, failure::Failure, input};
use clap::Parser;
use secrethub_client::{Error, Kind, Reply};
use serde_json::Value;

/// Read a path
#[derive(Parser, Debug)]
#[command(name = "read")]
pub(crate) struct Read {
    /// Path, e.g. auth/token/lookup-self
    path: String,
    /// Query fields: key=value
    #[arg(value_name = "K=V")]
    fields: Vec<String>,
}

/// Write fields to a path
#[derive(Parser, Debug)]
#[command(name = "write")]
pub(crate) struct Write {
    /// Send no fields
    #[arg(long, short)]
    force: bool,
    /// Path, e.g. sys/tools/random/16
    path: String,
    /// Fields: key=value, key=@FILE, key=- (stdin), @FILE or - (a JSON object)
    #[arg(value_name = "K=V")]
    fields: Vec<String>,
}

/// Merge fields into what is at a path
#[derive(Parser, Debug)]
#[command(name = "patch")]
pub(crate) struct Patch {
    /// Send no fields
    #[arg(long, short)]
    force: bool,
    /// Path, e.g. secret/data/app
    path: String,
    /// Fields: key=value, key=@FILE, key=- (stdin), @FILE or - (a JSON object)
    #[arg(value_name = "K=V")]
    fields: Vec<String>,
}

/// Delete what is at a path
#[derive(Parser, Debug)]
#[command(name = "delete")]
pub(crate) struct Delete {
    /// Path
    path: String,
}

/// List the names below a path
#[derive(Parser, Debug)]
#[command(name = "list")]
pub(crate) struct List {
    /// Path
    path: String,
}

/// List everything below a path, however deep
#[derive(Parser, Debug)]
#[command(name = "scan")]
pub(crate) struct Scan {
    /// Path
    path: String,
}

impl Command for Read {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let fields = input::fields(&self.fields)?;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let query: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), text(value))).collect();
        let path = plain(&self.path);
        let reply = context.client()?.read(path, &query).await.map_err(|error| absent(error, path))?;
        print(&context, &reply, "")
    }
}

impl Command for Write {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let fields = some_fields(&self.fields, self.force)?;
        let path = plain(&self.path);
        let reply = context.client()?.write(path, &fields).await?;
        print(&context, &reply, &format!("Success! Data written to: {path}"))
    }
}

impl Command for Patch {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let fields = some_fields(&self.fields, self.force)?;
        let path = plain(&self.path);
        let reply = context.client()?.patch(path, &fields).await.map_err(|error| absent(error, path))?;
        print(&context, &reply, &format!("Success! Data written to: {path}"))
    }
}

impl Command for Delete {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let path = plain(&self.path);
        let reply = context.client()?.delete(path).await?;
        context.print_reply(&reply, &format!("Success! Data deleted (if it existed) at: {path}"))
    }
}

impl Command for List {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let path = plain(&self.path);
        let reply = context.client()?.list(path).await.map_err(|error| absent(error, path))?;
        context.print_keys(&reply)
    }
}

impl Command for Scan {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let path = plain(&self.path);
        let reply = context.client()?.scan(path).await.map_err(|error| absent(error, path))?;
        context.print_keys(&reply)
    }
}

fn some_fields(arguments: &[String], force: bool) -> Result<Value, Failure> {
    if arguments.is_empty() && !force {
        return Err(Failure::local("no fields to write").hint("give key=value, or --force to send none"));
    }
    Ok(Value::Object(input::fields(arguments)?))
}

/// Whatever came: data or a token in the envelope, or an answer that has none (sys/health, sys/seal-status).
pub(super) fn print(context: &Context, reply: &Reply, done: &str) -> Result<u8, Failure> {
    let is_bare = reply.request_id().is_none() && reply.body().is_object();
    match (reply.auth(), reply.data()) {
        (auth @ Value::Object(_), _) => context.print_answer(reply, auth, || table_of(auth)),
        (_, Value::Null) if is_bare => context.print(reply.body(), reply.body(), || table_of(reply.body())),
        _ => context.print_reply(reply, done),
    }
}

/// A path without the slashes that people put around it.
pub(super) fn plain(path: &str) -> &str {
    path.trim_matches('/')
}

/// What is not there is named.
pub(super) fn absent(error: Error, path: &str) -> Failure {
    match &error {
        Error::Refused(refusal) if refusal.kind == Kind::NotFound && refusal.messages.is_empty() => {
            Failure::remote(format!("No value found at {path}"))
        }
        _ => error.into(),
    }
}

fn table_of(value: &Value) -> String {
    value.as_object().map(crate::output::object_table).unwrap_or_default()
}
