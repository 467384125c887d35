//! `audit tail`: the newest records, and with `--follow` those that come.

use super::{
    Which,
    search::{records, row},
};
use crate::{
    context::Context,
    failure::{Failure, OK},
    output::{self, Format},
};
use clap::Args;
use secrethub_client::{AuditSearch, Client};
use serde_json::Value;
use std::time::Duration;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Records of one look at most; what comes faster is seen at the next looks.
const LOOK: usize = 1_000;

#[derive(Args, Debug)]
pub(super) struct Tail {
    #[command(flatten)]
    which: Which,
    /// Records to show
    #[arg(long, short = 'n', default_value_t = 20)]
    lines: usize,
    /// Go on as records come, until interrupted
    #[arg(long, short)]
    follow: bool,
}

impl Tail {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let (client, format) = (context.client()?, context.format()?);
        let mut search = AuditSearch { limit: Some(self.lines), ..self.which.into() };
        let mut seen = show(&client, &search, &[], format).await?;
        if !self.follow {
            return Ok(OK);
        }
        loop {
            tokio::time::sleep(PAUSE).await;
            // From the last record's own time on: others may share it, so those already seen are left out.
            search.limit = Some(LOOK);
            search.from = newest_time(&seen).or(search.from);
            let fresh = show(&client, &search, &seen, format).await?;
            seen.extend(fresh);
            let time = newest_time(&seen);
            seen.retain(|record| record["timestamp"].as_str().map(str::to_owned) >= time);
        }
    }
}

/// Prints what is new, oldest first, and returns it.
async fn show(
    client: &Client,
    search: &AuditSearch,
    seen: &[Value],
    format: Format,
) -> Result<Vec<Value>, Failure> {
    let reply = client.audit_records(search).await?;
    let mut fresh: Vec<Value> =
        records(reply.data()).into_iter().filter(|record| !seen.contains(record)).cloned().collect();
    fresh.reverse();
    for record in &fresh {
        output::say(line(record, format)?)?;
    }
    Ok(fresh)
}

/// One line a record, whatever the layout: what follows must be told apart by line.
fn line(record: &Value, format: Format) -> Result<String, Failure> {
    match format {
        Format::Table => Ok(row(record).join("  ")),
        Format::Json => Ok(record.to_string()),
        Format::Yaml => Ok(format!("---\n{}", output::encode(record, format)?.trim_end())),
        Format::Csv => output::encode(record, format),
    }
}

fn newest_time(records: &[Value]) -> Option<String> {
    // RFC 3339 in UTC with a fixed number of decimals: text order is time order.
    records.iter().filter_map(|record| record["timestamp"].as_str()).max().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_line_a_record() {
        let record =
            json!({"timestamp": "t", "operation": "read", "status": "success", "path": "p", "x": "a\nb"});
        assert_eq!(line(&record, Format::Table).unwrap(), "t  read  success  -  -  p  -");
        assert!(!line(&record, Format::Json).unwrap().contains('\n'));
        assert!(line(&record, Format::Csv).is_err());
    }

    #[test]
    fn the_newest_time_is_where_to_go_on() {
        let records = [json!({"timestamp": "2026-01-02"}), json!({"timestamp": "2026-01-03"}), json!({})];
        assert_eq!(newest_time(&records).as_deref(), Some("2026-01-03"));
        assert_eq!(newest_time(&[]), None);
    }
}
