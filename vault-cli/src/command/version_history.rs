//! `version-history`: which versions of the server this vault has seen.

use super::Command;
use crate::{context::Context, failure::Failure, output};
use clap::Parser;
use serde_json::Value;

/// Show which versions of the server this vault has seen
#[derive(Parser, Debug)]
#[command(name = "version-history")]
pub(crate) struct VersionHistory {}

impl Command for VersionHistory {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let reply = context.client()?.list("sys/version-history").await?;
        let data = reply.data();
        context.print_answer(&reply, data, || {
            let row = |version: &str| {
                let info = &data["key_info"][version];
                let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
                vec![version.to_owned(), text("timestamp_installed"), text("build_date")]
            };
            let keys = data["keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
            output::table(&["Version", "Installation Time", "Build Date"], keys.map(row).collect())
        })
    }
}
