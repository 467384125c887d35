//! `audit search`: one page of records.

use super::Which;
use crate::{
    context::Context,
    failure::{Failure, OK},
    output::{self, Format},
};
use clap::Args;
use secrethub_client::AuditSearch;
use serde_json::Value;

#[derive(Args, Debug)]
pub(super) struct Search {
    #[command(flatten)]
    which: Which,
    /// Records at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Go on where the former page ended
    #[arg(long)]
    cursor: Option<String>,
}

impl Search {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let search = AuditSearch { limit: Some(self.limit), cursor: self.cursor, ..self.which.into() };
        let reply = context.client()?.audit_records(&search).await?;
        let data = reply.data();
        if context.format()? != Format::Table || context.field().is_some() {
            return context.print(data, data, String::new);
        }
        output::say(table(&records(data)))?;
        if let Some(next) = data["next"].as_str() {
            output::note(format!("more: --cursor {next}"));
        }
        Ok(OK)
    }
}

/// The records of a page.
pub(super) fn records(data: &Value) -> Vec<&Value> {
    data["records"].as_array().into_iter().flatten().collect()
}

const COLUMNS: [&str; 7] = ["timestamp", "operation", "status", "actor", "client_ip", "path", "request_id"];

/// The columns that tell who did what; all others are in JSON.
fn table(records: &[&Value]) -> String {
    output::table(&COLUMNS, records.iter().map(|record| row(record)).collect())
}

/// A record's columns.
pub(super) fn row(record: &Value) -> Vec<String> {
    let text = |name: &&str| record[*name].as_str().filter(|text| !text.is_empty()).unwrap_or("-").to_owned();
    COLUMNS.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_reads_in_one_line() {
        let data = json!({"records": [{"timestamp": "2026-01-01T00:00:00.000001Z", "operation": "read",
            "status": "success", "actor": "root", "client_ip": null, "path": "secret/data/app", "request_id": "5"}]});
        let expect = "\
timestamp                      operation    status     actor    client_ip    path               request_id
---------                      ---------    ------     -----    ---------    ----               ----------
2026-01-01T00:00:00.000001Z    read         success    root     -            secret/data/app    5";
        assert_eq!(table(&records(&data)), expect);
    }
}
