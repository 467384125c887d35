//! `version`.

use super::Command;
use crate::{context::Context, failure::Failure};
use clap::Parser;
use serde_json::json;

/// Show the version
#[derive(Parser, Debug)]
#[command(name = "version")]
pub(crate) struct Version {}

impl Command for Version {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let version = env!("CARGO_PKG_VERSION");
        let whole = json!({"name": "secrethub", "version": version});
        context.print(&whole, &whole, || format!("SecretHub v{version}"))
    }
}
