//! `audit imported`: one page of what the first seed's own log said.

use super::search::records;
use crate::{
    context::Context,
    failure::{Failure, OK},
    output::{self, Format},
};
use clap::Args;
use serde_json::Value;

#[derive(Args, Debug)]
pub(super) struct Imported {
    /// Not before, RFC 3339 (2026-01-31T00:00:00Z)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before, RFC 3339
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Id of a secret
    #[arg(long)]
    secret_id: Option<String>,
    /// Records at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Go on where the former page ended
    #[arg(long)]
    cursor: Option<String>,
}

impl Imported {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let given =
            [("from", self.from), ("to", self.to), ("secret_id", self.secret_id), ("cursor", self.cursor)];
        let mut query: Vec<(&str, String)> =
            given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        query.push(("limit", self.limit.to_string()));
        let reply = context.client()?.read("secret-manager/imported", &query).await?;
        let data = reply.data();
        if context.format()? != Format::Table || context.field().is_some() {
            return context.print(data, data, String::new);
        }
        output::say(output::table(&COLUMNS, records(data).into_iter().map(row).collect()))?;
        if let Some(next) = data["next"].as_str() {
            output::note(format!("more: --cursor {next}"));
        }
        Ok(OK)
    }
}

const COLUMNS: [&str; 6] = ["timestamp", "operation", "status", "client_ip", "secret_id", "error"];

fn row(record: &Value) -> Vec<String> {
    COLUMNS.iter().map(|name| record[*name].as_str().unwrap_or("-").to_owned()).collect()
}
